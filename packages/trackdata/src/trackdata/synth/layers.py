"""Painting one object: its skin, laid into its silhouette, and the layer's way onto the image."""

from __future__ import annotations

import cv2
import numpy as np

from trackdata.synth.scene import Actor
from trackdata.synth.silhouettes import Silhouette
from trackdata.synth.textures import build_texture

_SKIN_EXTENT = 1.6  # a skin spans -1.6 to 1.6 in shape coordinates, mirrored beyond
_SKIN_SIDES = (24, 400)  # fewest and most pixels

Skins = list[np.ndarray]


def paint_skins(actor: Actor) -> Skins:
    """The textures of ``actor``, float32 RGB squares with about as many pixels as the object has in the image."""
    look = actor.appearance
    side = int(np.clip(2 * _SKIN_EXTENT * 1.2 * np.exp(actor.scale.base), *_SKIN_SIDES))
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    x, y = np.float32(np.cos(look.shade_angle)), np.float32(np.sin(look.shade_angle))
    lit = 1 + np.float32(look.shade) * (axis[None, :] * x + axis[:, None] * y)
    return [np.clip(build_texture(texture, (side, side)) * lit[..., None], 0, 255) for texture in look.textures]


def paint_layer(actor: Actor, skins: Skins, found: Silhouette, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Fill the silhouette ``found`` of ``actor`` at ``time`` with its skins.

    Returns:
        Colour premultiplied by coverage, float32 ``(h, w, 3)`` in [0, 255], and coverage, float32 ``(h, w)`` in [0, 1].
    """
    shape = actor.appearance.shape
    _, height, width = found.parts.shape
    x, y = _shape_coordinates(found)
    if shape.bends:
        x -= np.float32(shape.bend.at(time)) * np.sin(np.float32(shape.bend_rate) * y + np.float32(1.0))
    spin = np.float32(actor.spin.at(time))
    color, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    for part, coverage in zip(shape.parts, found.parts, strict=True):
        skin = skins[part.texture]
        unit, half = np.float32(len(skin) / (2 * _SKIN_EXTENT)), np.float32(len(skin) / 2 - 0.5)
        swing = part.swing.at(time)
        cosine, sine = np.float32(np.cos(swing)) * unit, np.float32(np.sin(swing)) * unit
        across, down = x - np.float32(part.pivot[0]), y - np.float32(part.pivot[1])
        map_x = cosine * across + sine * down + (half + spin * unit)
        map_y = cosine * down - sine * across + half
        painted = cv2.remap(skin, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        share = coverage.astype(np.float32) * np.float32(1 / 255)
        color += share[..., None] * (painted - color)
        alpha += share * (1 - alpha)
    rim = actor.appearance.rim
    if rim:
        # coverage blurred over a good part of the object falls to a half at the silhouette
        sigma = max(0.8, 0.12 * float(np.exp(actor.scale.base)))
        inner = cv2.GaussianBlur(alpha, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        color *= (1 - rim + rim * np.clip(2 * inner - 1, 0, 1))[..., None]
    return color, alpha


def _shape_coordinates(found: Silhouette) -> tuple[np.ndarray, np.ndarray]:
    """Shape coordinates of every pixel centre of ``found``, the bend not yet undone: two float32 ``(h, w)``."""
    _, height, width = found.parts.shape
    inverse = np.linalg.inv(found.pose.matrix).astype(np.float32)
    columns = np.arange(width, dtype=np.float32)[None, :] + np.float32(found.left + 0.5 - found.pose.center[0])
    rows = np.arange(height, dtype=np.float32)[:, None] + np.float32(found.top + 0.5 - found.pose.center[1])
    return inverse[0, 0] * columns + inverse[0, 1] * rows, inverse[1, 0] * columns + inverse[1, 1] * rows


def blend(image: np.ndarray, found: Silhouette, color: np.ndarray, alpha: np.ndarray) -> None:
    """Lay a premultiplied layer at the place of ``found`` over ``image`` in place, clipped to it."""
    top, left = max(found.top, 0), max(found.left, 0)
    bottom, right = min(found.top + alpha.shape[0], image.shape[0]), min(found.left + alpha.shape[1], image.shape[1])
    if top >= bottom or left >= right:
        return
    window = slice(top - found.top, bottom - found.top), slice(left - found.left, right - found.left)
    region = image[top:bottom, left:right]
    region *= (1 - alpha[window])[..., None]
    region += color[window]


def motion_kernel(motion: np.ndarray) -> np.ndarray | None:
    """A line along ``motion`` (2,) pixels and as long, summing to 1; None when it is shorter than a pixel."""
    length = float(np.hypot(*motion))
    if length < 1.0:
        return None
    half = min(int(np.ceil(length / 2)), 15)
    motion = motion * min(1.0, 30 / length)
    fine = 4  # the line is drawn this much larger and averaged
    side = 2 * half + 1
    line = np.zeros((side * fine, side * fine), np.float32)
    middle = side * fine / 2
    ends = [np.round((middle + sign * fine * motion / 2 - 0.5) * 16).astype(int).tolist() for sign in (-1, 1)]
    cv2.line(line, ends[0], ends[1], 1.0, thickness=fine, shift=4)
    kernel = cv2.resize(line, (side, side), interpolation=cv2.INTER_AREA)
    return kernel / kernel.sum()
