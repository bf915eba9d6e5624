"""Random traits of an individual, some of which it shares with others of its sort."""

from __future__ import annotations

import numpy as np

from trackdata.synth.curves import Curve, log_uniform


class Traits:
    """Draws the traits of an individual of a sort.

    Individuals of one ``sort`` (a seed) have the same traits up to ``variation``: 0 makes twins, 1 strangers with the
    same choices. What an individual does when (phases) is its own.
    """

    def __init__(self, sort: int, individual: int, variation: float) -> None:
        self._sort = np.random.default_rng(sort)
        self._own = np.random.default_rng((individual, 1))
        self._variation = variation

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        common, own = self._sort.uniform(low, high), self._own.uniform(low, high)
        return float(common + self._variation * (own - common))

    def chance(self, probability: float) -> bool:
        """Whether something is so; the same for the whole sort."""
        return bool(self._sort.uniform() < probability)

    def choice(self, *options: str) -> str:
        """One of ``options``; the same for the whole sort."""
        return options[int(self._sort.integers(len(options)))]

    def count(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``; the same for the whole sort."""
        return int(self._sort.integers(low, high + 1))

    def phase(self) -> float:
        """A phase in turns, of the individual's own."""
        return float(self._own.uniform())

    def period(self, low: float, high: float) -> float:
        """A period in frames, log-uniform."""
        return float(np.exp(self.uniform(np.log(low), np.log(high))))

    def sway(self, base: float, amplitude: float, periods: tuple[float, float]) -> Curve:
        """A slow movement about ``base`` of up to ``amplitude``, of the individual's own."""
        waves = [
            (share * amplitude * self._own.uniform(0.3, 1), log_uniform(self._own, *periods), self.phase())
            for share in (0.7, 0.3)
        ]
        return Curve(base, waves=tuple((float(a), p, f) for a, p, f in waves))


def beat(base: float, amplitude: float, period: float, phase: float) -> Curve:
    """A periodic movement, as of a limb in a gait: ``base + amplitude sin(2 pi (t / period + phase))``."""
    return Curve(base, waves=((amplitude, period, phase),))
