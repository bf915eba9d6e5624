"""A world: everything that a generated sequence of solid objects shows, as explicit parameters, and its annotation.

A world holds no pixels: annotations need only its geometry, and frames are rendered from it in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from trackdata.synth.annotations import ObjectMasks
from trackdata.synth.scene import Light
from trackdata.synth.world.cameras import NEAR, Camera, View
from trackdata.synth.world.films import Film
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.rasters import Raster, rasterise
from trackdata.synth.world.skies import Sky
from trackdata.synth.world.surfaces import Surface

_OUTSIDE = 0.75  # how far beyond the image objects are drawn when their whole size matters, in sides of the image


@dataclass(frozen=True)
class Place:
    """Where a world is.

    Attributes:
        kind: what it is called.
        surfaces: ground first, where there is one; walls and ceiling.
        sky: what is behind.
        sun: ``(3,)`` unit vector towards the light.
        ambient: share of the light that comes from everywhere, 0 to 1.
        shadow: how dark shadows on the ground are, 0 to 1.
        fog: metres after which things fade to a third; infinite for none.
    """

    kind: str
    surfaces: tuple[Surface, ...]
    sky: Sky
    sun: tuple[float, float, float]
    ambient: float
    shadow: float
    fog: float = np.inf


@dataclass(frozen=True, eq=False)
class World:
    """A whole sequence.

    Attributes:
        size: width and height of the image in pixels.
        frames: how many.
        place, camera, light, film: where it is, who looks, in which light, and how it is recorded.
        performers: everything that is no surface.
        annotated: positions in ``performers`` of the annotated objects, the target first.
        seed: of the noise.
    """

    size: tuple[int, int]
    frames: int
    place: Place
    camera: Camera
    performers: tuple[Performer, ...]
    annotated: tuple[int, ...]
    light: Light
    film: Film
    seed: int

    @property
    def classes(self) -> tuple[str, ...]:
        """What the annotated objects are."""
        return tuple(self.performers[place].sort for place in self.annotated)

    def steady(self, time: float) -> View:
        """The view without the shaking of hands, by which performers are placed."""
        return self.camera.view(time, np.array(self.size) / 2)

    def view(self, time: float) -> View:
        """What the camera sees at ``time``."""
        return self.camera.view(time, np.array(self.size) / 2, shaken=True)

    def drift(self, time: float) -> np.ndarray:
        """``(2,)`` pixels that what is far away moves in the image within the frame at ``time``."""
        before, now, after = (self.view(moment) for moment in (time - 0.5, time, time + 0.5))
        far = now.position + 1e4 * now.axes[2]
        (start, end), _ = zip(*(view.project(far[None]) for view in (before, after)), strict=True)
        return (end - start)[0]


@dataclass(frozen=True, eq=False)
class Posed:
    """A performer at one moment.

    Attributes:
        number: its position in the world's performers.
        points: ``(V, 3)`` in the world, metres.
        pixels, depth: ``(V, 2)`` and ``(V,)`` in the image.
    """

    number: int
    performer: Performer
    points: np.ndarray
    pixels: np.ndarray
    depth: np.ndarray

    @property
    def distance(self) -> float:
        """Depth of the middle, which decides what covers what."""
        return float(self.depth.min() + self.depth.max()) / 2

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest pixel position, ``(2,)`` each."""
        return self.pixels.min(axis=0), self.pixels.max(axis=0)

    def raster(self, limits: tuple[int, int, int, int], padding: int = 1) -> Raster | None:
        """Its pixels within ``limits`` (left, top, right, bottom)."""
        return rasterise(self.performer.body.mesh, self.pixels, self.depth, limits, padding)


def posed(world: World, time: float) -> list[Posed]:
    """All performers of ``world`` in front of the camera at ``time``, far ones first."""
    view, steady = world.view(time), cache(world.steady)
    found = []
    for number, performer in enumerate(world.performers):
        matrix, position = performer.place(time, steady)
        if number not in world.annotated and not _may_show(view, position, performer.reach, world.size):
            continue
        points = performer.points(time, matrix, position)
        pixels, depth = view.project(points)
        if depth.max() > NEAR:
            found.append(Posed(number, performer, points, pixels, depth))
    return sorted(found, key=lambda one: -one.distance)


def _may_show(view: View, position: np.ndarray, reach: float, size: tuple[int, int]) -> bool:
    """Whether something within ``reach`` metres of ``position`` can be in an image of ``size``."""
    right, down, ahead = view.axes @ (position - view.position)
    if ahead < reach:  # beside the camera, where rays spread too far to tell
        return bool(ahead > -reach)
    limit = reach * np.hypot(1, max(size) / view.focal) * view.focal / ahead
    x, y = right * view.focal / ahead, down * view.focal / ahead
    return bool(abs(x) - limit < size[0] and abs(y) - limit < size[1])


def motions(world: World, time: float, exposure: float) -> dict[int, np.ndarray]:
    """``(2,)`` pixels each performer moves in the image during ``exposure`` frames around ``time``, by its number."""
    ends = []
    steady = cache(world.steady)
    for moment in (time - exposure / 2, time + exposure / 2):
        places = np.array([performer.path.at(moment, steady) for performer in world.performers])
        ends.append(world.view(moment).project(places))
    (before, near), (after, far) = ends
    seen = np.minimum(near, far) > 4 * NEAR
    return {number: after[number] - before[number] for number in np.flatnonzero(seen).tolist()}


def object_masks(world: World, time: float) -> tuple[ObjectMasks, ...]:
    """The pixels of the annotated objects of ``world`` at ``time``, the target first."""
    order = posed(world, time)
    return tuple(_masks(world, order, number) for number in world.annotated)


def _masks(world: World, order: list[Posed], number: int) -> ObjectMasks:
    width, height = world.size
    amodal = np.zeros((height, width), bool)
    rank = next((rank for rank, one in enumerate(order) if one.number == number), None)
    if rank is None:  # behind the camera
        return ObjectMasks(amodal, amodal, 0)
    beyond = (round(_OUTSIDE * width), round(_OUTSIDE * height))
    whole = order[rank].raster((-beyond[0], -beyond[1], width + beyond[0], height + beyond[1]))
    if whole is None:
        return ObjectMasks(amodal, amodal, 0)
    _paste(amodal, whole)
    world.film.crop(amodal)
    visible = amodal.copy()
    low, high = order[rank].bounds
    for other in order[rank + 1 :]:
        other_low, other_high = other.bounds
        if (other_low < high).all() and (low < other_high).all():
            cover = other.raster((0, 0, width, height))
            if cover is not None:
                hidden = np.zeros((height, width), bool)
                _paste(hidden, cover)
                visible &= ~hidden
    printed = world.film.overlay(world.size)
    if printed is not None:
        visible &= printed[1] == 0
    return ObjectMasks(amodal, visible, int(np.count_nonzero(whole.solid)))


def _paste(canvas: np.ndarray, raster: Raster) -> None:
    """Set ``canvas`` where ``raster`` is solid."""
    height, width = canvas.shape
    solid = raster.solid
    top, left = max(raster.top, 0), max(raster.left, 0)
    bottom, right = min(raster.top + solid.shape[0], height), min(raster.left + solid.shape[1], width)
    if top < bottom and left < right:
        canvas[top:bottom, left:right] = solid[
            top - raster.top : bottom - raster.top, left - raster.left : right - raster.left
        ]
