"""TC128, Temple Color 128 (Liang et al., TIP 2015): 128 videos in colour. Names of those that OTB lacks hold ``_ce``.

On disk::

    <root>/<sequence>/img/0001.jpg ...         frames, numbered with four digits
                     /<sequence>_gt.txt        x,y,w,h a line, counted from 1
                     /<sequence>_frames.txt    numbers of the first and last annotated frame: "5,12"
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.frames import NumberedFrames
from trackdata.parsing import parse_boxes, parse_column, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_text
from trackdata.storage.store import join

SPLITS = ("ce",)


class Tc128(SequenceList):
    """TC128: the folders of ``root`` that hold a ``*_gt.txt``, sorted. Building it reads no annotation."""

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive with the sequences' folders.
            split: None: all; ``ce``: those with ``_ce`` in their name.
            name: what reports call it; by default ``tc128`` or ``tc128ce``.

        Raises:
            ValueError: unknown split.
            AnnotationError: there is no sequence.
        """
        check_split("TC128", split, SPLITS)
        store = open_store(root)
        wanted = "_ce" if split == "ce" else ""
        names = [folder for folder in store.folders() if wanted in folder and _ending(store, folder, "_gt.txt")]
        if not names:
            raise AnnotationError(f"{store.where('')}: no folder *{wanted}* with a file *_gt.txt there")
        super().__init__(name or f"tc128{split or ''}", names, partial(read_sequence, store))


def _ending(store: Store, folder: str, ending: str) -> str | None:
    """The key of the file in ``folder`` whose name ends so."""
    return next((join(folder, file) for file in store.files(folder) if file.endswith(ending)), None)


def read_sequence(store: Store, name: str) -> Sequence:
    """The sequence in the folder ``name``.

    Raises:
        AnnotationError: a file is missing or malformed, or there are not as many boxes as frames.
    """
    boxes_key, range_key = (_ending(store, name, ending) for ending in ("_gt.txt", "_frames.txt"))
    for key, ending in ((boxes_key, "_gt.txt"), (range_key, "_frames.txt")):
        if key is None:
            raise AnnotationError(f"{store.where(name)}: there is no file *{ending}")
    file = read_text(store, boxes_key)
    boxes = parse_boxes(file)
    first, last = parse_column(read_text(store, range_key), 2).astype(int)
    if len(boxes) != last - first + 1:
        raise AnnotationError(f"{file.source}: {len(boxes)} boxes for the frames {first} to {last}")
    frames = NumberedFrames(store, join(name, "img"), len(boxes), "{:04d}.jpg", first=int(first))
    return Sequence(name, frames, boxes, valid_boxes(boxes), origin=1)


TC128 = DatasetInfo(
    name="tc128",
    title="TC128",
    open=Tc128,
    splits=SPLITS,
    layout="<sequence>/img/%04d.jpg, <sequence>/<sequence>_gt.txt, <sequence>/<sequence>_frames.txt",
    annotation="box in every frame",
    origin=1,
    tag="tc128",
    convention="ostrack/tc128",
)
DATASETS = (TC128, published(TC128, "tc128ce", "ce"))
