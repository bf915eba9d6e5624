"""Where YouTube-VOS lies on disk, and reading one of its videos. For the layouts see the module ``youtubevos``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

import numpy as np

from trackdata.datasets.vos import list_labelled
from trackdata.deferred import Deferred
from trackdata.errors import AnnotationError
from trackdata.labels import read_size
from trackdata.storage import Store, read_text
from trackdata.storage.store import join
from trackdata.videos import SegmentedVideo, StoredLabels

# Edition -> what its folder is called, officially and by STCN.
EDITIONS: Mapping[str, tuple[str, ...]] = {"2019": ("2019", "YouTube"), "2018": ("2018", "YouTube2018")}
FrameRate = Literal["listed", "all"]

# (video, object) -> the frame in which its mask begins, where meta.json says another; from STCN.
STARTS: Mapping[tuple[str, int], str] = {
    ("0e27472bea", 2): "00065",
    ("5937b08d69", 4): "00005",
    ("5e1ce354fd", 5): "00020",
    ("7053e4f41e", 2): "00020",
    ("720e3fa04c", 2): "00055",
    ("c73c8e747f", 2): "00040",
}

Meta = Mapping[str, Any] | None  # video to what meta.json says about it; None without meta.json


@dataclass(frozen=True)
class Places:
    """Where a part of the dataset lies.

    Attributes:
        store: the root.
        edition: "2018" or "2019", "" when the folders do not tell.
        images, labels: keys of the folders that hold a folder for each video.
        meta: key of meta.json, None when there is none.
    """

    store: Store
    edition: str
    images: str
    labels: str
    meta: str | None


def find_places(store: Store, part: str, edition: str, resized: int | None, frames: FrameRate) -> Places:
    """Where ``part`` (train, valid or test) of an edition lies; "" takes the only edition there is.

    Raises:
        AnnotationError: there is no such part, there are two, or there are no frames.
    """
    folder = f"{part}_{resized}p" if resized else part
    bases = {join(base, folder): year for year, names in EDITIONS.items() for base in names if edition in ("", year)}
    own = next((year for year, names in EDITIONS.items() if PurePath(store.where("")).name in names), edition)
    if edition in ("", own):
        bases[folder] = own  # the root is an edition's folder
    found = {base: year for base, year in bases.items() if store.folders(join(base, "Annotations"))}
    if not found:
        expected = ", ".join(sorted(f"{base}/Annotations" for base in bases))
        raise AnnotationError(f"{store.where('')}: no label maps of YouTube-VOS there; expected one of {expected}")
    if len(found) > 1:
        held = " and ".join(sorted(found))
        raise AnnotationError(f"{store.where('')}: holds {held}; give the edition and the split, as in 2019/{part}")
    base, year = next(iter(found.items()))
    above = base.rpartition("/")[0]
    metas = (join(base, "meta.json"), join(join(above, part), "meta.json"))
    return Places(
        store=store,
        edition=year,
        images=_find_images(store, base, above, folder, frames),
        labels=join(base, "Annotations"),
        meta=next((key for key in metas if store.is_file(key)), None),
    )


def _find_images(store: Store, base: str, above: str, folder: str, frames: FrameRate) -> str:
    listed = join(base, "JPEGImages")
    every = (f"{base}_all_frames/JPEGImages", join(above, f"all_frames/{folder}_all_frames/JPEGImages"))
    wanted = (listed,) if frames == "listed" else every
    if found := [place for place in wanted if store.folders(place)]:
        return found[0]
    hint = ""
    if frames == "listed" and any(store.folders(place) for place in every):
        hint = "; for those in the folder of all frames, give frames='all'"
    raise AnnotationError(f"{store.where(wanted[0])}: no frames there{hint}")


def read_meta(store: Store, key: str | None) -> Meta:
    """What meta.json says. Raises AnnotationError when it is damaged."""
    if key is None:
        return None
    file = read_text(store, key)
    try:
        return dict(json.loads(file.text)["videos"])
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationError(f"{file.source}: not the meta.json of YouTube-VOS ({error!r})") from None


def read_video(places: Places, meta: Deferred[Meta], name: str, *, starts: bool = False) -> SegmentedVideo:
    """The video ``name``. Its objects and their first frames are those of meta.json; without one, those of the label
    maps, all of which are decoded then.

    Args:
        places: where it lies.
        meta: what :func:`read_meta` returns.
        starts: use :data:`STARTS`.

    Raises:
        AnnotationError: no frames, no label map where an object begins, or meta.json does not know the video or names
            frames that are not there.
    """
    store, folder = places.store, join(places.labels, name)
    frames, labels = list_labelled(store, join(places.images, name), folder)
    names = tuple(PurePath(key).stem for key in frames.keys)
    if meta.value is None:
        first_frames = _first_in_labels(labels)
        classes, wanted = dict.fromkeys(first_frames), np.ones(len(frames), bool)
    else:
        objects = _objects(meta.value, name, store.where(places.meta))
        places_of = {stem: frame for frame, stem in enumerate(names)}
        begins = {number: listed[0] for number, (_, listed) in objects.items()}
        if starts:
            begins = {number: STARTS.get((name, number), stem) for number, stem in begins.items()}
        mentioned = {*begins.values(), *(stem for _, listed in objects.values() for stem in listed)}
        if missing := sorted(mentioned - places_of.keys()):
            raise AnnotationError(
                f"{store.where(join(places.images, name))}: there is no frame {missing[0]}, which meta.json lists"
            )
        first_frames = {number: places_of[stem] for number, stem in begins.items()}
        classes = {number: category for number, (category, _) in objects.items()}
        wanted = np.array([stem in mentioned for stem in names])
    for number, frame in first_frames.items():
        if labels.keys[frame] is None:
            key = store.where(join(folder, f"{names[frame]}.png"))
            raise AnnotationError(f"{key}: there is no such file, but object {number} begins in this frame")
    return SegmentedVideo(
        name=name,
        frames=frames,
        frame_names=names,
        objects=tuple(first_frames),
        labels=labels,
        annotated=np.array([key is not None for key in labels.keys]),
        first_frames=first_frames,
        classes=classes,
        size=label_size(store, folder),
        wanted=wanted,
    )


def label_size(store: Store, folder: str) -> tuple[int, int]:
    """(height, width) of the first label map in ``folder``. Raises AnnotationError when there is none."""
    first = next((name for name in store.files(folder) if name.endswith(".png")), None)
    if first is None:
        raise AnnotationError(f"{store.where(folder)}: no label maps there")
    return read_size(store, join(folder, first))


def _objects(meta: Mapping[str, Any], name: str, source: str) -> dict[int, tuple[str | None, list[str]]]:
    """Object to its class and the names of its frames, in ascending order of objects."""
    if name not in meta:
        raise AnnotationError(f"{source}: does not know the video {name}")
    try:
        objects = {
            int(number): (described.get("category"), [str(stem) for stem in described["frames"]])
            for number, described in meta[name]["objects"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnnotationError(f"{source}: the video {name} is not described as expected ({error!r})") from None
    if empty := [number for number, (_, listed) in objects.items() if not listed]:
        raise AnnotationError(f"{source}: object {empty[0]} of the video {name} has no frames")
    return dict(sorted(objects.items()))


def _first_in_labels(labels: StoredLabels) -> dict[int, int]:
    found: dict[int, int] = {}
    for frame, key in enumerate(labels.keys):
        for number in () if key is None else np.unique(labels(frame)).tolist():
            if number:
                found.setdefault(number, frame)
    return dict(sorted(found.items()))
