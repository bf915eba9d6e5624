"""From a scene to pixels."""

from __future__ import annotations

import cv2
import numpy as np

from trackdata.synth.backgrounds import paint_background, view_background
from trackdata.synth.layers import Skins, blend, motion_kernel, paint_layer, paint_skins
from trackdata.synth.lighting import illumination
from trackdata.synth.scene import Actor, Scene
from trackdata.synth.silhouettes import silhouette

_NOISE_MARGIN = 32  # the noise pattern is this much larger than the frame, to be shifted about


class Renderer:
    """Renders the frames of one scene, in any order; keeps the painted background, skins and noise between frames."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._canvas = paint_background(scene)
        self._cast = [(actor, paint_skins(actor)) for actor in scene.cast]
        width, height = scene.size
        rng = np.random.default_rng(scene.seed)
        self._noise = rng.standard_normal((height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3), np.float32)
        self._noise *= scene.lens.noise

    def frame(self, index: int) -> np.ndarray:
        """Frame ``index`` as RGB uint8 ``(H, W, 3)``, before JPEG compression.

        Raises:
            IndexError: the scene has no such frame.
        """
        scene = self.scene
        if not 0 <= index < scene.frames:
            raise IndexError(f"frame {index} of a scene with {scene.frames} frames")
        image = self._view(index)
        for actor, skins in self._cast:
            self._draw(image, actor, skins, index)
        sigma = float(scene.lens.defocus.at(index))
        if sigma > 0.2:
            cv2.GaussianBlur(image, (0, 0), sigma, dst=image)
        cv2.multiply(image, illumination(scene.light, scene.size, index), dst=image)
        image += np.float32((1 - scene.light.contrast) * 128)
        if scene.lens.noise:
            row, column = np.random.default_rng((scene.seed, index)).integers(0, _NOISE_MARGIN, 2)
            image += self._noise[row : row + image.shape[0], column : column + image.shape[1]]
        return cv2.convertScaleAbs(np.maximum(image, 0, out=image))

    def _view(self, index: int) -> np.ndarray:
        camera = self.scene.camera
        image = view_background(self._canvas, self.scene, index)
        before, after = (camera.shake(t) - camera.matrix(t) @ camera.offset(t) for t in (index - 0.5, index + 0.5))
        kernel = motion_kernel((after - before) * self.scene.lens.shutter)
        return image if kernel is None else cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)

    def _draw(self, image: np.ndarray, actor: Actor, skins: Skins, index: int) -> None:
        scene = self.scene
        moved = scene.pose(actor, index + 0.5).center - scene.pose(actor, index - 0.5).center
        kernel = motion_kernel(moved * scene.lens.shutter)
        found = silhouette(scene, actor, index, padding=1 if kernel is None else 1 + len(kernel) // 2)
        if found is None:
            return
        layer = paint_layer(actor, skins, found, index)
        if kernel is not None:
            layer = tuple(cv2.filter2D(part, -1, kernel, borderType=cv2.BORDER_REPLICATE) for part in layer)
        blend(image, found, *layer)
