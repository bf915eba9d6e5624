"""DAVIS 2017 and 2016: videos with every frame segmented (Pont-Tuset et al., 2017; Perazzi et al., CVPR 2016).

On disk, at the root, or in ``DAVIS``, or in the folders that STCN uses (``2017/trainval``, ``2017/test-dev``, ``2016``,
with or without ``DAVIS`` above)::

    JPEGImages/480p/<video>/00000.jpg ...
    Annotations/480p/<video>/00000.png ...      palette images, pixel = object; of test-dev only the first
    ImageSets/2017/val.txt                      one video a line

In DAVIS 2016 everything that moves is one object: whatever is not 0 counts. Its videos are the first part of those of
2017, so the folder of either edition will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trackdata.datasets.info import DatasetInfo, check_split
from trackdata.datasets.lists import read_list
from trackdata.datasets.vos import ObjectSequences, list_labelled
from trackdata.sequences import AnnotationError
from trackdata.storage import Below, Store, open_store, read_text
from trackdata.storage.store import join
from trackdata.videos import SegmentedVideo, VideoList

SPLITS: Mapping[int, tuple[str, ...]] = {
    2016: ("train", "val", "trainval"),
    2017: ("train", "val", "trainval", "test-dev", "test-challenge"),
}
VOID = 255  # in annotations of DAVIS 2017: neither object nor background
_TESTS = ("test-dev", "test-challenge")


def davis_videos(
    root: str | Path | Store, split: str | None = None, *, year: int = 2017, resolution: str = "480p"
) -> VideoList:
    """DAVIS as segmented videos.

    Args:
        root: the folder or archive; see the head of this module.
        split: one of :data:`SPLITS`; None means ``val``. The videos are those of the list on disk, or where that is
            missing of the official one.
        year: 2016 or 2017.
        resolution: ``480p`` or ``Full-Resolution``: the folder of that name.

    Raises:
        ValueError: no such year or split.
        AnnotationError: the folder does not hold DAVIS, or no list of a test split.
    """
    store, split, base = _find(root, split, year, resolution)
    read = partial(read_video, Below(store, base) if base else store, resolution=resolution, binary=year == 2016)
    return VideoList(f"davis{year}_{split}", _names(store, split, year, base), read)


def davis(
    root: str | Path | Store,
    split: str | None = None,
    *,
    year: int = 2017,
    resolution: str = "480p",
    name: str | None = None,
    **options: Any,
) -> ObjectSequences:
    """DAVIS as one tracking sequence per object.

    Args:
        root, split, year, resolution: as for :func:`davis_videos`.
        name: what reports call it.
        options: ``box_rule``, ``min_pixels``, ``keep`` and ``max_target_area`` of
            :class:`~trackdata.datasets.vos.ObjectSequences`.

    Raises:
        ValueError, AnnotationError: as for :func:`davis_videos`, or a label map is missing or damaged.
    """
    store, split, base = _find(root, split, year, resolution)
    videos = davis_videos(store, split, year=year, resolution=resolution)
    parts = [join(base, join(kind, resolution)) for kind in ("Annotations", "JPEGImages")]
    folders = [join(part, video) for part in parts for video in videos.video_names]
    return ObjectSequences(videos, store, folders, first_only=split in _TESTS, name=name, **options)


def _find(root: str | Path | Store, split: str | None, year: int, resolution: str) -> tuple[Store, str, str]:
    """The store, the split, and the folder with ``JPEGImages``."""
    if year not in SPLITS:
        raise ValueError(f"there is no DAVIS {year}; there are {', '.join(map(str, SPLITS))}")
    split = split or "val"
    check_split(f"DAVIS {year}", split, SPLITS[year])
    store = open_store(root)
    part = split if split in _TESTS else "trainval"
    inner = ("", f"{year}/{part}", str(year), part)
    for folder in (*inner, *(join("DAVIS", name) if name else "DAVIS" for name in inner)):
        if store.folders(join(folder, join("JPEGImages", resolution))):
            return store, split, folder
    raise AnnotationError(
        f"{store.where('')}: no folder JPEGImages/{resolution} with videos of DAVIS there, nor in DAVIS, {year}/{part} "
        f"or {year} below"
    )


def _names(store: Store, split: str, year: int, base: str) -> list[str]:
    """The videos of a split: from a list on disk, else the official ones."""
    lists = [f"ImageSets/{year}/{split}.txt", f"ImageSets/480p/{split}.txt"]
    # STCN's DAVIS 2016 has no list of its own: it is read from the folder of 2017.
    above = base.removesuffix(str(year)).rstrip("/")
    folders = dict.fromkeys((base, join(above, "2017/trainval"), above))
    for key in (join(folder, name) for folder in folders for name in lists):
        if store.is_file(key):
            return list(dict.fromkeys(map(_video_name, read_text(store, key).lines)))
    if split in _TESTS:
        raise AnnotationError(f"{store.where(join(base, lists[0]))}: there is no such file")
    parts = ("train", "val") if split == "trainval" else (split,)
    return [name for part in parts for name in read_list(f"davis{year}_{part}")]


def _video_name(line: str) -> str:
    """A line is a name; or, in the first edition of DAVIS 2016, the paths of a frame and its annotation."""
    return line.split()[0].split("/")[-2] if "/" in line else line


def read_video(store: Store, name: str, *, resolution: str = "480p", binary: bool = False) -> SegmentedVideo:
    """The video ``name``: its objects are those of the first frame's label map.

    Args:
        store: the folder with ``JPEGImages`` and ``Annotations``.
        binary: there is one object, number 1, whatever the numbers in the label maps.

    Raises:
        AnnotationError: no frames, the first label map is missing or damaged, or some but not all of the others are.
    """
    folder = join("Annotations", join(resolution, name))
    frames, labels = list_labelled(store, join("JPEGImages", join(resolution, name)), folder, binary)
    annotated = np.array([key is not None for key in labels.keys])
    names = tuple(key.rpartition("/")[2].rpartition(".")[0] for key in frames.keys)
    if not annotated[0] or (annotated.any() and not annotated.all() and annotated.sum() > 1):
        missing = names[int(np.flatnonzero(~annotated)[0])]
        raise AnnotationError(f"{store.where(join(folder, f'{missing}.png'))}: there is no such file")
    first = labels(0)
    objects = (1,) if binary else tuple(int(number) for number in np.unique(first) if number not in (0, VOID))
    return SegmentedVideo(
        name=name,
        frames=frames,
        frame_names=names,
        objects=objects,
        labels=labels,
        annotated=annotated,
        first_frames=dict.fromkeys(objects, 0),
        classes=dict.fromkeys(objects),
        size=first.shape,
        wanted=np.ones(len(frames), bool),
    )


DATASETS = tuple(
    DatasetInfo(
        name=f"davis{year}",
        title=f"DAVIS {year}",
        open=partial(davis, year=year),
        videos=partial(davis_videos, year=year),
        splits=splits,
        layout=f"JPEGImages/480p/<video>/%05d.jpg, Annotations/480p/<video>/%05d.png, ImageSets/{year}/<split>.txt",
        annotation="masks of one object in every frame" if year == 2016 else "masks of all objects in every frame",
    )
    for year, splits in SPLITS.items()
)
