"""Your own videos: a folder of frames and a text file of boxes.

::

    <root>/<sequence>/000.png ...           frames, or in a folder img/, color/ or JPEGImages/ below
                     /groundtruth.txt       one box a line: x,y,w,h, or the four corners of a quadrilateral

``root`` may also be one such sequence. Files of boxes and folders of frames as OTB and VOT name them are understood.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from trackcore.images import IMAGE_SUFFIXES
from trackdata.parsing import read_boxes, valid_boxes
from trackdata.sequences import AnnotationError, FrameFiles, Sequence, SequenceList

# File of boxes -> the pixel number it counts from; the first that exists is read. Original annotations come before
# derived ones. OTB's groundtruth_rect.txt counts from 1.
BOX_FILES = {"groundtruth_rect.txt": 1, "groundtruth.txt": 0, "boxes.txt": 0, "boxes_xywh.txt": 0}
FRAME_FOLDERS = ("", "img", "imgs", "color", "JPEGImages", "frames")


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts ``2.jpg`` before ``10.jpg``: runs of digits compare as numbers, everything else as text."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def find_boxes(folder: Path) -> Path | None:
    """The file of boxes in ``folder``, or None."""
    return next((folder / name for name in BOX_FILES if (folder / name).is_file()), None)


def find_frames(folder: Path) -> FrameFiles:
    """The images of a sequence folder in natural order.

    Raises:
        AnnotationError: there are none.
    """
    for place in (folder / name for name in FRAME_FOLDERS):
        if place.is_dir():
            paths = [path for path in place.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
            if paths:
                return FrameFiles(tuple(sorted(paths, key=lambda path: natural_key(path.name))))
    folders = ", ".join(name for name in FRAME_FOLDERS if name)
    raise AnnotationError(f"{folder}: no images there or in a folder {folders} below")


def read_sequence(folder: Path, name: str, origin: int | None = None) -> Sequence:
    """The sequence in ``folder / name``. One line of boxes for many frames means that only the first frame is
    annotated.

    Raises:
        AnnotationError: no boxes, no images, or their numbers differ.
    """
    folder = folder / name
    path = find_boxes(folder)
    if path is None:
        raise AnnotationError(f"{folder}: no file of boxes; expected one of {', '.join(BOX_FILES)}")
    boxes, frames = read_boxes(path), find_frames(folder)
    if len(boxes) not in (1, len(frames)):
        raise AnnotationError(f"{path}: {len(boxes)} boxes for {len(frames)} images in {frames.paths[0].parent}")
    origin = BOX_FILES[path.name] if origin is None else origin
    return Sequence(name, frames, boxes, valid_boxes(boxes), origin=origin)


class Folder(SequenceList):
    """A folder of sequence folders, sorted by name, or one sequence folder."""

    def __init__(self, root: str | Path, origin: int | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder.
            origin: the pixel number boxes count from; None goes by the name of the file (:data:`BOX_FILES`).
            name: what reports call it; by default the folder's name.

        Raises:
            AnnotationError: ``root`` does not exist, or nothing in it has a file of boxes.
        """
        root = Path(root).resolve()
        if not root.is_dir():
            raise AnnotationError(f"{root}: there is no such folder")
        if find_boxes(root) is not None:
            parent, names = root.parent, [root.name]
        else:
            folders = (path for path in root.iterdir() if path.is_dir())
            parent, names = root, sorted(path.name for path in folders if find_boxes(path) is not None)
        if not names:
            raise AnnotationError(f"{root}: neither it nor a folder in it holds one of {', '.join(BOX_FILES)}")
        super().__init__(name or root.name, names, partial(read_sequence, parent, origin=origin))
