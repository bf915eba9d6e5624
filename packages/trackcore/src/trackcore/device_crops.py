"""The crops of :mod:`trackcore.crops`, cut on the device where a frame lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trackcore.crops import crop_window, visible_span


def crop_on_device(
    frame: Tensor, boxes: Sequence[np.ndarray], factors: Sequence[float], size: int, *, published_border: bool = True
) -> tuple[Tensor, list[float]]:
    """The crops of :func:`trackcore.crops.crop` around several boxes, cut where the frame lies.

    Args:
        frame: ``(H, W, 3)`` uint8 on any device.
        boxes: x, y, w, h in pixels of the frame, B of them.
        factors: window side relative to sqrt(w h), for each box.
        size: S.
        published_border: see :func:`trackcore.crops.crop`.

    Returns:
        ``(B, S, S, 3)`` uint8 on the frame's device, within one grey level of :func:`trackcore.crops.crop`, whose
        interpolation weights OpenCV rounds; and the scale of each.

    Raises:
        CropError: see :func:`trackcore.crops.crop_window`.
    """
    windows = [crop_window(box, factor) for box, factor in zip(boxes, factors, strict=True)]
    height, width = frame.shape[:2]
    # Everything that tells where to read, in one transfer: (B, rows and columns, 4, S).
    readings = [
        (
            _reading(window.top, window.side, height, size, published_border),
            _reading(window.left, window.side, width, size, published_border),
        )
        for window in windows
    ]
    places = torch.from_numpy(np.stack(readings)).to(frame.device)
    index, weights = places[:, :, :2].long(), places[:, :, 2:]
    cut = 0
    for down in (0, 1):
        for across in (0, 1):
            pixels = frame[index[:, 0, down, :, None], index[:, 1, across, None, :]]
            cut = cut + (weights[:, 0, down, :, None] * weights[:, 1, across, None, :])[..., None] * pixels
    return cut.round_().to(torch.uint8), [size / window.side for window in windows]


def _reading(start: int, side: int, length: int, size: int, published_border: bool) -> np.ndarray:
    """``(4, size)`` float32: frame pixels before and after each pixel of the crop, and how much each of them counts."""
    first, last = visible_span(start, side, length, published_border)
    position = np.clip((np.arange(size) + 0.5) * (side / size) - 0.5, 0, side - 1)
    lower = np.floor(position)
    fraction = position - lower
    upper = np.minimum(lower + 1, side - 1)
    index = np.stack([lower, upper]) + start
    inside = (index >= first) & (index < last)
    weight = np.stack([1 - fraction, fraction]) * inside
    return np.concatenate([np.where(inside, index, 0), weight]).astype(np.float32)
