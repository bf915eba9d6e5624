"""What is annotated of an object in one frame and over a sequence, worked out from its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ObjectMasks:
    """The pixels of one object in one frame.

    Attributes:
        amodal: ``(H, W)`` bool, all its pixels in the image, hidden ones included.
        visible: ``(H, W)`` bool, those that nothing covers.
        whole: number of its pixels in and out of the image.
    """

    amodal: np.ndarray
    visible: np.ndarray
    whole: int


@dataclass(frozen=True)
class Annotation:
    """What is true of an object in one frame.

    Attributes:
        box: ``(4,)`` float64 x, y, w, h: the tight bounds of the object's pixels in the image, hidden ones included;
            zeros when it is out of view. ``x`` is the first column with such a pixel and ``w`` the number of columns.
        cover: 0 to 8, the visible share of the whole silhouette in eighths, rounded up: 0 only when nothing is visible.
        absent: nothing is visible.
        cut: the object sticks out of the image.
        outside: no pixel of it is in the image.
        hidden: share of its pixels in the image that something covers, 0 to 1; 0 when it is outside.
        visible_box: as ``box``, of the visible pixels alone.
        area: number of visible pixels.
    """

    box: np.ndarray
    cover: int
    absent: bool
    cut: bool
    outside: bool
    hidden: float
    visible_box: np.ndarray
    area: int


def annotate(masks: ObjectMasks) -> Annotation:
    """The annotation that follows from an object's pixels."""
    inside, seen = int(np.count_nonzero(masks.amodal)), int(np.count_nonzero(masks.visible))
    box = mask_bounds(masks.amodal)
    return Annotation(
        box,
        cover=-(-8 * seen // masks.whole) if masks.whole else 0,
        absent=seen == 0,
        cut=inside < masks.whole,
        outside=inside == 0,
        hidden=1 - seen / inside if inside else 0.0,
        visible_box=box if seen == inside else mask_bounds(masks.visible),
        area=seen,
    )


def mask_bounds(mask: np.ndarray) -> np.ndarray:
    """Tight x, y, w, h of the true pixels of ``(H, W)`` ``mask`` as ``(4,)`` float64; zeros when there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros(4)
    return np.array([columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1], np.float64)


@dataclass(frozen=True)
class Track:
    """The annotations of one object over a sequence of N frames; see :class:`Annotation`.

    Attributes:
        object_class: what it is.
        boxes, visible_boxes: ``(N, 4)`` float64.
        cover, area: ``(N,)`` int.
        absent, cut, outside: ``(N,)`` bool.
        hidden: ``(N,)`` float64.
    """

    object_class: str
    boxes: np.ndarray
    visible_boxes: np.ndarray
    cover: np.ndarray
    area: np.ndarray
    absent: np.ndarray
    cut: np.ndarray
    outside: np.ndarray
    hidden: np.ndarray

    @classmethod
    def join(cls, object_class: str, annotations: Sequence[Annotation]) -> Track:
        """The track of one object from its annotations in every frame."""

        def column(name: str) -> np.ndarray:
            return np.array([getattr(annotation, name) for annotation in annotations])

        return cls(
            object_class,
            boxes=column("box"),
            visible_boxes=column("visible_box"),
            cover=column("cover"),
            area=column("area"),
            absent=column("absent"),
            cut=column("cut"),
            outside=column("outside"),
            hidden=column("hidden"),
        )


def label_map(visible: Sequence[np.ndarray]) -> np.ndarray:
    """``(H, W)`` uint8: 1 where the first of the ``visible`` ``(H, W)`` masks is true, 2 for the second, 0 elsewhere.

    Visible pixels belong to one object, so the order of the masks does not matter.
    """
    labels = np.zeros(visible[0].shape, np.uint8)
    for number, mask in enumerate(visible, start=1):
        labels[mask] = number
    return labels
