"""The camera in the solid world, and the way it sees points.

World coordinates are metres: x to the right, y up, z ahead of a camera that heads nowhere else; the ground is y = 0.
Image coordinates are continuous pixels (the first pixel spans 0 to 1), time is in frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trackdata.synth.curves import STILL, Curve

NEAR = 0.05  # metres; nothing nearer is drawn


@dataclass(frozen=True)
class View:
    """A camera at one moment.

    Attributes:
        position: ``(3,)`` metres.
        axes: ``(3, 3)``, rows point to the right, down and ahead in the world.
        focal: pixels.
        center: ``(2,)`` pixels, where the camera points.
    """

    position: np.ndarray
    axes: np.ndarray
    focal: float
    center: np.ndarray

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels ``(N, 2)`` and depth ``(N,)`` in metres of ``points`` ``(N, 3)``; nearer than NEAR counts as NEAR."""
        right, down, ahead = self.axes @ (points - self.position).T
        scale = self.focal / np.maximum(ahead, NEAR)
        return np.stack([self.center[0] + right * scale, self.center[1] + down * scale], axis=1), ahead

    def ray(self, x: float, y: float) -> np.ndarray:
        """``(3,)`` direction in the world of the pixel position (x, y); its part along the view axis is 1 metre."""
        return np.array([(x - self.center[0]) / self.focal, (y - self.center[1]) / self.focal, 1.0]) @ self.axes


@dataclass(frozen=True)
class Follow:
    """How a camera tilts to keep something in view.

    Attributes:
        distance: logarithm of the horizontal distance in metres.
        height: of the point of interest above the ground, in metres.
        offset: where that point is kept, in pixels below the image's middle.
    """

    distance: Curve
    height: float
    offset: Curve


@dataclass(frozen=True)
class Camera:
    """Position, direction and focal length over time.

    Attributes:
        x, y, z: metres.
        yaw: radians from z towards x.
        pitch: radians upwards; added to the tilt of ``follow`` when there is one.
        roll: radians, clockwise in the image.
        focal: logarithm of the focal length in pixels.
        shake_x, shake_y: pixels by which unsteady hands move the image.
        follow: what the camera tilts after, or None.
    """

    x: Curve = STILL
    y: Curve = STILL
    z: Curve = STILL
    yaw: Curve = STILL
    pitch: Curve = STILL
    roll: Curve = STILL
    focal: Curve = STILL
    shake_x: Curve = STILL
    shake_y: Curve = STILL
    follow: Follow | None = None

    def view(self, time: float, center: np.ndarray, shaken: bool = False) -> View:
        """The camera at ``time`` with the image's middle at ``center`` ``(2,)`` pixels, in steady hands or shaken."""
        position = np.array([self.x.at(time), self.y.at(time), self.z.at(time)])
        focal = float(np.exp(self.focal.at(time)))
        yaw, pitch, roll = (float(angle.at(time)) for angle in (self.yaw, self.pitch, self.roll))
        if self.follow is not None:
            rise = self.follow.height - position[1]
            pitch += np.arctan2(rise, np.exp(self.follow.distance.at(time)))
            pitch += np.arctan2(float(self.follow.offset.at(time)), focal)
        center = np.asarray(center, np.float64)
        if shaken:
            center = center + np.array([self.shake_x.at(time), self.shake_y.at(time)])
        return View(position, _axes(yaw, pitch, roll), focal, center)


def _axes(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rows to the right, down and ahead: ``(3, 3)``."""
    (cy, sy), (cp, sp) = (math.cos(yaw), math.sin(yaw)), (math.cos(pitch), math.sin(pitch))
    right, ahead = np.array([cy, 0.0, -sy]), np.array([sy * cp, sp, cy * cp])
    down = np.array([sy * sp, -cp, cy * sp])
    cosine, sine = math.cos(roll), math.sin(roll)
    return np.array([cosine * right + sine * down, cosine * down - sine * right, ahead])


def turn(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """``(3, 3)`` that turns an object: first by ``roll`` about its z, then ``pitch`` about x, then ``yaw`` about y.

    An object that faces z faces the direction ``yaw`` of a camera's yaw afterwards.
    """
    cy, cp, cr = math.cos(yaw), math.cos(pitch), math.cos(roll)
    sy, sp, sr = math.sin(yaw), math.sin(pitch), math.sin(roll)
    return np.array(
        [
            [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
            [cp * sr, cp * cr, -sp],
            [cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp],
        ]
    )
