"""Painting the canvas behind everything."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from trackdata.synth.layers import Skins, blend, paint_layer, paint_skins
from trackdata.synth.scene import Camera, Scene
from trackdata.synth.silhouettes import silhouette
from trackdata.synth.textures import build_texture, value_noise


def paint_background(scene: Scene) -> np.ndarray:
    """The canvas behind ``scene``: float32 RGB, its middle the origin of background coordinates."""
    background = scene.background
    width, height = background.size
    rng = np.random.default_rng(background.seed)
    canvas = build_texture(background.textures[0], (height, width))
    for texture in background.textures[1:]:
        area = _area(rng, background.layout, (height, width))[..., None]
        canvas += area * (build_texture(texture, (height, width)) - canvas)
    # standing objects are painted as a still camera would see them in an image of the canvas's size
    whole = replace(scene, size=(width, height), camera=Camera())
    skins: dict[int, Skins] = {}  # objects of one look share their skins
    for actor in background.clutter:
        found = silhouette(whole, actor, 0.0)
        if found is not None:
            if id(actor.appearance) not in skins:
                skins[id(actor.appearance)] = paint_skins(actor)
            blend(canvas, found, *paint_layer(actor, skins[id(actor.appearance)], found, 0.0))
    return canvas


def view_background(canvas: np.ndarray, scene: Scene, time: float) -> np.ndarray:
    """``canvas`` as the camera sees it at ``time``, mirrored beyond its edges: float32 ``(H, W, 3)``."""
    camera = scene.camera
    view = camera.matrix(time)
    center = np.array(canvas.shape[1::-1]) / 2
    # canvas point c shows at view (c - center - offset) + middle + shake; OpenCV counts pixels from their centres
    shift = scene.middle + camera.shake(time) - view @ (center + camera.offset(time) - 0.5) - 0.5
    matrix = np.column_stack([view, shift])
    return cv2.warpAffine(canvas, matrix, scene.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _area(rng: np.random.Generator, layout: str, shape: tuple[int, int]) -> np.ndarray:
    """Where the next texture of the background lies: float32 ``shape`` in [0, 1], with soft edges."""
    height, width = shape
    if layout == "patches":
        field = value_noise(rng, shape, cells=rng.uniform(1.0, 3.0)) - rng.uniform(0.4, 0.6)
        return np.clip(field * 24 + 0.5, 0, 1)
    y = (np.arange(height, dtype=np.float32)[:, None] - height / 2) / min(shape)
    x = (np.arange(width, dtype=np.float32)[None, :] - width / 2) / min(shape)
    if layout == "horizon":
        tilt, level = rng.normal(0, 0.08), rng.uniform(-0.45, 0.45)
        line = y - tilt * x - level + 0.15 * (value_noise(rng, shape, cells=rng.uniform(2, 8)) - 0.5)
        return np.clip(line * 80 + 0.5, 0, 1).astype(np.float32)
    angle = rng.uniform(0, np.pi)  # panels
    across = x * np.cos(angle) + y * np.sin(angle)
    half_width, place = rng.uniform(0.08, 0.35), rng.uniform(-0.6, 0.6)
    return np.clip((half_width - np.abs(across - place)) * 80 + 0.5, 0, 1).astype(np.float32)
