"""Who moves about with the target: relatives of it, and objects of other sorts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trackdata.synth.config import SynthConfig
from trackdata.synth.curves import STILL, Curve, entrance, log_uniform, wander, wave
from trackdata.synth.world.casting import cast, relative
from trackdata.synth.world.films import Film
from trackdata.synth.world.paths import Beside, Framed, Trail
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.places import Shot
from trackdata.synth.world.worlds import World, object_masks


@dataclass(frozen=True)
class Take:
    """A world that has its target, to which others are added.

    Attributes:
        config: what is asked for.
        world: with the target as its only performer.
        shot: how the target is seen.
    """

    config: SynthConfig
    world: World
    shot: Shot

    @property
    def target(self) -> Performer:
        """The only performer so far."""
        return self.world.performers[0]

    def covered_by(self, performer: Performer) -> bool:
        """Whether ``performer`` hides any of the target in the first frame."""
        both = replace(self.world, performers=(self.target, performer), annotated=(0,), film=Film())
        (masks,) = object_masks(both, 0.0)
        return int(np.count_nonzero(masks.visible)) < int(np.count_nonzero(masks.amodal))


def twin(rng: np.random.Generator, take: Take) -> Performer | None:
    """One of the target's sort: goes along with it, crosses its way, or keeps to itself.

    None when it could not be kept from covering the target at the start.
    """
    other = relative(rng, take.target, take.config, rng.uniform(*take.config.similarity))
    fate = rng.uniform()
    if fate < 0.35:
        x, y, z = _apart(rng, other.size, -0.3, 2.0)
        lift = Curve(waves=(wave(rng, 0.5 * other.size, (40, 120)),)) if take.shot.on == "air" else y
        path: Beside | Trail | Framed = Beside(take.target.path, x, lift, z)
    elif fate < 0.7:
        path = _crossing(rng, take, other)
    else:
        path = _alone(rng, take, other, take.shot.pixels * float(np.exp(rng.normal(0, 0.25))))
    return _out_of_the_way(rng, take, replace(other, path=path))


def bystander(rng: np.random.Generator, take: Take) -> Performer | None:
    """Something of another sort that belongs to the place; None as for :func:`twin`."""
    other, pixels = _stranger(rng, take)
    return _out_of_the_way(rng, take, replace(other, path=_alone(rng, take, other, pixels)))


def newcomer(rng: np.random.Generator, take: Take) -> Performer:
    """A bystander who comes into view later."""
    other, pixels = _stranger(rng, take)
    path = _alone(rng, take, other, pixels)
    x = entrance(rng, take.config.size[0], 2 * pixels, take.world.frames)
    return replace(other, path=replace(path, x=x))


def _stranger(rng: np.random.Generator, take: Take) -> tuple[Performer, float]:
    """An object, and its size in pixels."""
    sorts = take.shot.sorts or take.shot.setting.flying
    pixels = log_uniform(rng, *take.config.target_size) * min(take.config.size)
    return cast(rng, str(rng.choice(sorts)), take.config), pixels


def _out_of_the_way(rng: np.random.Generator, take: Take, performer: Performer) -> Performer | None:
    """``performer``, or the same behind the target when it would cover the target at the start; None when both do."""
    for nearest in (None, 3.0, 10.0, 30.0):
        if nearest is not None:
            away = _apart(rng, max(take.target.size, performer.size), nearest, 2 * nearest)
            performer = replace(performer, path=Beside(take.target.path, *away))
        if not take.covered_by(performer):
            return performer
    return None


def _apart(rng: np.random.Generator, size: float, low: float, high: float) -> tuple[Curve, Curve, Curve]:
    """An offset sideways, and away from the camera by ``low`` to ``high`` sizes, swaying."""
    side = float(rng.choice((-1, 1)) * rng.uniform(0.6, 1.4)) * size
    away = float(rng.uniform(low, high)) * size
    sway = rng.uniform(0.2, 1.2) * size
    return (
        Curve(side, waves=(wave(rng, sway, (50, 160)),)),
        STILL,
        Curve(away, waves=(wave(rng, 0.5 * sway, (50, 160)),)),
    )


def _crossing(rng: np.random.Generator, take: Take, performer: Performer) -> Trail:
    """A straight way past the target's place at some time, about a size beside it."""
    time = float(rng.uniform(0, take.world.frames))
    place = take.target.path.at(time, take.world.steady)
    right, _, ahead = take.world.steady(time).axes
    side = np.array([right[0], 0, right[2]]) / max(float(np.hypot(right[0], right[2])), 1e-6)
    away = np.array([-side[2], 0, side[0]])
    away = away if away @ ahead >= 0 else -away
    size = take.target.size
    place = place + size * (rng.uniform(0.6, 1.3) * rng.choice((-1, 1)) * side + rng.uniform(-0.4, 0.4) * away)
    heading, speed = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.01, 0.08)
    way = speed * (np.cos(heading) * side + 0.6 * np.sin(heading) * away)
    if take.shot.on == "air":
        way[1] = speed * rng.normal(0, 0.3)
    else:
        place[1] = performer.sole
    start = place - way * time
    return Trail(*(Curve(float(value), float(slope)) for value, slope in zip(start, way, strict=True)))


def _alone(rng: np.random.Generator, take: Take, performer: Performer, pixels: float) -> Framed:
    """A way of its own through the image, where it has about ``pixels``."""
    width, height = take.config.size
    speed = log_uniform(rng, *take.config.speed) * pixels
    change = (wave(rng, rng.uniform(0, 0.3), (50, 200)),)
    return Framed(
        wander(rng, width, 0.2 * pixels, speed),
        wander(rng, height, 0.2 * pixels, speed),
        Curve(float(np.log(take.shot.focal * performer.size / pixels)), waves=change),
        STILL if take.shot.on == "air" else Curve(performer.sole),
        take.shot.on,
    )
