"""Scores of one sequence, and their means over several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trackdata.evaluation.records import Track, Truth


@dataclass(frozen=True)
class Repairs:
    """How many predicted rows a convention had to change before it could score them."""

    replaced: int = 0
    padded: int = 0
    cut: int = 0

    def __add__(self, other: Repairs) -> Repairs:
        return Repairs(self.replaced + other.replaced, self.padded + other.padded, self.cut + other.cut)


@dataclass(frozen=True)
class SequenceScores:
    """Scores on one sequence.

    Attributes:
        name: the sequence.
        frames: annotated frames, the first one included.
        scored: frames that count in the convention's denominator, per run.
        absent: frames whose target is gone or has no box.
        unannotated: frames whose annotation is NaN.
        values: figures by name (see ``METRICS``), as fractions; NaN where nothing could be scored.
        curves: plots by name, fractions over the convention's thresholds.
        weights: what a figure or curve weighs in the dataset's mean; 1 when not listed.
        runs: how many runs were averaged.
        repairs: predicted rows that had to be changed.
    """

    name: str
    frames: int
    scored: int
    absent: int
    unannotated: int
    values: Mapping[str, float]
    curves: Mapping[str, np.ndarray]
    weights: Mapping[str, float] = field(default_factory=dict)
    runs: int = 1
    repairs: Repairs = field(default_factory=Repairs)

    @classmethod
    def of(
        cls,
        truth: Truth,
        scored: int,
        values: Mapping[str, float],
        curves: Mapping[str, np.ndarray],
        weights: Mapping[str, float],
        runs: int = 1,
        repairs: Repairs | None = None,
    ) -> SequenceScores:
        """Scores on the sequence that ``truth`` annotates."""
        return cls(
            name=truth.name,
            frames=len(truth),
            scored=scored,
            absent=int(truth.gone.sum()),
            unannotated=int((~truth.annotated).sum()),
            values=values,
            curves=curves,
            weights=weights,
            runs=runs,
            repairs=repairs or Repairs(),
        )


def mean_value(sequences: Sequence[SequenceScores], name: str) -> float:
    """A figure's weighted mean over sequences; those where it is NaN or weighs nothing are left out, NaN for none."""
    return float(_mean(sequences, [sequence.values[name] for sequence in sequences], name))


def mean_curve(sequences: Sequence[SequenceScores], name: str) -> np.ndarray:
    """A curve's weighted mean over sequences, as :func:`mean_value`."""
    return _mean(sequences, [sequence.curves[name] for sequence in sequences], name)


def weights_of(sequences: Sequence[SequenceScores], name: str) -> np.ndarray:
    """``(S,)`` what a figure or curve weighs in each sequence; 0 where it is NaN is for the caller to see to."""
    return np.array([sequence.weights.get(name, 1.0) for sequence in sequences], dtype=np.float64)


def frame_rate(tracks: Sequence[Track]) -> tuple[float, float]:
    """(frames per second, seconds they took) of the updates of all runs, row 0 (``init``) left out.

    The seconds are the weight that makes the dataset's figure all frames over all time. Without usable times: (NaN, 0).
    Times so small that the rate is not a number of float64 are none.
    """
    updates = [track.times[1:].ravel() for track in tracks if track.times is not None]
    positive = np.concatenate([seconds[seconds > 0] for seconds in updates]) if updates else np.empty(0)
    total = float(positive.sum())
    rate = positive.size / total if total else math.inf
    return (rate, total) if math.isfinite(rate) else (math.nan, 0.0)


def _mean(sequences: Sequence[SequenceScores], values: Sequence[float | np.ndarray], name: str) -> np.ndarray:
    weights, values = weights_of(sequences, name), np.array(values, dtype=np.float64)
    usable = (weights > 0) & ~np.isnan(values.reshape(len(sequences), -1)).any(axis=1)
    if not usable.any():
        return np.full(values.shape[1:], np.nan)
    return np.average(values[usable], axis=0, weights=weights[usable])
