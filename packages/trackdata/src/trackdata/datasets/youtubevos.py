"""YouTube-VOS 2019 and 2018: videos in which every fifth frame is segmented (Xu et al., 2018).

On disk, the root being the folder of an edition or the one above::

    <2018|2019>/<train|valid|test>/JPEGImages/<video>/00000.jpg, 00005.jpg ...
                                  /Annotations/<video>/00000.png ...     pixel = object; of valid and test only frames
                                                                         in which an object first appears
                                  /meta.json                             objects, classes and frames of each video
    <2018|2019>/<part>_all_frames/JPEGImages/<video>/00000.jpg, 00001.jpg ...

STCN calls the editions ``YouTube`` and ``YouTube2018``, keeps all frames in ``all_frames/<part>_all_frames``, and
trains on frames resized to ``train_480p``. Numbers of objects may have gaps, and objects may first appear in any frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.datasets.lists import read_list
from trackdata.datasets.vos import ObjectSequences
from trackdata.datasets.youtubevos_files import (
    EDITIONS,
    FrameRate,
    Places,
    find_places,
    label_size,
    read_meta,
    read_video,
)
from trackdata.deferred import Deferred
from trackdata.storage import Store, open_store
from trackdata.storage.store import join
from trackdata.videos import VideoList

# Split -> the part of the dataset it is taken from.
SPLITS: Mapping[str, str] = {
    "train": "train",
    "valid": "valid",
    "test": "test",
    "train_stcn": "train",
    "jjtrain": "train",
    "jjvalid": "train",
}
ASPECTS = (1.45, 1.9)  # width over height of the videos that the clean-up "aspect" keeps


def youtubevos_videos(
    root: str | Path | Store,
    split: str | None = None,
    *,
    frames: FrameRate = "listed",
    resized: int | None = None,
    starts: bool = False,
    aspect: bool = False,
) -> VideoList:
    """YouTube-VOS as segmented videos, sorted by name.

    Args:
        root: the folder or archive with the editions, or of one edition; see the head of this module.
        split: a key of :data:`SPLITS`, after the edition and a slash where the root has both (``2018/valid``); None
            means ``valid``. ``train_stcn`` leaves out the seven training videos that STCN and DropSeg leave out;
            ``jjvalid`` are 300 training videos on which pytracking validates, ``jjtrain`` the others.
        frames: ``listed``: every fifth frame, from the part's own folder. ``all``: every frame, from the folder of all
            frames.
        resized: read the folder ``<part>_<resized>p``, whose images are resized to this short side, instead.
        starts: correct the first frame of six training objects, which meta.json has wrong.
        aspect: leave out videos with a ratio of width to height outside :data:`ASPECTS`.

    Raises:
        ValueError: no such split, edition or ``frames``.
        AnnotationError: the folder does not hold this part, or holds it in two editions.
    """
    videos, places, split = _open_part(root, split, frames, resized, starts)
    names = _select(videos, places, split, aspect)
    return VideoList(_label(places, split, frames, resized), names, videos.find)


def youtubevos(
    root: str | Path | Store,
    split: str | None = None,
    *,
    frames: FrameRate = "listed",
    resized: int | None = None,
    starts: bool = False,
    aspect: bool = False,
    name: str | None = None,
    **options: Any,
) -> ObjectSequences:
    """YouTube-VOS as one tracking sequence per object.

    Args:
        root, split, frames, resized, starts, aspect: as for :func:`youtubevos_videos`.
        name: what reports call it.
        options: ``box_rule``, ``min_pixels``, ``keep`` and ``max_target_area`` of
            :class:`~trackdata.datasets.vos.ObjectSequences`.

    Raises:
        ValueError, AnnotationError: as for :func:`youtubevos_videos`.
    """
    videos, places, split = _open_part(root, split, frames, resized, starts)
    folders = [join(part, video) for part in (places.labels, places.images) for video in videos.video_names]
    return ObjectSequences(
        videos,
        places.store,
        [*folders, *filter(None, [places.meta])],
        first_only=SPLITS[split] != "train",
        only=_select(videos, places, split, aspect),
        name=name or _label(places, split, frames, resized),
        **options,
    )


def _open_part(
    root: str | Path | Store, split: str | None, frames: FrameRate, resized: int | None, starts: bool
) -> tuple[VideoList, Places, str]:
    """All videos of the part that the split is taken from, where they lie, and the split without its edition."""
    edition, _, split = (split or "valid").rpartition("/")
    check_split("YouTube-VOS", split, tuple(SPLITS))
    if edition and edition not in EDITIONS:
        raise ValueError(f"YouTube-VOS has no edition {edition!r}; there are {', '.join(EDITIONS)}")
    if frames not in get_args(FrameRate):
        raise ValueError(f"frames is one of {', '.join(get_args(FrameRate))}, got {frames!r}")
    places = find_places(open_store(root), SPLITS[split], edition, resized, frames)
    meta = Deferred(partial(read_meta, places.store, places.meta))
    read = partial(read_video, places, meta, starts=starts)
    label = _label(places, SPLITS[split], frames, resized)
    return VideoList(label, places.store.folders(places.labels), read), places, split


def _label(places: Places, split: str, frames: FrameRate, resized: int | None) -> str:
    parts = ("youtubevos", places.edition, split, resized and f"{resized}p", "all" if frames == "all" else "")
    return "_".join(filter(None, parts))


def _select(videos: VideoList, places: Places, split: str, aspect: bool) -> list[str]:
    """Names of the videos of ``split``."""
    names = list(videos.video_names)
    if split == "train_stcn":
        excluded = set(read_list("youtubevos2019_train_excluded"))
        names = [name for name in names if name not in excluded]
    elif split in ("jjtrain", "jjvalid"):
        listed = set(read_list("youtubevos_jjvalid"))
        names = [name for name in names if (name in listed) == (split == "jjvalid")]
    if aspect:
        sizes = {name: label_size(places.store, join(places.labels, name)) for name in names}
        names = [name for name, (height, width) in sizes.items() if ASPECTS[0] <= width / height <= ASPECTS[1]]
    return names


YOUTUBEVOS = DatasetInfo(
    name="youtubevos",
    title="YouTube-VOS",
    open=youtubevos,
    videos=youtubevos_videos,
    splits=tuple(SPLITS),
    layout="<2018|2019>/<part>/JPEGImages/<video>/*.jpg, Annotations/<video>/*.png, meta.json",
    annotation="masks of all objects in every fifth frame; of valid and test where an object first appears",
)
_ALPHAREFINE = partial(youtubevos, min_pixels=1000, keep="visible", max_target_area=1.0)
DATASETS = (
    YOUTUBEVOS,
    published(replace(YOUTUBEVOS, open=_ALPHAREFINE, videos=None), "ALPHAREFINE_YOUTUBEVOS", "train"),
)
