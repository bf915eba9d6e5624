"""``trackdata masks``: score segmentation results."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from trackdata.cli.common import UsageError, tell_failures

if TYPE_CHECKING:
    from trackdata.evaluation.segmentation import MaskProtocol
    from trackdata.videos import VideoList


@dataclass(frozen=True)
class Masks:
    """Score folders of PNG label maps: J and F as DAVIS and YouTube-VOS define them."""

    results: tyro.conf.Positional[tuple[Path, ...]]
    """folders or archives with <video>/<frame>.png, one per method"""
    dataset: str | None = None
    """dataset of segmented videos: davis2017, davis2016, youtubevos"""
    root: Path | None = None
    """folder of the dataset"""
    split: str | None = None
    """split of the dataset"""
    truth: Path | None = None
    """instead of a dataset, a folder with annotated <video>/<frame>.png"""
    protocol: str | None = None
    """which frames and objects count; by the dataset when left out, davis2017/strict repeats the official program"""
    seen: Path | None = None
    """classes seen in training, one a line or a meta.json: report them apart (YouTube-VOS)"""
    workers: int = 1
    """processes"""
    limit: int | None = None
    """only the first so many videos"""
    json: Path | None = None
    """file for all figures, per object and frame as well"""
    csv: Path | None = None
    """folder for the two CSV files that the DAVIS evaluation writes"""

    def __call__(self) -> int:
        return _masks(self)


def _masks(command: Masks) -> int:
    import json

    from trackdata.evaluation import comparison_table, table_console
    from trackdata.evaluation.segmentation import read_classes, score_masks, write_davis_csv
    from trackdata.writing import write_atomically

    if not command.results:
        raise UsageError("give one or more folders of masks")
    if command.csv is not None and len(command.results) > 1:
        raise UsageError("--csv is for one folder of masks")
    videos = _videos(command)
    rules = _protocol(command, videos.name)
    seen = None if command.seen is None else read_classes(command.seen)
    scores = [
        score_masks(path, videos, rules, workers=command.workers, limit=command.limit, seen=seen)
        for path in command.results
    ]
    table_console().print(comparison_table(scores))
    for entry in scores:
        for video, note in entry.notes.items():
            print(f"trackdata: {entry.tracker}, {video}: {note}", file=sys.stderr)
    if command.json is not None:
        content = {"trackers": [entry.to_json() for entry in scores]}
        write_atomically(command.json, json.dumps(content, indent=1, allow_nan=False) + "\n")
    if command.csv is not None:
        write_davis_csv(scores[0], command.csv, command.split or "val")
    return tell_failures([(entry.tracker, entry.failures) for entry in scores])


def _videos(command: Masks) -> VideoList:
    from trackdata.datasets import UnknownDatasetError, open_videos
    from trackdata.evaluation.segmentation import label_videos

    if command.limit is not None and command.limit < 1:
        raise UsageError(f"--limit must be at least 1, got {command.limit}")
    if command.truth is not None:
        if command.dataset is not None or command.root is not None:
            raise UsageError("give --dataset and --root, or --truth, not both")
        return label_videos(command.truth)
    if command.dataset is None or command.root is None:
        raise UsageError("give --dataset and --root, or --truth")
    try:
        return open_videos(command.dataset, command.root, command.split)
    except UnknownDatasetError as error:
        raise UsageError(str(error)) from error


def _protocol(command: Masks, dataset: str) -> MaskProtocol:
    from trackdata.evaluation.segmentation import default_protocol, mask_protocol

    try:
        return mask_protocol(command.protocol or default_protocol(dataset))
    except ValueError as error:
        raise UsageError(str(error)) from error
