"""What else is true of the target in every frame, beside where its pixels are: light, motion of the camera, turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trackdata.synth.lighting import illumination
from trackdata.synth.scene import Actor, Scene
from trackdata.synth.world.worlds import World, motions


@dataclass(frozen=True)
class Moment:
    """What is true of the target in one frame.

    Attributes:
        drift: pixels by which the background moves in the image within the frame.
        light: factor of brightness where the target is.
        roll: angle of the target in the image in radians.
        view: ``(3,)`` unit vector, the direction from which the target is seen, in its own coordinates.
        blur: pixels over which motion and defocus spread a point of the target.
        twins: objects of the target's sort that are nearer than one and a half of its sizes.
    """

    drift: float
    light: float
    roll: float
    view: np.ndarray
    blur: float
    twins: int


@dataclass(frozen=True)
class Conditions:
    """Moments of N frames as columns, ``(N,)`` each and ``view`` ``(N, 3)``; whether the target changes its shape."""

    drift: np.ndarray
    light: np.ndarray
    roll: np.ndarray
    view: np.ndarray
    blur: np.ndarray
    twins: np.ndarray
    supple: bool

    @classmethod
    def join(cls, moments: Sequence[Moment], supple: bool) -> Conditions:
        """The conditions made of the moments of all frames."""

        def column(name: str) -> np.ndarray:
            return np.array([getattr(moment, name) for moment in moments])

        names = ("drift", "light", "roll", "view", "blur", "twins")
        return cls(**{name: column(name) for name in names}, supple=supple)


def scene_conditions(scene: Scene) -> Conditions:
    """The conditions of the target of a scene of flat shapes."""
    shape = scene.target.appearance.shape
    swings = any(wave[0] for part in shape.parts for wave in part.swing.waves)
    moments = [_scene_moment(scene, index) for index in range(scene.frames)]
    return Conditions.join(moments, supple=bool(shape.wobble or shape.bends or swings))


def _scene_moment(scene: Scene, index: int) -> Moment:
    target, camera = scene.target, scene.camera
    pose = scene.pose(target, index)
    size = 2 * float(np.sqrt(abs(np.linalg.det(pose.matrix))))
    before, after = (camera.shake(t) - camera.matrix(t) @ camera.offset(t) for t in (index - 0.5, index + 0.5))
    moved = scene.pose(target, index + 0.5).center - scene.pose(target, index - 0.5).center
    near = [
        scene.pose(other, index).center
        for other in scene.cast
        if other is not target and _same_sort(other, target)
    ]  # fmt: skip
    spin = float(target.spin.at(index))
    return Moment(
        drift=float(np.hypot(*(after - before))),
        light=_light_at(scene, pose.center, index),
        roll=float(np.arctan2(pose.matrix[1, 0], pose.matrix[0, 0])),
        view=np.array([np.sin(spin), 0.0, np.cos(spin)]),
        blur=_spread(moved * scene.lens.shutter, float(scene.lens.defocus.at(index))),
        twins=sum(float(np.hypot(*(center - pose.center))) < 1.5 * size for center in near),
    )


def _same_sort(one: Actor, other: Actor) -> bool:
    """Relatives share the kinds of their textures and the number of their limbs."""
    kinds, limbs = [], []
    for look in (one.appearance, other.appearance):
        kinds.append([texture.kind for texture in look.textures])
        limbs.append(len(look.shape.parts))
    return kinds[0] == kinds[1] and limbs[0] == limbs[1]


def world_conditions(world: World) -> Conditions:
    """The conditions of the target of a world of solid objects."""
    moments = [_world_moment(world, index) for index in range(world.frames)]
    return Conditions.join(moments, supple=world.performers[world.annotated[0]].body.supple)


def _world_moment(world: World, index: int) -> Moment:
    number = world.annotated[0]
    target, view = world.performers[number], world.view(index)
    matrix, position = target.place(index, world.steady)
    (pixel,), (depth,) = view.project(position[None])
    gaze = view.position - position
    upright = view.axes @ matrix[:, 1]
    places = [
        other.path.at(index, world.steady)
        for other in world.performers
        if other is not target and (other.sort, other.kin) == (target.sort, target.kin)
    ]  # fmt: skip
    size = target.size * view.focal / max(float(depth), 1e-3)
    near = view.project(np.array(places))[0] - pixel if places else np.zeros((0, 2))
    moved = motions(world, index, world.film.shutter).get(number, np.zeros(2)) if world.film.shutter else np.zeros(2)
    return Moment(
        drift=float(np.hypot(*world.drift(index))),
        light=_light_at(world, pixel, index),
        roll=float(np.arctan2(upright[0], -upright[1])),
        view=matrix.T @ gaze / max(float(np.linalg.norm(gaze)), 1e-6),
        blur=_spread(moved, float(world.film.defocus.at(index))),
        twins=int(np.count_nonzero(np.hypot(*near.T) < 1.5 * size)),
    )


def _light_at(stage: Scene | World, pixel: np.ndarray, index: int) -> float:
    field = illumination(stage.light, stage.size, index)
    column, row = np.clip(pixel, 0, np.array(stage.size) - 1).astype(int)
    return float(field[row, column].mean())


def _spread(motion: np.ndarray, defocus: float) -> float:
    return float(np.hypot(*motion)) + 2.0 * max(defocus, 0.0)
