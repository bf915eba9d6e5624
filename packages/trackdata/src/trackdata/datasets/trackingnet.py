"""TrackingNet: 30,132 training and 511 test videos (Müller et al., ECCV 2018).

On disk, in the folders ``TRAIN_0`` to ``TRAIN_11`` and ``TEST``::

    anno/<video>.txt               x,y,w,h a line with two decimals; test videos have only the first
    frames/<video>/0.jpg ...       frames, numbered from 0 without leading zeros
    trackingnet_classmap.txt       in the root: "<video><tab><class>" lines for training videos; may be missing
    seq_list.json                  in the root: [[chunk, video], ...], the order of published LMDBs; may be missing

The first box of every second is drawn by hand, those between are interpolated and may lie partly outside the image.
Nothing is said about visibility.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path, PurePath

from trackdata.datasets.info import UNKNOWN_CLASS, DatasetInfo, check_split, published
from trackdata.errors import MissingDataError
from trackdata.frames import NumberedFrames
from trackdata.parsing import parse_boxes, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_text
from trackdata.storage.store import join

CHUNKS = tuple(f"TRAIN_{number}" for number in range(12))
CLASS_MAP, ORDER = "trackingnet_classmap.txt", "seq_list.json"

# Split -> folders. "train" takes those of its folders that are there.
SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": CHUNKS,
    "train_full": CHUNKS,
    "test": ("TEST",),
    **{chunk.lower(): (chunk,) for chunk in CHUNKS},
}

CLASSES = (
    *("airplane", "bear", "bicycle", "bird", "boat", "bus", "car", "cat", "cow", "dog", "elephant", "giraffe", "horse"),
    *("knife", "motorcycle", "person", "potted plant", "skateboard", "train", "truck", "umbrella", "zebra"),
)


class TrackingNet(SequenceList):
    """TrackingNet, or a dataset written in its layout. Building it reads names of files alone.

    Videos come chunk by chunk in the order of their numbers, sorted by name. Where a ``seq_list.json`` names videos of
    these chunks, it says which there are and in which order.
    """

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder with ``TRAIN_0`` to ``TRAIN_11`` and ``TEST``, or one of these.
            split: ``train``, all training chunks that are there; ``train_full``, all twelve; ``train_0`` to
                ``train_11``; ``test``. None if ``root`` is one chunk.
            name: what reports call it; by default ``trackingnet`` and the split.

        Raises:
            ValueError: unknown split.
            AnnotationError: a chunk is missing or empty, or ``seq_list.json`` is malformed.
        """
        check_split("TrackingNet", split, tuple(SPLITS))
        store = open_store(root)
        chunks = find_chunks(store, split)
        folders = _in_order(store, chunks) or _sorted(store, chunks)
        super().__init__(
            name or "_".join(filter(None, ("trackingnet", split))), list(folders), partial(read_video, store, folders)
        )


def find_chunks(store: Store, split: str | None) -> list[str]:
    """The folders of ``split`` in ``store``; the root itself, "", where that holds ``anno``.

    Raises:
        AnnotationError: they are not there.
    """
    here = store.folders()
    if "anno" in here:
        own = PurePath(store.where("")).name
        if split is not None and own in (*CHUNKS, "TEST") and own not in SPLITS[split]:
            raise AnnotationError(f"{store.where('')}: this folder is no part of the split {split!r}")
        return [""]
    if split is None:
        below = ", ".join(folder for folder in here if folder in (*CHUNKS, "TEST")) or "none"
        raise AnnotationError(
            f"{store.where('')}: no folder 'anno' there; for the folders of TrackingNet below it (found: {below}) give "
            f"a split ({', '.join(SPLITS)})"
        )
    missing = [folder for folder in SPLITS[split] if folder not in here]
    found = [folder for folder in SPLITS[split] if folder in here]
    if not found or (missing and split != "train"):
        hint = "; the split 'train' takes those that are there" if found else ""
        raise AnnotationError(f"{store.where('')}: there is no folder {', '.join(missing)} of TrackingNet{hint}")
    return found


def _sorted(store: Store, chunks: list[str]) -> dict[str, str]:
    """Video to chunk, from the names of annotation files."""
    folders: dict[str, str] = {}
    for chunk in chunks:
        videos = [file[:-4] for file in store.files(join(chunk, "anno")) if file.endswith(".txt")]
        if not videos:
            raise AnnotationError(f"{store.where(join(chunk, 'anno'))}: no annotation files there")
        for video in videos:
            if folders.setdefault(video, chunk) != chunk:
                raise AnnotationError(f"{store.where('')}: the video {video} is in both {folders[video]} and {chunk}")
    return folders


def _in_order(store: Store, chunks: list[str]) -> dict[str, str]:
    """Video to chunk, from ``seq_list.json``, which may name a video twice; nothing when it has none of ``chunks``."""
    if not store.is_file(ORDER):
        return {}
    file = read_text(store, ORDER)
    try:
        pairs = [(f"TRAIN_{int(number)}", str(video)) for number, video in json.loads(file.text)]
    except (ValueError, TypeError) as error:
        raise AnnotationError(f"{file.source}: expected [[chunk, video], ...] ({error})") from None
    return {video: chunk for chunk, video in pairs if chunk in chunks}


def read_video(store: Store, folders: Mapping[str, str], video: str) -> Sequence:
    """The sequence ``video``, which lies in the chunk ``folders[video]``.

    There are as many frames as boxes; with one box, as many as there are images.

    Raises:
        AnnotationError: the annotation is missing or malformed, or there is one box and no image.
    """
    chunk = folders[video]
    boxes = parse_boxes(read_text(store, join(chunk, f"anno/{video}.txt")))
    images = join(chunk, f"frames/{video}")
    count = len(boxes) if len(boxes) > 1 else _image_count(store, images)
    return Sequence(
        name=video,
        frames=NumberedFrames(store, images, count, "{}.jpg", first=0),
        boxes=boxes,
        valid=valid_boxes(boxes),
        object_class=_classes(store, store.stamp(CLASS_MAP)).get(video, UNKNOWN_CLASS),
    )


def _image_count(store: Store, folder: str) -> int:
    """One more than the highest number. A hole in the numbers is left to be found when that frame is read."""
    numbers = [int(match[1]) for file in store.files(folder) if (match := re.fullmatch(r"(\d+)\.jpg", file))]
    if not numbers:
        raise MissingDataError(f"{store.where(folder)}: no frames; expected 0.jpg and so on")
    return max(numbers) + 1


@lru_cache(maxsize=4)
def _classes(store: Store, stamp: str) -> Mapping[str, str]:
    """Video to class; nothing when there is no class map. ``stamp`` tells the versions of the file apart."""
    if not store.is_file(CLASS_MAP):
        return {}
    pairs = (line.partition("\t") for line in read_text(store, CLASS_MAP).lines)
    return {video.strip(): object_class.strip() for video, _, object_class in pairs if object_class}


TRACKINGNET = DatasetInfo(
    name="trackingnet",
    title="TrackingNet",
    open=TrackingNet,
    splits=tuple(SPLITS),
    layout="TRAIN_<k>/anno/<video>.txt, TRAIN_<k>/frames/<video>/%d.jpg, the same below TEST, trackingnet_classmap.txt",
    annotation="box in every frame (test: in the first), class",
    tag="trackingnet",
    convention="trackingnet",
)
DATASETS = (TRACKINGNET, published(TRACKINGNET, "TRACKINGNET", "train"))
