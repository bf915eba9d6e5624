"""Patterns: what a surface's brightness does, before colours are put in.

Every pattern is a function of a random generator, the tile's side in pixels and the number of repeats across it. It
gives a float32 ``(side, side)`` field in [0, 1] that continues at opposite edges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from trackdata.synth.world import noises

Pattern = Callable[[np.random.Generator, int, int], np.ndarray]


def _turns(side: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal and vertical position in repeats, ``(1, side)`` and ``(side, 1)`` float32."""
    axis = (np.arange(side, dtype=np.float32) + np.float32(0.5)) * np.float32(repeats / side)
    return axis[None, :], axis[:, None]


def _direction(rng: np.random.Generator, repeats: int) -> tuple[int, int]:
    """Whole numbers of waves along x and y, about ``repeats`` in all, so that the tile continues."""
    angle = rng.uniform(0, np.pi)
    waves = round(repeats * np.cos(angle)), round(repeats * np.sin(angle))
    return waves if any(waves) else (repeats, 0)


def _clouds(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    return noises.fractal(rng, side, repeats)


def _veins(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    return noises.ridges(rng, side, repeats)


def _patches(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    """Camouflage: flat areas with ragged edges."""
    field = noises.fractal(rng, side, repeats)
    levels = int(rng.integers(3, 6))
    return np.floor(np.clip((field - 0.25) * 2, 0, 0.999) * levels) / np.float32(levels - 1)


def _crystals(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    return noises.cells(rng, side, repeats)[0]


def _pebbles(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    level, center = noises.cells(rng, side, repeats)
    return np.clip(1.6 * center - 0.3, 0, 1) * (0.45 + 0.55 * level)


def _labyrinth(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    return noises.labyrinth(rng, side, max(2, repeats))


def _leopard(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    return noises.labyrinth(rng, side, max(2, repeats), spots=rng.uniform(0.6, 1.0))


def _stripes(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    x, y = _turns(side, 1)
    across, along = _direction(rng, repeats)
    bend = np.float32(rng.choice((0.0, rng.uniform(0.3, 1.5)))) * noises.fractal(rng, side, 3, octaves=2)
    wave = np.sin(np.float32(2 * np.pi) * (across * x + along * y + bend))
    sharp = np.float32(rng.choice((1.0, 6.0)))
    return 0.5 + 0.5 * np.tanh(sharp * wave) / np.tanh(sharp)


def _grain(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    """Wood: long stretched rings."""
    squeeze = noises.fractal(rng, side, 2, octaves=3)
    x, _ = _turns(side, repeats)
    fine = cv2.blur(rng.random((side, side), np.float32), (1, max(3, side // 5)), borderType=cv2.BORDER_REFLECT_101)
    return noises.unit_range((x + 3 * squeeze) % 1.0 + 1.2 * (fine - 0.5))


def _checks(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    x, y = _turns(side, 2 * max(1, repeats // 2))
    return ((np.floor(x) + np.floor(y)) % 2).astype(np.float32)


def _plaid(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    lines = rng.random(max(3, 2 * repeats), np.float32)
    x, y = _turns(side, len(lines))
    return 0.5 * lines[x.astype(int)] + 0.5 * lines[y.astype(int)]


def _dots(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    x, y = _turns(side, repeats)
    shifted = x + 0.5 * (np.floor(y) % 2) * (repeats % 2 == 0)
    radius = np.hypot(shifted % 1 - 0.5, y % 1 - 0.5)
    return np.clip((rng.uniform(0.2, 0.42) - radius) * 12 + 0.5, 0, 1)


def _bricks(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    rows = 2 * max(1, repeats)
    x, y = _turns(side, rows)
    wide = x / 2 + 0.5 * (np.floor(y) % 2)
    levels = rng.uniform(0.35, 1.0, (rows, rows)).astype(np.float32)
    brick = levels[np.floor(y).astype(int) % rows, np.floor(wide).astype(int) % max(1, rows // 2)]
    joint = ((wide % 1) < 0.06) | ((y % 1) < 0.12)
    return np.where(joint, np.float32(0.0), brick)


def _tiles(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    x, y = _turns(side, repeats)
    levels = rng.uniform(0.6, 1.0, (repeats, repeats)).astype(np.float32)
    if rng.uniform() < 0.5:
        levels *= 0.6 + 0.4 * (np.add.outer(np.arange(repeats), np.arange(repeats)) % 2).astype(np.float32)
    joint = ((x % 1) < 0.05) | ((y % 1) < 0.05)
    return np.where(joint, np.float32(0.1), levels[np.floor(y).astype(int), np.floor(x).astype(int)])


def _planks(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    x, y = _turns(side, repeats)
    number = np.floor(x).astype(int)
    ends = rng.random(repeats)[number]
    level = rng.uniform(0.5, 1.0, repeats).astype(np.float32)[number]
    joint = ((x % 1) < 0.05) | (np.abs((y / repeats + ends) % 1 - 0.5) < 0.01)
    fine = cv2.blur(rng.random((side, side), np.float32), (1, max(3, side // 6))) - 0.5
    return np.clip(np.where(joint, np.float32(0.1), level + 0.8 * fine), 0, 1)


def _weave(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    x, y = _turns(side, 2 * repeats)
    over = (np.floor(x) + np.floor(y)) % 2 > 0
    return np.where(over, np.sin(np.pi * (x % 1)), 0.75 * np.sin(np.pi * (y % 1))).astype(np.float32)


def _scales(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    """Overlapping rounded plates: fish, roof tiles, feathers."""
    x, y = _turns(side, 2 * max(1, repeats // 2))
    row, down = np.floor(y), y % 1
    upper = np.hypot((x + 0.5 * (row % 2)) % 1 - 0.5, down)
    lower = np.hypot((x + 0.5 * (row % 2) + 0.5) % 1 - 0.5, 1 - down)
    return np.clip(np.where(upper < 0.72, 1 - upper / 0.9, 0.75 - lower / 0.9), 0, 1).astype(np.float32)


def _windows(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    """A facade: wall, frames, and panes that are dark, sky-bright or lit."""
    columns, rows = max(1, repeats), max(1, repeats)
    x, y = _turns(side, columns)[0], _turns(side, rows)[1]
    panes = rng.choice((0.75, 0.85, 1.0), (rows, columns), p=(0.5, 0.35, 0.15)).astype(np.float32)
    edge = rng.uniform(0.12, 0.3)
    inside = (np.abs(x % 1 - 0.5) < 0.5 - edge) & (np.abs(y % 1 - 0.5) < 0.5 - 0.8 * edge)
    frame = inside & ((np.abs(x % 1 - 0.5) > 0.44 - edge) | (np.abs(y % 1 - 0.5) > 0.45 - 0.8 * edge))
    wall = 0.25 * noises.fractal(rng, side, 4)
    pane = panes[np.floor(y).astype(int), np.floor(x).astype(int)]
    return np.where(frame, np.float32(0.5), np.where(inside, pane, wall))


def _writing(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    """Lines of letters that say nothing, now and then a big word."""
    field = np.zeros((side, side), np.float32)
    lines = int(np.clip(repeats, 1, max(1, side // 12)))
    height = side / lines
    for line in range(lines):
        cursor = rng.uniform(0.02, 0.1) * side
        weight = max(1, round(height * rng.uniform(0.06, 0.16)))
        while cursor < 0.96 * side:
            width = height * rng.uniform(0.35, 0.6)
            if rng.uniform() < 0.85 and cursor + width < side:
                _glyph(field, rng, cursor, (line + 0.22) * height, 0.8 * width, 0.6 * height, weight)
            cursor += width
    return field


def _glyph(
    field: np.ndarray, rng: np.random.Generator, left: float, top: float, width: float, height: float, weight: int
) -> None:
    """Two to four strokes between the nine points of a letter's frame, some of them round."""
    for _ in range(int(rng.integers(2, 5))):
        points = rng.integers(0, 3, (2, 2)) / 2 * (width, height) + (left, top)
        first, last = (tuple(point.round().astype(int).tolist()) for point in points)
        if rng.uniform() < 0.3:
            axes = (max(1, round(width / 2)), max(1, round(height / 4)))
            cv2.ellipse(field, first, axes, 0, 0, float(rng.choice((180, 270, 360))), 1.0, weight)
        else:
            cv2.line(field, first, last, 1.0, weight)


def _emblem(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    """A sign: frame, a few shapes in the middle, a word below."""
    field = np.zeros((side, side), np.float32)
    margin = max(1, round(side * rng.uniform(0.03, 0.1)))
    cv2.rectangle(field, (margin, margin), (side - 1 - margin, side - 1 - margin), 0.6, margin)
    for level in (0.8, 0.3, 1.0):
        center = rng.uniform(0.35, 0.65, 2) * side
        corners = int(rng.choice((3, 4, 5, 6, 24)))
        angle = np.arange(corners) * (2 * np.pi / corners) + rng.uniform(0, 6)
        radius = side * rng.uniform(0.08, 0.28)
        shape = center + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        cv2.fillConvexPoly(field, shape.round().astype(np.int32), level)
    letters = int(rng.integers(3, 7))
    width = 0.8 * side / letters
    for letter in range(letters):
        _glyph(field, rng, 0.1 * side + letter * width, 0.74 * side, 0.7 * width, 0.14 * side, max(1, side // 32))
    return field


def _grass(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    return noises.strokes(rng, side, min(800, 130 * repeats), 0.3 / repeats, rng.uniform(0, np.pi), 0.7)


def _fur(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    coat = noises.fractal(rng, side, repeats, octaves=3)
    return noises.unit_range(noises.strokes(rng, side, 500, 0.1, np.pi / 2, 0.3) + 1.5 * coat)


def _gradient(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    x, y = _turns(side, 1)
    across, along = _direction(rng, 1)
    return (0.5 - 0.5 * np.cos(np.float32(2 * np.pi) * (across * x + along * y))).astype(np.float32)


def _plain(rng: np.random.Generator, side: int, repeats: int) -> np.ndarray:
    return 0.35 + 0.3 * noises.fractal(rng, side, 2, octaves=2)


PATTERNS: Mapping[str, Pattern] = {
    "bricks": _bricks,
    "checks": _checks,
    "clouds": _clouds,
    "crystals": _crystals,
    "dots": _dots,
    "emblem": _emblem,
    "fur": _fur,
    "gradient": _gradient,
    "grain": _grain,
    "grass": _grass,
    "labyrinth": _labyrinth,
    "leopard": _leopard,
    "patches": _patches,
    "pebbles": _pebbles,
    "plaid": _plaid,
    "plain": _plain,
    "planks": _planks,
    "scales": _scales,
    "stripes": _stripes,
    "tiles": _tiles,
    "veins": _veins,
    "weave": _weave,
    "windows": _windows,
    "writing": _writing,
}
