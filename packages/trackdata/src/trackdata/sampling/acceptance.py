"""Which sequences may be drawn from: the rules of the published samplers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trackdata.faults import Reason
from trackdata.sequences import Sequence


class Acceptance(Protocol):
    """Says why a sequence may not be used."""

    def refusal(self, sequence: Sequence, still: bool) -> Reason | None:
        """The reason, or None when the sequence may be used. ``still``: its frames are images on their own."""


def visibility(sequence: Sequence) -> np.ndarray:
    """``(N,)`` bool: frames a sampler may use. Where the dataset says nothing about visibility, those with a box."""
    return sequence.valid if sequence.visible is None else sequence.visible


@dataclass(frozen=True)
class EnoughVisible:
    """Videos of at least ``min_length`` frames, more than ``more_than`` of them visible; still images always qualify.

    The rule of OSTrack (ECCV 2022), whose ``more_than`` is twice the number of frames drawn.
    """

    min_length: int = 20
    more_than: int = 4

    def refusal(self, sequence: Sequence, still: bool) -> Reason | None:
        if still:
            return None
        if len(sequence) < self.min_length:
            return "too_short"
        return None if np.count_nonzero(visibility(sequence)) > self.more_than else "few_visible"


@dataclass(frozen=True)
class EnoughForMasks:
    """As :class:`EnoughVisible`, but videos with masks may be as short as ``min_length_with_masks``, and an image needs
    a valid box. The rule of Alpha-Refine (CVPR 2021).
    """

    min_length: int = 20
    min_length_with_masks: int = 2
    more_than: int = 4

    def refusal(self, sequence: Sequence, still: bool) -> Reason | None:
        if still:
            return None if visibility(sequence).any() else "few_visible"
        shortest = self.min_length if sequence.masks is None else self.min_length_with_masks
        return EnoughVisible(shortest, self.more_than).refusal(sequence, still)


@dataclass(frozen=True)
class AtLeast:
    """Videos of at least ``frames`` frames, whatever they show: SparseTT (1) and DropSeg (2)."""

    frames: int = 1

    def refusal(self, sequence: Sequence, still: bool) -> Reason | None:
        return None if still or len(sequence) >= self.frames else "too_short"


@dataclass(frozen=True)
class BoxFilter:
    """Which single boxes may be trained on: the filter of SparseTT (IJCAI 2022).

    A box is refused when max(r, 1 / max(r, 1e-6)) reaches ``max_ratio``, with r = h / (w + 1e-6), measured between
    float32 corners with inclusive pixels; boxes without area fall under that. The published filter is also meant to
    limit the box's area to ``area`` of the image, but never does; ``limit_area`` makes it.
    """

    max_ratio: float = 10.0
    area: tuple[float, float] = (0.001, 0.6)
    limit_area: bool = False

    def refuses(self, box: np.ndarray, frame_size: tuple[int, int] | None = None) -> bool:
        """Whether ``box`` (x, y, w, h in pixels) may not be used.

        Args:
            frame_size: (height, width) of the frame, needed to limit the area only.

        Raises:
            ValueError: the area is to be limited, and the frame's size is not given.
        """
        x, y, w, h = np.asarray(box, np.float32)
        width, height = (x + w - 1) - x + 1, (y + h - 1) - y + 1
        ratio = float(height) / (float(width) + 1e-6)
        if not max(ratio, 1 / max(ratio, 1e-6)) < self.max_ratio:  # NaN is refused
            return True
        if not self.limit_area:
            return False
        if frame_size is None:
            raise ValueError("limiting the area of boxes takes the size of the frame")
        share = float(width) * float(height) / (frame_size[0] * frame_size[1])
        return not self.area[0] < share < self.area[1]
