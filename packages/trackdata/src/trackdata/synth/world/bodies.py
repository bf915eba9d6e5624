"""Bodies: meshes that move. A body gives its points at any time, in metres, in its own coordinates.

A body's own coordinates have y up and z ahead. Those that stand have their origin on the ground below them, those that
fly or hang in their middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from trackdata.synth.curves import STILL, Curve
from trackdata.synth.world.meshes import Mesh


class Body(Protocol):
    """A mesh, and where its points are over time."""

    mesh: Mesh

    @property
    def supple(self) -> bool:
        """Whether it changes its shape."""

    def points(self, time: float) -> np.ndarray:
        """``(V, 3)`` in metres."""


@dataclass(frozen=True, eq=False)
class Rigid:
    """A body that keeps its shape."""

    mesh: Mesh
    supple = False

    def points(self, time: float) -> np.ndarray:
        return self.mesh.points


@dataclass(frozen=True)
class Joint:
    """How a bone moves against the bone it hangs on.

    Attributes:
        parent: number of that bone, smaller than the joint's own; -1 for none.
        pivot: where the joint is in the body at rest.
        axis: unit vector to turn about, or to slide along.
        motion: radians, or metres when the joint slides.
        slides: whether it slides.
    """

    parent: int
    pivot: tuple[float, float, float]
    axis: tuple[float, float, float]
    motion: Curve
    slides: bool = False


@dataclass(frozen=True, eq=False)
class Jointed:
    """A body with bones. Joint k moves bone k, and with it all bones that hang on it."""

    mesh: Mesh
    joints: tuple[Joint, ...]
    supple = True

    @cached_property
    def _turning(self) -> tuple[np.ndarray, np.ndarray]:
        """Rodrigues' matrices K and K² of the axes: ``(B, 3, 3)`` each."""
        x, y, z = np.array([joint.axis for joint in self.joints], np.float64).T
        zero = np.zeros_like(x)
        cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
        return cross, cross @ cross

    def points(self, time: float) -> np.ndarray:
        motion = np.array([joint.motion.at(time) for joint in self.joints])
        cross, square = self._turning
        turned = np.eye(3) + np.sin(motion)[:, None, None] * cross + (1 - np.cos(motion))[:, None, None] * square
        matrices, shifts = [], []
        for joint, amount, matrix in zip(self.joints, motion, turned, strict=True):
            pivot, axis = np.array(joint.pivot), np.array(joint.axis)
            own, shift = (np.eye(3), amount * axis) if joint.slides else (matrix, pivot - matrix @ pivot)
            if joint.parent >= 0:
                shift = matrices[joint.parent] @ shift + shifts[joint.parent]
                own = matrices[joint.parent] @ own
            matrices.append(own)
            shifts.append(shift)
        bone = self.mesh.bone
        moved = np.einsum("vij,vj->vi", np.array(matrices)[bone], self.mesh.points)
        return moved + np.array(shifts)[bone]


@dataclass(frozen=True, eq=False)
class Spined:
    """A body along z whose spine waves sideways or up and down, as in fish and snakes.

    Attributes:
        sideways, upwards: amplitude in metres of a wave that runs along the spine, and its period in frames.
        length: wavelength in metres.
        stiff: share of the amplitude that the head keeps; the tail has all of it.
    """

    mesh: Mesh
    sideways: Curve
    upwards: Curve
    length: float
    stiff: float
    supple = True

    def points(self, time: float) -> np.ndarray:
        points = self.mesh.points.copy()
        z = points[:, 2]
        low, high = float(z.min()), float(z.max())
        share = self.stiff + (1 - self.stiff) * (high - z) / max(high - low, 1e-6)
        for axis, wave in ((0, self.sideways), (1, self.upwards)):
            for amplitude, period, phase in wave.waves:
                points[:, axis] += share * amplitude * np.sin(2 * np.pi * (time / period + phase + z / self.length))
        return points


@dataclass(frozen=True, eq=False)
class Cloth:
    """A sheet that hangs on its left or upper edge and ripples.

    Attributes:
        ripples: depth relative to the sheet, waves along x and along y, period in frames and phase in turns, each.
        edge: coordinate that vanishes where the sheet is held: 0 for x (the left edge), 1 for y (the upper edge).
        size: half width and half height in metres.
        center: of the sheet in body coordinates.
    """

    mesh: Mesh
    ripples: tuple[tuple[float, float, float, float, float], ...]
    edge: int
    size: tuple[float, float]
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    supple = True

    def points(self, time: float) -> np.ndarray:
        flat = self.mesh.points.astype(np.float64)
        x, y = flat[:, 0], flat[:, 1]
        loose = (1 + x) / 2 if self.edge == 0 else (1 - y) / 2
        depth, across = np.zeros(len(flat)), np.zeros(len(flat))
        for amount, along_x, along_y, period, phase in self.ripples:
            angle = 2 * np.pi * (along_x * x + along_y * y - time / period + phase)
            depth += amount * loose * np.sin(angle)
            across += 0.35 * amount * loose * np.sin(angle + 1.3)
        width, height = self.size
        moved = np.stack([width * (x - 0.3 * across), height * (y + across), min(width, height) * depth], axis=1)
        return moved + np.array(self.center)


@dataclass(frozen=True, eq=False)
class Quivering:
    """A body whose surface swells and shrinks: jelly, balloons, muscles.

    Attributes:
        waves: amplitude relative to the distance from the origin, three wave numbers per metre, period, phase, each.
        squash: logarithm of the stretch along y; the other axes keep the volume.
    """

    mesh: Mesh
    waves: tuple[tuple[float, tuple[float, float, float], float, float], ...]
    squash: Curve = STILL
    supple = True

    def points(self, time: float) -> np.ndarray:
        points = self.mesh.points.astype(np.float64)
        factor = np.ones(len(points))
        for amplitude, numbers, period, phase in self.waves:
            factor += amplitude * np.sin(points @ np.array(numbers) + 2 * np.pi * (time / period + phase))
        stretch = np.exp(self.squash.at(time))
        return points * factor[:, None] * np.array([stretch**-0.5, stretch, stretch**-0.5])


def extent(body: Body) -> tuple[float, float]:
    """Mean width and height in metres as seen from around, over a few moments."""
    points = np.stack([body.points(time) for time in (0.0, 7.0, 19.0)])
    x, y, z = np.mean(points.max(axis=1) - points.min(axis=1), axis=0)
    return float(np.sqrt((x * x + z * z) / 2)), float(y)
