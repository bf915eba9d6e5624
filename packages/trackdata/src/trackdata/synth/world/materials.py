"""Materials: a pattern, its colours, and how worn and glossy the surface is."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from trackdata.synth.textures import Color, sample_palette
from trackdata.synth.world import noises
from trackdata.synth.world.patterns import PATTERNS


@dataclass(frozen=True)
class Material:
    """What a surface looks like; the same material at the same size gives the same pixels.

    Attributes:
        pattern: one of PATTERNS.
        palette: colours that the pattern runs through from 0 to 1.
        repeats: of the pattern across a tile.
        bands: colours are flat areas with sharp edges instead of blends.
        wear: strength of stains and fine grain, 0 to 1.
        gloss: strength of highlights, 0 to 1.
        seed: of everything random in it.
    """

    pattern: str
    palette: tuple[Color, ...]
    repeats: int
    bands: bool = False
    wear: float = 0.1
    gloss: float = 0.0
    seed: int = 0


def paint(material: Material, side: int) -> np.ndarray:
    """A tile of ``material``: RGB uint8 ``(side, side, 3)`` that continues at opposite edges."""
    rng = np.random.default_rng(material.seed)
    field = PATTERNS[material.pattern](rng, side, material.repeats)
    image = _table(material)[(np.clip(field, 0, 1) * 255).astype(np.uint8)]
    if material.wear:
        stains = noises.fractal(rng, max(8, side // 4), 2, octaves=3) - np.float32(0.5)
        stains = cv2.resize(np.pad(stains, 1, mode="wrap"), None, fx=4, fy=4)[4:-4, 4:-4][:side, :side]
        grain = rng.standard_normal((side, side), np.float32)
        image = image * (1 + np.float32(material.wear) * (stains + np.float32(0.12) * grain))[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _table(material: Material) -> np.ndarray:
    """``(256, 3)`` float32 colours of the field's values."""
    colors = np.asarray(material.palette, np.float32) * 255
    position = np.linspace(0, len(colors) - 1, 256)
    if material.bands:
        return colors[np.round(position).astype(int)]
    return np.stack([np.interp(position, np.arange(len(colors)), part) for part in colors.T], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Theme:
    """A kind of material: what it may look like.

    Attributes:
        patterns: names to choose from, separated by blanks.
        hue, saturation, value: ranges of the main colour; None draws a free palette.
        contrast: how far the other colours lie from it in value.
        repeats: fewest and most.
        gloss: least and most.
    """

    patterns: str
    hue: tuple[float, float] | None = None
    saturation: tuple[float, float] = (0.0, 1.0)
    value: tuple[float, float] = (0.1, 1.0)
    contrast: float = 0.25
    repeats: tuple[int, int] = (2, 6)
    gloss: tuple[float, float] = (0.0, 0.0)


THEMES: Mapping[str, Theme] = {
    "skin": Theme("plain", (0.03, 0.09), (0.25, 0.6), (0.3, 0.95), 0.06, (1, 2), (0.0, 0.2)),
    "hair": Theme("fur grain", (0.0, 0.12), (0.1, 0.7), (0.04, 0.7), 0.12, (2, 4)),
    "fur": Theme("fur clouds patches leopard labyrinth stripes", (0.02, 0.13), (0.05, 0.7), (0.1, 0.9), 0.35),
    "feathers": Theme("scales clouds plain patches", None, contrast=0.3, repeats=(3, 8)),
    "hide": Theme("scales pebbles leopard labyrinth stripes patches", None, repeats=(3, 9), gloss=(0, 0.5)),
    "cloth": Theme("plain plaid stripes dots checks weave emblem writing patches gradient", None),
    "plain cloth": Theme("plain weave plain stripes", None, contrast=0.12, repeats=(4, 9)),
    "paint": Theme("plain plain gradient stripes emblem", None, contrast=0.15, repeats=(1, 3), gloss=(0.3, 1.0)),
    "any": Theme(" ".join(PATTERNS), None, contrast=0.4, repeats=(2, 8), gloss=(0.0, 0.8)),
    "print": Theme("emblem writing emblem checks crystals", None, contrast=0.5, repeats=(3, 7)),
    "dark": Theme("plain", (0.0, 1.0), (0.0, 0.2), (0.03, 0.16), 0.05, (1, 2), (0.2, 0.8)),
    "glass": Theme("plain gradient", (0.5, 0.65), (0.05, 0.4), (0.12, 0.5), 0.15, (1, 2), (0.6, 1.0)),
    "metal": Theme("plain grain gradient", (0.5, 0.7), (0.0, 0.12), (0.35, 0.85), 0.15, (1, 3), (0.5, 1.0)),
    "rust": Theme("clouds patches veins", (0.02, 0.1), (0.3, 0.8), (0.2, 0.6), 0.2, (2, 5)),
    "wood": Theme("grain planks", (0.05, 0.11), (0.25, 0.65), (0.2, 0.8), 0.15, (1, 5)),
    "stone": Theme("clouds veins pebbles crystals", (0.05, 0.6), (0.0, 0.15), (0.25, 0.8), 0.2, (2, 6)),
    "leaves": Theme("clouds grass pebbles crystals", (0.17, 0.4), (0.3, 0.8), (0.12, 0.6), 0.25, (5, 10)),
    "bark": Theme("grain fur", (0.05, 0.12), (0.1, 0.45), (0.12, 0.5), 0.15, (3, 5)),
    "wall": Theme("bricks clouds tiles plain planks stripes", None, contrast=0.15, repeats=(2, 6)),
    "facade": Theme("windows windows windows bricks", None, contrast=0.3, repeats=(2, 6)),
    "meadow": Theme("grass clouds grass", (0.16, 0.36), (0.25, 0.75), (0.15, 0.6), 0.2, (3, 7)),
    "sand": Theme("clouds labyrinth pebbles", (0.07, 0.14), (0.15, 0.5), (0.4, 0.9), 0.12, (3, 8)),
    "asphalt": Theme("clouds plain pebbles", (0.5, 0.7), (0.0, 0.08), (0.15, 0.5), 0.1, (3, 9)),
    "snow": Theme("clouds plain", (0.5, 0.65), (0.0, 0.12), (0.75, 1.0), 0.08, (2, 6)),
    "water": Theme("veins clouds", (0.45, 0.62), (0.3, 0.8), (0.2, 0.7), 0.2, (3, 6), (0.3, 0.8)),
    "soil": Theme("clouds pebbles veins", (0.04, 0.11), (0.2, 0.6), (0.15, 0.55), 0.2, (3, 8)),
    "floor": Theme("tiles planks checks plaid weave clouds grain", None, contrast=0.2, repeats=(2, 6)),
    "carpet": Theme("labyrinth dots plaid patches weave emblem", None, contrast=0.3, repeats=(2, 8)),
}  # fmt: skip


def sample_material(rng: np.random.Generator, theme: str, palette: tuple[Color, ...] | None = None) -> Material:
    """A material of one of THEMES, in the colours of ``palette`` when given."""
    kind = THEMES[theme]
    if palette is None:
        palette = sample_palette(rng) if kind.hue is None else _shades(rng, kind)
    pattern = str(rng.choice(kind.patterns.split()))
    mean = np.asarray(palette).mean(axis=0)
    spread = np.clip(mean + (np.asarray(palette) - mean) * min(1.0, 0.4 + 2 * kind.contrast), 0, 1)
    return Material(
        pattern,
        tuple(map(tuple, spread.tolist())),
        repeats=int(rng.integers(kind.repeats[0], kind.repeats[1] + 1)),
        bands=bool(rng.uniform() < 0.25),
        wear=float(rng.uniform(0.05, 0.45)),
        gloss=float(rng.uniform(*kind.gloss)),
        seed=int(rng.integers(2**31)),
    )


def _shades(rng: np.random.Generator, kind: Theme) -> tuple[Color, ...]:
    """Two to four colours around one of the theme's."""
    hue, saturation, value = (rng.uniform(*bounds) for bounds in (kind.hue, kind.saturation, kind.value))
    colors = []
    for _ in range(int(rng.integers(2, 5))):
        tone = (hue + rng.normal(0, 0.015)) % 1.0
        strength = np.clip(saturation + rng.normal(0, 0.08), 0, 1)
        level = np.clip(value + kind.contrast * rng.uniform(-1, 1), 0.02, 1)
        colors.append(colorsys.hsv_to_rgb(tone, float(strength), float(level)))
    return tuple(colors)


def vary_material(rng: np.random.Generator, material: Material, amount: float) -> Material:
    """The material of another individual: the same pattern, other details, colours off by ``amount`` (0 to 1)."""
    shift = rng.normal(0, 0.12 * amount, 3) + rng.normal(0, 0.1 * amount)
    colors = np.clip(
        np.asarray(material.palette) + shift + rng.normal(0, 0.04 * amount, (len(material.palette), 3)), 0, 1
    )
    return replace(material, palette=tuple(map(tuple, colors.tolist())), seed=int(rng.integers(2**31)))
