"""Annotation that is any folder of label maps, and what scoring writes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np

from trackdata.errors import AnnotationError
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.tables import csv_text
from trackdata.frames import StoredFrames
from trackdata.labels import read_labels, read_size
from trackdata.parsing import TextFile
from trackdata.storage import Store, open_store
from trackdata.storage.store import join
from trackdata.videos import SegmentedVideo, StoredLabels, VideoList
from trackdata.writing import write_atomically


def label_videos(root: str | Path | Store, name: str = "folder") -> VideoList:
    """Videos whose annotation is ``<root>/<video>/<frame>.png``, in a folder or archive; every number is an object.

    Raises:
        AnnotationError: there is no folder with such files.
    """
    store = open_store(root)
    videos = [video for video in store.folders("") if _label_files(store, video)]
    if not videos:
        raise AnnotationError(f"{store.where('')}: no folder <video> with label maps <frame>.png there")
    return VideoList(name, videos, partial(_read_video, store))


def _label_files(store: Store, video: str) -> list[str]:
    return [file for file in store.files(video) if file.endswith(".png")]


def _read_video(store: Store, video: str) -> SegmentedVideo:
    """One video; reads all its label maps to see which objects there are and when they come."""
    keys = tuple(join(video, file) for file in _label_files(store, video))
    first_frames: dict[int, int] = {}
    for index, key in enumerate(keys):
        for number in np.unique(read_labels(store, key)).tolist():
            if number:
                first_frames.setdefault(number, index)
    objects = tuple(sorted(first_frames))
    everything = np.ones(len(keys), dtype=bool)
    return SegmentedVideo(
        name=video,
        frames=StoredFrames(store, keys),
        frame_names=tuple(Path(key).stem for key in keys),
        objects=objects,
        labels=StoredLabels(store, keys),
        annotated=everything,
        first_frames=first_frames,
        classes=dict.fromkeys(objects),
        size=read_size(store, keys[0]),
        wanted=everything,
    )


def read_classes(path: str | Path) -> frozenset[str]:
    """Names of classes: one a line, or the categories of a ``meta.json`` of YouTube-VOS.

    Raises:
        AnnotationError: the file is missing or something else.
    """
    file = TextFile.read(path)
    if Path(path).suffix != ".json":
        return frozenset(file.lines)
    try:
        videos = json.loads(file.text)["videos"].values()
        return frozenset(entry["category"] for video in videos for entry in video["objects"].values())
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise AnnotationError(f"{path}: not a meta.json of YouTube-VOS ({error})") from error


def write_davis_csv(scores: Scores, folder: Path, part: str = "val") -> tuple[Path, Path]:
    """Write the two files of the DAVIS 2017 evaluation and return them.

    ``global_results-<part>.csv`` has one line, ``per-sequence_results-<part>.csv`` one per object; three decimals.
    """
    whole = {"J&F": "J&F-Mean", "J_mean": "J-Mean", "J_recall": "J-Recall", "J_decay": "J-Decay"}
    whole |= {"F_mean": "F-Mean", "F_recall": "F-Recall", "F_decay": "F-Decay"}
    rows = [list(whole.values()), [f"{scores.values[figure]:.3f}" for figure in whole]]
    together = folder / f"global_results-{part}.csv"
    write_atomically(together, csv_text(rows))
    objects = [
        [row.name, *(f"{row.values[figure]:.3f}" for figure in ("J_mean", "F_mean"))] for row in scores.sequences
    ]
    each = folder / f"per-sequence_results-{part}.csv"
    write_atomically(each, csv_text([["Sequence", "J-Mean", "F-Mean"], *objects]))
    return together, each
