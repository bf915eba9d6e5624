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

_RUSH = (0.7, 2.5)  # target sizes a frame
_LARGEST = 0.85  # of the image's shorter side that a target may fill


def sample_world(rng: np.random.Generator, config: SynthConfig, world: WorldConfig) -> World:
    """Draw a world. The target starts inside the image with nothing in front of it.

    Raises:
        ValueError: a place or a sort that there is not, or none of the places has any of the sorts.
    """
    kind = str(rng.choice(_places(world)))
    target, shot = _target(rng, config, world, kind)
    place = sample_place(rng, kind, float(np.exp(shot.distance.base)), world.night)
    if place.surfaces and rng.uniform() < config.camouflage:
        palette = place.surfaces[0].materials[0].palette
        target = replace(target, materials=tuple(replace(m, palette=palette) for m in target.materials))
    film = sample_film(rng, config, world)
    empty = World(
        config.size, config.frames, place, Camera(), (), (), sample_light(rng, config), film, int(rng.integers(2**31))
    )
    scene = _framed(rng, config, world, empty, target, shot)
    return populated(rng, config, world, scene, shot)


def _places(world: WorldConfig) -> list[str]:
    """The places of ``world`` that have any of its sorts."""
    targets = {sort for setting in SETTINGS.values() for sort in (*setting.standing, *setting.flying)}
    for what, asked, known in (("places", world.places, set(SETTINGS)), ("sorts", world.sorts, targets)):
        if unknown := sorted(set(asked) - known):
            raise ValueError(f"{what} has {unknown[0]!r}; there are {', '.join(sorted(known))}")
    found = [
        name
        for name in world.places
        if not world.sorts or set(world.sorts) & {*SETTINGS[name].standing, *SETTINGS[name].flying}
    ]
    if not found:
        places = ", ".join(sorted(set(world.places)))
        raise ValueError(f"none of the places {places} has targets of the sorts {', '.join(world.sorts)}")
    return found


def _target(rng: np.random.Generator, config: SynthConfig, world: WorldConfig, kind: str) -> tuple[Performer, Shot]:
    setting = SETTINGS[kind]
    sorts = [(sort, False) for sort in setting.standing] + [(sort, True) for sort in setting.flying]
    wanted = [entry for entry in sorts if not world.sorts or entry[0] in world.sorts]
    sort, flies = wanted[int(rng.integers(len(wanted)))]
    target = cast(rng, sort, config)
    grows = rng.uniform() < world.growth
    swing = float(rng.uniform(0.72, 1.05)) if grows else float(rng.uniform(0, 0.25))
    short = min(config.size)
    pixels = min(log_uniform(rng, *config.target_size) * short, _LARGEST * short * np.exp(-swing))
    focal = float(rng.uniform(0.7, 1.8)) * config.size[0]
    periods = (0.8 * config.frames, 2.0 * config.frames) if grows else (60.0, 240.0)
    change = wave(rng, swing, (max(30.0, periods[0]), max(40.0, periods[1])))
    distance = Curve(float(np.log(focal * target.size / pixels)), waves=(change,))
    elevation = float(np.radians(rng.uniform(*setting.elevation)))
    return target, Shot(setting, flies, pixels, distance, elevation, focal)


def _camera(rng: np.random.Generator, config: SynthConfig, shot: Shot, target: Performer, sight: Curve) -> Camera:
    """A camera that keeps the target's middle near row ``sight`` (pixels below the image's middle)."""
    strength, short = config.camera, min(config.size)
    reach = float(np.exp(shot.distance.base))
    height = max(reach * np.sin(shot.elevation), 0.05 * reach) if shot.setting.grounds else 0.0
    if shot.flies and shot.setting.grounds:
        height = max(height, 0.3 * target.size)
    swing = strength * rng.uniform(0.02, 0.3) if rng.uniform() > 0.15 else 0.0
    swing *= 0.4 if shot.setting.walls != "none" else 1.0
    travel = strength * reach * float(rng.choice((0.0, rng.uniform(0.1, 0.8)))) * bool(swing)
    shaking = strength * float(rng.choice((0.0, rng.uniform(0.0005, 0.008)))) * short
    shake = [Curve(waves=tuple(wave(rng, shaking, (3, 9)) for _ in range(2))) for _ in range(2)]
    middle = 0.5 * target.size if not shot.flies else 0.0
    follow = None
    if not shot.flies or not shot.setting.grounds:
        follow = Follow(
            replace(shot.distance), middle if shot.setting.grounds else -reach * np.sin(shot.elevation), sight
        )
    tilt = STILL if follow else Curve(float(-shot.elevation), waves=(wave(rng, 0.3 * swing, (60, 200)),))
    return Camera(
        x=Curve(waves=(wave(rng, travel, (80, 300)),)),
        y=Curve(float(height), waves=(wave(rng, 0.15 * min(travel, height), (60, 200)),)),
        z=Curve(waves=(wave(rng, 0.5 * travel, (80, 300)),)),
        yaw=Curve(float(rng.normal(0, 0.15)), waves=(wave(rng, swing, (60, 240)), wave(rng, 0.1 * swing, (20, 60)))),
        pitch=tilt,
        roll=Curve(float(rng.normal(0, 0.02)), waves=(wave(rng, strength * rng.uniform(0, 0.1), (40, 200)),)),
        focal=Curve(float(np.log(shot.focal)), waves=(wave(rng, strength * rng.uniform(0, 0.12), (50, 200)),)),
        shake_x=shake[0],
        shake_y=shake[1],
        follow=follow,
    )


def _framed(
    rng: np.random.Generator, config: SynthConfig, world: WorldConfig, empty: World, target: Performer, shot: Shot
) -> World:
    """``empty`` with the camera and the target, drawn again until the target is in view at the start and later on."""
    width, height = config.size
    leaves, vanishes, rushes = rng.uniform(size=3) < (config.leaving, config.vanishing, world.rush)
    margin = (-2.0 if vanishes else 0.1 if leaves else 0.75) * shot.pixels
    best: tuple[float, World] | None = None
    for attempt in range(24):
        speed = log_uniform(rng, *(_RUSH if rushes else config.speed)) * shot.pixels
        shortest = 8.0 if rushes else 24.0
        x = wander(rng, width, margin, speed, shortest)
        y = wander(rng, height, margin, speed, shortest)
        sight = y.shifted(-height / 2)
        steep = np.degrees(shot.elevation) > STEEP
        on = "air" if shot.flies or not shot.setting.grounds else "below" if steep else "ground"
        bounce = Curve()
        if not shot.flies and target.sort in ("ball", "toy"):
            hop = float(rng.choice((0.0, rng.uniform(0.2, 1.5)))) * target.size
            bounce = Curve(0.55 * target.size + hop, waves=(wave(rng, hop, (18, 40)),))
        path = Framed(x, y, shot.distance, bounce, on)
        camera = _camera(rng, config, shot, target, STILL if on == "below" else sight)
        if on == "air":
            camera = replace(camera, follow=None, pitch=Curve(-shot.elevation, waves=camera.pitch.waves))
        scene = replace(empty, camera=camera, performers=(replace(target, path=path),), annotated=(0,))
        value = _in_view(scene)
        if best is None or value > best[0]:
            best = (value, scene)
        if value >= (2.5 if attempt < 12 else 2.2):
            return scene
    scene = best[1]  # type: ignore[index]
    if best[0] >= 2:  # type: ignore[index]
        return scene
    # a start in the middle of the image; whatever target_size allows fits there
    path = scene.performers[0].path
    still = Framed(Curve(width / 2), Curve(height / 2), Curve(path.distance.base + 0.3), path.lift, path.on)
    camera = replace(scene.camera, roll=STILL, shake_x=STILL, shake_y=STILL)
    if camera.follow is not None:
        camera = replace(camera, follow=Follow(still.distance, camera.follow.height, STILL))
    return replace(scene, camera=camera, performers=(replace(scene.performers[0], path=still),))


def _in_view(scene: World) -> float:
    """2 when the whole target is visible at the start, plus the share of later moments at which some of it is."""
    (start,) = object_masks(scene, 0.0)
    area = int(np.count_nonzero(start.visible))
    whole = area == start.whole and area >= 24
    later = [object_masks(scene, time)[0].visible.any() for time in np.linspace(0, scene.frames, 6)[1:]]
    return 2.0 * whole + float(np.mean(later))
