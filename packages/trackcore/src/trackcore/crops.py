"""Square context crops around a target, and the mapping of boxes into and out of them.

The crop is the one the published one-stream trackers cut, in training and in tracking, down to its rounding: weights
learned on it expect it. Boxes are ``x, y, w, h`` in pixels of the frame (float64); S is the side of the resized crop
in pixels and ``scale`` is S divided by the side of the window that was cut.

Three details look like slips and are kept because published numbers depend on them: the window's corner is rounded
half to even and the rounding is not undone when boxes are mapped back; with ``published_border`` a window that
reaches the right or bottom edge loses the frame's last column or row to padding; annotations are centred on (S - 1) /
2 while decoded boxes are centred on S / 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

MAX_SIDE = 32767  # OpenCV's resize indexes with 16-bit numbers


class CropError(ValueError):
    """No window can be cut around this box."""


@dataclass(frozen=True)
class CropWindow:
    """A square of frame pixels ``[left, left + side) x [top, top + side)``; may reach beyond the frame."""

    left: int
    top: int
    side: int


@dataclass(frozen=True)
class Crop:
    """A window cut out and resized.

    Attributes:
        image: ``(S, S, 3)`` uint8, black where the window lies outside the frame.
        padding: ``(S, S)`` bool, True where at least one padded pixel contributed.
        scale: S / window side.
        window: the square that was cut.
        mask: ``(S, S)`` float32 in [0, 1], the target mask cut the same way, or None.
    """

    image: np.ndarray
    padding: np.ndarray
    scale: float
    window: CropWindow
    mask: np.ndarray | None = None


def crop_window(box: np.ndarray, factor: float) -> CropWindow:
    """The window of side ``ceil(sqrt(w h) * factor)`` centred on ``box``.

    Args:
        box: x, y, w, h in pixels.
        factor: window side relative to the geometric mean of the box sides.

    Raises:
        CropError: the box has NaN or a side below 0, or the window would be empty or larger than OpenCV can resize.
    """
    x, y, w, h = (float(value) for value in box)
    area = w * h
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(area)) or w < 0 or h < 0:
        raise CropError(f"cannot crop around the box {[x, y, w, h]}: x, y, w, h must be finite, w and h not negative")
    side = math.ceil(math.sqrt(area) * factor)
    if not 1 <= side <= MAX_SIDE:
        raise CropError(
            f"the box {[x, y, w, h]} with factor {factor} asks for a crop of {side} pixels a side; "
            f"1 to {MAX_SIDE} are possible"
        )
    # Python's round is round-half-to-even, which the published crops rely on.
    return CropWindow(left=round(x + 0.5 * w - 0.5 * side), top=round(y + 0.5 * h - 0.5 * side), side=side)


def visible_span(start: int, side: int, length: int, published_border: bool) -> tuple[int, int]:
    """First and one-past-last frame index that a window ``[start, start + side)`` shows of ``length`` pixels."""
    first = max(start, 0)
    last = min(start + side, length)
    if published_border and start + side >= length:
        last = length - 1
    return (first, last) if last > first else (0, 0)


def _padded_cells(start: int, side: int, span: tuple[int, int], size: int) -> np.ndarray:
    """``(size,)`` bool: which resized rows (or columns) mix in a padded one."""
    padded = np.ones((side, 1), np.float32)
    if span[1] > span[0]:
        padded[span[0] - start : span[1] - start] = 0
    return cv2.resize(padded, (1, size), interpolation=cv2.INTER_LINEAR)[:, 0] > 0


def _resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Bilinear resize in floating point, pixel centres at half integers: OpenCV rounds its coefficients too
    coarsely."""
    side = len(mask)
    position = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(side / size) - np.float32(0.5)
    position = np.clip(position, 0, side - 1)
    lower = position.astype(np.int64)
    upper = np.minimum(lower + 1, side - 1)
    weight = position - lower.astype(np.float32)
    rows = mask[lower] + (mask[upper] - mask[lower]) * weight[:, None]
    return rows[:, lower] + (rows[:, upper] - rows[:, lower]) * weight


def crop(
    image: np.ndarray,
    box: np.ndarray,
    factor: float,
    size: int,
    *,
    mask: np.ndarray | None = None,
    published_border: bool = True,
) -> Crop:
    """Cut the context window around ``box`` and resize it to ``size`` by bilinear interpolation without antialiasing.

    Args:
        image: ``(H, W, 3)`` uint8.
        box: x, y, w, h in pixels of ``image``; the window may lie partly or wholly outside.
        factor: window side relative to sqrt(w h).
        size: S, side of the result in pixels.
        mask: ``(H, W)``, target mask with values 0 to 1 (bool or float), cut along with the image.
        published_border: keep the published off-by-one at the right and bottom edge (module docstring); False shows
            every pixel of the frame.

    Raises:
        CropError: see :func:`crop_window`.
    """
    window = crop_window(box, factor)
    columns = visible_span(window.left, window.side, image.shape[1], published_border)
    rows = visible_span(window.top, window.side, image.shape[0], published_border)

    def cut(source: np.ndarray) -> np.ndarray:
        canvas = np.zeros((window.side, window.side, *source.shape[2:]), source.dtype)
        if columns[1] > columns[0] and rows[1] > rows[0]:
            canvas[
                rows[0] - window.top : rows[1] - window.top,
                columns[0] - window.left : columns[1] - window.left,
            ] = source[rows[0] : rows[1], columns[0] : columns[1]]
        return canvas

    # A resized pixel is padding when any pixel it mixes is, and bilinear weights are separable: two 1-d resizes
    # suffice.
    padding = (
        _padded_cells(window.top, window.side, rows, size)[:, None]
        | _padded_cells(window.left, window.side, columns, size)[None, :]
    )
    return Crop(
        image=cv2.resize(cut(image), (size, size), interpolation=cv2.INTER_LINEAR),
        padding=padding,
        scale=size / window.side,
        window=window,
        mask=None if mask is None else _resize_mask(cut(mask.astype(np.float32)), size),
    )


def box_in_crop(box: np.ndarray, reference: np.ndarray, scale: float, size: int) -> np.ndarray:
    """Where ``box`` lies in the crop that was cut around ``reference``, as training annotates it.

    Args:
        box, reference: x, y, w, h in pixels of the frame.
        scale: resize factor of the crop.
        size: S.

    Returns:
        ``(4,)`` float64 x, y, w, h divided by S. The reference's centre lies at (S - 1) / 2 whatever the rounding of
        the window's corner was.
    """
    box, reference = np.asarray(box, np.float64), np.asarray(reference, np.float64)
    centre = (size - 1) / 2 + (box[:2] + 0.5 * box[2:] - reference[:2] - 0.5 * reference[2:]) * scale
    sides = box[2:] * scale
    return np.concatenate([centre - 0.5 * sides, sides]) / size


def box_from_crop(box: np.ndarray, previous: np.ndarray, scale: float, size: int) -> np.ndarray:
    """Map a decoded box back into the frame.

    Args:
        box: cx, cy, w, h divided by S, as the head decodes it.
        previous: x, y, w, h in pixels, the box the search window was cut around.
        scale: resize factor of the crop.
        size: S.

    Returns:
        ``(4,)`` float64 x, y, w, h in pixels. The window's centre counts as S / 2 (module docstring).
    """
    box, previous = np.asarray(box, np.float64), np.asarray(previous, np.float64)
    cx, cy, w, h = box * size / scale
    half = 0.5 * size / scale
    cx += previous[0] + 0.5 * previous[2] - half
    cy += previous[1] + 0.5 * previous[3] - half
    return np.array([cx - 0.5 * w, cy - 0.5 * h, w, h])
