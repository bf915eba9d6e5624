"""Random fields on square tiles that continue at their opposite edges: float32 ``(side, side)`` in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np


def unit_range(field: np.ndarray) -> np.ndarray:
    """``field`` stretched to [0, 1]."""
    low, high = float(field.min()), float(field.max())
    return (field - np.float32(low)) * np.float32(1 / max(high - low, 1e-6))


def lattice(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Value noise with ``cells`` bumps across the tile, at most one a pixel."""
    cells = int(np.clip(cells, 1, side))
    grid = np.pad(rng.random((cells, cells), np.float32), 2, mode="wrap")
    factor = -(-side // cells)
    smooth = cv2.resize(grid, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    smooth = smooth[2 * factor : -2 * factor, 2 * factor : -2 * factor]
    return cv2.resize(smooth, (side, side), interpolation=cv2.INTER_LINEAR)


def fractal(rng: np.random.Generator, side: int, cells: int, octaves: int = 5, fall: float = 0.5) -> np.ndarray:
    """Octaves of value noise, each ``fall`` times as strong as the one before: clouds, stone, dirt."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        if octave and cells * 2**octave > side:
            break
        total += np.float32(fall**octave) * lattice(rng, side, cells * 2**octave)
    return unit_range(total)


def ridges(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Bright creases on dark ground: veins, cracked mud, light on water."""
    total = np.zeros((side, side), np.float32)
    for octave in range(4):
        if octave and cells * 2**octave > side:
            break
        total += np.float32(0.55**octave) * (1 - np.abs(2 * unit_range(lattice(rng, side, cells * 2**octave)) - 1))
    return unit_range(total) ** 2


def cells(rng: np.random.Generator, side: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Voronoi cells of about ``count``² points.

    Returns:
        A random level of each cell, and the closeness to its centre (1 at the centre, 0 at the farthest corner).
    """
    number = max(2, count * count)
    # one jittered point per square of a grid keeps the sizes of cells alike
    row, column = np.divmod(np.arange(number), max(1, round(np.sqrt(number))))
    spacing = side / max(1, round(np.sqrt(number)))
    points = (np.stack([column, row], axis=1) + rng.uniform(0, 1, (number, 2))) * spacing % side
    field = np.full((2 * side, 2 * side), 255, np.uint8)
    start = side // 2
    shifts = np.array([[dx, dy] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]) * side
    places = (points[None] + shifts[:, None]).reshape(-1, 2) + start
    owner = np.tile(np.arange(number), 9)
    inside = ((places >= 0) & (places < 2 * side)).all(axis=1)
    columns, rows = places[inside].astype(int).T
    field[rows, columns] = 0
    distance, label = cv2.distanceTransformWithLabels(field, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    owners = np.zeros(int(label.max()) + 1, int)
    owners[label[rows, columns]] = owner[inside]
    window = slice(start, start + side)
    levels = rng.random(number, np.float32)[owners[label[window, window]]]
    return levels, 1 - unit_range(distance[window, window])


def labyrinth(rng: np.random.Generator, side: int, waves: int, spots: float = 0.0) -> np.ndarray:
    """Stripes and spots as reaction and diffusion make them: about ``waves`` across the tile.

    White noise is sharpened again and again within one band of wavelengths, which is where Turing's equations end up.

    Args:
        spots: from labyrinths (0) to separate spots (1).
    """
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * side
    band = np.exp(-(((frequency - waves) / (0.3 * waves)) ** 2)).astype(np.float32)
    field = rng.standard_normal((side, side), np.float32)
    for _ in range(6):
        field = np.fft.irfft2(np.fft.rfft2(field) * band, s=(side, side)).astype(np.float32)
        field = np.tanh(1.6 * field / max(float(field.std()), 1e-6) - np.float32(0.8 * spots))
    return unit_range(field)


def strokes(rng: np.random.Generator, side: int, count: int, length: float, angle: float, spread: float) -> np.ndarray:
    """Short lines on top of one another, like grass, fur or straw.

    Args:
        length: in shares of the tile.
        angle, spread: mean and standard deviation of the direction in radians.
    """
    field = (0.5 * fractal(rng, side, 4)).copy()
    starts = rng.uniform(0, side, (count, 2))
    directions = rng.normal(angle, spread, count)
    ends = starts + side * length * rng.uniform(0.4, 1, count)[:, None] * np.column_stack(
        [np.cos(directions), np.sin(directions)]
    )
    width = max(1, round(side / 160))
    for start, end, level in zip(starts, ends, rng.random(count).tolist(), strict=True):
        for shift in {0, *(np.floor(end / side).astype(int) * side).tolist()}:  # lines that leave come in again
            first, last = ((point - shift).round().astype(int).tolist() for point in (start, end))
            cv2.line(field, first, last, level, width, cv2.LINE_8)
    return field
