"""From points on the screen to pixels: which face shows where, how much of a pixel it covers, and values there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from trackdata.synth.world.cameras import NEAR
from trackdata.synth.world.meshes import Mesh

_SHIFT = 4  # binary digits after the point in OpenCV's polygon corners
_FINE, _COARSE = 4, 2  # subdivisions of a pixel for small and for large objects
_SMALL = 64  # pixels
_QUARTER = np.full(4, 0.25)  # the mean over four corners, faster than asking for it


@dataclass(frozen=True)
class Raster:
    """An object on the pixel grid.

    Attributes:
        left, top: image column and row of the arrays' first element; may be negative.
        face: ``(h, w)`` int16, position in ``faces`` of the face that shows, counted from 1; 0 where there is none.
        coverage: ``(h, w)`` uint8, 255 is full.
        faces: ``(S,)`` the mesh's faces that are turned to the camera, far ones first.
    """

    left: int
    top: int
    face: np.ndarray
    coverage: np.ndarray
    faces: np.ndarray

    @property
    def solid(self) -> np.ndarray:
        """``(h, w)`` bool: pixels that are covered by more than half."""
        return self.coverage > 127


def rasterise(
    mesh: Mesh, pixels: np.ndarray, depth: np.ndarray, limits: tuple[int, int, int, int], padding: int = 1
) -> Raster | None:
    """Draw the faces of ``mesh`` that are turned to the camera, far ones first.

    Args:
        pixels, depth: of the mesh's points: ``(V, 2)`` and ``(V,)`` metres.
        limits: left, top, right, bottom of the part of the image that matters; nothing is drawn beyond.
        padding: empty pixels kept around the object.

    Returns:
        None when nothing of it lies within the limits.
    """
    corners = pixels[mesh.faces]
    across, along = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    area = across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0]  # twice the signed area; y points down
    turned = np.abs(area) > 0.02 if mesh.open else area > 0.02
    bounds = pixels
    if depth.min() <= NEAR:
        turned &= depth[mesh.faces].min(axis=1) > NEAR
        bounds = pixels[depth > NEAR]
    shown = np.flatnonzero(turned)
    if not len(shown):
        return None
    x, y = bounds[:, 0], bounds[:, 1]
    low = np.maximum((math.floor(x.min()), math.floor(y.min())), limits[:2]) - padding
    high = np.minimum((math.ceil(x.max()), math.ceil(y.max())), limits[2:]) + padding
    if (low + 2 * padding >= high).any():
        return None
    distance = depth[mesh.faces[shown]] @ _QUARTER - mesh.bias[shown]
    shown = shown[np.argsort(-distance, kind="stable")]
    width, height = (high - low).tolist()
    parts = _FINE if max(width, height) < _SMALL else _COARSE
    fine = np.zeros((height * parts, width * parts), np.int16)
    points = np.round(((corners[shown] - low) * parts - 0.5) * 2**_SHIFT).astype(np.int32)
    for number, polygon in enumerate(points, start=1):
        cv2.fillConvexPoly(fine, polygon, number, shift=_SHIFT)
    if not fine.any():  # slivers between the samples
        return None
    return Raster(int(low[0]), int(low[1]), *_gather(fine, parts), shown)


def _gather(fine: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """The face of every pixel and its coverage from ``parts`` x ``parts`` samples each."""
    height, width = fine.shape[0] // parts, fine.shape[1] // parts
    coverage = cv2.resize((fine > 0).view(np.uint8) * np.uint8(255), (width, height), interpolation=cv2.INTER_AREA)
    middle = parts // 2
    face = fine[middle::parts, middle::parts].copy()
    # pixels at the edge whose middle sample is empty take what any of the others has
    bare = (face == 0) & (coverage > 0)
    if bare.any():
        rows, columns = np.nonzero(bare)
        blocks = fine.reshape(height, parts, width, parts)[rows, :, columns]
        face[rows, columns] = blocks.reshape(len(rows), -1).max(axis=1)
    return face, coverage


def interpolate(
    mesh: Mesh, raster: Raster, pixels: np.ndarray, depth: np.ndarray, values: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """Perspective-correct values at the covered pixels of ``raster``.

    Args:
        pixels, depth: as given to :func:`rasterise`.
        values: ``(C, S, 4)`` at the corners of the raster's faces.

    Returns:
        Of the N covered pixels their rows and columns in the raster, their positions in ``raster.faces``, and the
        values ``(C, N)`` float32: exact within a flat face, and clipped to the range over all faces.
    """
    covered = np.flatnonzero(raster.face)
    place = raster.face.ravel().take(covered) - 1
    corners = mesh.faces[raster.faces]
    x, y = pixels[:, 0][corners], pixels[:, 1][corners]
    # over depth, everything is an affine function of the position in the image
    closeness = 1 / np.maximum(depth[corners], NEAR)
    known = np.concatenate([closeness[None], values * closeness])
    # whose slopes follow from the differences along the two diagonals
    (ax, ay), (bx, by) = (x[:, 2] - x[:, 0], y[:, 2] - y[:, 0]), (x[:, 3] - x[:, 1], y[:, 3] - y[:, 1])
    along_a, along_b = known[..., 2] - known[..., 0], known[..., 3] - known[..., 1]
    turned = 1 / (ax * by - ay * bx)
    slope_x, slope_y = (along_a * by - along_b * ay) * turned, (along_b * ax - along_a * bx) * turned
    start_x, start_y = raster.left + 0.5 - x @ _QUARTER, raster.top + 0.5 - y @ _QUARTER
    start = known @ _QUARTER + slope_x * start_x + slope_y * start_y
    rows = covered // raster.face.shape[1]
    columns = covered - rows * raster.face.shape[1]
    found = slope_x.astype(np.float32).take(place, axis=1) * columns.astype(np.float32)
    found += slope_y.astype(np.float32).take(place, axis=1) * rows.astype(np.float32)
    found += start.astype(np.float32).take(place, axis=1)
    found[1:] /= np.maximum(found[0], np.float32(1e-6))
    low, high = (bound(axis=(1, 2)).astype(np.float32)[:, None] for bound in (values.min, values.max))
    return (rows, columns), place, np.clip(found[1:], low, high)
