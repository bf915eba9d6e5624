"""Videos in which objects are segmented: every object of a video at once, for video object segmentation.

:func:`trackdata.datasets.open_videos` opens a dataset as these; ``open_dataset`` of the same name gives one tracking
sequence per object instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from trackdata.frames import Frames
from trackdata.labels import decode_mask, read_labels
from trackdata.storage import Store, read_annotation


@dataclass(frozen=True)
class SegmentedVideo:
    """One video and the label maps of its objects.

    Attributes:
        name: the video's official name.
        frames: N frames, read lazily.
        frame_names: N names of the frames' files without their endings, as results must be called.
        objects: numbers of the objects, ascending; they may have gaps.
        labels: reads the ``(H, W)`` integer label map of a frame: 0 is background, numbers that are not in ``objects``
            mean nothing; None for a frame without annotation. Raises AnnotationError. Where only first appearances are
            annotated, 0 means that nothing new appears there.
        annotated: ``(N,)`` bool, frames that have a label map.
        first_frames: object to the frame in which its mask is given, and from which it is to be segmented.
        classes: object to the name of its class, None where unknown.
        size: (height, width) of the label maps in pixels.
        wanted: ``(N,)`` bool, frames whose result is scored or asked for by the benchmark's server.
    """

    name: str
    frames: Frames
    frame_names: tuple[str, ...]
    objects: tuple[int, ...]
    labels: Callable[[int], np.ndarray | None]
    annotated: np.ndarray
    first_frames: Mapping[int, int]
    classes: Mapping[int, str | None]
    size: tuple[int, int]
    wanted: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class StoredLabels:
    """Label maps that are images in a store: ``labels(index)``.

    Attributes:
        store: where they lie.
        keys: one per frame, None for a frame without.
        binary: everything that is not 0 is object 1.
    """

    store: Store
    keys: tuple[str | None, ...]
    binary: bool = False

    def __call__(self, index: int) -> np.ndarray | None:
        """The label map of frame ``index``, or None. Raises AnnotationError naming a file that cannot be read."""
        key = self.keys[index]
        if key is None:
            return None
        if self.binary:
            return decode_mask(read_annotation(self.store, key), self.store.where(key)).astype(np.uint8)
        return read_labels(self.store, key)


class VideoList:
    """Segmented videos by name, read one by one when asked for. The latest ones are kept, as long as they are here:
    copies sent to other processes start with none.

    Attributes:
        name: what reports call the dataset.
        video_names: in order.
    """

    KEPT = 1024  # videos without their pixels; a few kilobytes each

    def __init__(self, name: str, video_names: SequenceABC[str], read: Callable[[str], SegmentedVideo]) -> None:
        """``read`` turns a video's name into the video; give a picklable one (no lambda)."""
        self.name = name
        self.video_names = tuple(video_names)
        self._read = read
        self._kept = lru_cache(self.KEPT)(read)

    def __len__(self) -> int:
        return len(self.video_names)

    def __getitem__(self, index: int) -> SegmentedVideo:
        """Video ``index``. Raises AnnotationError naming the file that is missing or malformed."""
        return self._kept(self.video_names[index])

    def __iter__(self) -> Iterator[SegmentedVideo]:
        return (self[index] for index in range(len(self)))

    def find(self, name: str) -> SegmentedVideo:
        """The video called ``name``. Raises KeyError naming the dataset and the number of its videos."""
        if name not in self.video_names:
            raise KeyError(f"{self.name} has no video {name!r} among its {len(self)}")
        return self._kept(name)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_kept"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._kept = lru_cache(self.KEPT)(self._read)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} videos>"
