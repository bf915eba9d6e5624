"""Boxes around masks, in the conventions that published readers use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

BoxRule = Literal["inclusive", "exclusive", "pytracking"]
"""How an object's outermost pixels become a box.

- ``inclusive``: w = xmax - xmin + 1, the same for h: a single pixel has a box of size 1. An empty mask has the box
  0, 0, 0, 0, which is not valid.
- ``exclusive``: w = xmax - xmin, as in the boxes that pytracking stores for video object segmentation.
- ``pytracking``: as pytracking computes boxes when it loads a mask: inclusive, but 0, 0, 1, 1 for an empty mask, which
  is a valid box of nothing.
"""


@dataclass(frozen=True)
class Extents:
    """The objects of one label map.

    Attributes:
        objects: ``(K,)`` int64 numbers of the objects, ascending, without 0.
        pixels: ``(K,)`` int64 number of pixels of each.
        corners: ``(K, 4)`` int64 xmin, ymin, xmax, ymax: the outermost pixels of each.
    """

    objects: np.ndarray
    pixels: np.ndarray
    corners: np.ndarray


def label_extents(labels: np.ndarray) -> Extents:
    """The objects of a label map ``(H, W)`` of integers that are not negative."""
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    if len(rows) == 0:
        return Extents(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4), np.int64))
    shown = labels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # the rest only costs time
    counts = np.bincount(shown.ravel())
    objects = np.flatnonzero(counts[1:]) + 1
    corners = np.array([_corners(shown == number) for number in objects], np.int64)
    shift = np.array([columns[0], rows[0]] * 2)
    return Extents(objects, counts[objects], corners + shift)


def _corners(mask: np.ndarray) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return columns[0], rows[0], columns[-1], rows[-1]


def check_box_rule(rule: str) -> None:
    """Raise ValueError naming the known rules when ``rule`` is none of them."""
    if rule not in get_args(BoxRule):
        raise ValueError(f"a box rule is one of {', '.join(get_args(BoxRule))}, got {rule!r}")


def corner_boxes(corners: np.ndarray, pixels: np.ndarray, rule: BoxRule = "inclusive") -> np.ndarray:
    """``(N, 4)`` float64 boxes x, y, w, h.

    Args:
        corners: ``(N, 4)`` outermost pixels xmin, ymin, xmax, ymax; of empty masks anything.
        pixels: ``(N,)`` pixels of the mask, 0 for an empty one.
        rule: see :data:`BoxRule`.

    Raises:
        ValueError: unknown rule.
    """
    check_box_rule(rule)
    boxes = np.asarray(corners, np.float64).reshape(-1, 4).copy()
    boxes[:, 2:] -= boxes[:, :2] - (0 if rule == "exclusive" else 1)
    boxes[np.asarray(pixels) == 0] = (0, 0, 1, 1) if rule == "pytracking" else 0
    return boxes


def mask_box(mask: np.ndarray, rule: BoxRule = "inclusive") -> np.ndarray:
    """``(4,)`` float64 x, y, w, h of the box around a mask ``(H, W)``, in which everything but 0 counts."""
    mask = np.asarray(mask, bool)
    corners = _corners(mask) if mask.any() else (0, 0, 0, 0)
    return corner_boxes(np.array([corners]), np.array([np.count_nonzero(mask)]), rule)[0]
