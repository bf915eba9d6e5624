"""How much a figure would vary on other sequences of the same kind: the bootstrap over sequences.

Sequences, not frames, are drawn with replacement: frames of one sequence are no independent samples. Efron and
Tibshirani, "An introduction to the bootstrap", 1993; percentile intervals. All trackers see the same draws, so
differences between trackers are paired.

A figure is a weighted mean over sequences, so a draw is a vector of counts and all draws are two matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trackdata.evaluation.sequence_scores import SequenceScores, weights_of


@dataclass(frozen=True)
class Interval:
    """A value and the bounds of its confidence interval; NaN where it cannot be computed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """Resampled sets of sequences.

    Attributes:
        counts: ``(B, S)`` float64, how often each draw has each sequence.
        level: of the intervals, such as 0.95.
    """

    counts: np.ndarray
    level: float = 0.95

    @classmethod
    def make(cls, sequences: int, samples: int = 10_000, seed: int = 0, level: float = 0.95) -> Draws:
        """``samples`` draws of as many sequences as there are; the same seed gives the same ones.

        Raises:
            ValueError: no sequences or samples, or a level that is not between 0 and 1.
        """
        if sequences < 1 or samples < 1:
            raise ValueError(f"a bootstrap needs sequences and samples, got {sequences} and {samples}")
        if not 0.0 < level < 1.0:
            raise ValueError(f"the level of an interval lies between 0 and 1, got {level}")
        generator = np.random.default_rng(seed)
        counts = generator.multinomial(sequences, np.full(sequences, 1.0 / sequences), size=samples)
        return cls(counts.astype(np.float64), level)

    def means(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weighted means of ``(S,)`` values in every draw: ``(B,)``; NaN where nothing of weight was drawn.

        Sequences that are NaN are left out, as in the figure itself.
        """
        usable = ~np.isnan(values)
        weights = np.where(usable, weights, 0.0)
        total = self.counts @ weights
        sums = self.counts @ (np.where(usable, values, 0.0) * weights)
        return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)

    def interval(self, value: float, samples: np.ndarray) -> Interval:
        """``value`` with the percentiles of ``samples``; samples that are NaN are left out."""
        samples = samples[~np.isnan(samples)]
        if not len(samples):
            return Interval(value, np.nan, np.nan)
        tail = (1.0 - self.level) / 2.0
        low, high = np.quantile(samples, [tail, 1.0 - tail])
        return Interval(value, float(low), float(high))


def figure_columns(sequences: Sequence[SequenceScores], figure: str) -> tuple[np.ndarray, np.ndarray]:
    """(values, weights) of a figure in each sequence, ``(S,)`` both."""
    return np.array([sequence.values[figure] for sequence in sequences]), weights_of(sequences, figure)
