"""Kinetics (Carreira et al., CVPR 2017; 400 and 700 classes), and any other folder of videos without annotation.

On disk, each with or without the folder of the class::

    <root>/<class>/<video>.mp4           a video file
    <root>/<class>/<video>/*.jpg         a folder of frames, in natural order; also in an archive or LMDB

Lengths are kept in a manifest, see :mod:`trackdata.manifest`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from trackcore.images import IMAGE_SUFFIXES, FrameReadError
from trackdata.clips import VIDEO_SUFFIXES, ClipFrames, inspect_clip
from trackdata.datasets.folder import natural_key
from trackdata.datasets.info import DatasetInfo
from trackdata.errors import AnnotationError
from trackdata.frames import Frames, StoredFrames
from trackdata.manifest import Entry, Manifest, Places, build_manifest, manifest_places
from trackdata.storage import Below, Store, open_store
from trackdata.storage.store import join


@dataclass(frozen=True)
class Video:
    """A video without annotation.

    Attributes:
        name: the key of its file or folder below the root, without the suffix.
        frames: N frames, read lazily; :func:`trackdata.clips.read_frames` reads several at once.
        object_class: its class, None when there is no folder of classes.
    """

    name: str
    frames: Frames
    object_class: str | None = None

    def __len__(self) -> int:
        return len(self.frames)


class Kinetics:
    """The readable videos below a folder, sorted by key.

    Small enough to be copied to every loader process: names and lengths are held in two arrays, not in objects whose
    reference counts would make each process copy them.

    Attributes:
        name: what reports call it.
        still: False.
        manifest_file: where the manifest is kept.
        digest: see :attr:`trackdata.manifest.Manifest.digest`.
        unreadable: reason by key, for the videos that are left out.
    """

    still = False

    def __init__(
        self,
        root: str | Path | Store,
        split: str | None = None,
        *,
        cache: str | Path | None = None,
        workers: int = 1,
        name: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """
        Args:
            root: the folder, archive or LMDB.
            split: a folder below it.
            cache: folder for the manifest; see :func:`trackdata.manifest.manifest_places`.
            workers, on_progress: for videos that the manifest does not list yet; see
                :func:`trackdata.manifest.build_manifest`.
            name: what reports call it; by default the folder's name.

        Raises:
            AnnotationError: there is no such folder, it holds no videos, none of them can be read, or the manifest
                cannot be kept.
        """
        store = open_store(root)
        store = store if split is None else Below(store, split)
        self.name = name or PurePath(store.where("")).name
        places = manifest_places(store, cache)
        manifest = read_videos(store, places, workers=workers, on_progress=on_progress)
        if not manifest.readable:
            first = manifest.unreadable[0]
            raise AnnotationError(
                f"{store.where('')}: none of the {len(manifest.entries)} videos can be read; the first, {first.key}: "
                f"{first.fault}"
            )
        self._store = store
        self.manifest_file = places.file
        self.digest = manifest.digest
        self.unreadable = {entry.key: entry.fault for entry in manifest.unreadable}
        self._keys = np.array([os.fsencode(entry.key) for entry in manifest.readable])
        self._lengths = np.array([entry.frames for entry in manifest.readable], np.int64)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted; none when there is no folder of classes."""
        return tuple(sorted({found for key in self._keys if (found := _class_of(os.fsdecode(key))) is not None}))

    @property
    def lengths(self) -> np.ndarray:
        """``(len(self),)`` int64: frames of each video."""
        return self._lengths

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> Video:
        """Video ``index``. Raises IndexError."""
        key = os.fsdecode(self._keys[index])
        if key.endswith("/"):
            return Video(key[:-1], image_frames(self._store, key[:-1]), _class_of(key))
        path = Path(self._store.where(key))
        return Video(key.removesuffix(path.suffix), ClipFrames(path, int(self._lengths[index])), _class_of(key))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} videos>"


def read_videos(
    store: Store,
    places: Places,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """The manifest of the videos in ``store``; see :func:`trackdata.manifest.build_manifest`.

    Raises:
        AnnotationError: the store holds no video, or the manifest cannot be written.
    """
    keys = find_videos(store)
    if not keys:
        raise AnnotationError(
            f"{store.where('')}: holds no videos; expected <class>/<video>.mp4 or <class>/<video>/*.jpg, or the same "
            "without the class"
        )
    stamps = {key: store.stamp(key.rstrip("/")) for key in keys}
    return build_manifest(places, stamps, partial(inspect_video, store), workers=workers, on_progress=on_progress)


def find_videos(store: Store) -> list[str]:
    """Keys of what looks like videos, sorted; those of folders of images end in a slash. Nothing is opened.

    Names that begin with a dot are passed over.
    """
    keys = [name for name in _visible(store.files()) if _is_video(name)]
    for folder in _visible(store.folders()):
        files = _visible(store.files(folder))
        keys += [join(folder, name) for name in files if _is_video(name)]
        if any(map(_is_image, files)):
            keys.append(f"{folder}/")  # a video; what lies deeper (masks, say) is no video of its own
        else:
            keys += [f"{folder}/{name}/" for name in _visible(store.folders(folder))]
    return sorted(keys)


def inspect_video(store: Store, key: str) -> Entry:
    """Look at one video: count its frames and decode the first."""
    place = key.rstrip("/")
    stamp = store.stamp(place)
    try:
        if key.endswith("/"):
            frames = image_frames(store, place)
            if len(frames) == 0:
                return Entry(key, stamp, fault="the folder holds no images")
            return Entry(key, stamp, len(frames), size=frames[0].shape[:2])
        path = Path(store.where(key))
        if not path.is_file():
            fault = "video files must lie in folders: unpack the archive, or pack the frames as images"
            return Entry(key, stamp, fault=fault)
        info = inspect_clip(path)
    except FrameReadError as error:
        return Entry(key, stamp, fault=str(error).removeprefix(f"{store.where(place)}: "))
    return Entry(key, stamp, info.frames, info.fps, info.duration, info.size)


def image_frames(store: Store, folder: str) -> StoredFrames:
    """The images in ``folder``, in natural order of their names (2 before 10)."""
    names = sorted(filter(_is_image, _visible(store.files(folder))), key=natural_key)
    return StoredFrames(store, tuple(join(folder, name) for name in names))


def _class_of(key: str) -> str | None:
    folder, slash, _ = key.rstrip("/").partition("/")
    return folder if slash else None


def _visible(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(".")]


def _is_video(name: str) -> bool:
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def _is_image(name: str) -> bool:
    return PurePath(name).suffix.lower() in IMAGE_SUFFIXES


DATASETS = (
    DatasetInfo(
        name="kinetics",
        title="Kinetics, or any folder of videos",
        open=Kinetics,
        layout="<class>/<video>.mp4 or <class>/<video>/*.jpg, or the same without the class",
        annotation="none",
        boxes=False,
    ),
)
