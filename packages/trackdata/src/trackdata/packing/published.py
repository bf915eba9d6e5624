"""What published readers of LMDB need beyond the files of the dataset."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import numpy as np

from trackdata.datasets.imagenet_tracks import read_tracks
from trackdata.storage import Store
from trackdata.storage.store import join

_ONE_LINE_PER_FRAME = frozenset({"groundtruth.txt", "absence.label", "cover.label", "cut_by_image.label"})
_LIST = "list.txt"


def with_published_newlines(key: str, data: bytes) -> bytes:
    """A text file as published LMDB readers want it.

    They split text at newlines and drop what follows the last one, so that a file of boxes without a final newline
    loses a frame; ``list.txt`` they do not trim, so that one with a final newline has a sequence without a name.
    """
    folder, _, name = key.rpartition("/")
    if name == _LIST:
        return data.rstrip(b"\r\n")
    per_frame = name in _ONE_LINE_PER_FRAME or (folder.rpartition("/")[2] == "anno" and name.endswith(".txt"))
    return data + b"\n" if per_frame and data and not data.endswith(b"\n") else data


def list_videos(source: Store, chunks: Iterable[str]) -> bytes:
    """``seq_list.json`` of TrackingNet: [[chunk, video], ...] of the training chunks, sorted by video in each."""
    pairs = [
        [int(chunk.removeprefix("TRAIN_")), file.removesuffix(".txt")]
        for chunk in chunks
        if chunk.startswith("TRAIN_")
        for file in source.files(join(chunk, "anno"))
        if file.endswith(".txt")
    ]
    return json.dumps(pairs).encode()


_VIDEO = re.compile(r"train/ILSVRC2015_VID_train_(\d{4})/ILSVRC2015_train_(\d{8})")


def list_tracks(source: Store) -> bytes:
    """``cache.json`` of ImageNet VID: the tracks of the training part as pytracking has them, each up to its first gap.

    Videos that are not called ``ILSVRC2015_VID_train_%04d/ILSVRC2015_train_%08d`` cannot be listed and are left out.

    Raises:
        AnnotationError: the annotation is missing or damaged.
    """
    tracks = read_tracks(source, "train")
    entries = []
    for place, synset, first, last in zip(
        tracks["video"], tracks["synset"], tracks["first"].tolist(), tracks["last"].tolist(), strict=True
    ):
        numbers = re.fullmatch(_VIDEO, tracks["videos"][place].decode())
        if numbers is None:
            continue
        gaps = np.flatnonzero(np.diff(tracks["frame"][first:last]) != 1)
        rows = slice(first, first + int(gaps[0]) + 1 if len(gaps) else last)
        corners = tracks["corners"][rows]
        entries.append(
            {
                "set_id": int(numbers[1]),
                "vid_id": int(numbers[2]),
                "class_name": synset.decode(),
                "start_frame": int(tracks["frame"][first]),
                "anno": np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist(),
                "target_visible": (~tracks["occluded"][rows]).astype(int).tolist(),
                "image_size": tracks["sizes"][place].tolist(),
            }
        )
    return json.dumps(entries).encode()
