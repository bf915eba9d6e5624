"""Overlap of regions as the VOT toolkit counts it: pixels of the drawn regions.

Both regions are drawn as :func:`trackdata.regions.region_mask` draws and limited to the image. Two codes, whichever,
and two regions of no size overlap fully. A code and a region do not overlap, nor do two regions outside the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trackdata.regions import Code, Mask, Polygon, Rectangle, Region, region_mask


def region_overlaps(
    predicted: Sequence[Region], truth: Sequence[Region], size: tuple[int, int] | None = None
) -> np.ndarray:
    """Overlaps of regions, pair by pair: ``(N,)`` float64 in [0, 1].

    Args:
        size: (width, height) of the image regions are limited to, or None for no limit.
    """
    pairs = list(zip(predicted, truth, strict=True))
    boxes = np.array([[_rectangle(region) for region in pair] for pair in pairs]).reshape(-1, 2, 4)
    overlaps = _rectangle_overlaps(boxes[:, 0], boxes[:, 1], size)
    for index, (a, b) in enumerate(pairs):
        if isinstance(a, Code) or isinstance(b, Code):
            overlaps[index] = isinstance(a, Code) and isinstance(b, Code)
        elif isinstance(a, Polygon | Mask) or isinstance(b, Polygon | Mask):
            overlaps[index] = _drawn_overlap(a, b, size)
    return overlaps


def region_overlap(a: Region, b: Region, size: tuple[int, int] | None = None) -> float:
    """Overlap of two regions; see :func:`region_overlaps`."""
    return float(region_overlaps([a], [b], size)[0])


def _rectangle(region: Region) -> tuple[float, float, float, float]:
    """A rectangle's numbers; of anything else those of an empty one."""
    return (region.x, region.y, region.width, region.height) if isinstance(region, Rectangle) else (0.0, 0.0, 0.0, 0.0)


def _rectangle_overlaps(a: np.ndarray, b: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Overlaps of rectangles ``(N, 4)`` x, y, w, h."""
    (low_a, high_a), (low_b, high_b) = _corners(a, size), _corners(b, size)
    shared = _area(np.minimum(high_a, high_b) - np.maximum(low_a, low_b))
    union = _area(high_a - low_a) + _area(high_b - low_b) - shared
    empty = (_area(np.rint(a[:, 2:])) == 0) & (_area(np.rint(b[:, 2:])) == 0)
    return np.where(union > 0, shared / np.maximum(union, 1.0), empty)


def _corners(boxes: np.ndarray, size: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
    rounded = np.rint(boxes)
    low, high = rounded[:, :2], rounded[:, :2] + rounded[:, 2:]
    return (low, high) if size is None else (np.clip(low, 0, size), np.clip(high, 0, size))


def _area(sizes: np.ndarray) -> np.ndarray:
    return np.maximum(sizes[:, 0], 0.0) * np.maximum(sizes[:, 1], 0.0)


def _drawn_overlap(a: Region, b: Region, size: tuple[int, int] | None) -> float:
    """Overlap of two regions of any kind, drawn into a window that holds both."""
    low, high = _window(a, b)
    if size is not None:
        low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    union, shared = _count(a, b, low, high)
    if union:
        return shared / union
    return float(size is None or _count(a, b, *_window(a, b))[0] == 0)


def _count(a: Region, b: Region, low: np.ndarray, high: np.ndarray) -> tuple[int, int]:
    """Pixels of either and of both regions between ``low`` and ``high``."""
    extent = tuple(np.maximum(high - low, 0).tolist())
    drawn_a, drawn_b = (region_mask(region, extent, tuple(low.tolist())) for region in (a, b))
    return np.count_nonzero(drawn_a | drawn_b), np.count_nonzero(drawn_a & drawn_b)


def _window(a: Region, b: Region) -> tuple[np.ndarray, np.ndarray]:
    """The first pixel of two regions and the one after their last, (x, y) each."""
    (low_a, high_a), (low_b, high_b) = _extent(a), _extent(b)
    return np.minimum(low_a, low_b), np.maximum(high_a, high_b)


def _extent(region: Region) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(region, Rectangle):
        corner = np.rint([region.x, region.y]).astype(int)
        return corner, corner + np.rint([region.width, region.height]).astype(int)
    if isinstance(region, Polygon):
        points = np.rint(region.points).astype(int)
        return points.min(axis=0), points.max(axis=0) + 1
    corner = np.array([region.x, region.y])
    return corner, corner + region.pixels.shape[::-1]
