"""Maps of large surfaces: paths, painted lines, patches of another material, stains."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trackdata.synth.world import noises

KINDS = ("stains", "road", "court", "patches", "river", "field", "litter")
_SIDE = 512
_LEVELS = 5


@dataclass(frozen=True)
class Plan:
    """A square map that repeats.

    Attributes:
        kind: one of KINDS.
        extent: side of the map in metres.
        strength: of stains, 0 to 1.
        seed: of everything random in it.
    """

    kind: str
    extent: float
    strength: float
    seed: int


class PaintedPlan:
    """A map in several sizes."""

    def __init__(self, picture: np.ndarray, extent: float) -> None:
        self.extent = extent
        self._levels = [picture]
        for _ in range(_LEVELS - 1):
            self._levels.append(cv2.resize(self._levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))

    def look(self, x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
        """The map at positions in metres: uint8 ``(h, W, 4)``, colour factors times 128, the second material's share.

        Every other pixel is looked up, as the map is coarser than the image anyway.

        Args:
            pixel: metres that a pixel spans, about; decides how fine the map is.
        """
        picture = self._levels[int(np.clip(np.log2(max(pixel * _SIDE / self.extent, 1e-3)), 0, _LEVELS - 1))]
        scale = np.float32(len(picture) / self.extent)
        # OpenCV wraps positions at the picture's edges, as long as they fit its integers
        limit = np.float32(30 * len(picture))
        maps = (np.clip(part[::2, ::2] * scale, -limit, limit) for part in (x, y))
        found = cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return cv2.resize(found, (x.shape[1], x.shape[0]), interpolation=cv2.INTER_LINEAR)


def paint_plan(plan: Plan) -> PaintedPlan:
    """Paint the map of ``plan``."""
    rng = np.random.default_rng(plan.seed)
    tone = noises.fractal(rng, _SIDE // 2, 3, octaves=6) - np.float32(0.5)
    tint = [noises.fractal(rng, _SIDE // 8, 2, octaves=3) - np.float32(0.5) for _ in range(3)]
    tint = cv2.resize(cv2.merge(tint), (_SIDE // 2, _SIDE // 2))
    factors = (1 + np.float32(plan.strength) * tone)[..., None] * (1 + np.float32(0.25 * plan.strength) * tint)
    factors = cv2.resize(factors, (_SIDE, _SIDE))
    second = np.zeros((_SIDE, _SIDE), np.float32)
    _PAINTERS[plan.kind](rng, factors, second, _SIDE / plan.extent)
    return PaintedPlan(cv2.convertScaleAbs(cv2.merge([*cv2.split(128 * factors), 255 * second])), plan.extent)


def _stains(rng: np.random.Generator, factors: np.ndarray, second: np.ndarray, metre: float) -> None:
    dark = np.ones((_SIDE, _SIDE), np.float32)
    for _ in range(int(rng.integers(2, 10))):
        center = tuple(rng.integers(0, _SIDE, 2).tolist())
        axes = tuple(np.maximum(1, rng.uniform(0.2, 1.5, 2) * metre).astype(int).tolist())
        cv2.ellipse(dark, center, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.6, 0.95)), -1)
    factors *= cv2.GaussianBlur(dark, (0, 0), max(0.5, 0.1 * metre))[..., None]


def _road(rng: np.random.Generator, factors: np.ndarray, second: np.ndarray, metre: float) -> None:
    """A road along y of the second material with a broken line in its middle, and sometimes a crossing one."""
    half = rng.uniform(1.2, 4.0) * metre
    middle = _SIDE / 2
    line = rng.uniform(1.6, 2.6)
    width = max(1, round(0.12 * metre))
    for swapped in (False, True)[: 1 if rng.uniform() < 0.6 else 2]:

        def at(x: float, y: float, swapped: bool = swapped) -> tuple[int, int]:
            return (int(y), int(x)) if swapped else (int(x), int(y))

        cv2.rectangle(second, at(middle - half, -1), at(middle + half, _SIDE), 1.0, -1)
        for start in np.arange(0, _SIDE, 4 * metre):
            dash = at(middle - 0.07 * metre, start), at(middle + 0.07 * metre, start + 2 * metre)
            cv2.rectangle(factors, *dash, (line, line, line), -1)
        for edge in (middle - 0.92 * half, middle + 0.92 * half):
            cv2.line(factors, at(edge, 0), at(edge, _SIDE), (line, line, line), width)


def _court(rng: np.random.Generator, factors: np.ndarray, second: np.ndarray, metre: float) -> None:
    """Lines of a playing field: a rectangle, a middle line, circles."""
    tone = (float(rng.uniform(1.5, 2.0)),) * 3
    width = max(1, round(0.1 * metre))
    low, high = round(0.08 * _SIDE), round(0.92 * _SIDE)
    if rng.uniform() < 0.5:
        cv2.rectangle(second, (low, low), (high, high), 1.0, -1)
    cv2.rectangle(factors, (low, low), (high, high), tone, width)
    cv2.line(factors, (low, _SIDE // 2), (high, _SIDE // 2), tone, width)
    cv2.circle(factors, (_SIDE // 2, _SIDE // 2), round(rng.uniform(0.08, 0.2) * _SIDE), tone, width)
    for row in (low, high):
        half = round(rng.uniform(0.1, 0.25) * _SIDE)
        inner = row + (half if row == low else -half)
        cv2.rectangle(factors, (_SIDE // 2 - half, row), (_SIDE // 2 + half, inner), tone, width)


def _patches(rng: np.random.Generator, factors: np.ndarray, second: np.ndarray, metre: float) -> None:
    field = noises.fractal(rng, _SIDE, int(rng.integers(2, 7)))
    second[:] = np.clip((field - rng.uniform(0.45, 0.65)) * 20 + 0.5, 0, 1)


def _river(rng: np.random.Generator, factors: np.ndarray, second: np.ndarray, metre: float) -> None:
    """A winding band of the second material along y: a path, a brook, a beach."""
    y = np.arange(_SIDE)
    middle = _SIDE / 2 + sum(
        rng.uniform(0.02, 0.12) * _SIDE * np.sin(2 * np.pi * (k * y / _SIDE + rng.uniform())) for k in (1, 2, 3)
    )
    half = rng.uniform(0.5, 3.0) * metre
    distance = np.abs(np.arange(_SIDE)[None, :] - middle[:, None])
    second[:] = np.clip((half - distance) / max(0.15 * metre, 1) + 0.5, 0, 1)


def _field(rng: np.random.Generator, factors: np.ndarray, second: np.ndarray, metre: float) -> None:
    """Mown or ploughed stripes, and plots of different tones."""
    count = int(rng.integers(4, 16))
    stripes = np.repeat(rng.uniform(0.75, 1.25, count), -(-_SIDE // count))[:_SIDE].astype(np.float32)
    factors *= stripes[None, :, None]
    if rng.uniform() < 0.5:
        cut = int(rng.uniform(0.3, 0.7) * _SIDE)
        factors[cut:] *= np.array(rng.uniform(0.6, 1.3, 3), np.float32)
        second[cut:, : int(rng.uniform(0.2, 0.8) * _SIDE)] = 1.0


def _litter(rng: np.random.Generator, factors: np.ndarray, second: np.ndarray, metre: float) -> None:
    """Leaves, flowers, paper: many small coloured dots."""
    colors = rng.uniform(0.3, 2.0, (4, 3))
    for _ in range(int(rng.integers(80, 500))):
        center = tuple(rng.integers(0, _SIDE, 2).tolist())
        axes = tuple(np.maximum(1, rng.uniform(0.03, 0.15, 2) * metre).astype(int).tolist())
        color = tuple(colors[int(rng.integers(4))].tolist())
        cv2.ellipse(factors, center, axes, float(rng.uniform(0, 180)), 0, 360, color, -1)


_PAINTERS = {
    "stains": _stains,
    "road": _road,
    "court": _court,
    "patches": _patches,
    "river": _river,
    "field": _field,
    "litter": _litter,
}
