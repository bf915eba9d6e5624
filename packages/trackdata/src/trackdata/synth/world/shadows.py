"""Shadows on the ground."""

from __future__ import annotations

import cv2
import numpy as np

from trackdata.synth.world.cameras import View
from trackdata.synth.world.worlds import Posed, World

_COARSE = 2  # image pixels per pixel of the shadow mask
_HIGHEST = 12.0  # metres above which shadows are too soft to see


def cast_shadows(
    image: np.ndarray, ground: np.ndarray, world: World, order: list[Posed], view: View, sun: np.ndarray
) -> None:
    """Darken the ground of ``image`` in place where performers keep the light off.

    Every bone of a body throws the shadow of its convex hull.

    Args:
        ground: ``(H, W)`` bool, where the ground shows.
        sun: ``(3,)`` unit vector towards the light; from below the horizon it throws none.
    """
    if sun[1] < 0.15:
        return
    width, height = world.size
    mask = np.zeros((height // _COARSE + 1, width // _COARSE + 1), np.uint8)
    for one in order:
        heights = one.points[:, 1]
        if heights.min() > _HIGHEST or heights.max() < 0:
            continue
        feet = one.points - np.maximum(heights, 0)[:, None] * (sun / sun[1])
        pixels, depth = view.project(feet)
        if depth.min() < 0.1:
            continue
        bone = one.performer.body.mesh.bone
        for number in range(int(bone.max()) + 1):
            part = pixels[bone == number]
            if len(part) > 2 and np.abs(part).max() < 1e4:
                hull = cv2.convexHull(np.round(part / _COARSE * 16).astype(np.int32))
                cv2.fillConvexPoly(mask, hull, 255, shift=4)
    if not mask.any():
        return
    soft = cv2.GaussianBlur(mask, (0, 0), 1.5)
    soft = cv2.resize(soft, (mask.shape[1] * _COARSE, mask.shape[0] * _COARSE))[:height, :width]
    factor = 1 - np.float32(world.place.shadow / 255) * soft.astype(np.float32)
    factor[~ground] = 1
    image *= factor[..., None]
