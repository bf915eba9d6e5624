"""Where performers go: over the ground, or as the camera is to see them, or beside another performer.

A path gives a position ``(3,)`` in metres at any time, from a function that gives the steady view of the camera then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trackdata.synth.curves import STILL, Curve
from trackdata.synth.world.cameras import View

Views = Callable[[float], View]


class Path(Protocol):
    """A way through the world."""

    def at(self, time: float, views: Views) -> np.ndarray:
        """``(3,)`` metres."""


@dataclass(frozen=True)
class Trail:
    """Coordinates over time, in metres; constant ones stand."""

    x: Curve = STILL
    y: Curve = STILL
    z: Curve = STILL

    def at(self, time: float, views: Views) -> np.ndarray:
        return np.array([self.x.at(time), self.y.at(time), self.z.at(time)], np.float64)


@dataclass(frozen=True)
class Framed:
    """A way given by where the camera sees it.

    Attributes:
        x, y: pixels; y counts for what flies or is seen from above alone.
        distance: logarithm of the distance from the camera in metres (along the ground, for what stands on it).
        lift: metres above the ground, or above the place that is seen.
        on: "ground" stands below column x at the distance; "below" stands where the ray through (x, y) meets the
            ground; "air" is on that ray at the distance.
    """

    x: Curve
    y: Curve
    distance: Curve
    lift: Curve = STILL
    on: str = "air"

    def at(self, time: float, views: Views) -> np.ndarray:
        view = views(time)
        x, y, lift = (float(curve.at(time)) for curve in (self.x, self.y, self.lift))
        distance = float(np.exp(self.distance.at(time)))
        if self.on == "ground":
            ray = view.ray(x, float(view.center[1]))
            ray[1] = 0.0
            foot = view.position + ray * (distance / max(float(np.linalg.norm(ray)), 1e-6))
            return np.array([foot[0], lift, foot[2]])
        ray = view.ray(x, y)
        if self.on == "below":
            foot = view.position + ray * (view.position[1] / max(-float(ray[1]), 0.02))
            return np.array([foot[0], lift, foot[2]])
        return view.position + ray * (distance / float(np.linalg.norm(ray))) + np.array([0, lift, 0])


@dataclass(frozen=True)
class Beside:
    """At an offset in metres from another path: x to the right of the camera, z away from it."""

    leader: Path
    x: Curve
    y: Curve
    z: Curve

    def at(self, time: float, views: Views) -> np.ndarray:
        right, _, ahead = views(time).axes
        place = self.leader.at(time, views) + np.array([0, self.y.at(time), 0])
        for amount, axis in ((self.x, right), (self.z, ahead)):
            level = np.array([axis[0], 0, axis[2]])
            place = place + amount.at(time) * level / max(float(np.linalg.norm(level)), 1e-6)
        return place
