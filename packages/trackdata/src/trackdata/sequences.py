"""A sequence of frames with boxes, and what a dataset of them looks like.

Boxes are ``x, y, w, h`` in pixels as they stand on disk: one-based annotations are not shifted, ``origin`` records the
convention. Frame indices are zero-based.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np

from trackdata.errors import AnnotationError, FrameError
from trackdata.frames import Frames

__all__ = ["AnnotationError", "Dataset", "FrameError", "Frames", "Sequence", "SequenceList", "find", "iterate"]


@dataclass(frozen=True)
class Sequence:
    """One annotated video.

    Attributes:
        name: the sequence's official name.
        frames: N frames, read lazily.
        boxes: ``(N, 4)`` float64 x, y, w, h; NaN or zero size where there is no box. Test sets that publish only the
            first box have one row: ``len(boxes)`` may be 1 while ``len(frames)`` is N.
        valid: bool, one per row of ``boxes``: finite, width and height are positive.
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


class SequenceList:
    """A dataset of named sequences that are read one by one when asked for.

    The latest ones are kept; copies sent to other processes start with none. Safe to read from several threads.

    Attributes:
        name: what reports call the dataset.
        still: False.
        sequence_names: in order.
    """

    still = False
    KEPT = 1024  # sequences; a few kilobytes each

    def __init__(self, name: str, sequence_names: SequenceABC[str], read: Callable[[str], Sequence]) -> None:
        """``read`` turns a sequence's name into the sequence; give a picklable one (no lambda)."""
        self.name = name
        self.sequence_names = tuple(sequence_names)
        self._read = read
        self._kept = lru_cache(self.KEPT)(read)

    def __len__(self) -> int:
        return len(self.sequence_names)

    def __getitem__(self, index: int) -> Sequence:
        """Sequence ``index``. Raises AnnotationError naming the file that is missing, malformed or of wrong length."""
        return self._kept(self.sequence_names[index])

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_kept"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._kept = lru_cache(self.KEPT)(self._read)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} sequences>"


def find(dataset: Dataset, name: str) -> Sequence:
    """The sequence of ``dataset`` called ``name``. Reads no other where the dataset has ``sequence_names``.

    Raises:
        KeyError: there is none; the message has the dataset and the number of its sequences.
        AnnotationError: its annotation cannot be read.
    """
    names = getattr(dataset, "sequence_names", None)
    if names is None:
        names = [sequence.name for sequence in iterate(dataset)]
    if name in names:
        return dataset[names.index(name)]
    raise KeyError(f"{dataset.name} has no sequence {name!r} among its {len(dataset)}")


def iterate(dataset: Dataset | SequenceABC[Sequence]) -> Iterator[Sequence]:
    """All sequences in order."""
    return (dataset[index] for index in range(len(dataset)))
