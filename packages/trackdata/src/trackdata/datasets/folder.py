"""Your own videos: a folder of frames and a text file of boxes.

::

    <root>/<sequence>/000.png ...           frames, or in a folder img/, color/ or JPEGImages/ below
                     /groundtruth.txt       one box a line: x,y,w,h, or the four corners of a quadrilateral

``root`` may also be one such sequence. Files of boxes and folders of frames as OTB and VOT name them are understood.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path, PurePath

from trackcore.images import IMAGE_SUFFIXES
from trackdata.datasets.info import DatasetInfo
from trackdata.frames import StoredFrames
from trackdata.parsing import parse_boxes, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Below, Store, open_store, read_text
from trackdata.storage.store import join

# File of boxes -> the pixel number it counts from; the first that exists is read. Original annotations come before
# derived ones. OTB's groundtruth_rect.txt counts from 1.
BOX_FILES = {"groundtruth_rect.txt": 1, "groundtruth.txt": 0, "boxes.txt": 0, "boxes_xywh.txt": 0}
FRAME_FOLDERS = ("", "img", "imgs", "color", "JPEGImages", "frames")


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts ``2.jpg`` before ``10.jpg``: runs of digits compare as numbers, everything else as text."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def find_boxes(store: Store, folder: str = "") -> str | None:
    """The key of the file of boxes in ``folder``, or None."""
    return next((join(folder, name) for name in BOX_FILES if store.is_file(join(folder, name))), None)


def image_names(store: Store, folder: str) -> list[str]:
    """Names of the images that lie directly in ``folder``, in natural order."""
    names = (name for name in store.files(folder) if PurePath(name).suffix.lower() in IMAGE_SUFFIXES)
    return sorted(names, key=natural_key)


def list_frames(store: Store, folder: str) -> StoredFrames:
    """The images that lie directly in ``folder``, in natural order.

    Raises:
        AnnotationError: there are none.
    """
    names = image_names(store, folder)
    if not names:
        raise AnnotationError(f"{store.where(folder)}: no images there")
    return StoredFrames(store, tuple(join(folder, name) for name in names))


def find_frames(store: Store, folder: str) -> StoredFrames:
    """The images of a sequence folder, or of the first of :data:`FRAME_FOLDERS` below it that has some.

    Raises:
        AnnotationError: there are none.
    """
    for place in (join(folder, name) if name else folder for name in FRAME_FOLDERS):
        if image_names(store, place):
            return list_frames(store, place)
    folders = ", ".join(name for name in FRAME_FOLDERS if name)
    raise AnnotationError(f"{store.where(folder)}: no images there or in a folder {folders} below")


def read_sequence(store: Store, name: str, folder: str | None = None, origin: int | None = None) -> Sequence:
    """The sequence in ``folder`` (by default the one called ``name``). One line of boxes for many frames means that
    only the first frame is annotated.

    Raises:
        AnnotationError: no boxes, no images, or their numbers differ.
    """
    folder = name if folder is None else folder
    key = find_boxes(store, folder)
    if key is None:
        raise AnnotationError(f"{store.where(folder)}: no file of boxes; expected one of {', '.join(BOX_FILES)}")
    annotation = read_text(store, key)
    boxes, frames = parse_boxes(annotation), find_frames(store, folder)
    if len(boxes) not in (1, len(frames)):
        place = PurePath(store.where(frames.keys[0])).parent
        raise AnnotationError(f"{annotation.source}: {len(boxes)} boxes for {len(frames)} images in {place}")
    origin = BOX_FILES[PurePath(key).name] if origin is None else origin
    return Sequence(name, frames, boxes, valid_boxes(boxes), origin=origin)


class Folder(SequenceList):
    """A folder of sequence folders, sorted by name, or one sequence folder."""

    def __init__(self, root: str | Path | Store, origin: int | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive.
            origin: the pixel number boxes count from; None goes by the name of the file (:data:`BOX_FILES`).
            name: what reports call it; by default the folder's name.

        Raises:
            AnnotationError: ``root`` does not exist, or nothing in it has a file of boxes.
        """
        store = open_store(root)
        own_name = PurePath(store.where("")).name
        if find_boxes(store) is not None:
            names, read = [own_name], partial(read_sequence, store, folder="", origin=origin)
        else:
            names = [folder for folder in store.folders() if find_boxes(store, folder) is not None]
            read = partial(read_sequence, store, origin=origin)
        if not names:
            raise AnnotationError(
                f"{store.where('')}: neither it nor a folder in it holds one of {', '.join(BOX_FILES)}"
            )
        super().__init__(name or own_name, names, read)


def _open(root: Store, split: str | None) -> Folder:
    return Folder(root if split is None else Below(root, split))


DATASETS = (
    DatasetInfo(
        name="folder",
        title="your own videos",
        open=_open,
        layout="<sequence>/*.png (or in img/, color/, JPEGImages/), <sequence>/groundtruth.txt",
        annotation="box in every frame, or in the first one",
    ),
)
