"""Pairs that lie near each other in either direction of time: the strategies of Alpha-Refine and SparseTT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trackdata.faults import SamplingError
from trackdata.sampling.choices import FrameChoice, pick, within
from trackdata.sampling.onestream import WIDEN


def window_candidates(visible: np.ndarray, frame: int, gap: int) -> np.ndarray:
    """Visible frames in ``[frame - gap, frame + gap)``; may hold ``frame`` itself."""
    return within(np.flatnonzero(visible), frame - gap, frame + gap)


@dataclass(frozen=True)
class WindowSampler:
    """A template anywhere and a search frame up to ``max_gap`` frames before it or ``max_gap`` - 1 after it.

    Both are visible; the search frame may be the template itself. This is the sampler of Alpha-Refine (CVPR 2021),
    which widens the window by 5 frames and draws again when it is empty. That never happens here, because the template
    itself is always in its window.
    """

    max_gap: int = 50

    def __post_init__(self) -> None:
        if self.max_gap < 1:
            raise ValueError(f"max_gap must be at least 1 frame, got {self.max_gap}")

    @property
    def templates(self) -> int:
        return 1

    @property
    def searches(self) -> int:
        return 1

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        frames = np.flatnonzero(visible)
        if len(frames) == 0:
            raise SamplingError(f"none of the {len(visible)} frames is visible")
        template = pick(rng, frames)
        return FrameChoice((template,), (pick(rng, window_candidates(visible, template, self.max_gap)),))


def widened_candidates(visible: np.ndarray, frame: int, gap: int) -> tuple[np.ndarray, int]:
    """The published search for partners of a frame that need not be visible itself.

    Returns:
        :func:`window_candidates` of the first of the gaps ``gap``, ``gap`` + 5, ``gap`` + 10, ... that has any, and how
        much the gap grew.

    Raises:
        SamplingError: no frame is visible.
    """
    if not np.any(visible):
        raise SamplingError(f"none of the {len(visible)} frames is visible")
    extra = 0
    while len(found := window_candidates(visible, frame, gap + extra)) == 0:
        extra += WIDEN
    return found, extra


@dataclass(frozen=True)
class LooseSampler:
    """Two frames of a video without any regard to visibility: the sampler of SparseTT (IJCAI 2022).

    The template is uniform over all frames, the search frame over ``[max(0, template - max_gap), N)``: the published
    sampler has no upper bound, although ``max_gap`` is meant to give one. ``bounded`` adds it, so that the search frame
    lies in ``[template - max_gap, template + max_gap]``.
    """

    max_gap: int = 100
    bounded: bool = False

    def __post_init__(self) -> None:
        if self.max_gap < 0:
            raise ValueError(f"max_gap must not be negative, got {self.max_gap}")

    @property
    def templates(self) -> int:
        return 1

    @property
    def searches(self) -> int:
        return 1

    def partners(self, template: int, frames: int) -> range:
        """The possible search frames for a template in a video of ``frames`` frames."""
        stop = min(template + self.max_gap + 1, frames) if self.bounded else frames
        return range(max(0, template - self.max_gap), stop)

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        if len(visible) == 0:
            raise SamplingError("the video has no frames")
        template = int(rng.integers(len(visible)))
        partners = self.partners(template, len(visible))
        return FrameChoice((template,), (partners[int(rng.integers(len(partners)))],))
