"""Square crops with context, as the SiamFC++ family cuts them, and how they are resampled.

Pixels are points here, as in the published code: a box covers the pixels from x to x + w - 1, its centre is
``x + (w - 1) / 2``, and a square of side S reaches ``(S - 1) / 2`` from its centre to the middle of its outermost
pixels. These land on the outermost pixels of the crop, so S pixels become O with a magnification of (O - 1) / (S - 1).

That is not O / S, the *scale* by which trackers and annotations convert lengths, and trackers round S besides. With
``geometry="consistent"`` the square is chosen so that its magnification is the scale exactly.

Resampling is bilinear. ``exact`` takes coordinates as they are; ``legacy`` rounds them to 1/32 of a pixel in the way of
OpenCV 4.5.5, bit for bit, with which the published numbers were made.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

Resampling = Literal["exact", "legacy"]
Geometry = Literal["published", "consistent"]

MEAN = (123.675, 116.28, 103.53)  # of RGB, on the scale 0 to 255
STD = (58.395, 57.12, 57.375)

_NORMALISED = (np.arange(256, dtype=np.float32) - np.float32(MEAN)[:, None]) * (np.float32(1) / np.float32(STD))[
    :, None
]
_STEPS = 32  # in which OpenCV 4.5.5 divides a pixel
_OPENCV_IS_EXACT = int(cv2.__version__.partition(".")[0]) >= 5


def context_side(size: np.ndarray, context: float = 0.5) -> float:
    """Side of the square around a target: ``sqrt((w + p) (h + p))`` with ``p = context (w + h)``.

    Args:
        size: ``(2,)`` w, h in pixels.
        context: pixels around the target, relative to the sum of its sides.
    """
    width, height = float(size[0]), float(size[1])
    around = context * (width + height)
    return ((width + around) * (height + around)) ** 0.5


def square_side(pixels: int, scale: float, geometry: Geometry = "published") -> float:
    """Side in the frame of the square that becomes a crop of ``pixels`` a side.

    Args:
        scale: crop pixels per frame pixel.
    """
    return pixels / scale if geometry == "published" else 1 + (pixels - 1) / scale


def border_colour(frame: np.ndarray) -> tuple[int, int, int]:
    """What fills a crop outside the frame: the channel means of ``(H, W, 3)``, truncated to whole numbers."""
    return tuple(int(value) for value in cv2.mean(frame)[:3])


def sample_square(
    frame: np.ndarray,
    centre: np.ndarray,
    side: float,
    pixels: int,
    border: tuple[int, int, int],
    resampling: Resampling = "exact",
) -> np.ndarray:
    """Sample a square of the frame.

    Args:
        frame: ``(H, W, 3)`` uint8.
        centre: ``(2,)`` x, y of the square's centre; the square may lie partly or wholly outside.
        side: S in pixels of the frame.
        pixels: O.
        border: colour outside the frame, in the frame's channel order.
        resampling: see the module's docstring.

    Returns:
        ``(O, O, 3)`` uint8.
    """
    half = np.float32((side - 1) / 2)  # float32, as published
    first, last = (np.float32(centre) + sign * half for sign in (-1, 1))
    start, step = first.astype(np.float64), (last.astype(np.float64) - first) / (pixels - 1)
    if resampling == "legacy" or not _OPENCV_IS_EXACT:
        return _sample(frame, start, step, pixels, border, resampling)
    placement = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, placement, (pixels, pixels), flags=flags, borderValue=border)


def _sample(
    frame: np.ndarray,
    start: np.ndarray,
    step: np.ndarray,
    pixels: int,
    border: tuple[int, int, int],
    resampling: Resampling,
) -> np.ndarray:
    """The definition: crop pixel (column c, row r) is the frame at ``start + step * (c, r)``."""
    place = start + np.arange(pixels)[:, None] * step
    if resampling == "exact":
        before = np.floor(place)
        after, one = (place - before).astype(np.float32), 1
    else:
        # 1/1024 of a pixel, rounded half to even, then 1/32; columns are the sum of two rounded numbers
        fixed = np.rint(place * 1024)
        fixed[:, 0] = np.rint(np.arange(pixels) * step[0] * 1024) + np.rint(start[0] * 1024)
        before, after = np.divmod(fixed.astype(np.int32) + 16 >> 5, _STEPS)
        one = _STEPS
    (column, row), (across, down) = before.astype(np.int64).T, after.T
    rows, row = np.unique(np.stack([row, row + 1]), return_inverse=True)
    columns, column = np.unique(np.stack([column, column + 1]), return_inverse=True)
    seen = _pixels(frame, rows, columns, border).astype(across.dtype)
    down, across = down[:, None, None], across[:, None]
    mixed = seen[row[0]] * (one - down) + seen[row[1]] * down
    mixed = mixed[:, column[0]] * (one - across) + mixed[:, column[1]] * across
    if resampling == "legacy":
        mixed = (mixed + _STEPS * _STEPS // 2) // _STEPS**2
    return np.rint(mixed).astype(np.uint8)


def _pixels(frame: np.ndarray, rows: np.ndarray, columns: np.ndarray, border: tuple[int, int, int]) -> np.ndarray:
    """``(rows, columns, 3)`` uint8: the frame's pixels in these rows and columns, ``border`` where there are none."""
    height, width = frame.shape[:2]
    seen = frame[rows.clip(0, height - 1)].take(columns.clip(0, width - 1), axis=1)
    seen[(rows < 0) | (rows >= height)] = border
    seen[:, (columns < 0) | (columns >= width)] = border
    return seen


def normalise(image: np.ndarray) -> np.ndarray:
    """``(S, S, 3)`` uint8 RGB to ``(3, S, S)`` float32, ImageNet mean and standard deviation."""
    out = np.empty((3, *image.shape[:2]), np.float32)
    for channel in range(3):  # there are only 256 values of each, so they are looked up
        cv2.LUT(cv2.extractChannel(image, channel), _NORMALISED[channel], dst=out[channel])
    return out
