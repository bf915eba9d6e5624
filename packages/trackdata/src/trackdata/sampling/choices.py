"""What a strategy is: the choice of frames within one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class FrameChoice:
    """Frame indices of one sample: ``templates[0]`` is the frame the others were chosen around."""

    templates: tuple[int, ...]
    searches: tuple[int, ...]

    @property
    def template(self) -> int:
        return self.templates[0]

    @property
    def search(self) -> int:
        return self.searches[0]


class Strategy(Protocol):
    """Chooses frames of one sequence. ``templates`` and ``searches`` say how many of each."""

    @property
    def templates(self) -> int: ...

    @property
    def searches(self) -> int: ...

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        """Choose frames.

        Args:
            rng: source of randomness.
            visible: ``(N,)`` bool, the target can be seen.
            valid: ``(N,)`` bool, there is a box; None means that it is ``visible``.

        Raises:
            SamplingError: these flags allow no choice.
        """


def pick(rng: np.random.Generator, candidates: np.ndarray) -> int:
    """One of the candidates, uniformly."""
    return int(candidates[rng.integers(len(candidates))])


def within(frames: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Those of the sorted indices ``frames`` that lie in ``[first, stop)``."""
    return frames[frames.searchsorted(first) : frames.searchsorted(stop)]
