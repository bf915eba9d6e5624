"""Overlaps and centre distances of boxes, frame by frame.

All functions take ``(N, 4)`` float64 arrays of x, y, w, h in pixels and return ``(N,)`` float64. Rows with NaN give
NaN. Published toolkits differ in the last bits and in what they do at the border, and thresholds are compared
exactly, so each variant is its own function and keeps the published order of operations.
"""

from __future__ import annotations

import numpy as np

_EPSILON = np.finfo(np.float64).eps


def inclusive_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union with inclusive pixels (``x2 = x + w - 1``), as OTB and pytracking count.

    Equal to the continuous overlap for real numbers; two boxes without area give NaN.
    """
    top_left = np.maximum(a[:, :2], b[:, :2])
    bottom_right = np.minimum(a[:, :2] + a[:, 2:] - 1.0, b[:, :2] + b[:, 2:] - 1.0)
    intersection = _area(np.maximum(bottom_right - top_left + 1.0, 0.0))
    union = _area(a[:, 2:]) + _area(b[:, 2:]) - intersection
    with np.errstate(divide="ignore", invalid="ignore"):
        return intersection / union


def continuous_overlap(a: np.ndarray, b: np.ndarray, frame_size: tuple[float, float] | None = None) -> np.ndarray:
    """Intersection over union as the GOT-10k toolkit computes it: in [0, 1], two boxes without area give 0.

    Args:
        frame_size: (width, height) of the frame both boxes are limited to, or None for no limit; see :func:`limit`.
    """
    if frame_size is not None:
        a, b = limit(a, frame_size), limit(b, frame_size)
    top_left = np.maximum(a[:, :2], b[:, :2])
    bottom_right = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    intersection = _area(np.maximum(bottom_right - top_left, 0.0))
    union = _area(a[:, 2:]) + _area(b[:, 2:]) - intersection
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.clip(intersection / (union + _EPSILON), 0.0, 1.0)


def limit(boxes: np.ndarray, frame_size: tuple[float, float]) -> np.ndarray:
    """Boxes limited to the frame the GOT-10k way: ``(N, 4)``, a copy.

    The corner is clipped first and the size afterwards, so a box that hangs over the left or top edge keeps its size
    and is moved inside instead of being cut. Published GOT-10k numbers depend on it.
    """
    size = np.asarray(frame_size, dtype=np.float64)
    corner = np.clip(boxes[:, :2], 0.0, size)
    return np.concatenate([corner, np.clip(boxes[:, 2:], 0.0, size - corner)], axis=1)


def centers(boxes: np.ndarray) -> np.ndarray:
    """Centres ``(N, 2)`` with inclusive pixels: half of size minus one is added to the corner."""
    return boxes[:, :2] + 0.5 * (boxes[:, 2:] - 1.0)


def center_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of the centres in pixels."""
    return length(centers(a) - centers(b))


def relative_center_distance(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres in units of the true width and height, which divide both centres first (pytracking).

    Rows whose truth has no size give infinity or NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return length(centers(predicted) / truth[:, 2:] - centers(truth) / truth[:, 2:])


def toolkit_relative_center_distance(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres divided by the true width and height, at least one pixel each (GOT-10k toolkit)."""
    return length((centers(predicted) - centers(truth)) / np.maximum(truth[:, 2:], 1.0))


def length(vectors: np.ndarray) -> np.ndarray:
    """Euclidean length of each of ``(N, 2)`` vectors."""
    return np.sqrt(vectors[:, 0] ** 2 + vectors[:, 1] ** 2)  # not hypot, whose last bit differs from the references


def _area(sizes: np.ndarray) -> np.ndarray:
    return sizes[:, 0] * sizes[:, 1]
