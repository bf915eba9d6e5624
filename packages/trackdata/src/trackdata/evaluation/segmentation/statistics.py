"""Mean, recall and decay of a measure over the frames of one object (Perazzi et al., CVPR 2016, section 4)."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np


class Statistics(NamedTuple):
    """Over frames: the mean, the share above one half, and how much is lost from the first to the last quarter."""

    mean: float
    recall: float
    decay: float


def sequence_statistics(values: np.ndarray, eight_bit: bool = False) -> Statistics:
    """Statistics of ``(n,)`` values; NaN are left out of mean and decay and count as missed in the recall.

    Quarters share their borders, which are ``round(linspace(1, n, 5)) - 1``.

    Args:
        eight_bit: keep the borders in 8 bits, as the DAVIS 2017 evaluation does: from 256 frames on they wrap, and the
            decay is wrong or NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return Statistics(np.nan, np.nan, np.nan)
    borders = (np.round(np.linspace(1, len(values), 5) + 1e-10) - 1).astype(np.int64)
    ends = borders + 1
    if eight_bit:
        borders, ends = borders % 256, (borders % 256 + 1) % 256
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN, as they should be
        first, last = (np.nanmean(values[borders[quarter] : ends[quarter + 1]]) for quarter in (0, 3))
        return Statistics(float(np.nanmean(values)), float((values > 0.5).mean()), float(first - last))
