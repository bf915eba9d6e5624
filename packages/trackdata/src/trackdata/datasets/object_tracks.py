"""Where every object of segmented videos is, as one table of arrays, from their label maps.

Per object ``video`` (T,), the place of its video in the list, ``object`` (T,), its number, ``size`` (T, 2), height and
width of the video, and ``first`` and ``last`` (T,), its rows from first to before last. It has a row for each annotated
frame of the video: ``frame`` (R,), ``pixels`` (R,) and ``corners`` (R, 4), see :class:`~trackdata.masks.Extents`.

Every label map is decoded once, into an index. A video of which a file is missing or damaged does not keep the others
from being used: it has one object of the number :data:`UNKNOWN`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from trackdata.errors import AnnotationError
from trackdata.index import load_or_build
from trackdata.masks import BoxRule, corner_boxes, label_extents
from trackdata.storage import Store
from trackdata.videos import VideoList

UNKNOWN = -1
PER_OBJECT = ("video", "object", "size", "first", "last")
_VERSION = 1  # goes up when the index's content changes
_READERS = min(8, os.cpu_count() or 1)  # threads that decode label maps; the decoder lets others run meanwhile
_log = logging.getLogger(__name__)


def read_objects(videos: VideoList, store: Store, inputs: Collection[str]) -> dict[str, np.ndarray]:
    """The table of all objects of ``videos``, which are made of the files and folders ``inputs`` of ``store``."""
    build = partial(_measure, videos, range(len(videos)))
    options = {"version": _VERSION, "videos": list(videos.video_names)}
    return _complete(videos, load_or_build(store, f"{videos.name}-objects", sorted(inputs), options, build))


def select_objects(
    tracks: Mapping[str, np.ndarray],
    min_pixels: int,
    max_target_area: float | None,
    box_rule: BoxRule,
    keep_unseen: bool,
) -> np.ndarray:
    """``(T,)`` bool: objects that are not too large where they are first seen.

    Args:
        tracks: the table.
        min_pixels: an object is seen in frames where it has more pixels than this.
        max_target_area: limit, not included, of the square root of box area over image area; None for no limit.
        box_rule: see :data:`~trackdata.masks.BoxRule`.
        keep_unseen: whether objects pass that are seen in no frame.
    """
    kept = np.ones(len(tracks["first"]), bool)
    for place in np.flatnonzero(tracks["object"] != UNKNOWN):
        rows = slice(tracks["first"][place], tracks["last"][place])
        pixels, corners = tracks["pixels"][rows], tracks["corners"][rows]
        seen = np.flatnonzero(pixels > min_pixels)
        if len(seen) == 0:
            kept[place] = keep_unseen
        elif max_target_area is not None:
            width, height = corner_boxes(corners[seen[:1]], pixels[seen[:1]], box_rule)[0, 2:]
            area = float(np.prod(tracks["size"][place], dtype=np.int64))
            kept[place] = np.sqrt(width * height / area) < max_target_area
    return kept


def _measure(videos: VideoList, places: Collection[int]) -> Mapping[str, Any]:
    """The table, and ``unreadable``: the places of videos of which a file is missing or damaged."""
    unreadable: list[int] = []
    heads: list[tuple[int, int, int, int]] = []
    rows: list[np.ndarray] = [np.empty((0, 6), np.int64)]
    with ThreadPoolExecutor(_READERS) as threads:
        for place, measured in zip(places, threads.map(partial(_try_video, videos), places), strict=True):
            if measured is None:
                unreadable.append(place)
            else:
                size, objects = measured
                heads += [(place, number, *size) for number in objects]
                rows += objects.values()
    head, row = np.array(heads, np.int32).reshape(-1, 4), np.concatenate(rows)
    ends = np.cumsum([len(part) for part in rows[1:]], dtype=np.int64)
    return {
        "video": head[:, 0],
        "object": head[:, 1],
        "size": head[:, 2:],
        "first": np.append(0, ends)[: len(ends)],
        "last": ends,
        "frame": row[:, 0].astype(np.int32),
        "pixels": row[:, 1].astype(np.int32),
        "corners": row[:, 2:].astype(np.int32),
        "unreadable": unreadable,
    }


def _try_video(videos: VideoList, place: int) -> tuple[tuple[int, int], dict[int, np.ndarray]] | None:
    try:
        return measure_video(videos, place)
    except AnnotationError:  # found again when the video is asked for
        return None


def measure_video(videos: VideoList, index: int) -> tuple[tuple[int, int], dict[int, np.ndarray]]:
    """A video's size, and per object rows of frame, pixels and corners."""
    video = videos[index]
    annotated = np.flatnonzero(video.annotated)
    objects = {number: np.zeros((len(annotated), 6), np.int64) for number in video.objects}
    for row, frame in enumerate(annotated):
        extents = label_extents(video.labels(int(frame)))
        for number in objects:
            objects[number][row, 0] = frame
        for number, pixels, corners in zip(extents.objects, extents.pixels, extents.corners, strict=True):
            if int(number) in objects:
                objects[int(number)][row, 1:] = (pixels, *corners)
    return video.size, objects


def _complete(videos: VideoList, tracks: dict[str, Any]) -> dict[str, Any]:
    """With the videos that could not be read when the index was made, as far as they can be now."""
    if unreadable := tracks.pop("unreadable"):
        more = dict(_measure(videos, unreadable))
        rest = np.array(more.pop("unreadable"), np.int32)
        if len(rest):
            _log.warning("%s: %d of %d videos cannot be read", videos.name, len(rest), len(videos))
        for key in ("first", "last"):
            more[key] = more[key] + len(tracks["frame"])
        lost = {key: np.zeros((len(rest), *tracks[key].shape[1:]), tracks[key].dtype) for key in PER_OBJECT}
        lost |= {"video": rest, "object": np.full(len(rest), UNKNOWN)}
        tracks = {
            key: np.concatenate([tracks[key], more[key], *([lost[key]] if key in lost else [])]) for key in tracks
        }
        order = np.argsort(tracks["video"], kind="stable")
        tracks |= {key: tracks[key][order] for key in PER_OBJECT}
    return tracks
