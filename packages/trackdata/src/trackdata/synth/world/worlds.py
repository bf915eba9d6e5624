"""A world: everything that a generated sequence of solid objects shows, as explicit parameters, and its annotation.

A world holds no pixels: annotations need only its geometry, and frames are rendered from it in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from trackdata.synth.annotations import ObjectMasks
from trackdata.synth.scene import Light
from trackdata.synth.world.cameras import NEAR, Camera, View
from trackdata.synth.world.films import Film
from trackdata.synth.world.meshes import normals
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.rasters import Raster, rasterise
from trackdata.synth.world.skies import Sky
from trackdata.synth.world.surfaces import Surface

_KEPT = 256  # moments
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
    _spots: dict[float, list[Spot]] = field(default_factory=dict, init=False, repr=False)

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
class Spot:
    """Where a performer is at one moment.

    Attributes:
        number: its position in the world's performers.
        matrix, position: rotation ``(3, 3)`` and place ``(3,)`` of the body.
        distance: depth of its middle in metres, which decides what covers what.
        low, high: pixel positions ``(2,)`` between which it lies, about; infinite beside the camera.
    """

    number: int
    performer: Performer
    matrix: np.ndarray
    position: np.ndarray
    distance: float
    low: np.ndarray
    high: np.ndarray

    def meets(self, low: np.ndarray, high: np.ndarray) -> bool:
        """Whether it may have pixels between the corners ``low`` and ``high``."""
        return bool((self.low < high).all() and (low < self.high).all())


@dataclass(frozen=True, eq=False)
class Posed:
    """A performer's points at one moment.

    Attributes:
        number, matrix, distance: as of its spot.
        points: ``(V, 3)`` in the world, metres.
        pixels, depth: ``(V, 2)`` and ``(V,)`` in the image.
    """

    number: int
    performer: Performer
    matrix: np.ndarray
    distance: float
    points: np.ndarray
    pixels: np.ndarray
    depth: np.ndarray

    def normals(self) -> np.ndarray:
        """``(V, 3)`` unit normals in the world."""
        body = self.performer.body
        return normals(body.mesh, self.points) if body.supple else body.mesh.resting @ self.matrix.T

    def raster(self, limits: tuple[int, int, int, int], padding: int = 1) -> Raster | None:
        """Its pixels within ``limits`` (left, top, right, bottom)."""
        return rasterise(self.performer.body.mesh, self.pixels, self.depth, limits, padding)


def spots(world: World, time: float) -> list[Spot]:
    """Where all performers of ``world`` are that are not behind the camera at ``time``, far ones first.

    The latest are kept with the world: annotating and rendering ask for the same.
    """
    if time not in world._spots:
        if len(world._spots) >= _KEPT:
            world._spots.clear()
        world._spots[time] = _find_spots(world, time)
    return world._spots[time]


def _find_spots(world: World, time: float) -> list[Spot]:
    view, steady = world.view(time), cache(world.steady)
    found = []
    for number, performer in enumerate(world.performers):
        matrix, position = performer.place(time, steady)
        middle = position + performer.scale * matrix @ performer.middle
        right, down, ahead = view.axes @ (middle - view.position)
        if ahead < -performer.reach:
            continue
        low, high = np.full(2, -np.inf), np.full(2, np.inf)
        if ahead > 1.2 * performer.reach:
            center = view.center + np.array([right, down]) * (view.focal / ahead)
            spread = performer.reach * view.focal / (ahead - performer.reach)
            low, high = center - spread, center + spread
        found.append(Spot(number, performer, matrix, position, float(ahead), low, high))
    return sorted(found, key=lambda spot: -spot.distance)


def pose(spot: Spot, view: View, time: float) -> Posed | None:
    """The points of the performer at ``spot``; None when all of them are behind the camera."""
    points = spot.performer.points(time, spot.matrix, spot.position)
    pixels, depth = view.project(points)
    if depth.max() <= NEAR:
        return None
    return Posed(spot.number, spot.performer, spot.matrix, spot.distance, points, pixels, depth)


def posed(world: World, time: float) -> list[Posed]:
    """All performers of ``world`` that may be in the image at ``time``, far ones first."""
    view, corner = world.view(time), np.array(world.size)
    found = (pose(spot, view, time) for spot in spots(world, time) if spot.meets(np.zeros(2), corner))
    return [one for one in found if one is not None]


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
    view, order = world.view(time), spots(world, time)
    drawn = cache(lambda rank: _drawn(world, view, order[rank], time))
    return tuple(_masks(world, view, order, number, time, drawn) for number in world.annotated)


def _drawn(world: World, view: View, spot: Spot, time: float) -> np.ndarray:
    """``(H, W)`` bool: the pixels of the performer at ``spot`` in the image."""
    width, height = world.size
    mask = np.zeros((height, width), bool)
    one = pose(spot, view, time)
    raster = one.raster((0, 0, width, height)) if one is not None else None
    if raster is not None:
        _paste(mask, raster)
    return mask


def _masks(
    world: World, view: View, order: list[Spot], number: int, time: float, drawn: Callable[[int], np.ndarray]
) -> ObjectMasks:
    width, height = world.size
    amodal = np.zeros((height, width), bool)
    rank = next((rank for rank, spot in enumerate(order) if spot.number == number), None)
    one = None if rank is None else pose(order[rank], view, time)
    beyond = (round(_OUTSIDE * width), round(_OUTSIDE * height))
    limits = (-beyond[0], -beyond[1], width + beyond[0], height + beyond[1])
    whole = None if one is None else one.raster(limits)
    if whole is None:  # behind the camera, or far off the image
        return ObjectMasks(amodal, amodal, 0)
    _paste(amodal, whole)
    world.film.crop(amodal)
    visible = amodal.copy()
    if amodal.any():
        low, high = one.pixels.min(axis=0), one.pixels.max(axis=0)
        for other in range(rank + 1, len(order)):
            if order[other].meets(low, high):
                visible &= ~drawn(other)
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
