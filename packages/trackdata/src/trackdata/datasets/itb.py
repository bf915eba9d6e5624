"""ITB, Informative Tracking Benchmark (Li et al., 2021): 180 videos in nine scenes.

On disk::

    <root>/<scene>/<sequence>/00001.jpg ...    frames
                             /groundtruth.txt  x,y,w,h a line, between commas or blanks
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from trackdata.datasets.folder import list_frames
from trackdata.datasets.info import UNKNOWN_CLASS, DatasetInfo, check_split
from trackdata.parsing import parse_boxes, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_text
from trackdata.storage.store import join


class Itb(SequenceList):
    """ITB: sequences sorted by scene and name. Building it reads no annotation."""

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive with the folders of the scenes; those with a dot in their name are passed over.
            split: there are none.
            name: what reports call it; by default ``itb``.

        Raises:
            ValueError: a split.
            AnnotationError: there is no sequence, or two of one name.
        """
        check_split("ITB", split, ())
        store = open_store(root)
        folders = _folders(store)
        super().__init__(name or "itb", list(folders), partial(read_sequence, store, folders))


def _folders(store: Store) -> dict[str, str]:
    """Sequence to key of its folder."""
    folders: dict[str, str] = {}
    for scene in (folder for folder in store.folders() if "." not in folder):
        for name in store.folders(scene):
            folder = join(scene, name)
            if not store.is_file(join(folder, "groundtruth.txt")):
                continue
            if name in folders:
                raise AnnotationError(f"{store.where('')}: two sequences {name}, in {folders[name]} and {folder}")
            folders[name] = folder
    if not folders:
        raise AnnotationError(f"{store.where('')}: no folder <scene>/<sequence> with a file groundtruth.txt there")
    return folders


def read_sequence(store: Store, folders: Mapping[str, str], name: str) -> Sequence:
    """The sequence ``name``. Its class is "unknown", as the published reader calls it.

    Raises:
        AnnotationError: boxes or images are missing or malformed, or their numbers differ.
    """
    file = read_text(store, join(folders[name], "groundtruth.txt"))
    boxes, frames = parse_boxes(file), list_frames(store, folders[name])
    if len(boxes) != len(frames):
        raise AnnotationError(f"{file.source}: {len(boxes)} boxes for {len(frames)} images beside it")
    return Sequence(name, frames, boxes, valid_boxes(boxes), object_class=UNKNOWN_CLASS)


DATASETS = (
    DatasetInfo(
        name="itb",
        title="ITB",
        open=Itb,
        layout="<scene>/<sequence>/%05d.jpg, <scene>/<sequence>/groundtruth.txt",
        annotation="box in every frame",
        tag="itb",
        convention="ostrack/itb",
    ),
)
