"""Label maps drawn over frames."""

from __future__ import annotations

import numpy as np

from trackcore.overlay import PALETTE, draw_mask


def draw_labels(image: np.ndarray, labels: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """A copy of an RGB uint8 image ``(H, W, 3)`` with every object of a label map ``(H, W)`` in its colour.

    An object keeps its colour whatever others there are.
    """
    drawn = image
    for number in np.unique(labels):
        if number:
            drawn = draw_mask(drawn, labels == number, PALETTE[(int(number) - 1) % len(PALETTE)], alpha)
    return drawn if drawn is not image else image.copy()
