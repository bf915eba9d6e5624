"""The tracks of ImageNet VID as one table of arrays, from the XML files or from pytracking's list.

``videos`` (V,) bytes, below ``Data/VID``, and ``sizes`` (V, 2) width and height; per track ``video`` (T,), its place in
``videos``, ``track`` (T,), its number, ``synset`` (T,) bytes, and ``first`` and ``last`` (T,), its rows from first to
before last; per row ``frame`` (R,), the frame's number, ``corners`` (R, 4) xmin, ymin, xmax, ymax, and ``occluded``
(R,). Tracks are sorted by video and number, rows by frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from trackdata.datasets.imagenet_xml import parse_xml
from trackdata.errors import AnnotationError
from trackdata.index import load_or_build
from trackdata.storage import Store, read_annotation, read_text
from trackdata.storage.store import join

Track = tuple[str, list[tuple[int, tuple[float, ...], bool]]]  # synset, and rows of (frame, corners, occluded)

ANNOTATIONS = "Annotations/VID"
CACHE = "cache.json"
_VERSION = 1  # goes up when the table's content changes
_READERS = 8  # threads that read XML files: most of the time is spent waiting for the disk


def read_tracks(store: Store, part: str) -> Mapping[str, np.ndarray]:
    """The tracks of a part, ``train`` or ``val``, from the index; they are collected when that is out of date.

    Raises:
        AnnotationError: there is no annotation of this part, or it is damaged; the message names the file.
    """
    folder = join(ANNOTATIONS, part)
    if videos := _list_videos(store, folder):
        name = f"imagenet-vid-{part}"
        inputs = [folder, *sorted({join(folder, video).rpartition("/")[0] for video in videos})]
        build = partial(_read_videos, store, part, videos)
    elif store.is_file(CACHE):
        name, inputs, build = f"imagenet-vid-{part}-cache", [CACHE], partial(_read_cache, store, part)
    else:
        raise AnnotationError(f"{store.where(folder)}: no annotation of ImageNet VID there, nor a {CACHE}")
    return load_or_build(store, name, inputs, {"version": _VERSION}, build)


def concatenate_tracks(tables: list[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One table of all."""
    whole = {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}
    for shifted, counted in (("video", "videos"), ("first", "frame"), ("last", "frame")):
        shifts = np.cumsum([0, *(len(table[counted]) for table in tables[:-1])])
        whole[shifted] = np.concatenate([table[shifted] + shift for table, shift in zip(tables, shifts, strict=True)])
    return whole


def _list_videos(store: Store, folder: str) -> list[str]:
    """Videos below a folder of annotations: those of the training part lie in folders of a thousand."""
    groups = ((group, store.folders(join(folder, group))) for group in store.folders(folder))
    return [video for group, videos in groups for video in ([join(group, name) for name in videos] or [group])]


def _read_videos(store: Store, part: str, videos: list[str]) -> Mapping[str, np.ndarray]:
    with ThreadPoolExecutor(_READERS) as threads:
        read = threads.map(partial(_read_video, store, join(ANNOTATIONS, part)), videos)
        return _table((join(part, video), *content) for video, content in zip(videos, read, strict=True))


def _read_video(store: Store, folder: str, video: str) -> tuple[tuple[int, int], dict[int, Track]]:
    """The size of a video and its tracks: number to synset and rows of (frame, corners, occluded)."""
    size, tracks = (0, 0), {}
    for name in store.files(join(folder, video)):
        stem, dot, ending = name.partition(".")
        if dot + ending != ".xml" or not stem.isdecimal():
            continue
        key = join(join(folder, video), name)
        size, objects = parse_xml(read_annotation(store, key), store.where(key))
        for item in objects:
            if item.track is None:
                raise AnnotationError(f"{store.where(key)}: an object without trackid")
            rows = tracks.setdefault(item.track, (item.synset, []))[1]
            if not rows or rows[-1][0] != int(stem):  # of two boxes in one frame the first counts
                rows.append((int(stem), item.corners, item.occluded))
    return size, tracks


def _read_cache(store: Store, part: str) -> Mapping[str, np.ndarray]:
    """pytracking's list of tracks. It has no numbers of tracks: they are counted in each video."""
    file = read_text(store, CACHE)
    videos: dict[str, tuple[tuple[int, int], dict[int, Track]]] = {}
    try:
        for entry in json.loads(file.text) if part == "train" else ():
            video = f"ILSVRC2015_VID_train_{entry['set_id']:04d}/ILSVRC2015_train_{entry['vid_id']:08d}"
            _, tracks = videos.setdefault(join(part, video), (tuple(entry["image_size"]), {}))
            tracks[len(tracks)] = (entry["class_name"], list(_cached_rows(entry)))
        table = _table((video, *content) for video, content in videos.items())
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        what = f"an entry has no {error}" if isinstance(error, KeyError) else str(error)
        raise AnnotationError(f"{file.source}: not a list of tracks as pytracking keeps it ({what})") from None
    if not videos:
        raise AnnotationError(f"{file.source}: no tracks of the {part} part there; it needs {ANNOTATIONS}/{part}")
    return table


def _cached_rows(entry: Mapping[str, Any]) -> Iterable[tuple[int, tuple, bool]]:
    boxes = zip(entry["anno"], entry["target_visible"], strict=True)
    for number, ((x, y, w, h), visible) in enumerate(boxes, start=entry["start_frame"]):
        yield number, (x, y, x + w, y + h), not visible


def _table(videos: Iterable[tuple[str, tuple[int, int], Mapping[int, Track]]]) -> Mapping[str, np.ndarray]:
    names, sizes, heads, counts, rows = [], [], [], [], []
    for video, size, tracks in videos:
        for number in sorted(tracks):
            synset, found = tracks[number]
            heads.append((len(names), number, synset))
            counts.append(len(found))
            rows += found
        names.append(video)
        sizes.append(size)
    ends = np.cumsum(counts, dtype=np.int64)
    return {
        "videos": np.array(names, "S"),
        "sizes": np.array(sizes, np.int32).reshape(-1, 2),
        "video": np.array([video for video, _, _ in heads], np.int32),
        "track": np.array([number for _, number, _ in heads], np.int32),
        "synset": np.array([synset.encode() for _, _, synset in heads], "S"),
        "first": ends - np.array(counts, np.int64),
        "last": ends,
        "frame": np.array([frame for frame, _, _ in rows], np.int32),
        "corners": np.array([corners for _, corners, _ in rows], np.int32).reshape(-1, 4),
        "occluded": np.array([occluded for _, _, occluded in rows], bool),
    }
