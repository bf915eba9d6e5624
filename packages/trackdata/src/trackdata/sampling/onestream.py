"""The strategies of the published one-stream trackers (OSTrack, ECCV 2022; STARK, ICCV 2021), draw by draw, except that
every retry is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trackdata.faults import SamplingError
from trackdata.sampling.choices import FrameChoice, pick, within

WIDEN = 5  # frames the search window grows by after a draw without candidates


def base_candidates(visible: np.ndarray, templates: int, searches: int) -> np.ndarray:
    """Frames a causal draw may start from: visible, with room for the other templates before and the searches after."""
    return within(np.flatnonzero(visible), templates - 1, len(visible) - searches)


def search_candidates(visible: np.ndarray, base: int, gap: int) -> np.ndarray:
    """Visible frames after ``base`` and less than ``gap`` frames away from it."""
    return within(np.flatnonzero(visible), base + 1, base + gap)


def template_candidates(visible: np.ndarray, base: int, gap: int) -> np.ndarray:
    """Visible frames before ``base`` and at most ``gap`` frames away from it."""
    return within(np.flatnonzero(visible), base - gap, base)


@dataclass(frozen=True)
class CausalSampler:
    """Templates first, searches later in time: the strategy of all published one-stream configurations.

    The base template is uniform over :func:`base_candidates`, further templates over :func:`template_candidates`,
    searches over :func:`search_candidates`, both with replacement. When a set is empty, the gap grows by 5 frames and
    *a new base* is drawn. The bound is exclusive: with ``max_gap`` 200 the search frame is at most 199 frames after
    the template.
    """

    max_gap: int = 200
    templates: int = 1
    searches: int = 1

    def __post_init__(self) -> None:
        if min(self.max_gap, self.templates, self.searches) < 1:
            raise ValueError(f"max_gap, templates and searches must be at least 1, got {self}")

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        frames = np.flatnonzero(visible)
        bases = base_candidates(visible, self.templates, self.searches)
        usable = bases[bases < frames[-1]] if len(frames) else bases
        if self.templates > 1:
            usable = usable[usable > frames[0]]
        if len(usable) == 0:
            raise SamplingError(
                f"{len(frames)} visible frames of {len(visible)} hold no {self.templates} template(s) followed by "
                f"{self.searches} search frame(s)"
            )
        gap = self.max_gap
        while True:  # ends: once the gap spans the sequence, every usable base succeeds
            base = pick(rng, bases)
            earlier = template_candidates(visible, base, gap)
            later = search_candidates(visible, base, gap)
            if len(later) and (len(earlier) or self.templates == 1):
                others = (pick(rng, earlier) for _ in range(self.templates - 1))
                searches = (pick(rng, later) for _ in range(self.searches))
                return FrameChoice((base, *others), tuple(searches))
            gap += WIDEN


@dataclass(frozen=True)
class TridentSampler:
    """One template and one search frame anywhere, plus one extra template close to the search frame for every gap.

    The template and the search frame are independent and uniform over the visible frames. The extra template lies on
    the template's side of the search frame: from ``[search, search + gap)`` when the template is not before the search
    frame, otherwise from ``[search - gap, search)``; everything is drawn again while an extra frame is missing.

    Attributes:
        gaps: one extra template per entry; a single number is one entry.
        extra: where extra templates come from. Published as the modes ``trident`` ("visible"), ``trident_pro`` ("all")
            and ``stark`` ("valid").
        max_attempts: draws before giving up.
    """

    gaps: int | tuple[int, ...] = (200,)
    extra: Literal["visible", "valid", "all"] = "visible"
    max_attempts: int = 1000

    def __post_init__(self) -> None:
        gaps = (self.gaps,) if isinstance(self.gaps, int) else tuple(self.gaps)
        if not gaps or min(gaps) < 1:
            raise ValueError(f"gaps must be one or more positive numbers of frames, got {self.gaps}")
        object.__setattr__(self, "gaps", gaps)

    @property
    def templates(self) -> int:
        return 1 + len(self.gaps)

    @property
    def searches(self) -> int:
        return 1

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        frames = np.flatnonzero(visible)
        if len(frames) == 0:
            raise SamplingError(f"none of the {len(visible)} frames is visible")
        pool = {
            "visible": frames,
            "valid": frames if valid is None else np.flatnonzero(valid),
            "all": np.arange(len(visible)),
        }[self.extra]
        for _ in range(self.max_attempts):
            template, search = pick(rng, frames), pick(rng, frames)
            near = [
                within(pool, search, search + gap) if template >= search else within(pool, search - gap, search)
                for gap in self.gaps
            ]
            if all(map(len, near)):
                return FrameChoice((template, *(pick(rng, candidates) for candidates in near)), (search,))
        raise SamplingError(f"no extra template within {self.gaps} frames in {self.max_attempts} draws")
