"""Smooth scalar functions of time, given by explicit parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """``base + slope t + sum of amplitude sin(2 pi (t / period + phase))``, with ``t`` in frames.

    Sums of sinusoids are smooth, bounded, and can be evaluated at any time in any order, so that a frame can be
    rendered without the frames before it.
    """

    base: float = 0.0
    slope: float = 0.0
    waves: tuple[tuple[float, float, float], ...] = ()  # amplitude, period in frames, phase in turns

    def at(self, time: float | np.ndarray) -> float | np.ndarray:
        """The value at ``time``, a number or an array of any shape."""
        value = self.base + self.slope * time
        for amplitude, period, phase in self.waves:
            value = value + amplitude * np.sin(2 * np.pi * (time / period + phase))
        return value

    def shifted(self, offset: float) -> Curve:
        """The same curve, ``offset`` higher."""
        return Curve(self.base + offset, self.slope, self.waves)


STILL = Curve()


def wave(rng: np.random.Generator, amplitude: float, periods: tuple[float, float]) -> tuple[float, float, float]:
    """A wave of the given amplitude with a random phase and a period drawn log-uniformly between ``periods`` frames."""
    return (float(amplitude), log_uniform(rng, *periods), float(rng.uniform()))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform between those of ``low`` and ``high``."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def wander(rng: np.random.Generator, extent: float, margin: float, top_speed: float, shortest: float = 24.0) -> Curve:
    """A way along one axis from ``margin`` to ``extent - margin`` pixels, at most ``top_speed`` pixels a frame.

    Its waves have periods of ``shortest`` frames or more.
    """
    reach = max(extent / 2 - margin, 0.02 * extent)
    large = reach * rng.uniform(0.35, 0.9)
    small = min(reach - large, 0.2 * large) * rng.uniform()
    base = extent / 2 + (reach - large - small) * rng.uniform(-1, 1)
    speed = top_speed * rng.uniform(0.5, 1.0)
    periods = [
        max(shortest, 2 * np.pi * amplitude / (share * speed)) for amplitude, share in ((large, 0.7), (small, 0.3))
    ]
    phases = rng.uniform(0, 1, 2)
    return Curve(base, waves=((large, periods[0], float(phases[0])), (small, periods[1], float(phases[1]))))


def entrance(rng: np.random.Generator, extent: float, size: float, frames: int) -> Curve:
    """A straight way along one axis that comes in over an edge of ``extent`` pixels later than at the start.

    Something of ``size`` pixels with its middle there is outside at first, and in the middle at the end, or beyond it.
    """
    time = rng.uniform(0.1, 0.6) * frames
    edge = -0.75 * size
    speed = rng.uniform(0.5, 1.0) * (extent - edge) / max(frames - time, 1.0)
    start = edge - speed * time
    return Curve(start, speed) if rng.uniform() < 0.5 else Curve(extent - start, -speed)
