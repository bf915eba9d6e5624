"""From a world to pixels."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np

from trackdata.synth.layers import motion_kernel
from trackdata.synth.lighting import illumination
from trackdata.synth.world.cameras import View
from trackdata.synth.world.codecs import GROUP, recompress
from trackdata.synth.world.films import Developer
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.rasters import Raster, interpolate
from trackdata.synth.world.shadows import cast_shadows
from trackdata.synth.world.skies import PaintedSky
from trackdata.synth.world.skins import Skin
from trackdata.synth.world.surfaces import Surfaces
from trackdata.synth.world.worlds import Posed, World, motions, posed

_DULL = 0.15  # gloss below which highlights are not worth drawing
_STILL = 1.5  # pixels of motion during the exposure that leave an object sharp

Places = tuple[np.ndarray, np.ndarray]  # rows and columns


class Renderer:
    """Renders the frames of one world, in any order; keeps what is painted between frames."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._surfaces = Surfaces(world.place.surfaces)
        self._sky = PaintedSky(world.place.sky)
        self._developer = Developer(world.film, world.size, world.seed, haze=(1 - world.light.contrast) * 128)
        self._skins: dict[int, Skin] = {}
        self._group: tuple[int, list[np.ndarray]] = (-1, [])
        self._sun = np.array(world.place.sun) / np.linalg.norm(world.place.sun)

    def frame(self, index: int) -> np.ndarray:
        """Frame ``index`` as RGB uint8 ``(H, W, 3)``, before JPEG compression.

        Raises:
            IndexError: the world has no such frame.
        """
        if not 0 <= index < self.world.frames:
            raise IndexError(f"frame {index} of a world with {self.world.frames} frames")
        codec = self.world.film.codec
        if codec is None:
            return self._recorded(index)
        number = index // GROUP
        if self._group[0] != number:
            indices = range(number * GROUP, min((number + 1) * GROUP, self.world.frames))
            self._group = (number, recompress([self._recorded(k) for k in indices], *codec))
        return self._group[1][index % GROUP].copy()

    def _recorded(self, index: int) -> np.ndarray:
        return self._developer.develop(self._rendered(index, self._gain), index)

    @cached_property
    def _gain(self) -> float:
        """What the camera's automatic exposure makes of the first frame."""
        mean = float(self._rendered(0)[::4, ::4].mean())
        return float(np.clip(self.world.film.exposure / max(mean, 1.0), 0.4, 3.0))

    def _rendered(self, index: int, gain: float = 1.0) -> np.ndarray:
        """Frame ``index`` as it comes through the lens, ``gain`` times as bright: float32 ``(H, W, 3)``."""
        world = self.world
        order = posed(world, index)
        image, ground = self._backdrop(index)
        if ground is not None and world.place.shadow:
            cast_shadows(image, ground, world, order, world.view(index), self._sun)
        moved = motions(world, index, world.film.shutter) if world.film.shutter else {}
        view = world.view(index)
        for one in order:
            self._draw(image, one, moved.get(one.number, np.zeros(2)), view)
        return cv2.multiply(image, illumination(world.light, world.size, index), dst=image, scale=gain)

    def _backdrop(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Sky and surfaces, blurred by the camera's motion, and where the ground shows, ``(H, W)`` bool."""
        world, view = self.world, self.world.view(index)
        painted, owner, closeness = self._surfaces.draw(view, world.size)
        image = painted.astype(np.float32)
        if np.isfinite(world.place.fog):
            image -= self._sky.horizon
            image *= np.exp(np.float32(-1 / world.place.fog) / closeness)[..., None]
            image += self._sky.horizon
        open_sky = owner < 0
        rows = np.flatnonzero(open_sky.any(axis=1))
        if len(rows):
            band = slice(int(rows[0]), int(rows[-1]) + 1)
            sky = self._sky.draw(view, (world.size[0], band.stop - band.start), band.start)
            cv2.copyTo(sky.astype(np.float32), open_sky[band].view(np.uint8), image[band])
        if world.film.backdrop > 0.3:
            cv2.GaussianBlur(image, (0, 0), world.film.backdrop, dst=image)
        kernel = motion_kernel(world.drift(index) * world.film.shutter)
        if kernel is not None:
            image = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        return image, (owner == 0 if world.place.surfaces else None)

    def _draw(self, image: np.ndarray, one: Posed, moved: np.ndarray, view: View) -> None:
        kernel = motion_kernel(moved) if np.hypot(*moved) > _STILL else None
        padding = 1 if kernel is None else 1 + len(kernel) // 2
        width, height = self.world.size
        raster = one.raster((-padding, -padding, width + padding, height + padding), padding)
        if raster is None:
            return
        covered, color, alpha = self._shaded(one, raster, view)
        if kernel is None:
            _scatter(image, raster, covered, color, alpha)
        else:
            _blend(image, raster, covered, color, alpha, kernel)

    def _shaded(self, one: Posed, raster: Raster, view: View) -> tuple[Places, np.ndarray, np.ndarray]:
        """Rows and columns in the raster of the covered pixels, their colour premultiplied by coverage, float32
        ``(N, 3)``, and their coverage, float32 ``(N, 1)`` in [0, 1].
        """
        mesh, place, skin = one.performer.body.mesh, self.world.place, self._skin(one)
        corners = mesh.faces[raster.faces]
        normal = one.normals()
        towards = normal @ self._sun
        if mesh.open:
            towards = np.abs(towards)
        # light wraps around a little, as it does under an open sky
        light = place.ambient * (0.85 + 0.15 * normal[:, 1])
        light += (1 - place.ambient) * 1.35 * np.clip(0.25 + 0.75 * towards, 0, 1)
        values = [mesh.uv[raster.faces, :, 0], mesh.uv[raster.faces, :, 1], light[corners]]
        material = mesh.material[raster.faces]
        shines = skin.gloss[material]
        if shines.max() > _DULL:
            values.append(shines[:, None] * _glints(normal, self._sun, view.position - one.points)[corners])
        covered, face, found = interpolate(mesh, raster, one.pixels, one.depth, np.array(values))
        detail = 0.5 * one.performer.size * view.focal / max(one.distance, 0.05)
        paint = skin.look(material.astype(np.float32).take(face), found[0], found[1], detail)
        paint *= found[2][:, None]
        if len(values) > 3:
            paint += found[3][:, None]
        if np.isfinite(place.fog):
            clear = np.float32(np.exp(-max(one.distance, 0.0) / place.fog))
            paint = self._sky.horizon * (1 - clear) + clear * paint
        alpha = raster.coverage[covered][:, None] * np.float32(1 / 255)
        paint *= alpha
        return covered, paint, alpha

    def _skin(self, one: Posed) -> Skin:
        if one.number not in self._skins:
            self._skins[one.number] = Skin(one.performer.materials, self._detail(one.performer))
        return self._skins[one.number]

    def _detail(self, performer: Performer) -> float:
        """Pixels that ``performer`` spans where it is seen largest, among a few moments."""
        spans = [16.0]
        for time in np.linspace(0, self.world.frames, 4).tolist():
            view = self.world.steady(time)
            depth = float(view.axes[2] @ (performer.path.at(time, self.world.steady) - view.position))
            if depth > performer.size / 4:
                spans.append(0.7 * performer.size * view.focal / depth)
        return min(128.0, max(spans))


def _glints(normal: np.ndarray, sun: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """Brightness of highlights at points with the given normals, seen along ``gaze``: ``(V,)`` grey levels."""
    halfway = sun + gaze / np.sqrt(np.einsum("ij,ij->i", gaze, gaze))[:, None]
    share = np.einsum("ij,ij->i", normal, halfway) / np.sqrt(np.einsum("ij,ij->i", halfway, halfway))
    return 150 * np.clip(share, 0, 1) ** 24


def _scatter(image: np.ndarray, raster: Raster, covered: Places, color: np.ndarray, alpha: np.ndarray) -> None:
    """Lay pixels over ``image`` in place: rows and columns of the raster, premultiplied colour and coverage."""
    height, width = image.shape[:2]
    row, column = covered[0] + raster.top, covered[1] + raster.left
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    if not inside.all():
        row, column, color, alpha = row[inside], column[inside], color[inside], alpha[inside]
    flat, place = image.reshape(-1, 3), row * width + column
    flat[place] = flat.take(place, axis=0) * (1 - alpha) + color


def _blend(
    image: np.ndarray,
    raster: Raster,
    covered: Places,
    color: np.ndarray,
    alpha: np.ndarray,
    kernel: np.ndarray,
) -> None:
    """As :func:`_scatter`, smeared by ``kernel``."""
    layer = np.zeros((*raster.face.shape, 4), np.float32)
    layer[covered] = np.hstack([color, alpha])
    layer = cv2.filter2D(layer, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    height, width = image.shape[:2]
    top, left = max(raster.top, 0), max(raster.left, 0)
    bottom, right = min(raster.top + layer.shape[0], height), min(raster.left + layer.shape[1], width)
    if top < bottom and left < right:
        window = layer[top - raster.top : bottom - raster.top, left - raster.left : right - raster.left]
        region = image[top:bottom, left:right]
        region *= 1 - window[..., 3:]
        region += window[..., :3]
