"""Where an object's pixels are: coverage of its outlines on the pixel grid."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trackdata.synth.annotations import ObjectMasks
from trackdata.synth.scene import Actor, Pose, Scene

SUPERSAMPLING = 4
_SHIFT = 4  # binary digits after the point in OpenCV's polygon corners


@dataclass(frozen=True)
class Silhouette:
    """Coverage of an object's parts on the pixel grid.

    Attributes:
        left, top: image column and row of the arrays' first element; negative outside the image.
        parts: ``(P, h, w)`` uint8 coverage of each part, 255 is full.
        pose: where the object is.
    """

    left: int
    top: int
    parts: np.ndarray
    pose: Pose

    @property
    def solid(self) -> np.ndarray:
        """``(h, w)`` bool: pixels that some part covers by more than half."""
        return self.parts.max(axis=0) > 127


def silhouette(scene: Scene, actor: Actor, time: float, padding: int = 1) -> Silhouette | None:
    """Coverage of ``actor`` at ``time`` in and close around the image; None when there is none.

    Args:
        padding: empty pixels kept around the object, and pixels looked at around the image.
    """
    pose = scene.pose(actor, time)
    outlines = _outlines(actor, time, pose)
    low, high = _extent(outlines, padding)
    low, high = np.maximum(low, -padding), np.minimum(high, np.array(scene.size) + padding)
    return _rasterise(outlines, low, high, pose) if (low < high).all() else None


def whole_silhouette(scene: Scene, actor: Actor, time: float) -> Silhouette:
    """Coverage of the whole of ``actor`` at ``time``, however far outside the image."""
    pose = scene.pose(actor, time)
    outlines = _outlines(actor, time, pose)
    return _rasterise(outlines, *_extent(outlines, padding=1), pose)


def _outlines(actor: Actor, time: float, pose: Pose) -> list[np.ndarray]:
    """Every part's corners in the image, ``(n, 2)`` float64 each."""
    shape = actor.appearance.shape
    return [shape.corners(part, time) @ pose.matrix.T + pose.center for part in shape.parts]


def _extent(outlines: list[np.ndarray], padding: int) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-last column and row, ``(2,)`` int each."""
    low = np.min([points.min(axis=0) for points in outlines], axis=0)
    high = np.max([points.max(axis=0) for points in outlines], axis=0)
    return np.floor(low).astype(int) - padding, np.ceil(high).astype(int) + padding


def _rasterise(outlines: list[np.ndarray], low: np.ndarray, high: np.ndarray, pose: Pose) -> Silhouette:
    width, height = (high - low).tolist()
    parts = np.zeros((len(outlines), height, width), np.uint8)
    for coverage, points in zip(parts, outlines, strict=True):
        fine = np.zeros((SUPERSAMPLING * height, SUPERSAMPLING * width), np.uint8)
        corners = np.round(((points - low) * SUPERSAMPLING - 0.5) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(fine, [corners], 255, shift=_SHIFT)
        cv2.resize(fine, (width, height), dst=coverage, interpolation=cv2.INTER_AREA)
    return Silhouette(int(low[0]), int(low[1]), parts, pose)


def object_masks(scene: Scene, time: float) -> tuple[ObjectMasks, ...]:
    """The pixels of the annotated objects of ``scene`` at ``time``, the target first."""
    width, height = scene.size
    cast = scene.cast
    found = []
    for place in scene.annotated:
        whole = whole_silhouette(scene, cast[place], time)
        amodal = np.zeros((height, width), bool)
        _paste(amodal, whole, whole.solid)
        visible = amodal.copy()
        for actor in cast[place + 1 :]:
            cover = silhouette(scene, actor, time)
            if cover is not None:
                hidden = np.zeros((height, width), bool)
                _paste(hidden, cover, cover.solid)
                visible &= ~hidden
        found.append(ObjectMasks(amodal, visible, int(np.count_nonzero(whole.solid))))
    return tuple(found)


def _paste(canvas: np.ndarray, where: Silhouette, values: np.ndarray) -> None:
    height, width = canvas.shape
    top, left = max(where.top, 0), max(where.left, 0)
    bottom, right = min(where.top + values.shape[0], height), min(where.left + values.shape[1], width)
    if top < bottom and left < right:
        canvas[top:bottom, left:right] = values[
            top - where.top : bottom - where.top, left - where.left : right - where.left
        ]
