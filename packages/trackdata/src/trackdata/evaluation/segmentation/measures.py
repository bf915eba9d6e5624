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
from dataclasses import dataclass
from functools import cached_property, lru_cache

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
    radius = boundary_radius(a.shape, threshold)
    return _boundary_measure(_Boundaries(a).of(1), _Boundaries(b).of(1), a.shape[1], radius)


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """``(H, W)`` bool: the boundary pixels of a mask."""
    boundary = np.zeros(mask.size, dtype=bool)
    boundary[_Boundaries(np.asarray(mask, dtype=bool).astype(np.uint8)).of(1)] = True
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

    Args:
        truth, predicted: ``(H, W)`` uint8 or uint16 numbers of objects, 0 for background.
        pairs: for each comparison the object's number in ``truth`` and in ``predicted``; none of them 0.
        radius: of the disc; see :func:`boundary_radius`.
    """
    window = _window(truth, predicted)
    truth, predicted = truth[window], predicted[window]
    boundaries = _Boundaries(truth), _Boundaries(predicted)
    measures = np.empty((len(pairs), 2))
    for row, (number, other) in enumerate(pairs):
        inside, reported = truth == number, predicted == other
        shared = np.count_nonzero(inside & reported)
        union = np.count_nonzero(inside) + np.count_nonzero(reported) - shared
        measures[row, 0] = shared / union if union else 1.0
        lines = boundaries[0].of(number), boundaries[1].of(other)
        measures[row, 1] = _boundary_measure(*lines, truth.shape[1], radius)
    return measures


def _cleared(mask: np.ndarray, void: np.ndarray | None) -> np.ndarray:
    mask = np.asarray(mask, dtype=bool)
    return mask if void is None else mask & ~np.asarray(void, dtype=bool)


def _window(*maps: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold all that is not background, and one more on every side where the image has one."""
    corners = []
    for labels in maps:
        x, y, w, h = cv2.boundingRect(labels if labels.dtype == np.uint8 else (labels != 0).astype(np.uint8))
        if w:
            corners.append((y, x, y + h, x + w))
    if not corners:
        return slice(0, 1), slice(0, 1)
    rows, columns = zip(*((slice(c[0], c[2]), slice(c[1], c[3])) for c in corners), strict=True)
    return _around(rows), _around(columns)


def _around(parts: Sequence[slice]) -> slice:
    return slice(max(min(part.start for part in parts) - 1, 0), max(part.stop for part in parts) + 1)


@dataclass(frozen=True)
class _Boundaries:
    """The boundary pixels of all objects of a label map, found in one go."""

    labels: np.ndarray

    @cached_property
    def _changes(self) -> tuple[np.ndarray, np.ndarray]:
        """Flat positions of the pixels that differ from a neighbour ``(n,)``, and the four labels there ``(4, n)``."""
        padded = cv2.copyMakeBorder(self.labels, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        here, right, lower, diagonal = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
        differs = here != right
        differs |= here != lower
        differs |= here != diagonal
        positions = np.flatnonzero(differs)
        width = self.labels.shape[1]
        corner = positions + positions // width  # in the padded map, whose rows are one longer
        return positions, padded.ravel()[corner + np.array([0, 1, width + 1, width + 2])[:, None]]

    def of(self, number: int) -> np.ndarray:
        """Flat positions of an object's boundary pixels, ascending: changes that have the object on one side."""
        positions, labels = self._changes
        return positions[(labels == number).any(axis=0)]


def _boundary_measure(truth: np.ndarray, predicted: np.ndarray, width: int, radius: int) -> float:
    """F from the flat positions of boundary pixels in a map of ``width`` columns."""
    if not len(truth) or not len(predicted):
        return float(len(truth) == len(predicted))
    lines = [np.divmod(line, width) for line in (truth, predicted)]
    top, left = (min(int(line[axis].min()) for line in lines) for axis in (0, 1))
    bottom, right = (max(int(line[axis].max()) for line in lines) for axis in (0, 1))
    extent = (bottom - top + 1 + 2 * radius, right - left + 1 + 2 * radius)
    offsets = _disc(radius)[0] * extent[1] + _disc(radius)[1]
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
