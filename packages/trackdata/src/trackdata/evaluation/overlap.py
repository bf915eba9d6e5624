"""Overlaps and centre distances of boxes, frame by frame.

All functions take ``(N, 4)`` float64 arrays of x, y, w, h in pixels and return ``(N,)`` float64. Rows with NaN give
NaN. Published toolkits differ in the last bits and in what they do at the border, and thresholds are compared
exactly, so each variant is its own function and keeps the published order of operations.

Arithmetic goes column by column: NumPy is several times slower on pairs of columns, whose rows are two numbers long.
"""

from __future__ import annotations

import numpy as np

_EPSILON = np.finfo(np.float64).eps


def inclusive_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union with inclusive pixels (``x2 = x + w - 1``), as OTB and pytracking count.

    Equal to the continuous overlap for real numbers; two boxes without area give NaN.
    """
    ax, ay, aw, ah = a.T
    bx, by, bw, bh = b.T
    width = np.maximum(np.minimum(ax + aw - 1.0, bx + bw - 1.0) - np.maximum(ax, bx) + 1.0, 0.0)
    height = np.maximum(np.minimum(ay + ah - 1.0, by + bh - 1.0) - np.maximum(ay, by) + 1.0, 0.0)
    intersection = width * height
    union = aw * ah + bw * bh - intersection
    with np.errstate(divide="ignore", invalid="ignore"):
        return intersection / union


def continuous_overlap(a: np.ndarray, b: np.ndarray, frame_size: tuple[float, float] | None = None) -> np.ndarray:
    """Intersection over union as the GOT-10k toolkit computes it: in [0, 1], two boxes without area give 0.

    Args:
        frame_size: (width, height) of the frame both boxes are limited to, or None for no limit; see :func:`limit`.
    """
    if frame_size is not None:
        a, b = limit(a, frame_size), limit(b, frame_size)
    ax, ay, aw, ah = a.T
    bx, by, bw, bh = b.T
    width = np.maximum(np.minimum(ax + aw, bx + bw) - np.maximum(ax, bx), 0.0)
    height = np.maximum(np.minimum(ay + ah, by + bh) - np.maximum(ay, by), 0.0)
    intersection = width * height
    union = aw * ah + bw * bh - intersection
    with np.errstate(divide="ignore", invalid="ignore"):
        return _clipped(intersection / (union + _EPSILON), 0.0, 1.0)


def limit(boxes: np.ndarray, frame_size: tuple[float, float]) -> np.ndarray:
    """Boxes limited to the frame the GOT-10k way: ``(N, 4)``, a copy.

    The corner is clipped first and the size afterwards, so a box that hangs over the left or top edge keeps its size
    and is moved inside instead of being cut. Published GOT-10k numbers depend on it.
    """
    limited = np.empty((4, len(boxes)))
    for axis, extent in enumerate(frame_size):
        limited[axis] = _clipped(boxes[:, axis], 0.0, extent)
        limited[axis + 2] = _clipped(boxes[:, axis + 2], 0.0, extent - limited[axis])
    return limited.T


def centers(boxes: np.ndarray) -> np.ndarray:
    """Centres ``(N, 2)`` with inclusive pixels: half of size minus one is added to the corner."""
    return np.stack(_centers(boxes), axis=1)


def center_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of the centres in pixels."""
    (ax, ay), (bx, by) = _centers(a), _centers(b)
    return length(ax - bx, ay - by)


def relative_center_distance(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres in units of the true width and height, which divide both centres first (pytracking).

    Rows whose truth has no size give infinity or NaN.
    """
    (px, py), (tx, ty), w, h = _centers(predicted), _centers(truth), truth[:, 2], truth[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        return length(px / w - tx / w, py / h - ty / h)


def toolkit_relative_center_distance(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres divided by the true width and height, at least one pixel each (GOT-10k toolkit)."""
    (px, py), (tx, ty) = _centers(predicted), _centers(truth)
    return length((px - tx) / np.maximum(truth[:, 2], 1.0), (py - ty) / np.maximum(truth[:, 3], 1.0))


def length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean length of vectors."""
    return np.sqrt(x**2 + y**2)  # not hypot, whose last bit differs from the references


def _centers(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, w, h = boxes.T
    return x + 0.5 * (w - 1.0), y + 0.5 * (h - 1.0)


def _clipped(values: np.ndarray, low: float, high: float | np.ndarray) -> np.ndarray:
    """``np.clip`` at a third of its price."""
    return np.minimum(np.maximum(values, low), high)
