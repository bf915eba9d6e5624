"""Thin-plate splines (Bookstein, 1989): warps that bend a picture smoothly, given by pairs of points.

Points are (x, y) in [0, 1]. Everything is float32, as in the published augmentation.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_GUARD = 1e-6  # keeps the logarithm finite


def _kernel(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """``r^2 ln r`` of the distances, ``(N, M)``."""
    distance = np.sqrt(np.square(points[:, None] - centres[None]).sum(axis=2))
    return np.square(distance) * np.log(distance + _GUARD)


@dataclass(frozen=True)
class Spline:
    """Two smooth functions of the plane.

    Attributes:
        centres: ``(n, 2)`` points.
        weights: ``(n + 2, 2)``: of the kernels at all centres but the first, whose weight makes the sum zero, then of
            1, x and y; a column for each function.
    """

    centres: np.ndarray
    weights: np.ndarray

    @classmethod
    def fit(cls, centres: np.ndarray, values: np.ndarray) -> Spline:
        """The spline that has ``values`` ``(n, 2)`` at ``centres`` ``(n, 2)``.

        Raises:
            ValueError: the centres lie on a line, or one stands twice.
        """
        centres, values = np.asarray(centres, np.float32), np.asarray(values, np.float32)
        count = len(centres)
        plane = np.column_stack([np.ones(count, np.float32), centres])
        system = np.zeros((count + 3, count + 3), np.float32)
        system[:count, :count] = _kernel(centres, centres)
        system[:count, count:], system[count:, :count] = plane, plane.T
        try:
            solution = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2), np.float32)]))
        except np.linalg.LinAlgError:
            raise ValueError("control points of a spline must differ and not lie on a line") from None
        return cls(centres, solution[1:].astype(np.float32))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Values ``(N, 2)`` at points ``(N, 2)``."""
        points = np.asarray(points, np.float32)
        kernels, plane = self.weights[:-3], self.weights[-3:]
        kernels = np.concatenate([-kernels.sum(axis=0, keepdims=True), kernels])
        return _kernel(points, self.centres) @ kernels + plane[0] + points @ plane[1:]


def displacement(source: np.ndarray, target: np.ndarray) -> Spline:
    """What to add to a point of the warped picture to come to where it was: ``source - target`` at ``target``."""
    source, target = np.asarray(source, np.float32), np.asarray(target, np.float32)
    return Spline.fit(target, source - target)


def sampling_maps(spline: Spline, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of a warped picture of ``size`` (height, width) is taken from: x and y in pixels, float32."""
    height, width = size
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    moved = np.stack([x, y], axis=2) + spline(np.column_stack([x.ravel(), y.ravel()])).reshape(height, width, 2)
    return moved[:, :, 0] * np.float32(width), moved[:, :, 1] * np.float32(height)


def warp(image: np.ndarray, mask: np.ndarray, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move what is at ``source`` to ``target``.

    Args:
        image: ``(H, W, 3)`` uint8, resampled bilinearly.
        mask: ``(H, W)`` uint8, resampled by the nearest pixel.
        source, target: ``(n, 2)`` points (x, y) in [0, 1].

    Returns:
        Both, 0 where there was nothing.
    """
    maps = sampling_maps(displacement(source, target), mask.shape)
    return cv2.remap(image, *maps, cv2.INTER_LINEAR), cv2.remap(mask, *maps, cv2.INTER_NEAREST)
