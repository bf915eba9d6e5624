"""Frames that follow each other with bounded jumps, in either direction of time: the sampling of DropSeg and STCN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trackdata.faults import SamplingError
from trackdata.sampling.choices import FrameChoice


@dataclass(frozen=True)
class ForwardSampler:
    """A reference frame and frames that follow it, each less than ``max_jump`` frames after the one before.

    The published pairs of DropSeg (CVPR 2023) have one following frame: the start is uniform over ``0..N-2``, its
    partner over ``[start + 1, min(N, start + max_jump))``, and with probability ``reverse`` the order of time is turned
    round, so that the reference is the later frame. Published jumps are 25 frames for DAVIS and 5 annotated steps (25
    frames) for YouTube-VOS. With more following frames (triples have two) the start leaves room for all of them.

    Attributes:
        max_jump: exclusive bound of a jump; 1 means the next frame, as 2 does.
        following: frames beside the reference.
        reverse: probability of turning time round.
    """

    max_jump: int = 25
    following: int = 1
    reverse: float = 0.5

    def __post_init__(self) -> None:
        if self.max_jump < 1 or self.following < 1:
            raise ValueError(f"max_jump and following must be at least 1, got {self.max_jump} and {self.following}")
        if not 0 <= self.reverse <= 1:
            raise ValueError(f"reverse is a probability, got {self.reverse}")

    @property
    def templates(self) -> int:
        return 1

    @property
    def searches(self) -> int:
        return self.following

    def partners(self, frame: int, frames: int) -> range:
        """The frames that may follow ``frame`` in a video whose last usable frame is number ``frames`` - 1."""
        return range(frame + 1, max(frame + 2, min(frames, frame + self.max_jump)))

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        """Choose frames among all ``len(visible)``; visibility plays no part.

        Raises:
            SamplingError: the video has no more frames than ``following``.
        """
        count = len(visible)
        if count <= self.following:
            raise SamplingError(f"{count} frames hold no reference with {self.following} frame(s) after it")
        chosen = [int(rng.integers(count - self.following))]
        for left in range(self.following - 1, -1, -1):
            partners = self.partners(chosen[-1], count - left)
            chosen.append(partners[int(rng.integers(len(partners)))])
        if rng.random() < self.reverse:
            chosen.reverse()
        return FrameChoice((chosen[0],), tuple(chosen[1:]))


@dataclass(frozen=True)
class GrowingJump:
    """A jump that grows over training and falls back at its end: STCN's schedule (NeurIPS 2021). DropSeg has none.

    ``values[i]`` holds from epoch ``round(fractions[i] * epochs)`` on, ``start`` before the first one.
    """

    fractions: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.9)
    values: Sequence[int] = (10, 15, 20, 25, 5)
    start: int = 5

    def __post_init__(self) -> None:
        if len(self.fractions) != len(self.values) or list(self.fractions) != sorted(self.fractions):
            raise ValueError(f"as many values as ascending fractions, got {self.fractions} and {self.values}")

    def at(self, epoch: int, epochs: int) -> int:
        """The jump of a zero-based epoch out of ``epochs``."""
        jump = self.start
        for fraction, value in zip(self.fractions, self.values, strict=True):
            if epoch >= round(fraction * epochs):
                jump = value
        return jump
