"""A sequence of frames with boxes, and what a dataset of them looks like.

Boxes are ``x, y, w, h`` in pixels as they stand on disk (no shift of one-based annotations: ``origin`` records the convention).
Frame indices are zero-based.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence as SequenceABC
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np


class FrameError(OSError):
    """A frame is missing or cannot be decoded; the message names the file."""


class AnnotationError(ValueError):
    """An annotation file is missing, malformed, or does not fit the frames; the message names the file."""


class Frames(Protocol):
    """Frames of one sequence, read when asked for. ``paths`` is empty when frames are not files."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame ``index`` as RGB uint8 ``(H, W, 3)``. Raises FrameError."""


@dataclass(frozen=True)
class FrameFiles:
    """Frames that are image files."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        from trackcore.video import read_image  # OpenCV is not needed to list a dataset

        return read_image(self.paths[index])


@dataclass(frozen=True)
class Sequence:
    """One annotated video.

    Attributes:
        name: the sequence's official name.
        frames: N frames, read lazily.
        boxes: ``(N, 4)`` float64 x, y, w, h; NaN or zero size where there is no box. Test sets that publish only the first
            box have one row: ``len(boxes)`` may be 1 while ``len(frames)`` is N.
        valid: ``(N,)`` bool, width and height are positive.
        visible: ``(N,)`` bool, the target can be seen, as the dataset defines it; None when it does not say.
        absent: ``(N,)`` bool, the dataset says the target is not there; None when it does not say.
        origin: 0 or 1, the pixel number the annotation starts counting at.
        object_class: class name or None.
        attributes: whatever else the dataset knows (meta_info, cover, resolution, language ...).
        masks: reads the ``(H, W)`` bool mask of a frame, or None for datasets without masks.
    """

    name: str
    frames: Frames
    boxes: np.ndarray
    valid: np.ndarray
    visible: np.ndarray | None = None
    absent: np.ndarray | None = None
    origin: int = 0
    object_class: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    masks: Callable[[int], np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.frames)


@runtime_checkable
class Dataset(Protocol):
    """A named, ordered list of sequences. Building one reads lists and annotations, never frames.

    ``still`` is True for sets of images (COCO), whose sequences have one frame that samplers pair with itself.
    """

    name: str
    still: bool

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sequence: ...


def find(dataset: Dataset, name: str) -> Sequence:
    """The sequence of ``dataset`` called ``name``. Raises KeyError naming the dataset and the number of sequences."""
    for sequence in iterate(dataset):
        if sequence.name == name:
            return sequence
    raise KeyError(f"{dataset.name} has no sequence {name!r} among its {len(dataset)}")


def iterate(dataset: Dataset | SequenceABC[Sequence]) -> Iterator[Sequence]:
    """All sequences in order."""
    return (dataset[index] for index in range(len(dataset)))
