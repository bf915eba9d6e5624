"""Large flat surfaces: ground, floors, walls and ceilings, with texture that gets coarser with distance."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trackdata.synth.world.cameras import View
from trackdata.synth.world.materials import Material, paint
from trackdata.synth.world.plans import Plan, paint_plan

_SIDE = 256  # pixels of a tile at its finest
_LEVELS = 7
_PAD = 2
_COARSE = 4  # pixels between choices of the texture's size
_LEVEL_SIDES = _SIDE / (1 << np.arange(_LEVELS)).astype(np.float32)


@dataclass(frozen=True)
class Surface:
    """A plane, seen from the side its normal points to.

    Attributes:
        normal: unit vector.
        offset: the plane's points p have ``normal . p = offset``.
        across, along: unit vectors in the plane, the axes of its texture.
        tile: side of a tile of the material in metres.
        materials: the material, and for a plan a second one where the plan says so.
        plan: a map of the surface that stains, colours and marks it, or None.
    """

    normal: tuple[float, float, float]
    offset: float
    across: tuple[float, float, float]
    along: tuple[float, float, float]
    tile: float
    materials: tuple[Material, ...]
    plan: Plan | None = None


class Surfaces:
    """The painted surfaces of a place. The camera must be in front of all of them."""

    def __init__(self, surfaces: tuple[Surface, ...]) -> None:
        self.surfaces = surfaces
        self._plans = [None if surface.plan is None else paint_plan(surface.plan) for surface in surfaces]
        counts = [len(surface.materials) for surface in surfaces]
        self._first = np.cumsum([0, *counts])
        tiles = [paint(material, _SIDE) for surface in surfaces for material in surface.materials]
        if tiles:
            self._atlas, self._rows = _atlas(tiles)

    def draw(self, view: View, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What ``view`` sees of the surfaces in an image of ``size`` (width, height).

        Returns:
            RGB uint8 ``(H, W, 3)``, arbitrary where there is no surface; which surface shows, int8 ``(H, W)`` with -1
            for none; and 1 over its depth in metres, float32 ``(H, W)``.
        """
        width, height = size
        owner = np.full((height, width), -1, np.int8)
        closeness = np.full((height, width), 1e-4, np.float32)
        for number, surface in enumerate(self.surfaces):
            gap = surface.offset - np.dot(surface.normal, view.position)
            field = _affine(view, np.asarray(surface.normal) / gap, size)
            owner[field > closeness] = number
            np.maximum(closeness, field, out=closeness)
        color = np.zeros((height, width, 3), np.uint8)
        for number, surface in enumerate(self.surfaces):
            rows = np.flatnonzero((owner == number).any(axis=1))
            if len(rows):
                band = slice(int(rows[0]), int(rows[-1]) + 1)
                painted = self._paint(number, surface, view, size, band, closeness[band])
                cv2.copyTo(painted, (owner[band] == number).view(np.uint8), color[band])
        return color, owner, closeness

    def _paint(
        self, number: int, surface: Surface, view: View, size: tuple[int, int], band: slice, closeness: np.ndarray
    ) -> np.ndarray:
        """Colour of the rows ``band`` as if all their pixels showed the surface: uint8 ``(h, W, 3)``."""
        depth = 1 / closeness
        across, along = np.asarray(surface.across), np.asarray(surface.along)
        x, y = _affine(view, across, size, band), _affine(view, along, size, band)
        for part, axis in ((x, across), (y, along)):
            part *= depth
            part += np.float32(view.position @ axis)
        side, row = self._level(surface, view, size, band, depth)
        stain = None
        if self._plans[number] is not None:
            stain = self._plans[number].look(x, y, float(np.median(depth[::8, ::8])) / view.focal)
        for part in (x, y):
            part *= np.float32(1 / surface.tile)
            part -= np.floor(part)
            part *= side
        x += np.float32(self._first[number]) * (side + np.float32(2 * _PAD)) + np.float32(_PAD - 0.5)
        if stain is not None:
            x += (stain[..., 3] > 127) * (side + np.float32(2 * _PAD))
        y += row
        color = cv2.remap(self._atlas, x, y, cv2.INTER_LINEAR)
        if stain is not None:
            cv2.multiply(color, cv2.cvtColor(stain, cv2.COLOR_BGRA2BGR), dst=color, scale=1 / 128)
        return color

    def _level(
        self, surface: Surface, view: View, size: tuple[int, int], band: slice, depth: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Side of the tiles that fit, and their first row in the atlas, float32 in the shape of ``depth``."""
        facing = np.abs(_affine(view, np.asarray(surface.normal), size, band)[::_COARSE, ::_COARSE]) + np.float32(1e-3)
        # texels a pixel spans: more with distance and at a grazing angle
        span = np.float32(_SIDE / surface.tile / view.focal) * depth[::_COARSE, ::_COARSE] / np.sqrt(facing)
        level = np.clip(np.log2(np.maximum(span, 1e-3)) + 0.5, 0, _LEVELS - 1).astype(np.int8)
        level = level.repeat(_COARSE, axis=0)[: len(depth)].repeat(_COARSE, axis=1)[:, : size[0]]
        return _LEVEL_SIDES.take(level), self._rows.take(level)


def _affine(view: View, direction: np.ndarray, size: tuple[int, int], band: slice = slice(None)) -> np.ndarray:
    """``direction . ray`` of every pixel, float32 ``(h, W)``; rays advance 1 along the view axis."""
    right, down, ahead = view.axes @ direction
    x = (np.arange(size[0]) + 0.5 - view.center[0]) * (right / view.focal)
    y = (np.arange(size[1])[band] + 0.5 - view.center[1]) * (down / view.focal) + ahead
    return x.astype(np.float32)[None, :] + y.astype(np.float32)[:, None]


def _atlas(tiles: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All tiles beside one another, level below level, and the row each level starts at (float32)."""
    bands, starts, row = [], [], 0
    for _ in range(_LEVELS):
        padded = [np.pad(tile, ((_PAD, _PAD), (_PAD, _PAD), (0, 0)), mode="wrap") for tile in tiles]
        band = np.hstack(padded)
        bands.append(np.pad(band, ((0, 0), (0, (len(tiles) * (_SIDE + 2 * _PAD)) - band.shape[1]), (0, 0))))
        starts.append(row + _PAD - 0.5)
        row += band.shape[0]
        tiles = [cv2.resize(t, (t.shape[1] // 2, t.shape[0] // 2), interpolation=cv2.INTER_AREA) for t in tiles]
    return np.vstack(bands), np.array(starts, np.float32)
