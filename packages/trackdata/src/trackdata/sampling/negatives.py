"""Pairs of which some show two different targets, so that a tracker learns to find nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trackdata.faults import FaultCounts, SamplingError, exhausted
from trackdata.sampling.acceptance import BoxFilter
from trackdata.sampling.mixture import MixtureSampler
from trackdata.sequences import Sequence


@dataclass(frozen=True)
class FrameDraw:
    """One frame of a sequence. ``dataset`` is the dataset's number in the mixture."""

    dataset: int
    sequence: Sequence
    frame: int

    @property
    def box(self) -> np.ndarray:
        """``(4,)`` x, y, w, h of the target in this frame."""
        return self.sequence.boxes[self.frame]


@dataclass(frozen=True)
class PairDraw:
    """A template and a search frame; ``positive`` when they were chosen to show the same target."""

    template: FrameDraw
    search: FrameDraw
    positive: bool

    @property
    def dataset(self) -> int:
        """Number of the template's dataset."""
        return self.template.dataset

    @property
    def distance(self) -> int | None:
        """Search frame minus template frame; None for a negative pair."""
        return self.search.frame - self.template.frame if self.positive else None


@dataclass(frozen=True)
class PairMixture:
    """Positive pairs from ``mixture`` and, with probability ``negative``, pairs of independently drawn frames.

    Each frame of a negative pair has its own dataset (by weight), sequence and frame (uniform over all). Whether a pair
    is negative is decided once; its frames are drawn again until ``boxes`` refuses neither. This is the sampler of
    SparseTT (IJCAI 2022), which uses a :class:`~trackdata.sampling.windows.LooseSampler`.

    Attributes:
        mixture: draws positive pairs; its strategy chooses one template and one search frame.
        negative: probability of a negative pair.
        boxes: the filter on single boxes, or None.
        max_attempts: pairs drawn before giving up.
    """

    mixture: MixtureSampler
    negative: float = 0.33
    boxes: BoxFilter | None = field(default_factory=BoxFilter)
    max_attempts: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.negative <= 1:
            raise ValueError(f"negative is a probability, got {self.negative}")
        strategy = self.mixture.strategy
        if (strategy.templates, strategy.searches) != (1, 1):
            raise ValueError(f"a pair is one template and one search frame, {strategy} chooses more")

    @property
    def names(self) -> tuple[str, ...]:
        return self.mixture.names

    def faults(self) -> FaultCounts:
        """An empty count for the mixture's datasets."""
        return self.mixture.faults()

    def draw(self, rng: np.random.Generator, faults: FaultCounts | None = None) -> PairDraw:
        """One pair. What was passed over is added to ``faults``.

        Raises:
            SamplingError: no pair that the filter admits in ``max_attempts`` draws.
        """
        faults = self.faults() if faults is None else faults
        positive = bool(rng.random() >= self.negative)
        for _ in range(self.max_attempts):
            pair = self._draw_positive(rng, faults) if positive else self._draw_negative(rng, faults)
            refused = [frame for frame in (pair.template, pair.search) if self._refuses(frame)]
            if not refused:
                return pair
            for frame in refused:
                detail = (
                    f"{frame.sequence.name}, frame {frame.frame}: box {frame.box.tolist()} is refused by {self.boxes}"
                )
                faults.add(frame.dataset, "filtered", detail)
        raise SamplingError(exhausted(self.max_attempts, faults))

    def _refuses(self, frame: FrameDraw) -> bool:
        if self.boxes is None:
            return False
        size = frame.sequence.frames[frame.frame].shape[:2] if self.boxes.limit_area else None
        return self.boxes.refuses(frame.box, size)

    def _draw_positive(self, rng: np.random.Generator, faults: FaultCounts) -> PairDraw:
        draw = self.mixture.draw(rng, faults)
        first, second = (
            FrameDraw(draw.dataset, draw.sequence, frame) for frame in (draw.frames.template, draw.frames.search)
        )
        return PairDraw(first, second, positive=True)

    def _draw_negative(self, rng: np.random.Generator, faults: FaultCounts) -> PairDraw:
        first, second = self._draw_frame(rng, faults), self._draw_frame(rng, faults)
        return PairDraw(first, second, positive=False)

    def _draw_frame(self, rng: np.random.Generator, faults: FaultCounts) -> FrameDraw:
        dataset, sequence = self.mixture.draw_sequence(rng, faults)
        return FrameDraw(dataset, sequence, int(rng.integers(len(sequence.boxes))))
