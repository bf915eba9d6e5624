"""Drawing a world at random: a place, a camera, a target that is in view, and everything around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trackdata.synth.config import SynthConfig, WorldConfig
from trackdata.synth.curves import STILL, Curve, log_uniform, wander, wave
from trackdata.synth.sampling import sample_light
from trackdata.synth.world.cameras import Camera, Follow
from trackdata.synth.world.casting import cast
from trackdata.synth.world.crowds import populated
from trackdata.synth.world.paths import Framed
from trackdata.synth.world.performers import Performer
from trackdata.synth.world.places import SETTINGS, STEEP, Shot, sample_place
from trackdata.synth.world.recording import sample_film
from trackdata.synth.world.worlds import World, object_masks

_ATTEMPTS = 24
_RUSH = (0.7, 2.5)  # target sizes a frame
_LARGEST = 0.85  # of the image's shorter side that a target may fill


def sample_world(rng: np.random.Generator, config: SynthConfig, options: WorldConfig) -> World:
    """Draw a world. The target starts inside the image with nothing in front of it.

    Raises:
        ValueError: a place or a sort that there is not, or none of the places has any of the sorts.
    """
    kind = str(rng.choice(_places(options)))
    target, shot = _target(rng, config, options, kind)
    place = sample_place(rng, kind, shot.reach, options.night)
    if place.surfaces and rng.uniform() < config.camouflage:
        palette = place.surfaces[0].materials[0].palette
        target = replace(target, materials=tuple(replace(m, palette=palette) for m in target.materials))
    film = sample_film(rng, config, options)
    light, seed = sample_light(rng, config), int(rng.integers(2**31))
    empty = World(config.size, config.frames, place, Camera(), (), (), light, film, seed)
    world = _framed(rng, config, options, empty, target, shot)
    return populated(rng, config, options, world, shot)


def _places(options: WorldConfig) -> list[str]:
    """The places of ``options`` that have any of its sorts."""
    targets = {sort for setting in SETTINGS.values() for sort in (*setting.standing, *setting.flying)}
    for what, asked, known in (("places", options.places, set(SETTINGS)), ("sorts", options.sorts, targets)):
        if unknown := sorted(set(asked) - known):
            raise ValueError(f"{what} has {unknown[0]!r}; there are {', '.join(sorted(known))}")
    found = [
        name
        for name in options.places
        if not options.sorts or set(options.sorts) & {*SETTINGS[name].standing, *SETTINGS[name].flying}
    ]
    if not found:
        places = ", ".join(sorted(set(options.places)))
        raise ValueError(f"none of the places {places} has targets of the sorts {', '.join(options.sorts)}")
    return found


def _target(rng: np.random.Generator, config: SynthConfig, options: WorldConfig, kind: str) -> tuple[Performer, Shot]:
    setting = SETTINGS[kind]
    sorts = [(sort, False) for sort in setting.standing] + [(sort, True) for sort in setting.flying]
    wanted = [entry for entry in sorts if not options.sorts or entry[0] in options.sorts]
    sort, flies = wanted[int(rng.integers(len(wanted)))]
    target = cast(rng, sort, config)
    grows = rng.uniform() < options.growth
    swing = float(rng.uniform(0.72, 1.05)) if grows else float(rng.uniform(0, 0.25))
    short = min(config.size)
    pixels = min(log_uniform(rng, *config.target_size) * short, _LARGEST * short * np.exp(-swing))
    focal = float(rng.uniform(0.7, 1.8)) * config.size[0]
    periods = (0.8 * config.frames, 2.0 * config.frames) if grows else (60.0, 240.0)
    change = wave(rng, swing, (max(30.0, periods[0]), max(40.0, periods[1])))
    distance = Curve(float(np.log(focal * target.size / pixels)), waves=(change,))
    elevation = float(rng.uniform(*setting.elevation))
    on = "air" if flies else "below" if elevation > STEEP else "ground"
    return target, Shot(setting, on, pixels, distance, float(np.radians(elevation)), focal)


def _camera(rng: np.random.Generator, config: SynthConfig, shot: Shot, target: Performer, sight: Curve) -> Camera:
    """A camera that keeps a target on the ground near row ``sight`` (pixels below the image's middle)."""
    strength, short, reach = config.camera, min(config.size), shot.reach
    height = max(reach * np.sin(shot.elevation), 0.05 * reach, 0.3 * target.size * (shot.on == "air"))
    height = float(height) if shot.setting.grounds else 0.0
    swing = strength * rng.uniform(0.02, 0.3) if rng.uniform() > 0.15 else 0.0
    swing *= 0.4 if shot.setting.walls != "none" else 1.0
    travel = strength * reach * float(rng.choice((0.0, rng.uniform(0.1, 0.8)))) * bool(swing)
    shaking = strength * float(rng.choice((0.0, rng.uniform(0.0005, 0.008)))) * short
    shake = [Curve(waves=tuple(wave(rng, shaking, (3, 9)) for _ in range(2))) for _ in range(2)]
    follow, pitch = Follow(shot.distance, 0.5 * target.size, sight), STILL
    if shot.on == "air":
        follow, pitch = None, Curve(-shot.elevation, waves=(wave(rng, 0.3 * swing, (60, 200)),))
    return Camera(
        x=Curve(waves=(wave(rng, travel, (80, 300)),)),
        y=Curve(height, waves=(wave(rng, 0.15 * min(travel, height), (60, 200)),)),
        z=Curve(waves=(wave(rng, 0.5 * travel, (80, 300)),)),
        yaw=Curve(float(rng.normal(0, 0.15)), waves=(wave(rng, swing, (60, 240)), wave(rng, 0.1 * swing, (20, 60)))),
        pitch=pitch,
        roll=Curve(float(rng.normal(0, 0.02)), waves=(wave(rng, strength * rng.uniform(0, 0.1), (40, 200)),)),
        focal=Curve(float(np.log(shot.focal)), waves=(wave(rng, strength * rng.uniform(0, 0.12), (50, 200)),)),
        shake_x=shake[0],
        shake_y=shake[1],
        follow=follow,
    )


def _framed(
    rng: np.random.Generator, config: SynthConfig, options: WorldConfig, empty: World, target: Performer, shot: Shot
) -> World:
    """``empty`` with the camera and the target, drawn again until the target is in view at the start and later on."""
    leaves, vanishes, rushes = rng.uniform(size=3) < (config.leaving, config.vanishing, options.rush)
    margin = (-2.0 if vanishes else 0.1 if leaves else 0.75) * shot.pixels
    best, best_value = empty, -1.0
    for attempt in range(_ATTEMPTS):
        speed = log_uniform(rng, *(_RUSH if rushes else config.speed)) * shot.pixels
        x, y = (wander(rng, extent, margin, speed, 8.0 if rushes else 24.0) for extent in config.size)
        path = Framed(x, y, shot.distance, _lift(rng, target, shot), shot.on)
        sight = STILL if shot.on == "below" else y.shifted(-config.size[1] / 2)
        camera = _camera(rng, config, shot, target, sight)
        world = replace(empty, camera=camera, performers=(replace(target, path=path),), annotated=(0,))
        value = _in_view(world)
        if value > best_value:
            best, best_value = world, value
        if value >= (2.5 if attempt < _ATTEMPTS / 2 else 2.2):
            break
    return best if best_value >= 2 else _centred(best)


def _lift(rng: np.random.Generator, target: Performer, shot: Shot) -> Curve:
    """How high above the ground the target's origin is; things that roll or tumble may hop."""
    if shot.on == "air":
        return STILL
    hops = target.moves in ("rolls", "tumbles") and rng.uniform() < 0.5
    hop = float(rng.uniform(0.2, 1.5)) * target.size if hops else 0.0
    return Curve(target.sole + hop, waves=(wave(rng, hop, (18, 40)),))


def _centred(world: World) -> World:
    """``world`` with a target that stays in the middle of a steady image; whatever target_size allows fits there."""
    target, (width, height) = world.performers[0], world.size
    path = target.path
    still = Framed(Curve(width / 2), Curve(height / 2), Curve(path.distance.base + 0.3), path.lift, path.on)
    camera = replace(world.camera, roll=STILL, shake_x=STILL, shake_y=STILL)
    if camera.follow is not None:
        camera = replace(camera, follow=Follow(still.distance, camera.follow.height, STILL))
    return replace(world, camera=camera, performers=(replace(target, path=still),))


def _in_view(world: World) -> float:
    """2 when the whole target is visible at the start, plus the share of later moments at which some of it is."""
    (start,) = object_masks(world, 0.0)
    area = int(np.count_nonzero(start.visible))
    whole = area == start.whole and area >= 24
    later = [object_masks(world, time)[0].visible.any() for time in np.linspace(0, world.frames, 6)[1:]]
    return 2.0 * whole + float(np.mean(later))
