"""What is around the target: relatives, other objects, what stands about, and what gets in the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trackdata.synth.config import SynthConfig, WorldConfig
from trackdata.synth.curves import STILL, Curve, entrance, log_uniform, wander, wave
from trackdata.synth.world.casting import cast, relative
from trackdata.synth.world.films import Film
from trackdata.synth.world.paths import Beside, Framed, Trail
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.places import STEEP, Shot
from trackdata.synth.world.worlds import World, object_masks

_LATE = 0.3  # share of further annotated objects that come in later
_CLEAR_START = 8  # no occluder stands in the target's way before this frame
_CLUTTER = 8  # solid things are fewer than flat ones, for each takes longer to draw


def populated(rng: np.random.Generator, config: SynthConfig, world: WorldConfig, scene: World, shot: Shot) -> World:
    """``scene`` with relatives of the target, other objects, occluders and what stands about."""
    target = scene.performers[0]
    movers: list[Performer] = []
    for _ in range(_count(rng, config.distractors)):
        twin = relative(rng, target, config, rng.uniform(*config.similarity))
        movers.append(replace(twin, path=_company_path(rng, config, scene, shot)))
    for _ in range(_count(rng, config.bystanders)):
        movers.append(_bystander(rng, config, scene, shot))
    movers = [mover for mover in (_out_of_the_way(rng, scene, mover) for mover in movers) if mover is not None]
    objects = _count(rng, config.objects)
    late = int(np.count_nonzero(rng.uniform(size=objects - 1) < _LATE))
    while len(movers) < objects - 1 - late:
        mover = _out_of_the_way(rng, scene, _bystander(rng, config, scene, shot))
        movers += [mover] if mover is not None else []
    chosen = rng.choice(len(movers), objects - 1 - late, replace=False) if objects > 1 + late else ()
    chosen = [*chosen, *range(len(movers), len(movers) + late)]
    movers += [_newcomer(rng, config, scene, shot) for _ in range(late)]
    others = [
        _prop(rng, config, scene, shot) for _ in range(_count(rng, config.clutter) // _CLUTTER) if shot.setting.props
    ]
    if scene.frames > _CLEAR_START:
        hides = rng.uniform() < world.hiding
        count = max(_count(rng, config.occluders), int(hides))
        others += [_occluder(rng, config, scene, shot, hides) for _ in range(count)]
    others = [other for other in others if not _covers_at_start(scene, other)]
    annotated = (0, *sorted(1 + int(number) for number in chosen))
    return replace(scene, performers=(target, *movers, *others), annotated=annotated)


def _out_of_the_way(rng: np.random.Generator, scene: World, performer: Performer) -> Performer | None:
    """``performer``, or the same behind the target when it would cover the target at the start; None when both do."""
    target = scene.performers[0]
    for nearest in (None, 3.0, 10.0, 30.0):
        if nearest is not None:
            away = _apart(rng, max(target.size, performer.size), nearest, 2 * nearest)
            performer = replace(performer, path=Beside(target.path, *away))
        if not _covers_at_start(scene, performer):
            return performer
    return None


def _count(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    return int(rng.integers(bounds[0], bounds[1] + 1))


def _apart(rng: np.random.Generator, size: float, low: float, high: float) -> tuple[Curve, Curve, Curve]:
    """An offset sideways and away from the camera of ``low`` to ``high`` sizes, swaying."""
    side = float(rng.choice((-1, 1)) * rng.uniform(0.6, 1.4)) * size
    away = float(rng.uniform(low, high)) * size
    sway = rng.uniform(0.2, 1.2) * size
    return (
        Curve(side, waves=(wave(rng, sway, (50, 160)),)),
        STILL,
        Curve(away, waves=(wave(rng, 0.5 * sway, (50, 160)),)),
    )


def _company_path(rng: np.random.Generator, config: SynthConfig, scene: World, shot: Shot) -> Beside | Trail | Framed:
    """A way of something like the target: along with it, across its way, or on its own."""
    target = scene.performers[0]
    fate = rng.uniform()
    if fate < 0.35:
        x, y, z = _apart(rng, target.size, -0.3, 2.0)
        lift = Curve(waves=(wave(rng, 0.5 * target.size, (40, 120)),)) if shot.flies else y
        return Beside(target.path, x, lift, z)
    if fate < 0.7:
        return _crossing(
            rng, scene, target.size, float(rng.uniform(0, scene.frames)), rng.uniform(0.6, 1.3), 0.4, shot.flies
        )
    return _free(rng, config, scene, shot, target.size, shot.pixels * float(np.exp(rng.normal(0, 0.25))))


def _crossing(
    rng: np.random.Generator, scene: World, size: float, time: float, miss: float, depth: float, flies: bool
) -> Trail:
    """A straight way past the target's place at ``time``: ``miss`` sizes beside it, ``depth`` nearer or farther."""
    target = scene.performers[0]
    place = target.path.at(time, scene.steady)
    right, _, ahead = scene.steady(time).axes
    side = np.array([right[0], 0, right[2]]) / max(float(np.hypot(right[0], right[2])), 1e-6)
    away = np.array([-side[2], 0, side[0]])
    away = away if away @ ahead >= 0 else -away
    place = place + size * (miss * rng.choice((-1, 1)) * side + rng.uniform(-depth, depth) * away)
    heading = rng.uniform(0, 2 * np.pi)
    speed = size * rng.uniform(0.01, 0.08)
    way = speed * (np.cos(heading) * side + 0.6 * np.sin(heading) * away)
    rise = speed * rng.normal(0, 0.3) if flies else 0.0
    start = place - way * time
    y = place[1] if flies else max(0.0, float(place[1]))
    return Trail(
        Curve(float(start[0]), float(way[0])),
        Curve(float(y - rise * time), float(rise)),
        Curve(float(start[2]), float(way[2])),
    )


def _free(
    rng: np.random.Generator, config: SynthConfig, scene: World, shot: Shot, size: float, pixels: float
) -> Framed:
    """A way of its own through the image."""
    width, height = config.size
    speed = log_uniform(rng, *config.speed) * pixels
    target = scene.performers[0].path
    change = (wave(rng, rng.uniform(0, 0.3), (50, 200)),)
    distance = Curve(float(np.log(shot.focal * size / pixels)), waves=change)
    return Framed(
        wander(rng, width, 0.2 * pixels, speed),
        wander(rng, height, 0.2 * pixels, speed),
        distance,
        Curve(target.lift.base if target.on != "air" else 0.0),
        target.on,
    )


def _bystander(rng: np.random.Generator, config: SynthConfig, scene: World, shot: Shot) -> Performer:
    """Something of another sort that belongs to the place."""
    pool = shot.setting.flying if shot.flies or not shot.setting.standing else shot.setting.standing
    other = cast(rng, str(rng.choice(pool)), config)
    pixels = log_uniform(rng, *config.target_size) * min(config.size)
    return replace(other, path=_free(rng, config, scene, shot, other.size, pixels))


def _newcomer(rng: np.random.Generator, config: SynthConfig, scene: World, shot: Shot) -> Performer:
    """A bystander who comes into view later."""
    other = _bystander(rng, config, scene, shot)
    pixels = shot.focal * other.size / float(np.exp(other.path.distance.base))
    return replace(other, path=replace(other.path, x=entrance(rng, config.size[0], 2 * pixels, scene.frames)))


def _prop(rng: np.random.Generator, config: SynthConfig, scene: World, shot: Shot) -> Performer:
    """Something that stands in view of the camera at some time, most often behind the target."""
    prop = cast(rng, str(rng.choice(shot.setting.props)), config, still=True)
    time = float(rng.uniform(0, scene.frames))
    reach = float(np.exp(shot.distance.base))
    distance = reach * float(np.exp(rng.uniform(0.15, 1.6)))
    if shot.setting.walls != "none":
        distance = min(distance, 1.7 * reach)
    distance = max(distance, 1.5 * prop.size)
    x = rng.uniform(-0.3, 1.3) * config.size[0]
    y = rng.uniform(-0.3, 1.3) * config.size[1]
    on = "below" if np.degrees(shot.elevation) > STEEP else "ground"
    place = Framed(Curve(x), Curve(y), Curve(float(np.log(distance))), on=on).at(time, scene.steady)
    scale = 1.0
    if prop.size > reach or prop.size < 0.1 * reach:  # things on a table, rocks in the sea
        scale = reach * float(rng.uniform(0.2, 0.7)) / prop.size
    return _scaled(replace(prop, path=_standing(place)), scale)


def _standing(place: np.ndarray) -> Trail:
    return Trail(*(Curve(float(value)) for value in place))


def _scaled(performer: Performer, scale: float) -> Performer:
    return replace(performer, scale=scale, size=performer.size * scale)


def _occluder(rng: np.random.Generator, config: SynthConfig, scene: World, shot: Shot, hides: bool) -> Performer:
    """Something between the camera and the target's place at some moment: standing, or passing."""
    target = scene.performers[0]
    time = float(rng.uniform(_CLEAR_START, scene.frames))
    view = scene.steady(time)
    place = target.path.at(time, scene.steady)
    share = float(rng.uniform(0.45, 0.85))
    spot = view.position + share * (place - view.position)
    stands = bool(shot.setting.props) and not shot.flies and rng.uniform() < 0.6
    pool = (*shot.setting.standing, *shot.setting.flying)
    if stands or shot.flies:
        pool = shot.setting.props if stands else shot.setting.flying or pool
    cover = cast(rng, str(rng.choice(pool)), config, still=stands)
    wanted = float(rng.uniform(1.3, 2.4) if hides else np.exp(rng.uniform(-0.9, 0.5))) * target.size * share
    cover = _scaled(cover, wanted / cover.size)
    grounded = shot.setting.grounds and not shot.flies
    base = np.array(
        [spot[0], 0.0 if grounded and np.degrees(shot.elevation) < STEEP else spot[1] - 0.5 * wanted, spot[2]]
    )
    if stands:
        return replace(cover, path=_standing(base))
    right = view.axes[0] * rng.choice((-1, 1)) * target.size * share * rng.uniform(0.06, 0.25)
    start = base - right * time
    ways = (Curve(float(value), float(slope)) for value, slope in zip(start, (right[0], 0.0, right[2]), strict=True))
    return replace(cover, path=Trail(*ways))


def _covers_at_start(scene: World, performer: Performer) -> bool:
    """Whether ``performer`` hides any of the target in the first frame."""
    both = replace(scene, performers=(scene.performers[0], performer), annotated=(0,), film=Film())
    (masks,) = object_masks(both, 0.0)
    return int(np.count_nonzero(masks.visible)) < int(np.count_nonzero(masks.amodal))
