"""Silhouettes: closed outlines that wobble, bend and move their limbs over time.

Shape coordinates have the origin in the middle of the body, x to the right, y down; the body's bounding box has a
geometric mean side of 2, so that a scale of ``s`` pixels gives a box of about ``2 s`` by ``2 s``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from trackdata.synth.curves import STILL, Curve, wave

Points = tuple[tuple[float, float], ...]

OUTLINE_POINTS = 48


@dataclass(frozen=True)
class Part:
    """A rigid outline that swings around a pivot.

    Attributes:
        outline: corners in the part's own coordinates.
        pivot: where the part's origin sits in shape coordinates.
        swing: the part's angle in radians over time.
        texture: which of the object's textures covers it.
    """

    outline: Points
    pivot: tuple[float, float] = (0.0, 0.0)
    swing: Curve = STILL
    texture: int = 0


@dataclass(frozen=True)
class ShapeSpec:
    """Parts from back to front, and how the whole deforms.

    Attributes:
        parts: the last one is the body.
        wobble: radial waves of the body's outline: lobes, amplitude relative to the radius, period in frames, phase in
            turns.
        bend: sideways displacement ``bend sin(bend_rate y + 1)`` of every point at height y, over time.
        bend_rate: radians per unit of y.
    """

    parts: tuple[Part, ...]
    wobble: tuple[tuple[int, float, float, float], ...] = ()
    bend: Curve = STILL
    bend_rate: float = 2.0

    @property
    def bends(self) -> bool:
        """Whether there is any bend to undo."""
        return self.bend != STILL

    def bend_at(self, y: np.ndarray, time: float) -> np.ndarray:
        """Sideways displacement at height ``y``; depends on y alone, so subtracting it undoes the bend exactly."""
        return np.asarray(self.bend.at(time) * np.sin(self.bend_rate * y + 1.0))

    def corners(self, part: Part, time: float) -> np.ndarray:
        """The outline of ``part`` at ``time``: ``(n, 2)`` float64 in shape coordinates."""
        points = np.asarray(part.outline, np.float64)
        if self.wobble and part is self.parts[-1]:
            angle = np.arctan2(points[:, 1], points[:, 0])
            factor = np.ones(len(points))
            for lobes, amplitude, period, phase in self.wobble:
                factor += amplitude * np.sin(lobes * angle + 2 * np.pi * (time / period + phase))
            points = points * factor[:, None]
        swing = part.swing.at(time)
        cosine, sine = np.cos(swing), np.sin(swing)
        points = points @ np.array([[cosine, sine], [-sine, cosine]]) + part.pivot
        points[:, 0] += self.bend_at(points[:, 1], time)
        return points


def _angles() -> np.ndarray:
    return np.arange(OUTLINE_POINTS) * (2 * np.pi / OUTLINE_POINTS)


def _polar(radius: np.ndarray) -> np.ndarray:
    angle = _angles()
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _ellipse(rng: np.random.Generator) -> np.ndarray:
    power = rng.uniform(0.5, 1.0)  # 1 is an ellipse, smaller values approach a rounded rectangle
    angle = _angles()
    return np.stack([_signed_power(np.cos(angle), power), _signed_power(np.sin(angle), power)], axis=1)


def _signed_power(value: np.ndarray, power: float) -> np.ndarray:
    return np.sign(value) * np.abs(value) ** power


def _polygon(rng: np.random.Generator) -> np.ndarray:
    corners = int(rng.integers(3, 8))
    angle = (np.arange(corners) + rng.uniform(-0.25, 0.25, corners)) * (2 * np.pi / corners) + rng.uniform(0, 2 * np.pi)
    points = rng.uniform(0.75, 1.1, (corners, 1)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _resample(points)


def _star(rng: np.random.Generator) -> np.ndarray:
    tips = int(rng.integers(3, 8))
    inner = rng.uniform(0.4, 0.75)
    angle = np.arange(2 * tips) * (np.pi / tips) + rng.uniform(0, 2 * np.pi)
    radius = np.where(np.arange(2 * tips) % 2, inner, 1.0)
    return _resample(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))


def _blob(rng: np.random.Generator) -> np.ndarray:
    angle, radius = _angles(), np.ones(OUTLINE_POINTS)
    for lobes in range(2, 6):
        radius += rng.normal(0, 0.35 / lobes) * np.sin(lobes * angle + rng.uniform(0, 2 * np.pi))
    return _polar(np.clip(radius, 0.35, 1.8))


FAMILIES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "ellipse": _ellipse,
    "polygon": _polygon,
    "star": _star,
    "blob": _blob,
}


def _resample(points: np.ndarray) -> np.ndarray:
    """OUTLINE_POINTS points along the closed polygon, its corners blunted to the spacing."""
    closed = np.vstack([points, points[:1]])
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.arange(OUTLINE_POINTS) * (length[-1] / OUTLINE_POINTS)
    return np.stack([np.interp(at, length, closed[:, k]) for k in range(2)], axis=1)


def _normalised(points: np.ndarray, aspect: float = 1.0) -> Points:
    """Centre the bounding box on the origin, and give it width ``2 sqrt(aspect)`` and height ``2 / sqrt(aspect)``."""
    low, high = points.min(axis=0), points.max(axis=0)
    target = 2 * np.array([np.sqrt(aspect), 1 / np.sqrt(aspect)])
    return tuple(map(tuple, ((points - (low + high) / 2) * (target / (high - low))).tolist()))


def sample_shape(rng: np.random.Generator, deformation: float) -> ShapeSpec:
    """A random silhouette. ``deformation`` in [0, 1] scales wobble, bend and the swing of limbs."""
    family = FAMILIES[str(rng.choice(list(FAMILIES)))]
    body = Part(_normalised(family(rng), aspect=float(np.exp(rng.normal(0, 0.35)))))
    limbs = [_limb(rng, deformation) for _ in range(int(rng.choice((0, 1, 2, 3), p=(0.55, 0.2, 0.15, 0.1))))]
    wobble, bend = (), STILL
    if deformation and rng.uniform() < 0.5:
        wobble = tuple((lobes, *wave(rng, deformation * rng.uniform(0.03, 0.12), (12, 60))) for lobes in (2, 3))
    if deformation and rng.uniform() < 0.4:
        bend = Curve(waves=(wave(rng, deformation * rng.uniform(0.05, 0.28), (14, 70)),))
    return ShapeSpec((*limbs, body), wobble, bend, bend_rate=float(rng.uniform(1.2, 3.0)))


def _limb(rng: np.random.Generator, deformation: float) -> Part:
    """A part that sticks out of the body, its root inside: from a round head to a thin arm."""
    direction = rng.uniform(0, 2 * np.pi)
    length, width = rng.uniform(0.5, 1.0), rng.uniform(0.2, 0.5)
    points = np.asarray(_normalised(_ellipse(rng))) * (length / 2, width / 2) + (length / 2, 0)
    root = 0.65 * np.array([np.cos(direction), np.sin(direction)])
    amplitude = deformation * rng.uniform(0.1, 0.7)
    swing = Curve(direction, waves=(wave(rng, amplitude, (10, 50)),))
    return Part(tuple(map(tuple, points.tolist())), tuple(root.tolist()), swing, texture=int(rng.integers(2)))


def vary_shape(rng: np.random.Generator, shape: ShapeSpec, amount: float) -> ShapeSpec:
    """Another individual of the sort: outlines stretched and dented by ``amount``, movements out of step."""
    shift = int(rng.integers(1, 60))
    parts = []
    for part in shape.parts:
        points = np.asarray(part.outline) * np.exp(amount * rng.normal(0, 0.2, 2))
        angle = np.arctan2(points[:, 1], points[:, 0])
        dent = 1 + amount * rng.normal(0, 0.12) * np.sin(int(rng.integers(2, 5)) * angle + rng.uniform(0, 2 * np.pi))
        swing = Curve(part.swing.base, part.swing.slope, _out_of_step(part.swing.waves, shift))
        parts.append(replace(part, outline=tuple(map(tuple, (points * dent[:, None]).tolist())), swing=swing))
    wobble = tuple((lobes, *_out_of_step((rest,), shift)[0]) for lobes, *rest in shape.wobble)
    bend = Curve(shape.bend.base, shape.bend.slope, _out_of_step(shape.bend.waves, shift))
    return replace(shape, parts=tuple(parts), wobble=wobble, bend=bend)


def _out_of_step(waves: tuple, shift: int) -> tuple[tuple[float, float, float], ...]:
    return tuple((amplitude, period, phase + shift / period) for amplitude, period, phase in waves)
