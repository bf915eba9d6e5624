"""Peopling a world that has its target: company, what stands about, and what gets in the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trackdata.synth.config import SynthConfig, WorldConfig
from trackdata.synth.curves import Curve
from trackdata.synth.world.casting import cast
from trackdata.synth.world.company import Take, bystander, newcomer, twin
from trackdata.synth.world.paths import Framed, Trail
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.places import STEEP, Shot
from trackdata.synth.world.worlds import World

_LATE = 0.3  # share of further annotated objects that come in later
_CLEAR_START = 8  # no occluder stands in the target's way before this frame
_CLUTTER = 8  # solid things are fewer than flat ones, for each takes longer to draw


def populated(rng: np.random.Generator, config: SynthConfig, options: WorldConfig, world: World, shot: Shot) -> World:
    """``world`` with relatives of the target, other objects, occluders and what stands about."""
    take = Take(config, world, shot)
    movers = [twin(rng, take) for _ in range(_count(rng, config.distractors))]
    movers += [bystander(rng, take) for _ in range(_count(rng, config.bystanders))]
    movers = [mover for mover in movers if mover is not None]
    objects = _count(rng, config.objects)
    late = int(np.count_nonzero(rng.uniform(size=objects - 1) < _LATE))
    movers += [bystander(rng, take) or newcomer(rng, take) for _ in range(objects - 1 - late - len(movers))]
    chosen = rng.choice(len(movers), objects - 1 - late, replace=False) if objects > 1 + late else ()
    chosen = [*chosen, *range(len(movers), len(movers) + late)]
    movers += [newcomer(rng, take) for _ in range(late)]
    others = []
    if shot.setting.props:
        others += [_prop(rng, take) for _ in range(_count(rng, config.clutter) // _CLUTTER)]
    if world.frames > _CLEAR_START:
        hides = rng.uniform() < options.hiding
        others += [_occluder(rng, take, hides) for _ in range(max(_count(rng, config.occluders), int(hides)))]
    others = [other for other in others if not take.covered_by(other)]
    annotated = (0, *sorted(1 + int(number) for number in chosen))
    return replace(world, performers=(take.target, *movers, *others), annotated=annotated)


def _count(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    return int(rng.integers(bounds[0], bounds[1] + 1))


def _prop(rng: np.random.Generator, take: Take) -> Performer:
    """Something that stands in view of the camera at some time, most often behind the target."""
    shot, size = take.shot, take.config.size
    prop = cast(rng, str(rng.choice(shot.setting.props)), take.config, still=True)
    if prop.size > shot.reach or prop.size < 0.1 * shot.reach:  # things on a table, rocks in the sea
        prop = _scaled(prop, shot.reach * float(rng.uniform(0.2, 0.7)) / prop.size)
    time = float(rng.uniform(0, take.world.frames))
    distance = shot.reach * float(np.exp(rng.uniform(0.15, 1.6)))
    if shot.setting.walls != "none":
        distance = min(distance, 1.7 * shot.reach)
    distance = max(distance, 1.5 * prop.size)
    x, y = (Curve(rng.uniform(-0.3, 1.3) * extent) for extent in size)
    on = "below" if np.degrees(shot.elevation) > STEEP else "ground"
    path = Framed(x, y, Curve(float(np.log(distance))), Curve(prop.sole), on)
    return replace(prop, path=_standing(path.at(time, take.world.steady)))


def _occluder(rng: np.random.Generator, take: Take, hides: bool) -> Performer:
    """Something between the camera and the target's place at some moment: standing, or passing."""
    shot = take.shot
    time = float(rng.uniform(_CLEAR_START, take.world.frames))
    view, place = take.world.steady(time), take.target.path.at(time, take.world.steady)
    share = float(rng.uniform(0.45, 0.85))  # of the way from the camera to the target
    spot = view.position + share * (place - view.position)
    stands = bool(shot.setting.props) and shot.on != "air" and rng.uniform() < 0.6
    pool = shot.setting.props if stands else shot.sorts or shot.setting.flying
    cover = cast(rng, str(rng.choice(pool)), take.config, still=stands)
    wanted = float(rng.uniform(1.3, 2.4) if hides else np.exp(rng.uniform(-0.9, 0.5))) * take.target.size * share
    cover = _scaled(cover, wanted / cover.size)
    if shot.on == "ground":
        spot[1] = cover.sole
    elif shot.on == "below":  # seen from above, things must reach up into the line of sight
        spot[1] -= 0.5 * wanted
    if stands:
        return replace(cover, path=_standing(spot))
    way = view.axes[0] * (rng.choice((-1, 1)) * take.target.size * share * rng.uniform(0.06, 0.25))
    way[1] = 0.0
    start = spot - way * time
    ways = (Curve(float(value), float(slope)) for value, slope in zip(start, way, strict=True))
    return replace(cover, path=Trail(*ways))


def _standing(place: np.ndarray) -> Trail:
    return Trail(*(Curve(float(value)) for value in place))


def _scaled(performer: Performer, scale: float) -> Performer:
    return replace(performer, scale=scale, size=performer.size * scale)
