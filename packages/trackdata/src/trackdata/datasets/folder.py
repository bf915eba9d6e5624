"""Your own videos: frames or a video file, and a text file of boxes.

::

    <root>/<sequence>/000.png ...           frames, or in a folder img/, color/ or JPEGImages/ below, or one video file
                     /groundtruth.txt       one box a line: x,y,w,h, or the four corners of a quadrilateral
    <root>/<sequence>.mp4                   a video file
          /<sequence>.txt                   the boxes of its frames

``root`` may also be one such sequence. Files of boxes and folders of frames as OTB and VOT name them are understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from trackcore.images import IMAGE_SUFFIXES
from trackdata.clips import VIDEO_SUFFIXES
from trackdata.datasets.info import DatasetInfo
from trackdata.errors import MissingDataError
from trackdata.frames import Frames, StoredFrames
from trackdata.parsing import TextFile, parse_boxes, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Below, FolderStore, Store, open_store, read_text
from trackdata.storage.store import join
from trackdata.video_frames import VideoFrames, open_frames

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
        raise MissingDataError(f"{store.where(folder)}: no images there")
    return StoredFrames(store, tuple(join(folder, name) for name in names))


def _frames_folder(store: Store, folder: str) -> str | None:
    """The first of ``folder`` and :data:`FRAME_FOLDERS` below it that has images."""
    places = (join(folder, name) if name else folder for name in FRAME_FOLDERS)
    return next((place for place in places if image_names(store, place)), None)


def find_frames(store: Store, folder: str) -> Frames:
    """The frames of a sequence folder: its images, or those of the first of :data:`FRAME_FOLDERS` below it that has
    some; without images, its only video file.

    Raises:
        AnnotationError: there are none, or several video files, or one inside an archive.
    """
    place = _frames_folder(store, folder)
    if place is not None:
        return list_frames(store, place)
    videos = [name for name in store.files(folder) if PurePath(name).suffix.lower() in VIDEO_SUFFIXES]
    if len(videos) == 1:
        return open_stored(store, join(folder, videos[0]))
    if videos:
        raise AnnotationError(f"{store.where(folder)}: one video file makes a sequence, there are {', '.join(videos)}")
    folders = ", ".join(name for name in FRAME_FOLDERS if name)
    raise MissingDataError(f"{store.where(folder)}: no images there or in a folder {folders} below, nor a video file")


def open_stored(store: Store, key: str) -> VideoFrames:
    """The frames of a video file in a folder.

    Raises:
        AnnotationError: the file is missing, no video, holds no frame, or lies in an archive.
    """
    path = Path(store.where(key))
    if not path.is_file() and store.is_file(key):
        raise AnnotationError(f"{path}: a video file cannot be read inside an archive; unpack it")
    return open_frames(path)


def list_videos(store: Store) -> dict[str, str]:
    """Video files in the root that have a text file beside them: name without ending to key."""
    names = store.files()
    videos = {PurePath(name).stem: name for name in names if PurePath(name).suffix.lower() in VIDEO_SUFFIXES}
    return {stem: name for stem, name in videos.items() if f"{stem}.txt" in names}


def read_sequence(
    store: Store, name: str, folder: str | None = None, video: str | None = None, origin: int | None = None
) -> Sequence:
    """One sequence. One line of boxes for many frames means that only the first frame is annotated.

    Args:
        store: where it lies.
        name: the sequence's name.
        folder: key of its folder, by default ``name``.
        video: key of its video file, which has a text file of the same name beside it; then there is no folder.
        origin: the pixel number boxes count from; None goes by the name of the file of boxes.

    Raises:
        AnnotationError: no boxes, no frames, or their numbers differ; or a video file inside an archive.
    """
    folder = name if folder is None else folder
    key = find_boxes(store, folder) if video is None else f"{video.rpartition('.')[0]}.txt"
    if key is None:
        raise AnnotationError(f"{store.where(folder)}: no file of boxes; expected one of {', '.join(BOX_FILES)}")
    annotation = read_text(store, key)
    frames = find_frames(store, folder) if video is None else open_stored(store, video)
    if origin is None:
        origin = BOX_FILES.get(PurePath(key).name, 0)
    return _sequence(name, frames, parse_boxes(annotation), origin, annotation.source)


def _sequence(name: str, frames: Frames, boxes: np.ndarray, origin: int, source: str) -> Sequence:
    if len(boxes) not in (1, len(frames)):
        raise AnnotationError(f"{source}: {len(boxes)} boxes for {len(frames)} frames of {name}")
    return Sequence(name, frames, boxes, valid_boxes(boxes), origin=origin)


def video_with_boxes(
    video: str | Path, boxes: str | Path | npt.ArrayLike | None = None, *, name: str | None = None, origin: int = 0
) -> Sequence:
    """A sequence from a video file or a folder of images, and boxes.

    Args:
        video: anything FFmpeg reads, or a folder of images in natural order of their names.
        boxes: a text file, or numbers: ``(N, 4)`` x, y, w, h in pixels, one per frame, or ``(4,)``, the first frame's
            alone. None takes the text file beside the video, or in the folder, as :class:`Folder` does.
        name: the sequence's name; by default the video's without its ending.
        origin: the pixel number boxes count from.

    Raises:
        AnnotationError: no frames, no boxes, or their numbers differ.
        ValueError: numbers of another shape.
    """
    path = Path(video).expanduser().absolute()
    name = path.stem if name is None else name
    frames = find_frames(FolderStore(path), "") if path.is_dir() else open_frames(path)
    if boxes is None:
        beside = find_boxes(FolderStore(path)) if path.is_dir() else None
        boxes = path / beside if beside else path.with_suffix(".txt")
    if isinstance(boxes, str | Path):
        return _sequence(name, frames, parse_boxes(TextFile.read(boxes)), origin, str(boxes))
    numbers = np.atleast_2d(np.asarray(boxes, np.float64))
    if numbers.ndim != 2 or numbers.shape[1] != 4:
        raise ValueError(f"boxes are (N, 4) or (4,) numbers x, y, w, h, got shape {np.shape(boxes)}")
    return _sequence(name, frames, numbers, origin, "the boxes given")


class Folder(SequenceList):
    """A folder of sequences, sorted by name, or one sequence: a folder or a video file."""

    def __init__(self, root: str | Path | Store, origin: int | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive, or a video file with a text file beside it. Video files are not read from
                archives.
            origin: the pixel number boxes count from; None goes by the name of the file (:data:`BOX_FILES`; files of
                other names count from 0).
            name: what reports call it; by default the folder's or the video's name.

        Raises:
            AnnotationError: ``root`` does not exist, nothing in it has a file of boxes, or two sequences have one name.
        """
        path = Path(root).expanduser().absolute() if isinstance(root, str | Path) else None
        if path is not None and path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
            if not path.is_file():
                raise AnnotationError(f"{path}: there is no such file")
            store, own_name = FolderStore(path.parent), path.stem
            names, read = [own_name], partial(read_sequence, store, video=path.name, origin=origin)
        else:
            store = open_store(root)
            own_name = PurePath(store.where("")).name
            if find_boxes(store) is not None:
                names, read = [own_name], partial(read_sequence, store, folder="", origin=origin)
            else:
                names, read = _list(store), partial(_read_listed, store, list_videos(store), origin=origin)
        super().__init__(name or own_name, names, read)


def _list(store: Store) -> list[str]:
    folders = [folder for folder in store.folders() if find_boxes(store, folder) is not None]
    videos = list_videos(store)
    if twice := sorted(videos.keys() & set(folders)):
        raise AnnotationError(f"{store.where(twice[0])}: there are a folder and a video file of this name")
    if not folders and not videos:
        raise AnnotationError(
            f"{store.where('')}: neither it nor a folder in it holds one of {', '.join(BOX_FILES)}, nor is there a "
            "video file with a text file of the same name"
        )
    return sorted([*folders, *videos])


def _read_listed(store: Store, videos: Mapping[str, str], name: str, origin: int | None) -> Sequence:
    return read_sequence(store, name, video=videos.get(name), origin=origin)


def _open(root: Store, split: str | None) -> Folder:
    return Folder(root if split is None else Below(root, split))


DATASETS = (
    DatasetInfo(
        name="folder",
        title="your own videos",
        open=_open,
        layout="<sequence>/*.png or a video file, groundtruth.txt; <sequence>.mp4, <sequence>.txt",
        annotation="box in every frame, or in the first one",
    ),
)
