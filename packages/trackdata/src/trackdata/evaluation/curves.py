"""Counting frames above and below many thresholds at once.

Values are sorted once and thresholds looked up in them, so the cost is ``N log N`` instead of ``N`` times the number of
thresholds. Comparisons are exact in float64.
"""

from __future__ import annotations

import numpy as np

PIXELS = np.arange(51.0)  # precision plots: 0 to 50 pixels
RELATIVE = np.arange(51) / 100.0  # normalised precision plots: 0 to 0.5 of the target's size


def steps(gap: float) -> np.ndarray:
    """Thresholds 0, gap, 2 gap, ... 1 of a success plot.

    Raises:
        ValueError: ``gap`` is not in (0, 1].
    """
    if not 0.0 < gap <= 1.0:
        raise ValueError(f"the gap between thresholds must lie in (0, 1], got {gap}")
    return np.arange(round(1.0 / gap) + 1) * gap


def count_above(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many ``values`` are strictly greater than each threshold: ``(T,)`` int. NaN counts nowhere."""
    ordered = np.sort(values[~np.isnan(values)])
    return len(ordered) - np.searchsorted(ordered, thresholds, side="right")


def count_from(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many ``values`` are greater than or equal to each threshold: ``(T,)`` int. NaN counts nowhere."""
    ordered = np.sort(values[~np.isnan(values)])
    return len(ordered) - np.searchsorted(ordered, thresholds, side="left")


def count_within(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many ``values`` are less than or equal to each threshold: ``(T,)`` int. NaN counts nowhere."""
    return np.searchsorted(np.sort(values[~np.isnan(values)]), thresholds, side="right")


def share(counts: np.ndarray, total: int) -> np.ndarray:
    """``counts / total`` as float64; NaN everywhere when there is nothing to count."""
    return counts / total if total else np.full(np.shape(counts), np.nan)
