"""Performers: bodies with skins that move through the world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trackdata.synth.curves import STILL, Curve
from trackdata.synth.world.bodies import Body
from trackdata.synth.world.cameras import turn
from trackdata.synth.world.materials import Material
from trackdata.synth.world.paths import Path, Views

_LOOK = 4.0  # frames before and after a moment between which the way points


@dataclass(frozen=True, eq=False)
class Performer:
    """An object, how it looks, and how it moves.

    Attributes:
        sort: its name in SORTS.
        kin: the number of its breed; performers of one sort and breed look alike.
        body, materials: shape and skin.
        path: where it is.
        moves: how it turns; see :class:`trackdata.synth.world.sorts.Sort`.
        yaw, pitch, roll: radians, added to what follows from ``moves``.
        scale: factor on the body's own size.
        size: of the scaled body in metres, about.
    """

    sort: str
    kin: int
    body: Body
    materials: tuple[Material, ...]
    path: Path
    moves: str
    yaw: Curve = STILL
    pitch: Curve = STILL
    roll: Curve = STILL
    scale: float = 1.0
    size: float = 1.0

    def place(self, time: float, views: Views) -> tuple[np.ndarray, np.ndarray]:
        """Rotation ``(3, 3)`` and position ``(3,)`` at ``time``."""
        position = self.path.at(time, views)
        yaw, pitch, roll = (float(angle.at(time)) for angle in (self.yaw, self.pitch, self.roll))
        if self.moves == "faces":
            towards = views(time).position - position
            yaw += float(np.arctan2(towards[0], towards[2]))
        elif self.moves in ("ahead", "flies", "rolls"):
            way = self.path.at(time + _LOOK, views) - self.path.at(time - _LOOK, views)
            # what hardly moves keeps the direction of ``yaw``
            idle = 0.02 * self.size
            x, z = way[0] + idle * np.sin(yaw), way[2] + idle * np.cos(yaw)
            yaw = float(np.arctan2(x, z))
            if self.moves == "flies":
                pitch -= 0.7 * float(np.arctan2(way[1], np.hypot(x, z) + idle))
        return turn(yaw, pitch, roll), position

    @cached_property
    def middle(self) -> np.ndarray:
        """``(3,)`` middle of the body's bounds at the start, in its own coordinates."""
        points = self.body.points(0.0)
        return (points.min(axis=0) + points.max(axis=0)) / 2

    @cached_property
    def reach(self) -> float:
        """Metres from the middle within which the body stays, about."""
        points = self.body.points(0.0) - self.middle
        return 1.5 * self.scale * float(np.sqrt((points**2).sum(axis=1).max()))

    @property
    def sole(self) -> float:
        """Metres by which its origin is above the ground it stands on, so that none of it sinks in."""
        points = self.body.points(0.0)
        if self.moves in ("rolls", "tumbles"):  # any of its sides may be below
            return 0.9 * self.scale * float(np.sqrt((points**2).sum(axis=1).max()))
        return max(0.0, -self.scale * float(points[:, 1].min()))

    def points(self, time: float, matrix: np.ndarray, position: np.ndarray) -> np.ndarray:
        """``(V, 3)`` points in the world, metres, of the body at the given place."""
        return self.body.points(time) @ (self.scale * matrix.T) + position
