"""Places: what kinds there are, what is found there, and drawing one at random."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from trackdata.synth.curves import Curve
from trackdata.synth.textures import Color, sample_palette
from trackdata.synth.world.materials import Material, sample_material
from trackdata.synth.world.plans import Plan
from trackdata.synth.world.skies import Sky
from trackdata.synth.world.surfaces import Surface
from trackdata.synth.world.worlds import Place

STEEP = 30.0  # degrees from which a camera is said to look from above


@dataclass(frozen=True)
class Setting:
    """A kind of place.

    Attributes:
        standing, flying: sorts of objects that move about there.
        props: sorts of objects that stand about there.
        elevation: least and most degrees by which the camera looks down on its target.
        grounds: themes of the ground's material; none where there is no ground.
        plans: kinds of maps of the ground.
        skies, skylines: what is behind.
        walls: "none", "street" or "room".
    """

    standing: tuple[str, ...]
    flying: tuple[str, ...]
    props: tuple[str, ...]
    elevation: tuple[float, float]
    grounds: tuple[str, ...]
    plans: tuple[str, ...] = ("stains",)
    skies: tuple[str, ...] = ("clear", "clouds", "overcast", "evening", "night")
    skylines: tuple[str, ...] = ("none", "hills", "trees", "city")
    walls: str = "none"


@dataclass(frozen=True)
class Shot:
    """What the camera and the target have to do with one another.

    Attributes:
        setting: the kind of place.
        on: how the target is placed; see :class:`trackdata.synth.world.paths.Framed`.
        pixels: the target's mean size in the image.
        distance: logarithm of the distance in metres over time.
        elevation: radians by which the camera looks down.
        focal: pixels.
    """

    setting: Setting
    on: str
    pixels: float
    distance: Curve
    elevation: float
    focal: float

    @property
    def reach(self) -> float:
        """Mean distance of the target in metres."""
        return float(np.exp(self.distance.base))

    @property
    def sorts(self) -> tuple[str, ...]:
        """Sorts that move about as the target does: in the air, or on the ground."""
        return self.setting.flying if self.on == "air" else self.setting.standing


SETTINGS: Mapping[str, Setting] = {
    "meadow": Setting(
        ("person", "person", "quadruped", "quadruped", "bike", "car", "ball", "flag", "sign", "snake", "toy"),
        ("bird", "drone", "balloon", "towel", "box"),
        ("tree", "tree", "tree", "rock", "fence", "pole", "house", "sign"),
        (2, 22),
        ("meadow", "sand", "soil", "snow", "stone"),
        ("road", "court", "patches", "river", "field", "litter", "stains"),
    ),
    "street": Setting(
        ("person", "person", "car", "car", "bike", "quadruped", "sign", "ball", "flag"),
        ("bird", "drone", "balloon", "box"),
        ("pole", "pole", "tree", "car", "sign", "fence", "furniture", "box"),
        (2, 25),
        ("asphalt", "stone", "floor", "snow"),
        ("road", "stains", "patches", "litter"),
        walls="street",
    ),
    "room": Setting(
        ("person", "person", "head", "ball", "vessel", "sign", "quadruped", "toy"),
        ("hand", "towel", "balloon", "box", "toy", "cutout", "drone"),
        ("furniture", "furniture", "furniture", "picture", "vessel", "box"),
        (3, 28),
        ("floor", "carpet", "wood"),
        ("stains", "patches", "court"),
        walls="room",
    ),
    "aerial": Setting(
        ("car", "car", "car", "person", "bike", "quadruped", "boat"),
        ("drone", "bird"),
        ("tree", "tree", "house", "car", "rock", "pole"),
        (35, 85),
        ("meadow", "soil", "asphalt", "sand", "snow", "water"),
        ("road", "field", "court", "patches", "river", "litter"),
    ),
    "sky": Setting(
        (),
        ("bird", "bird", "plane", "plane", "drone", "balloon", "towel", "ball", "jelly", "cutout"),
        (),
        (-35, 5),
        (),
        skies=("clear", "clouds", "clouds", "overcast", "evening", "night", "space"),
        skylines=("none", "hills", "trees", "city"),
    ),
    "underwater": Setting(
        ("insect", "snake", "toy"),
        ("fish", "fish", "fish", "jelly", "cutout", "snake"),
        ("rock", "rock", "tree", "vessel"),
        (-5, 30),
        ("sand", "stone", "soil"),
        ("patches", "stains", "litter"),
        skies=("water",),
        skylines=("none",),
    ),
    "sea": Setting(
        ("boat", "boat", "person", "toy"),
        ("bird", "plane", "drone", "balloon"),
        ("rock", "boat", "pole"),
        (2, 25),
        ("water",),
        ("stains", "patches"),
        skylines=("none", "none", "hills", "city"),
    ),
    "table": Setting(
        ("vessel", "vessel", "insect", "insect", "ball", "head", "snake"),
        ("hand", "hand", "box", "toy", "toy", "towel", "cutout", "jelly"),
        ("vessel", "vessel", "box", "toy", "sign"),
        (8, 60),
        ("wood", "cloth", "floor", "carpet", "metal", "any"),
        ("stains", "litter", "patches"),
        skies=("blurred", "blurred", "hall"),
        skylines=("none",),
    ),
    "close": Setting(
        (),
        ("hand", "head", "head", "cutout", "towel", "box", "toy", "jelly", "vessel", "sign"),
        (),
        (-5, 5),
        (),
        skies=("blurred", "blurred", "hall", "clouds"),
        skylines=("none", "trees"),
    ),
}  # fmt: skip


def sample_place(rng: np.random.Generator, kind: str, distance: float, night: float) -> Place:
    """A place of one of SETTINGS for a camera that looks along z at something ``distance`` metres away.

    Args:
        night: probability of darkness, where the sky may be dark.
    """
    setting = SETTINGS[kind]
    skies = [name for name in setting.skies if name not in ("night", "space")]
    dark = rng.uniform() < night and len(skies) < len(setting.skies)
    sky_kind = str(rng.choice([name for name in setting.skies if name not in skies] if dark else skies))
    sky = Sky(sky_kind, str(rng.choice(setting.skylines)), _sky_colors(rng, sky_kind), _seed(rng))
    height, heading = rng.uniform(0.35, 1.2), rng.uniform(0, 2 * np.pi)
    sun = (math.cos(heading), height, math.sin(heading))
    indoors = setting.walls == "room"
    hard = 0.0 if sky_kind in ("overcast", "water", "night", "hall") else rng.uniform(0.2, 0.7)
    fog = np.inf
    if sky_kind in ("blurred", "hall") or kind == "underwater":
        fog = distance * rng.uniform(2.0, 5.0)
    elif setting.walls == "none" and rng.uniform() < 0.5:
        fog = distance * rng.uniform(8, 40)
    return Place(
        kind,
        _surfaces(rng, setting, distance),
        sky,
        sun,
        ambient=float(rng.uniform(0.55, 0.8)) if indoors or hard == 0 else float(rng.uniform(0.3, 0.6)),
        shadow=0.5 * hard if indoors else hard,
        fog=float(fog),
    )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _sky_colors(rng: np.random.Generator, kind: str) -> tuple[Color, Color, Color]:
    """Of the zenith, the horizon and the skyline."""
    palette = np.asarray(sample_palette(rng))
    if kind in ("blurred", "hall"):
        zenith, horizon = palette[0], palette[1]
    elif kind == "water":
        zenith = np.array([0.1, 0.5, 0.65]) + rng.uniform(-0.1, 0.2, 3)
        horizon = zenith * rng.uniform(0.5, 0.9)
    else:
        zenith = np.array([0.3, 0.5, 0.85]) * rng.uniform(0.5, 1.1) + rng.uniform(-0.08, 0.12, 3)
        horizon = np.array([0.8, 0.85, 0.9]) * rng.uniform(0.6, 1.1) + rng.uniform(-0.1, 0.1, 3)
        if kind == "overcast":
            zenith = horizon * rng.uniform(0.7, 1.0)
    skyline = 0.5 * palette[2] + 0.5 * np.array([0.25, 0.35, 0.25])
    return tuple(tuple(np.clip(color, 0.02, 1.0).tolist()) for color in (zenith, horizon, skyline))


def _surfaces(rng: np.random.Generator, setting: Setting, distance: float) -> tuple[Surface, ...]:
    if not setting.grounds:
        return ()
    plan = Plan(
        str(rng.choice(setting.plans)), distance * rng.uniform(2.5, 9), float(rng.uniform(0.2, 0.9)), _seed(rng)
    )
    turned = rng.uniform(0, 2 * np.pi) if setting.walls == "none" else 0.0
    across = (math.cos(turned), 0.0, -math.sin(turned))
    along = (math.sin(turned), 0.0, math.cos(turned))
    grounds = _pair(rng, setting.grounds)
    tile = max(0.15, distance * rng.uniform(0.2, 0.7))
    surfaces = [Surface((0.0, 1.0, 0.0), 0.0, across, along, tile, grounds, plan)]
    if setting.walls != "none":
        surfaces += _walls(rng, setting.walls, distance)
    return tuple(surfaces)


def _pair(rng: np.random.Generator, themes: tuple[str, ...]) -> tuple[Material, Material]:
    first, second = (_subdued(rng, str(rng.choice(themes))) for _ in range(2))
    return first, second


def _subdued(rng: np.random.Generator, theme: str) -> Material:
    """A material for a large surface: seldom as colourful as what moves in front of it."""
    material = sample_material(rng, theme)
    colors = np.asarray(material.palette)
    grey = colors.mean(axis=1, keepdims=True)
    colors = grey + float(rng.choice((1.0, rng.uniform(0.15, 0.6)), p=(0.2, 0.8))) * (colors - grey)
    colors = colors.mean(axis=0) + float(rng.uniform(0.4, 1.0)) * (colors - colors.mean(axis=0))
    return replace(material, palette=tuple(map(tuple, np.clip(colors, 0.02, 1).tolist())))


def _walls(rng: np.random.Generator, kind: str, distance: float) -> list[Surface]:
    """The sides of a street, or the walls and the ceiling of a room, as far off as ``distance`` asks for."""
    theme = "facade" if kind == "street" else "wall"
    down = (0.0, -1.0, 0.0)
    surfaces = []
    for side in (-1.0, 1.0):
        away = -distance * rng.uniform(0.9, 2.2)
        material = (_subdued(rng, theme),)
        tile = distance * rng.uniform(0.4, 1.5)
        surfaces.append(Surface((-side, 0.0, 0.0), away, (0.0, 0.0, 1.0), down, tile, material))
    if kind == "room":
        end, height = distance * rng.uniform(1.8, 3.5), distance * rng.uniform(0.9, 1.6) + 0.5
        wall, ceiling = (_subdued(rng, theme),), (_subdued(rng, theme),)
        tile = distance * rng.uniform(0.4, 1.2)
        surfaces.append(Surface((0.0, 0.0, -1.0), -end, (1.0, 0.0, 0.0), down, tile, wall))
        surfaces.append(Surface((0.0, -1.0, 0.0), -height, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), tile, ceiling))
    return surfaces
