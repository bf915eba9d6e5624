"""Procedural textures: a scalar field, painted with a small palette, roughened by grain and marked by a few strokes.

Targets, distractors, clutter and backgrounds all draw from the one distribution here: nothing about the kind of texture
tells a target from what surrounds it.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import cv2
import numpy as np

from trackdata.synth.curves import log_uniform

Color = tuple[float, float, float]  # RGB in [0, 1]

KINDS = ("fractal", "stripes", "checks", "spots", "mosaic", "rings", "gradient", "plaid")


@dataclass(frozen=True)
class TextureSpec:
    """What a texture looks like; the same spec at the same size gives the same pixels.

    Attributes:
        kind: the scalar field, one of KINDS.
        palette: colours the field runs through from 0 to 1.
        cells: periods or cells of the field across the shorter side.
        angle: direction of the field in radians.
        warp: how far smooth noise bends the field, in cells.
        bands: colours are flat areas with sharp edges instead of blends.
        grain: relative strength of fine brightness noise.
        marks: number of strokes and dots on top: landmarks that a repeating pattern lacks.
        seed: of everything random inside the field.
    """

    kind: str
    palette: tuple[Color, ...]
    cells: float
    angle: float
    warp: float
    bands: bool
    grain: float
    marks: int
    seed: int


def sample_palette(rng: np.random.Generator) -> tuple[Color, ...]:
    """Three to five colours that go together: mostly muted neighbours in hue, sometimes vivid or grey."""
    count = int(rng.integers(3, 6))
    hue = rng.uniform()
    mood = rng.choice(4, p=(0.45, 0.2, 0.2, 0.15))
    spread, saturation = ((0.06, (0.1, 0.55)), (0.5, (0.45, 1.0)), (0.1, (0.4, 0.9)), (0.5, (0.0, 0.12)))[mood]
    middle, contrast = rng.uniform(0.25, 0.75), rng.uniform(0.12, 0.45)
    colors = []
    for _ in range(count):
        tone = (hue + spread * rng.uniform(-1, 1)) % 1.0
        value = np.clip(middle + contrast * rng.uniform(-1, 1), 0.04, 0.97)
        colors.append(colorsys.hsv_to_rgb(tone, rng.uniform(*saturation), float(value)))
    return tuple(colors)


def calmed(palette: tuple[Color, ...], contrast: float) -> tuple[Color, ...]:
    """``palette`` with its colours drawn towards their mean: ``contrast`` 1 leaves them, 0 makes them all the same."""
    colors = np.asarray(palette)
    mean = colors.mean(axis=0)
    return tuple(map(tuple, (mean + contrast * (colors - mean)).tolist()))


def sample_texture(rng: np.random.Generator, palette: tuple[Color, ...] | None = None) -> TextureSpec:
    """A random texture, in ``palette`` when given."""
    return TextureSpec(
        kind=str(rng.choice(KINDS)),
        palette=sample_palette(rng) if palette is None else palette,
        cells=log_uniform(rng, 1.5, 9.0),
        angle=float(rng.uniform(0, np.pi)),
        warp=float(rng.choice((0.0, rng.uniform(0.1, 0.9)))),
        bands=bool(rng.uniform() < 0.5),
        grain=float(rng.uniform(0.02, 0.25)),
        marks=int(rng.integers(0, 6)),
        seed=int(rng.integers(2**31)),
    )


def vary_texture(rng: np.random.Generator, spec: TextureSpec, amount: float) -> TextureSpec:
    """Another individual of the sort. ``amount`` 0 redraws the random field and keeps the rest; 1 moves everything."""
    palette = tuple(
        tuple(np.clip(np.asarray(c) + amount * rng.normal(0, 0.16, 3), 0, 1).tolist()) for c in spec.palette
    )
    other_kind = rng.uniform() < 0.35 * amount
    return replace(
        spec,
        kind=str(rng.choice(KINDS)) if other_kind else spec.kind,
        palette=palette,
        cells=spec.cells * float(np.exp(amount * rng.normal(0, 0.4))),
        angle=spec.angle + amount * float(rng.normal(0, 0.7)),
        marks=int(rng.integers(0, 6)),
        seed=int(rng.integers(2**31)),
    )


def value_noise(rng: np.random.Generator, shape: tuple[int, int], cells: float, octaves: int = 4) -> np.ndarray:
    """Fractal value noise: float32 ``shape``, stretched to [0, 1], from ``cells`` bumps across the shorter side up."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = min(height, width) / (cells * 2**octave)
        if octave and size < 1.5:
            break
        rows, columns = max(2, round(height / size) + 1), max(2, round(width / size) + 1)
        grid = rng.random((rows, columns), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(0.5**octave)
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def build_texture(spec: TextureSpec, shape: tuple[int, int]) -> np.ndarray:
    """Paint ``spec`` as float32 RGB ``(*shape, 3)`` in [0, 255]."""
    rng = np.random.default_rng(spec.seed)
    image = _palette_table(spec)[(_field(spec, shape, rng) * 255).astype(np.uint8)]
    if spec.marks:
        _paint_marks(image, spec, rng)
    grain = value_noise(rng, shape, cells=min(shape) / 3.0, octaves=1) - 0.5
    image *= 1 + 2 * spec.grain * grain[..., None]
    return np.clip(image, 0, 255)


def _palette_table(spec: TextureSpec) -> np.ndarray:
    """``(256, 3)`` float32 colours for field values 0 to 1."""
    colors = np.asarray(spec.palette, np.float32) * 255
    position = np.linspace(0, len(colors) - 1, 256)
    if spec.bands:
        return colors[np.round(position).astype(int)]
    return np.stack([np.interp(position, np.arange(len(colors)), colors[:, k]) for k in range(3)], axis=1).astype(
        np.float32
    )


def _field(spec: TextureSpec, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The scalar field of ``spec``: float32 ``shape`` in [0, 1]."""
    if spec.kind == "fractal":
        return value_noise(rng, shape, spec.cells)
    if spec.kind == "spots":
        return _contrast(value_noise(rng, shape, 1.5 * spec.cells, octaves=2), gain=2.5)
    if spec.kind == "mosaic":
        return _mosaic(spec, shape, rng)
    # cells of the field per pixel; x and y are in cells, rotated and bent
    unit = spec.cells / min(shape)
    x = (np.arange(shape[1], dtype=np.float32) * np.float32(unit))[None, :]
    y = (np.arange(shape[0], dtype=np.float32) * np.float32(unit))[:, None]
    cosine, sine = np.float32(np.cos(spec.angle)), np.float32(np.sin(spec.angle))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    if spec.warp:
        along = along + np.float32(spec.warp) * (value_noise(rng, shape, max(1.5, spec.cells / 2), octaves=2) * 2 - 1)
    turn = np.float32(2 * np.pi)
    start = np.float32(rng.uniform())
    if spec.kind == "stripes":
        return 0.5 + 0.5 * np.sin(turn * (along + start))
    if spec.kind == "checks":
        return 0.5 + 0.5 * np.tanh(6 * np.sin(np.pi * (along + start)) * np.sin(np.pi * across))
    if spec.kind == "plaid":
        return 0.5 + 0.25 * (np.sin(turn * (along + start)) + np.sin(turn * across))
    if spec.kind == "rings":
        center = rng.uniform(0.2, 0.8, 2).astype(np.float32) * np.float32(unit) * np.asarray(shape, np.float32)
        return 0.5 + 0.5 * np.sin(turn * (np.hypot(x - center[1], y - center[0]) + (along - x * cosine - y * sine)))
    ramp = along / max(float(np.abs(along).max()), 1e-6)  # gradient
    return np.clip(np.abs(ramp), 0, 1)


def _contrast(field: np.ndarray, gain: float) -> np.ndarray:
    return np.clip((field - 0.5) * gain + 0.5, 0, 1)


def _mosaic(spec: TextureSpec, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Flat random triangles and quadrilaterals on top of one another."""
    field = np.full(shape, rng.uniform(), np.float32)
    size = min(shape) / spec.cells
    count = int(min(220, 2.5 * shape[0] * shape[1] / size**2))
    centers = rng.uniform((0, 0), (shape[1], shape[0]), (count, 1, 2))
    corners = np.round(centers + rng.uniform(-1.1 * size, 1.1 * size, (count, 4, 2))).astype(np.int32)
    for polygon, level in zip(corners, rng.random(count), strict=True):
        cv2.fillConvexPoly(field, cv2.convexHull(polygon), float(level))
    return field


def _paint_marks(image: np.ndarray, spec: TextureSpec, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    size = min(height, width)
    for _ in range(spec.marks):
        near = spec.palette[int(rng.integers(len(spec.palette)))]
        color = tuple((255 * np.clip(np.asarray(near) + rng.normal(0, 0.25, 3), 0, 1)).tolist())
        start = rng.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height))
        first = (int(start[0]), int(start[1]))
        if rng.uniform() < 0.5:
            cv2.circle(image, first, max(1, int(size * rng.uniform(0.02, 0.08))), color, -1, cv2.LINE_AA)
        else:
            end = start + rng.normal(0, 0.25 * size, 2)
            thickness = max(1, int(size * rng.uniform(0.01, 0.05)))
            cv2.line(image, first, (int(end[0]), int(end[1])), color, thickness, cv2.LINE_AA)
