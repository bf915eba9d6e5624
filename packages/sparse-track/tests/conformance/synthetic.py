"""The synthetic video of the cases, in integer arithmetic, so that every implementation sees the same pixels."""

from __future__ import annotations

import numpy as np

ROWS, COLUMNS = 240, 320


def tri(v):
    return np.abs(v % 256 - 128)


def rectangle(t: int) -> tuple[int, int, int, int]:
    """x, y, w, h of the target in frame ``t``."""
    return 120 + 3 * t + t * t % 7, 90 + 2 * t - t * t % 5, 48 + t, 36 + t // 2


def frame(t: int) -> np.ndarray:
    """RGB uint8 frame ``t``."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    left, top, width, height = rectangle(t)
    inside = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
    channels = []
    for c in range(3):  # blue, green, red
        background = 40 + tri(x * (2 + c) + y * (5 - c) + ((x * y) >> 6) + 17 * c)
        target = 255 - tri(8 * (x - left) + 11 * (y - top) + 60 * c)
        channels.append(np.where(inside, target, background))
    return np.stack(channels[::-1], axis=2).astype(np.uint8)
