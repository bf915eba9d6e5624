"""Drawing a scene at random."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from trackdata.synth.config import SynthConfig
from trackdata.synth.curves import Curve, entrance, log_uniform, wander, wave
from trackdata.synth.scene import Actor, Appearance, Background, Camera, Lens, Light, Scene
from trackdata.synth.shapes import sample_shape, vary_shape
from trackdata.synth.textures import Color, calmed, sample_palette, sample_texture, vary_texture

CANVAS = 1.7  # side of the background's canvas in frames
LAYOUTS = ("patches", "horizon", "panels")
_LATE = 0.3  # share of further annotated objects that come in later
_CLEAR_START = 8  # no occluder crosses the target before this frame


def sample_scene(rng: np.random.Generator, config: SynthConfig) -> Scene:
    """Draw a scene. The target starts inside the image with nothing in front of it."""
    width, height = config.size
    camera = _camera(rng, config)
    colors = sample_palette(rng)
    camouflaged = rng.uniform() < config.camouflage
    target = _target(rng, config, _appearance(rng, config, colors if camouflaged else None), camera)
    background = _background(rng, config, colors, target.appearance)
    scene = Scene(
        (width, height),
        config.frames,
        background,
        (),
        target,
        (),
        camera,
        sample_light(rng, config),
        _lens(rng, config),
        _seed(rng),
    )
    below, above = [], []
    for actor, in_front in _company(rng, config, scene):
        (above if in_front and not _touch_at_start(scene, actor) else below).append(actor)
    scene = replace(scene, below=tuple(below), above=tuple(above))
    return scene if config.objects == (1, 1) else _with_companions(scene, config)


def _with_companions(scene: Scene, config: SynthConfig) -> Scene:
    """``scene`` with further annotated objects: newcomers, what moves in it anyway, and bystanders if need be.

    Draws from a generator of its own, so that the target is the same however many objects are annotated.
    """
    rng = np.random.default_rng((scene.seed, 1))
    wanted = _count(rng, config.objects) - 1
    late = int(np.count_nonzero(rng.uniform(size=wanted) < _LATE))
    added = []
    for number in range(max(late, wanted - len(scene.cast) + 1)):
        size = log_uniform(rng, *config.target_size) * min(config.size)
        actor = _mover(rng, config, _appearance(rng, config), size, 0.2 * size)
        added.append(replace(actor, x=entrance(rng, config.size[0], size, config.frames)) if number < late else actor)
    scene = replace(scene, below=(*added, *scene.below))
    others = [place for place in range(late, len(scene.cast)) if place != len(scene.below)]
    chosen = rng.choice(others, wanted - late, replace=False) if wanted > late else ()
    return replace(scene, companions=(*range(late), *sorted(map(int, chosen))))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _count(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    return int(rng.integers(bounds[0], bounds[1] + 1))


def _appearance(rng: np.random.Generator, config: SynthConfig, colors: tuple[Color, ...] | None = None) -> Appearance:
    body = sample_texture(rng, colors)
    limbs = sample_texture(rng, colors)
    shape = sample_shape(rng, config.deformation)
    rim = float(rng.choice((0.0, rng.uniform(0.2, 0.8))))
    return Appearance(shape, (body, limbs), float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0, 0.5)), rim)


def _sibling(rng: np.random.Generator, appearance: Appearance, amount: float) -> Appearance:
    """Another individual of the same class."""
    body, limbs = (vary_texture(rng, texture, amount) for texture in appearance.textures)
    return replace(appearance, shape=vary_shape(rng, appearance.shape, amount), textures=(body, limbs))


def _camera(rng: np.random.Generator, config: SynthConfig) -> Camera:
    strength, (width, height) = config.camera, config.size
    if rng.uniform() < 0.15:  # a tripod
        return Camera()
    pan = strength * rng.uniform(0.02, 0.3)
    shaking = strength * float(rng.choice((0.0, rng.uniform(0.0005, 0.006)))) * min(width, height)
    shake = [Curve(waves=tuple(wave(rng, shaking, (3, 9)) for _ in range(2))) for _ in range(2)]
    return Camera(
        x=Curve(waves=(wave(rng, pan * width, (60, 240)), wave(rng, 0.1 * pan * width, (20, 60)))),
        y=Curve(waves=(wave(rng, 0.6 * pan * height, (60, 240)),)),
        zoom=Curve(base=0.08, waves=(wave(rng, strength * rng.uniform(0, 0.15), (50, 200)),)),
        roll=Curve(waves=(wave(rng, strength * rng.uniform(0, 0.12), (40, 200)),)),
        shake_x=shake[0],
        shake_y=shake[1],
    )


def _turns(rng: np.random.Generator, strength: float) -> tuple[Curve, Curve]:
    """Angle and stretch over time."""
    spinning = rng.uniform() < 0.2
    slope = strength * float(np.radians(rng.uniform(-4, 4))) if spinning else 0.0
    swing = wave(rng, strength * np.radians(rng.uniform(0, 35)), (30, 150))
    stretch = wave(rng, strength * rng.uniform(0, 0.25), (25, 120))
    return Curve(float(rng.uniform(0, 2 * np.pi)), slope, (swing,)), Curve(waves=(stretch,))


def _mover(rng: np.random.Generator, config: SynthConfig, appearance: Appearance, size: float, margin: float) -> Actor:
    """A free actor of about ``size`` pixels wandering in the image, its centre ``margin`` pixels off the edges."""
    width, height = config.size
    speed = log_uniform(rng, *config.speed) * size
    angle, stretch = _turns(rng, config.rotation)
    growth = wave(rng, rng.uniform(0, 0.3), (50, 200))
    spin = (
        Curve(waves=(wave(rng, config.deformation * rng.uniform(0, 0.25), (30, 120)),))
        if rng.uniform() < 0.4
        else Curve()
    )
    return Actor(
        appearance,
        x=wander(rng, width, margin, speed),
        y=wander(rng, height, margin, speed),
        scale=Curve(float(np.log(size / 2)), waves=(growth,)),
        stretch=stretch,
        angle=angle,
        spin=spin,
    )


def _target(rng: np.random.Generator, config: SynthConfig, appearance: Appearance, camera: Camera) -> Actor:
    size = log_uniform(rng, *config.target_size) * min(config.size)
    leaves, vanishes = rng.uniform(size=2) < (config.leaving, config.vanishing)
    margin = (-1.0 if vanishes else 0.05 if leaves else 0.75) * size
    middle = np.array(config.size) / 2
    for _ in range(50):
        actor = _mover(rng, config, appearance, size, margin)
        low, high = _bounds(actor, camera, middle)
        if (low >= 1).all() and (high <= np.array(config.size) - 1).all():
            return actor
    # a start in the middle of the image; whatever target_size allows fits there
    start = [axis.at(0.0) + camera.shake(0.0)[k] for k, axis in enumerate((actor.x, actor.y))]
    return replace(
        actor, x=actor.x.shifted(float(middle[0] - start[0])), y=actor.y.shifted(float(middle[1] - start[1]))
    )


def _bounds(actor: Actor, camera: Camera, middle: np.ndarray, time: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest corner of the silhouette in the image."""
    shape, pose = actor.appearance.shape, actor.pose(time, camera, middle)
    points = np.concatenate([shape.corners(part, time) for part in shape.parts]) @ pose.matrix.T + pose.center
    return points.min(axis=0), points.max(axis=0)


def _touch_at_start(scene: Scene, actor: Actor) -> bool:
    """Whether the bounding boxes of ``actor`` and the target overlap in the first frame."""
    (low, high), (target_low, target_high) = (_bounds(a, scene.camera, scene.middle) for a in (actor, scene.target))
    return bool((low < target_high).all() and (target_low < high).all())


def _company(rng: np.random.Generator, config: SynthConfig, scene: Scene) -> list[tuple[Actor, bool]]:
    """Distractors, bystanders and occluders, each with whether it belongs in front of the target."""
    target, size = scene.target, 2 * float(np.exp(scene.target.scale.base))
    company: list[tuple[Actor, bool]] = []
    for _ in range(_count(rng, config.distractors)):
        appearance = _sibling(rng, target.appearance, rng.uniform(*config.similarity))
        actor = _mover(rng, config, appearance, size * float(np.exp(rng.normal(0, 0.2))), 0.3 * size)
        fate = rng.uniform()
        if fate < 0.25:
            actor = _anchor(scene, actor, rng.uniform(0, config.frames))
        elif fate < 0.75:
            actor = _meet(rng, scene, actor, (0.6, 1.3))
        company.append((actor, rng.uniform() < 0.3))
    for _ in range(_count(rng, config.bystanders)):
        other_size = log_uniform(rng, *config.target_size) * min(config.size)
        company.append((_mover(rng, config, _appearance(rng, config), other_size, 0.2 * other_size), False))
    rng.shuffle(company)
    if config.frames > _CLEAR_START:
        for _ in range(_count(rng, config.occluders)):
            company.append((_occluder(rng, config, scene, size), True))
    return company


def _meet(rng: np.random.Generator, scene: Scene, actor: Actor, distances: tuple[float, float]) -> Actor:
    """Move the whole path so that ``actor`` comes within ``distances`` target sizes of the target at some moment."""
    time = rng.uniform(0, scene.frames)
    size = 2 * float(np.exp(scene.target.scale.at(time)))
    direction, distance = rng.uniform(0, 2 * np.pi), rng.uniform(*distances) * size
    x = scene.target.x.at(time) + distance * np.cos(direction) - actor.x.at(time)
    y = scene.target.y.at(time) + distance * np.sin(direction) - actor.y.at(time)
    return replace(actor, x=actor.x.shifted(float(x)), y=actor.y.shifted(float(y)))


def _anchor(scene: Scene, actor: Actor, time: float) -> Actor:
    """Let ``actor`` stand where the background is at its image position at ``time``."""
    place = np.array([actor.x.at(time), actor.y.at(time)])
    view = scene.camera.matrix(time)
    x, y = np.linalg.solve(view, place - scene.middle) + scene.camera.offset(time)
    return replace(actor, x=Curve(float(x)), y=Curve(float(y)), anchored=True)


def _occluder(rng: np.random.Generator, config: SynthConfig, scene: Scene, size: float) -> Actor:
    """Something that passes in front of the target: often long and thin, sometimes of the target's own kind of size."""
    time = rng.uniform(_CLEAR_START, config.frames)
    appearance = _appearance(rng, config)
    actor = _mover(rng, config, appearance, size * rng.uniform(0.4, 1.0), 0.0)
    angle = Curve(float(rng.uniform(0, 2 * np.pi)), waves=(wave(rng, 0.15, (40, 120)),))
    actor = replace(actor, stretch=Curve(rng.uniform(0.0, 1.8)), angle=angle)
    if rng.uniform() < 0.4:
        return _anchor(scene, replace(actor, x=scene.target.x, y=scene.target.y), time)
    # straight across the target's way, fast enough to uncover it again
    direction = rng.uniform(0, 2 * np.pi)
    speed = size * rng.uniform(0.08, 0.25)
    aside = size * rng.uniform(-0.35, 0.35)
    step = speed * np.array([np.cos(direction), np.sin(direction)])
    start = aside * np.array([-np.sin(direction), np.cos(direction)]) - step * time
    return replace(
        actor,
        x=Curve(scene.target.x.base + start[0], scene.target.x.slope + step[0], scene.target.x.waves),
        y=Curve(scene.target.y.base + start[1], scene.target.y.slope + step[1], scene.target.y.waves),
    )


def _background(
    rng: np.random.Generator, config: SynthConfig, colors: tuple[Color, ...], target: Appearance
) -> Background:
    textures = [sample_texture(rng, colors)]
    textures += [sample_texture(rng, colors if rng.uniform() < 0.5 else None) for _ in range(int(rng.integers(1, 4)))]
    calm = rng.choice((1.0, rng.uniform(0.15, 0.7)))
    textures = [
        replace(texture, palette=calmed(texture.palette, calm), cells=log_uniform(rng, 3, 24), marks=0)
        for texture in textures
    ]
    sorts = [_appearance(rng, config, colors if rng.uniform() < 0.4 else None) for _ in range(int(rng.integers(4, 12)))]
    sorts += [_sibling(rng, target, rng.uniform(max(0.3, config.similarity[0]), 1.2)) for _ in range(2)]
    canvas = (math.ceil(CANVAS * config.size[0]), math.ceil(CANVAS * config.size[1]))
    clutter = []
    for _ in range(_count(rng, config.clutter)):
        x, y = rng.uniform(-0.5, 0.5, 2) * canvas
        scale = log_uniform(rng, 0.06, 0.6) * min(config.size) / 2
        look = sorts[int(rng.integers(len(sorts)))]
        stretch, angle = Curve(rng.normal(0, 0.3)), Curve(rng.uniform(0, 2 * np.pi))
        place = Curve(float(x)), Curve(float(y)), Curve(float(np.log(scale)))
        clutter.append(Actor(look, *place, stretch, angle, anchored=True))
    return Background(canvas, tuple(textures), str(rng.choice(LAYOUTS)), tuple(clutter), _seed(rng))


def sample_light(rng: np.random.Generator, config: SynthConfig) -> Light:
    """Light that changes over the image and over time as strongly as ``config`` says."""
    strength = config.light
    changing = rng.uniform() < 0.6
    return Light(
        gain=Curve(
            strength * rng.uniform(-0.2, 0.1), waves=(wave(rng, strength * changing * rng.uniform(0, 0.3), (20, 120)),)
        ),
        tint=(strength * rng.normal(0, 0.06), strength * rng.normal(0, 0.06)),
        slope=Curve(strength * rng.uniform(0, 0.3)),
        direction=Curve(rng.uniform(0, 2 * np.pi), strength * changing * rng.uniform(-0.02, 0.02)),
        shadow=strength * float(rng.choice((0.0, rng.uniform(0.1, 0.3)), p=(0.6, 0.4))),
        shadow_edge=Curve(waves=(wave(rng, 0.6, (60, 200)),)),
        shadow_direction=float(rng.uniform(0, 2 * np.pi)),
        contrast=float(np.exp(strength * rng.uniform(-0.35, 0.1))),
    )


def _lens(rng: np.random.Generator, config: SynthConfig) -> Lens:
    focus = rng.uniform() < 0.35
    defocus = Curve(rng.uniform(-0.3, 0.5), waves=(wave(rng, config.blur * rng.uniform(0, 1.0), (20, 90)),))
    return Lens(
        shutter=min(1.0, config.blur * float(rng.choice((0.0, rng.uniform(0.2, 1.0)), p=(0.4, 0.6)))),
        defocus=defocus if focus and config.blur else Curve(),
        noise=config.noise * log_uniform(rng, 0.5, 8.0),
        quality=int(np.clip(95 - config.noise * rng.uniform(0, 40), 30, 95)),
    )
