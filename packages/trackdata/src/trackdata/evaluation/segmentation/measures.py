"""Region similarity J and boundary accuracy F of masks.

Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation", CVPR 2016, as in the
DAVIS 2017 evaluation. Arrays are ``(H, W)``; a mask is true where the object is.

The boundary of a mask are the pixels that differ from their right, lower or lower-right neighbour, pixels beyond the
border repeating the last ones: a single pixel has up to four boundary pixels, a full frame has none. A boundary pixel
is matched when the other boundary has a pixel within a disc around it.

:func:`label_measures` measures all objects of two label maps at once; the functions for one mask share its parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

DAVIS_THRESHOLD = 0.008  # radius of the disc, as a share of the image's diagonal

_LOOKUP = 50  # looking a pixel up costs as much as widening this many
_LARGEST_LOOKUP = 1 << 24  # pixels looked up at once, a byte each


def region_similarity(truth: np.ndarray, predicted: np.ndarray, void: np.ndarray | None = None) -> float:
    """J: intersection over union; 1 when both masks are empty. Pixels that are ``void`` are left out."""
    a, b = (_cleared(mask, void) for mask in (truth, predicted))
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def boundary_accuracy(
    truth: np.ndarray, predicted: np.ndarray, void: np.ndarray | None = None, threshold: float = DAVIS_THRESHOLD
) -> float:
    """F: harmonic mean of the shares of matched boundary pixels of prediction and truth.

    1 when neither mask has a boundary, 0 when one of them has none. ``void`` pixels are cleared in both masks first.

    Args:
        threshold: see :func:`boundary_radius`.
    """
    a, b = (_cleared(mask, void).astype(np.uint8) for mask in (truth, predicted))
    return float(label_measures(a, b, [(1, 1)], boundary_radius(a.shape, threshold))[0, 1])


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """``(H, W)`` bool: the boundary pixels of a mask."""
    boundary = np.zeros(mask.size, dtype=bool)
    boundary[_Outlines(np.asarray(mask, dtype=bool).astype(np.uint8)).boundary(1)] = True
    return boundary.reshape(mask.shape)


def boundary_radius(size: tuple[int, int], threshold: float = DAVIS_THRESHOLD) -> int:
    """The radius of the disc in pixels.

    Args:
        size: (height, width) of the image.
        threshold: a share of the diagonal, rounded up; from 1 on a number of pixels.
    """
    return int(threshold) if threshold >= 1 else math.ceil(threshold * math.hypot(*size))


def label_measures(
    truth: np.ndarray, predicted: np.ndarray, pairs: Sequence[tuple[int, int]], radius: int
) -> np.ndarray:
    """J and F of objects in two label maps: ``(len(pairs), 2)`` float64.

    Only the outlines of the objects are looked at: they give areas and intersections (as lengths of runs) as well as
    boundaries, and are a few thousand pixels where the map has half a million.

    Args:
        truth, predicted: ``(H, W)`` uint8 or uint16 numbers of objects, 0 for background.
        pairs: for each comparison the object's number in ``truth`` and in ``predicted``; none of them 0.
        radius: of the disc; see :func:`boundary_radius`.
    """
    a, b = _Outlines(truth), _Outlines(predicted)
    lengths, inside, reported = _stretches(a, b, truth.size)
    measures = np.empty((len(pairs), 2))
    for row, (number, other) in enumerate(pairs):
        one, two = inside == number, reported == other
        union = lengths[one | two].sum()
        measures[row, 0] = lengths[one & two].sum() / union if union else 1.0
        measures[row, 1] = _boundary_measure(a.boundary(number), b.boundary(other), truth.shape[1], radius)
    return measures


def _cleared(mask: np.ndarray, void: np.ndarray | None) -> np.ndarray:
    mask = np.asarray(mask, dtype=bool)
    return mask if void is None else mask & ~np.asarray(void, dtype=bool)


class _Outlines:
    """Where a label map changes.

    Pixels are counted row by row, as one line: a run is a stretch of it with one label.

    Attributes:
        starts: ``(R,)`` first pixels of the runs, ascending.
        runs: ``(R,)`` their labels.
    """

    def __init__(self, labels: np.ndarray) -> None:
        line = np.ascontiguousarray(labels).ravel()
        width, size = labels.shape[1], labels.size
        places = _changes(line, (1, width, width + 1))  # some at the right edge differ from the next row alone
        here = line[places]
        right = (places + 1) % width != 0
        lower = np.where(places < size - width, width, 0)
        self._places = places
        self._labels = np.stack([here, line[places + right], line[places + lower], line[places + lower + right]])
        self._real = (self._labels[1:] != here).any(axis=0)
        turns = places[line[np.minimum(places + 1, size - 1)] != here]
        self.starts = np.concatenate([[0], turns + 1])
        self.runs = line[self.starts]

    def boundary(self, number: int) -> np.ndarray:
        """An object's boundary pixels, ascending: places of change with the object on one side."""
        return self._places[(self._labels == number).any(axis=0) & self._real]


def _changes(line: np.ndarray, steps: tuple[int, ...]) -> np.ndarray:
    """Places of ``line`` ``(n,)`` whose value differs from that of any place ``steps`` further on, ascending."""
    differs, other = np.zeros(line.size, dtype=bool), np.empty(line.size, dtype=bool)
    for step in steps:
        end = max(line.size - step, 0)
        np.not_equal(line[:end], line[step:], out=other[:end])
        np.logical_or(differs[:end], other[:end], out=differs[:end])
    return np.flatnonzero(differs)


def _stretches(a: _Outlines, b: _Outlines, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths of the stretches in which neither of two maps changes, and their labels in both; some are empty."""
    starts = np.concatenate([a.starts, b.starts])
    order = np.argsort(starts, kind="stable")
    of_a = order < len(a.starts)
    lengths = np.diff(starts[order], append=size)
    # The first entries are the two runs that begin at 0; the first one is empty, so b's run before it does not matter.
    return lengths, a.runs[np.cumsum(of_a) - 1], b.runs[np.maximum(np.cumsum(~of_a) - 1, 0)]


def _boundary_measure(truth: np.ndarray, predicted: np.ndarray, width: int, radius: int) -> float:
    """F from the boundary pixels, counted row by row in maps of ``width`` columns."""
    if not len(truth) or not len(predicted):
        return float(len(truth) == len(predicted))
    lines = [np.divmod(line, width) for line in (truth, predicted)]
    top, bottom = min(rows[0] for rows, _ in lines), max(rows[-1] for rows, _ in lines)
    left, right = min(columns.min() for _, columns in lines), max(columns.max() for _, columns in lines)
    extent = (int(bottom - top) + 1 + 2 * radius, int(right - left) + 1 + 2 * radius)
    rows, columns = _disc(radius)
    offsets = rows * extent[1] + columns
    drawn, places = [], []
    for rows, columns in lines:
        canvas = np.zeros(extent, dtype=np.uint8)
        place = (rows + (radius - top)) * extent[1] + (columns + (radius - left))
        canvas.ravel()[place] = 1
        drawn.append(canvas)
        places.append(place)
    recall = _matched(places[0], drawn[1], radius, offsets) / len(truth)
    precision = _matched(places[1], drawn[0], radius, offsets) / len(predicted)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _matched(places: np.ndarray, canvas: np.ndarray, radius: int, offsets: np.ndarray) -> int:
    """How many of ``places`` have a pixel of ``canvas`` within the disc.

    Most do, and mostly a near one. The square inside the disc finds these quickly, because OpenCV widens rows and
    columns one after the other. The whole disc is looked at around the other places alone, or widened when they are
    many.
    """
    side = 2 * int(radius / math.sqrt(2)) + 1
    near = cv2.dilate(canvas, np.ones((side, side), dtype=np.uint8)).ravel()[places]
    far = places[near == 0]
    if len(far) * _LOOKUP < canvas.size and len(far) * len(offsets) < _LARGEST_LOOKUP:
        found = canvas.ravel()[far[:, None] + offsets].any(axis=1)
    else:
        disc = np.zeros((2 * radius + 1,) * 2, dtype=np.uint8)
        disc[_disc(radius)[0] + radius, _disc(radius)[1] + radius] = 1
        found = cv2.dilate(canvas, disc).ravel()[far]
    return len(places) - len(far) + np.count_nonzero(found)


@lru_cache(maxsize=64)
def _disc(radius: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) of the pixels of a disc around 0, 0."""
    steps = np.arange(-radius, radius + 1)
    return tuple(axis - radius for axis in np.nonzero(steps[:, None] ** 2 + steps**2 <= radius**2))
