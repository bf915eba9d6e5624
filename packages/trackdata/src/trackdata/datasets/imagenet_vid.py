"""ImageNet VID: 3,862 training and 555 validation videos of 30 classes (Russakovsky et al., IJCV 2015).

On disk::

    Data/VID/train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000/000000.JPEG ...
    Data/VID/val/ILSVRC2015_val_00000000/000000.JPEG ...
    Annotations/VID/...                        the same with .xml for .JPEG

A sequence is one object of a video. Published readers differ in what they make of an object that leaves and comes back,
and in the size of boxes; both are options here. The XML files are read once, into an index. Where there are none, as in
LMDB made for OSTrack, the tracks are read from pytracking's ``cache.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from trackdata.datasets.imagenet_tracks import ANNOTATIONS, CACHE, concatenate_tracks, read_tracks
from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.deferred import Deferred
from trackdata.frames import NumberedFrames, StoredFrames
from trackdata.parsing import valid_boxes
from trackdata.sequences import Sequence
from trackdata.storage import Store, open_store
from trackdata.storage.store import join

# Split -> folders of Annotations/VID and Data/VID.
SPLITS: Mapping[str, tuple[str, ...]] = {"train": ("train",), "val": ("val",), "train_val": ("train", "val")}
Gaps = Literal["end", "skip"]
_IMAGES, _IMAGE = "Data/VID", "{:06d}.JPEG"


class ImageNetVid:
    """ImageNet VID, or a dataset in its layout. Sequences are read from an index; building reads no image.

    Attributes:
        name: what reports call it.
        still: False.
    """

    still = False

    def __init__(
        self,
        root: str | Path | Store,
        split: str | None = None,
        *,
        gaps: Gaps = "end",
        plus_one: bool = False,
        min_length: int = 1,
        max_target_area: float | None = 1.0,
        name: str | None = None,
    ) -> None:
        """
        Args:
            root: the folder, archive or LMDB with ``Annotations`` or ``cache.json``, and ``Data``.
            split: a key of :data:`SPLITS`; None means ``train``.
            gaps: ``end``: an object's sequence ends where it is first missing, what comes later is not used (OSTrack,
                pytracking). ``skip``: it has all frames that show the object (GOT-10k toolkit, SparseTT).
            plus_one: w = xmax - xmin + 1 and the same for h (GOT-10k toolkit, SparseTT) instead of xmax - xmin.
            min_length: leave out sequences of fewer frames.
            max_target_area: leave out sequences in whose first frame the square root of box area over image area is
                not below this; None keeps them.
            name: what reports call it; by default ``imagenet_vid`` and the split.

        Raises:
            ValueError: unknown split or ``gaps``, or ``gaps="skip"`` where there is only a cache.json, which does not
                know what comes after a gap.
            AnnotationError: no annotation of this split, or a file is damaged.
        """
        split = split or "train"
        check_split("ImageNet VID", split, tuple(SPLITS))
        if gaps not in get_args(Gaps):
            raise ValueError(f"gaps is one of {', '.join(get_args(Gaps))}, got {gaps!r}")
        self._store = open_store(root)
        self._plus_one = plus_one
        self._gaps = gaps
        self.name = name or f"imagenet_vid_{split}"
        rules = {"gaps": gaps, "plus_one": plus_one, "min_length": min_length, "max_target_area": max_target_area}
        self._tracks = Deferred(partial(_select, self._store, SPLITS[split], **rules))
        self._tracks.value  # noqa: B018 - what is wrong is told now, and forked workers share the table

    def __len__(self) -> int:
        return len(self._tracks.value["first"])

    @property
    def sequence_names(self) -> tuple[str, ...]:
        """``<video>.<track>``, in order."""
        return tuple(map(self._name, range(len(self))))

    def _name(self, index: int) -> str:
        tracks = self._tracks.value
        video = tracks["videos"][tracks["video"][index]].decode()
        return f"{video.rpartition('/')[2]}.{tracks['track'][index]}"

    def __getitem__(self, index: int) -> Sequence:
        """Sequence ``index``. ``visible`` is: not occluded and a valid box. ``attributes``
        has ``frame_numbers`` (N,), the numbers of its frames in the video, and ``resolution`` (width, height)."""
        tracks = self._tracks.value
        index = range(len(self))[index]
        rows = slice(tracks["first"][index], tracks["last"][index])
        video = tracks["videos"][tracks["video"][index]].decode()
        folder = join(_IMAGES, video)
        numbers = tracks["frame"][rows]
        if self._gaps == "end":
            frames = NumberedFrames(self._store, folder, len(numbers), _IMAGE, int(numbers[0]))
        else:
            frames = StoredFrames(self._store, tuple(join(folder, _IMAGE.format(number)) for number in numbers))
        boxes = corner_sizes(tracks["corners"][rows], self._plus_one)
        valid = valid_boxes(boxes)
        return Sequence(
            name=self._name(index),
            frames=frames,
            boxes=boxes,
            valid=valid,
            visible=~tracks["occluded"][rows] & valid,
            object_class=tracks["synset"][index].decode(),
            attributes={
                "frame_numbers": numbers,
                "resolution": tuple(tracks["sizes"][tracks["video"][index]].tolist()),
            },
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} sequences>"


def corner_sizes(corners: np.ndarray, plus_one: bool) -> np.ndarray:
    """``(N, 4)`` float64 boxes x, y, w, h of corners xmin, ymin, xmax, ymax; one pixel larger with ``plus_one``."""
    boxes = corners.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2] - plus_one
    return boxes


def _select(
    store: Store,
    parts: tuple[str, ...],
    *,
    gaps: Gaps,
    plus_one: bool,
    min_length: int,
    max_target_area: float | None,
) -> Mapping[str, np.ndarray]:
    """The table of tracks that pass, cut at their first gap if so asked."""
    lacking = [part for part in parts if not store.folders(join(ANNOTATIONS, part))]
    if gaps == "skip" and lacking and store.is_file(CACHE):
        raise ValueError(
            f"{store.where(CACHE)}: tracks end at their first gap there; gaps='skip' needs {ANNOTATIONS}/{lacking[0]}"
        )
    tracks = concatenate_tracks([read_tracks(store, part) for part in parts])
    if gaps == "end":
        breaks = np.flatnonzero(np.diff(tracks["frame"]) != 1) + 1
        breaks = np.union1d(breaks, tracks["last"])
        tracks["last"] = breaks[np.searchsorted(breaks, tracks["first"], side="right")]
    kept = tracks["last"] - tracks["first"] >= max(1, min_length)
    if max_target_area is not None:
        width, height = corner_sizes(tracks["corners"][tracks["first"]], plus_one)[:, 2:].T
        areas = tracks["sizes"][tracks["video"]].astype(np.float64).prod(axis=1)
        kept &= np.sqrt(width * height / areas) < max_target_area
    return tracks | {key: tracks[key][kept] for key in ("video", "track", "synset", "first", "last")}


VID = DatasetInfo(
    name="imagenet_vid",
    title="ImageNet VID",
    open=ImageNetVid,
    splits=tuple(SPLITS),
    layout="Data/VID/<split>/.../<video>/%06d.JPEG, Annotations/VID/<split>/.../<video>/%06d.xml",
    annotation="box, occlusion and class of every object in every frame",
)
_SPARSETT = partial(ImageNetVid, gaps="skip", plus_one=True, min_length=2, max_target_area=None)
DATASETS = (
    VID,
    published(VID, "VID", "train"),
    published(replace(VID, open=_SPARSETT), "SPARSETT_VID", "train_val"),
)
