"""Crops that make every target about as wide as high, and the mapping of boxes and masks into and out of them.

A window of ``factor`` times the box's width and height is cut out and resized to S x S pixels, so the target's aspect
ratio is gone: it fills about the middle S / factor pixels. Boxes are ``x, y, w, h`` in pixels (float64).

What looks like slips in the published program is kept by default, because networks were trained on it, and has a
sensible alternative:

- ``border="published"``: a window that reaches the right or lower border loses the frame's last column or row, and one
  that lies left of or above the frame shows the whole of it, squeezed. ``"exact"`` shows every pixel, and black.
- ``coordinates="published"``: boxes are mapped as if windows were not rounded to whole pixels; the crop's middle is
  (S - 1) / 2 for training, but S / 2 when predictions are mapped back, which shifts boxes by half a crop pixel.
  ``"shifted"`` maps the predictions of networks trained so without the shift and with the true window. ``"exact"`` uses
  the true window and pixel edges both ways, for networks that were trained with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

Border = Literal["published", "exact"]
Coordinates = Literal["published", "shifted", "exact"]

MAX_PIXELS = 1 << 28  # of a window; more than a frame of 8K seen through a box of its size
MAX_SIDE = 32767  # OpenCV's resize indexes with 16-bit numbers


class CropError(ValueError):
    """No window can be cut around this box."""


@dataclass(frozen=True)
class Window:
    """A rectangle of frame pixels around a box; may reach beyond the frame.

    Attributes:
        box: ``(4,)`` float64 x, y, w, h that it was made for.
        left, top, width, height: whole pixels.
        size: S, side of the crop.
    """

    box: np.ndarray
    left: int
    top: int
    width: int
    height: int
    size: int

    @property
    def scale(self) -> np.ndarray:
        """``(2,)`` crop pixels per frame pixel, across and down."""
        return self.size / np.array([self.width, self.height], np.float64)

    def shows(self, frame_size: tuple[int, int]) -> bool:
        """Whether any pixel of a frame (height, width) lies in it."""
        height, width = frame_size
        return -self.width < self.left < width and -self.height < self.top < height


def window_of(box: np.ndarray, factor: float, size: int) -> Window:
    """The window of ``ceil(factor w) x ceil(factor h)`` pixels centred on ``box``.

    Raises:
        CropError: the box has NaN or infinity, no area, or the window would be larger than can be resized.
    """
    values = np.asarray(box, np.float64).reshape(-1)
    x, y, w, h = (float(value) for value in values)
    if not np.isfinite(values).all():
        raise CropError(f"cannot crop around the box {values.tolist()}: it holds NaN or infinity")
    width, height = math.ceil(factor * w), math.ceil(factor * h)
    if width < 1 or height < 1:
        raise CropError(f"cannot crop around the box {values.tolist()}: it is too small")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise CropError(f"cannot crop around the box {values.tolist()}: a window of {width} x {height} is too large")
    # Python's round is round-half-to-even, which the published crops rely on.
    left, top = round(x + 0.5 * w - 0.5 * width), round(y + 0.5 * h - 0.5 * height)
    return Window(values, left, top, width, height, size)


def cut(image: np.ndarray, window: Window, *, border: Border = "published", edge: bool = False) -> np.ndarray:
    """Cut a window out and resize it by bilinear interpolation without antialiasing.

    Args:
        image: ``(H, W, 3)`` or ``(H, W)`` uint8 or float32.
        border: see the head of this module.
        edge: repeat the frame's border pixels outside of it; black otherwise.

    Returns:
        ``(S, S, 3)`` or ``(S, S)`` of the image's type.
    """
    height, width = image.shape[:2]
    lost = int(border == "published")
    left, top = max(0, -window.left), max(0, -window.top)
    right = max(0, window.left + window.width - width + lost)
    bottom = max(0, window.top + window.height - height + lost)
    columns = window.left + left, window.left + window.width - right
    rows = window.top + top, window.top + window.height - bottom
    if border == "exact":
        shown = image[slice(*rows), slice(*columns)] if window.shows((height, width)) else image[:0, :0]
    else:
        shown = image[rows[0] : rows[1], columns[0] : columns[1]]  # negative ends count from the other side
    if shown.size == 0:
        return np.zeros((window.size, window.size, *image.shape[2:]), image.dtype)
    kind = cv2.BORDER_REPLICATE if edge else cv2.BORDER_CONSTANT
    if left or top or right or bottom:
        shown = cv2.copyMakeBorder(shown, top, bottom, left, right, kind)
    return cv2.resize(shown, (window.size, window.size), interpolation=cv2.INTER_LINEAR)


def box_in_crop(box: np.ndarray, window: Window, coordinates: Coordinates = "published") -> np.ndarray:
    """Where a box of the frame lies in the crop, as a network is trained to say it.

    Returns:
        ``(4,)`` float64 x, y, w, h in crop pixels; corners outside the crop are moved onto its border.
    """
    box, scale = np.asarray(box, np.float64), window.scale
    if coordinates == "published":
        reference = window.box[:2] + 0.5 * window.box[2:]
        centre = (window.size - 1) / 2 + (box[:2] + 0.5 * box[2:] - reference) * scale
        half = 0.5 * box[2:] * scale
        first, last = centre - half, centre + half
    else:
        shift = 0.5 if coordinates == "shifted" else 0.0
        origin = np.array([window.left, window.top], np.float64)
        first, last = (box[:2] - origin) * scale - shift, (box[:2] + box[2:] - origin) * scale - shift
    first, last = np.clip(first, 0, window.size), np.clip(last, 0, window.size)
    return np.concatenate([first, last - first])


def box_from_crop(
    corners: np.ndarray, window: Window, factor: float, coordinates: Coordinates = "published"
) -> np.ndarray:
    """A predicted box in the frame; it may reach beyond it, and have negative sides where the corners cross.

    Args:
        corners: ``(4,)`` x1, y1, x2, y2 in crop pixels.
        window: that the crop shows.
        factor: of the window.
        coordinates: see the head of this module.

    Returns:
        ``(4,)`` float64 x, y, w, h in pixels.
    """
    corners, scale = np.asarray(corners, np.float64), window.scale
    sides = (corners[2:] - corners[:2]) / scale
    if coordinates == "published":
        corner = window.box[:2] - (factor - 1) / 2 * window.box[2:] + corners[:2] / scale
    else:
        shift = 0.5 if coordinates == "shifted" else 0.0
        corner = np.array([window.left, window.top]) + (corners[:2] + shift) / scale
    return np.concatenate([corner, sides])


def mask_from_crop(mask: np.ndarray, window: Window, frame_size: tuple[int, int]) -> np.ndarray:
    """A predicted mask in the frame; 0 outside the window.

    Args:
        mask: ``(S, S)`` float32 probabilities.
        window: that the crop shows.
        frame_size: (height, width).

    Returns:
        ``(H, W)`` float32.
    """
    height, width = frame_size
    pasted = np.zeros((height, width), np.float32)
    if not window.shows(frame_size):
        return pasted
    resized = cv2.resize(mask, (window.width, window.height), interpolation=cv2.INTER_LINEAR)
    left, top = max(0, window.left), max(0, window.top)
    right, bottom = min(width, window.left + window.width), min(height, window.top + window.height)
    pasted[top:bottom, left:right] = resized[
        top - window.top : bottom - window.top, left - window.left : right - window.left
    ]
    return pasted
