"""From a scene to pixels."""

from __future__ import annotations

import cv2
import numpy as np

from trackdata.synth.sampling import CANVAS
from trackdata.synth.scene import Actor, Appearance, Background, Camera, Light, Scene
from trackdata.synth.silhouettes import Silhouette, silhouette
from trackdata.synth.textures import build_texture, value_noise

_SKIN_EXTENT = 1.6  # a skin spans -1.6 to 1.6 in shape coordinates, mirrored beyond
_LIGHT_STEP = 8  # pixels between samples of the illumination
_NOISE_MARGIN = 32  # the noise pattern is this much larger than the frame, to be shifted about


class Renderer:
    """Renders the frames of one scene, in any order; keeps the painted background and skins between frames."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._skins: dict[int, list[np.ndarray]] = {}
        self._canvas = self._paint_background(scene.background)
        width, height = scene.size
        rng = np.random.default_rng(scene.seed)
        self._noise = (
            rng.standard_normal((height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3), np.float32) * scene.lens.noise
        )

    def frame(self, index: int) -> np.ndarray:
        """Frame ``index`` as RGB uint8 ``(H, W, 3)``, before JPEG compression.

        Raises:
            IndexError: the scene has no such frame.
        """
        scene = self.scene
        if not 0 <= index < scene.frames:
            raise IndexError(f"frame {index} of a scene with {scene.frames} frames")
        image = self._view(index)
        for actor in (*scene.below, scene.target, *scene.above):
            self._draw(image, actor, index)
        sigma = float(scene.lens.defocus.at(index))
        if sigma > 0.2:
            cv2.GaussianBlur(image, (0, 0), sigma, dst=image)
        image = cv2.multiply(image, _illumination(scene.light, scene.size, index), dst=image)
        image += np.float32((1 - scene.light.contrast) * 128)
        if scene.lens.noise:
            row, column = np.random.default_rng((scene.seed, index)).integers(0, _NOISE_MARGIN, 2)
            image += self._noise[row : row + image.shape[0], column : column + image.shape[1]]
        return cv2.convertScaleAbs(np.maximum(image, 0, out=image))

    def _paint_background(self, background: Background) -> np.ndarray:
        width, height = (int(np.ceil(CANVAS * side)) for side in self.scene.size)
        rng = np.random.default_rng(background.seed)
        canvas = build_texture(background.textures[0], (height, width))
        for texture in background.textures[1:]:
            area = _area(rng, background.layout, (height, width))[..., None]
            canvas += area * (build_texture(texture, (height, width)) - canvas)
        still = Scene((width, height), 1, background, (), self.scene.target, (), Camera(), Light(), self.scene.lens, 0)
        for actor in background.clutter:
            found = silhouette(still, _moved(actor, width / 2, height / 2), 0.0)
            if found is not None:
                _blend(canvas, found, *self._layer(actor, found, 0.0))
        return canvas

    def _view(self, index: int) -> np.ndarray:
        """The background as the camera sees it: float32 ``(H, W, 3)``."""
        camera, (width, height) = self.scene.camera, self.scene.size
        view = camera.matrix(index)
        center = np.array(self._canvas.shape[1::-1]) / 2
        # canvas pixel c shows at view (c - center - offset) + middle + shake; OpenCV counts pixels from their centres
        shift = self.scene.middle + camera.shake(index) - view @ (center + camera.offset(index) - 0.5) - 0.5
        matrix = np.column_stack([view, shift])
        image = cv2.warpAffine(
            self._canvas, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        moved = [camera.shake(t) - camera.matrix(t) @ camera.offset(t) for t in (index - 0.5, index + 0.5)]
        kernel = _motion_kernel((moved[1] - moved[0]) * self.scene.lens.shutter)
        return image if kernel is None else cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)

    def _draw(self, image: np.ndarray, actor: Actor, index: int) -> None:
        scene = self.scene
        moved = scene.pose(actor, index + 0.5).center - scene.pose(actor, index - 0.5).center
        kernel = _motion_kernel(moved * scene.lens.shutter)
        found = silhouette(scene, actor, index, padding=1 if kernel is None else 1 + len(kernel) // 2)
        if found is None:
            return
        color, alpha = self._layer(actor, found, index)
        if kernel is not None:
            color, alpha = (
                cv2.filter2D(layer, -1, kernel, borderType=cv2.BORDER_REPLICATE) for layer in (color, alpha)
            )
        _blend(image, found, color, alpha)

    def _skin(self, appearance: Appearance, scale: float) -> list[np.ndarray]:
        """The textures of ``appearance``, painted once for about ``scale`` pixels per shape unit."""
        if id(appearance) not in self._skins:
            side = int(np.clip(2 * _SKIN_EXTENT * scale * 1.2, 24, 400))
            skins = []
            for texture in appearance.textures:
                skin = build_texture(texture, (side, side))
                axis = np.linspace(-1, 1, side, dtype=np.float32)
                x, y = np.float32(np.cos(appearance.shade_angle)), np.float32(np.sin(appearance.shade_angle))
                lit = 1 + np.float32(appearance.shade) * (axis[None, :] * x + axis[:, None] * y)
                skins.append(np.clip(skin * lit[..., None], 0, 255))
            self._skins[id(appearance)] = skins
        return self._skins[id(appearance)]

    def _layer(self, actor: Actor, found: Silhouette, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Colour premultiplied by coverage, float32 ``(h, w, 3)``, and coverage ``(h, w)`` in [0, 1]."""
        shape, pose = actor.appearance.shape, found.pose
        scale = float(np.exp(actor.scale.base))
        skins = self._skin(actor.appearance, scale)
        _, height, width = found.parts.shape
        inverse = np.linalg.inv(pose.matrix).astype(np.float32)
        columns = np.arange(width, dtype=np.float32)[None, :] + np.float32(found.left + 0.5 - pose.center[0])
        rows = np.arange(height, dtype=np.float32)[:, None] + np.float32(found.top + 0.5 - pose.center[1])
        x = inverse[0, 0] * columns + inverse[0, 1] * rows
        y = inverse[1, 0] * columns + inverse[1, 1] * rows
        if shape.bend.base or shape.bend.waves:
            x -= np.float32(shape.bend.at(time)) * np.sin(np.float32(shape.bend_rate) * y + np.float32(1.0))
        spin = np.float32(actor.spin.at(time))
        color, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
        for part, coverage in zip(shape.parts, found.parts, strict=True):
            skin = skins[part.texture]
            unit = np.float32(len(skin) / (2 * _SKIN_EXTENT))
            swing = part.swing.at(time)
            cosine, sine = np.float32(np.cos(swing)) * unit, np.float32(np.sin(swing)) * unit
            across, down = x - np.float32(part.pivot[0]), y - np.float32(part.pivot[1])
            half = np.float32(len(skin) / 2 - 0.5)
            map_x = cosine * across + sine * down + (half + spin * unit)
            map_y = cosine * down - sine * across + half
            painted = cv2.remap(skin, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            share = coverage.astype(np.float32) * np.float32(1 / 255)
            color += share[..., None] * (painted - color)
            alpha += share * (1 - alpha)
        rim = actor.appearance.rim
        if rim:
            # the blurred coverage falls to a half at the silhouette
            inner = cv2.GaussianBlur(alpha, (0, 0), max(0.8, 0.12 * scale), borderType=cv2.BORDER_CONSTANT)
            color *= (1 - rim + rim * np.clip(2 * inner - 1, 0, 1))[..., None]
        return color, alpha


def _moved(actor: Actor, x: float, y: float) -> Actor:
    """A standing actor with the origin of its position moved by ``x`` and ``y``."""
    return Actor(actor.appearance, actor.x.shifted(x), actor.y.shifted(y), actor.scale, actor.stretch, actor.angle)


def _blend(image: np.ndarray, found: Silhouette, color: np.ndarray, alpha: np.ndarray) -> None:
    """Lay a premultiplied layer over ``image`` in place, clipped to it."""
    top, left = max(found.top, 0), max(found.left, 0)
    bottom, right = min(found.top + alpha.shape[0], image.shape[0]), min(found.left + alpha.shape[1], image.shape[1])
    if top >= bottom or left >= right:
        return
    window = slice(top - found.top, bottom - found.top), slice(left - found.left, right - found.left)
    region = image[top:bottom, left:right]
    region *= (1 - alpha[window])[..., None]
    region += color[window]


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
    angle = rng.uniform(0, np.pi)
    across = x * np.cos(angle) + y * np.sin(angle)
    half_width, place = rng.uniform(0.08, 0.35), rng.uniform(-0.6, 0.6)
    return np.clip((half_width - np.abs(across - place)) * 80 + 0.5, 0, 1).astype(np.float32)


def _motion_kernel(motion: np.ndarray) -> np.ndarray | None:
    """A line along ``motion`` (2,) pixels and as long, summing to 1; None when it is shorter than a pixel."""
    length = float(np.hypot(*motion))
    if length < 1.0:
        return None
    half = min(int(np.ceil(length / 2)), 15)
    motion = motion * min(1.0, 30 / length)
    fine = 4
    side = 2 * half + 1
    line = np.zeros((side * fine, side * fine), np.float32)
    middle = side * fine / 2
    ends = [np.round((middle + sign * fine * motion / 2 - 0.5) * 16).astype(int).tolist() for sign in (-1, 1)]
    cv2.line(line, ends[0], ends[1], 1.0, thickness=fine, shift=4)
    kernel = cv2.resize(line, (side, side), interpolation=cv2.INTER_AREA)
    return kernel / kernel.sum()


def _illumination(light: Light, size: tuple[int, int], time: float) -> np.ndarray:
    """Factor of every channel: float32 ``(H, W, 3)``."""
    width, height = size
    short = min(size)
    x = (np.arange(0, width + _LIGHT_STEP, _LIGHT_STEP, dtype=np.float32)[None, :] - width / 2) / short
    y = (np.arange(0, height + _LIGHT_STEP, _LIGHT_STEP, dtype=np.float32)[:, None] - height / 2) / short
    direction = light.direction.at(time)
    field = 1 + light.slope.at(time) * (x * np.cos(direction) + y * np.sin(direction))
    if light.shadow:
        distance = x * np.cos(light.shadow_direction) + y * np.sin(light.shadow_direction) - light.shadow_edge.at(time)
        field = field * (1 - light.shadow / (1 + np.exp(-distance / 0.04)))
    field = field * np.exp(light.gain.at(time)) * light.contrast
    tint = np.exp(np.array([light.tint[0], 0.0, light.tint[1]]))
    field = np.maximum(field, 0)[..., None] * tint
    return cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
