"""Published lists of sequences, and the benchmarks in which a list says which images make a sequence.

The lists are the text files in ``datasets/splits``: one name a line, or tab-separated tables with a header.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from trackdata.datasets.folder import list_frames
from trackdata.errors import AnnotationError
from trackdata.frames import Frames, NumberedFrames
from trackdata.parsing import TextFile, parse_boxes, valid_boxes
from trackdata.sequences import Sequence
from trackdata.storage import Store, read_text


@cache
def read_list(name: str) -> tuple[str, ...]:
    """The lines of the list ``name`` (a file's name without ``.txt``)."""
    return tuple(_text(f"{name}.txt").splitlines())


def _text(file: str) -> str:
    return resources.files("trackdata.datasets").joinpath("splits", file).read_text(encoding="ascii")


@dataclass(frozen=True)
class ListedSequence:
    """Which files make a sequence.

    Attributes:
        name: the sequence's name.
        folder: key of the folder of images.
        annotation: key of the file of boxes.
        first, last: numbers of the first and last image that is annotated; without ``last``, all images of the folder.
        digits, suffix: images are called by their number with at least so many digits.
        skip: so many images and rows at the start are left out.
        object_class: class, None when not known.
    """

    name: str
    folder: str
    annotation: str
    first: int = 1
    last: int | None = None
    digits: int = 4
    suffix: str = "jpg"
    skip: int = 0
    object_class: str | None = None


@cache
def read_table(name: str) -> Mapping[str, ListedSequence]:
    """The table ``name`` (a file's name without ``.tsv``) by sequence, in the list's order."""
    rows = csv.DictReader(_text(f"{name}.tsv").splitlines(), delimiter="\t")
    return {
        row["name"]: ListedSequence(
            name=row["name"],
            folder=row["image_folder"],
            annotation=row["annotation"],
            first=int(row["first"]),
            last=int(row["last"]),
            digits=int(row["digits"]),
            suffix=row["ext"],
            skip=int(row["skip"]),
            object_class=row["class"],
        )
        for row in rows
    }


def read_listed(store: Store, entry: ListedSequence, origin: int = 0) -> Sequence:
    """The sequence that ``entry`` describes. Looks at the folder of images only when the list does not say the range.

    Raises:
        AnnotationError: the boxes are missing or malformed, or there are more or fewer of them than images.
    """
    file = read_text(store, entry.annotation)
    boxes = parse_boxes(file)
    frames = _frames(store, entry, boxes_file=file, rows=len(boxes))
    boxes = boxes[entry.skip :]
    return Sequence(
        name=entry.name,
        frames=frames,
        boxes=boxes,
        valid=valid_boxes(boxes),
        origin=origin,
        object_class=entry.object_class,
    )


def _frames(store: Store, entry: ListedSequence, boxes_file: TextFile, rows: int) -> Frames:
    if entry.last is None:
        frames = list_frames(store, entry.folder)
        if len(frames) != rows:
            raise AnnotationError(
                f"{boxes_file.source}: {rows} boxes for {len(frames)} images in {store.where(entry.folder)}"
            )
        return frames
    count = entry.last - entry.first + 1
    if rows != count:
        raise AnnotationError(
            f"{boxes_file.source}: {rows} boxes for the {count} images {entry.first} to {entry.last} of the published "
            "list"
        )
    pattern = f"{{:0{entry.digits}d}}.{entry.suffix}"
    return NumberedFrames(store, entry.folder, count - entry.skip, pattern, entry.first + entry.skip)
