"""Skins: the materials of one object side by side in one picture, in several sizes, and the lookup of texture there."""

from __future__ import annotations

import math

import cv2
import numpy as np

from trackdata.synth.world.materials import Material, paint

_SIDES = (8, 128)
_WIDTH = 512  # OpenCV takes maps of fewer than 2^15 columns


class Skin:
    """The painted materials of an object.

    Args:
        materials: by number, as the mesh's faces name them.
        detail: pixels of the object's size in the image; textures get about as fine.
    """

    def __init__(self, materials: tuple[Material, ...], detail: float) -> None:
        self.gloss = np.array([material.gloss for material in materials], np.float32)
        side = int(2 ** np.clip(np.round(np.log2(max(detail, 1))), *np.log2(_SIDES)))
        tiles = [paint(material, side) for material in materials]
        self._levels = [(side, np.hstack(tiles))]
        while side > _SIDES[0]:
            side //= 2
            tiles = [cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA) for tile in tiles]
            self._levels.append((side, np.hstack(tiles)))

    def look(self, material: np.ndarray, u: np.ndarray, v: np.ndarray, detail: float) -> np.ndarray:
        """Colours float32 ``(N, 3)`` at texture coordinates in [0, 1] of numbered materials, ``(N,)`` float32 each.

        Args:
            detail: pixels of the image that a tile spans, about.
        """
        side, picture = min(self._levels, key=lambda level: abs(math.log2(level[0] / max(detail, 1.0))))
        count, inner = len(u), np.float32(side - 1)
        rows = -(-count // _WIDTH)
        maps = np.zeros((2, rows * _WIDTH), np.float32)
        np.multiply(u, inner, out=maps[0, :count])
        maps[0, :count] += material * np.float32(side)
        np.multiply(v, inner, out=maps[1, :count])
        found = cv2.remap(picture, *maps.reshape(2, rows, _WIDTH), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return found.reshape(-1, 3)[:count].astype(np.float32)
