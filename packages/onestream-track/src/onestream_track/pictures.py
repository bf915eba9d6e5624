"""Pictures of what the network does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onestream_track.config import ModelConfig
from trackcore.tracker import Prediction

GAP = 8  # white pixels between panels
READABLE = 224  # smaller crops are enlarged to about this side


def elimination_picture(image: np.ndarray, removed: Sequence[np.ndarray], cells: int) -> np.ndarray:
    """The search crop, then one panel per elimination stage with the patches dropped so far faded.

    Args:
        image: ``(S, S, 3)`` uint8 search crop.
        removed: per stage the indices (row-major into ``cells x cells``) it dropped.
        cells: side of the search region in tokens.

    Returns:
        ``(S, W, 3)`` uint8, a white column after each panel.
    """
    side = image.shape[0] // cells
    faded = (0.2 * image.astype(np.float64) + 0.8 * 255).astype(np.uint8)
    gone = np.zeros(cells * cells, bool)
    white = np.full((image.shape[0], GAP, 3), 255, np.uint8)
    panels = [image, white]
    for stage in removed:
        gone[np.asarray(stage, np.int64)] = True
        patches = np.kron(gone.reshape(cells, cells), np.ones((side, side), bool))
        panels += [np.where(patches[..., None], faded, image), white]
    return np.concatenate(panels, axis=1)


def elimination_panels(prediction: Prediction, config: ModelConfig) -> np.ndarray:
    """:func:`elimination_picture` of a frame, from a tracker with ``diagnostics``; small crops are enlarged.

    Raises:
        ValueError: the prediction has no diagnostics.
    """
    if "removed" not in prediction.extras:
        raise ValueError("the prediction does not say what was eliminated: make the tracker with diagnostics=True")
    image = prediction.extras["search"].image
    picture = elimination_picture(image, prediction.extras["removed"], config.search_grid)
    times = max(1, round(READABLE / config.search_size))
    return picture.repeat(times, 0).repeat(times, 1)
