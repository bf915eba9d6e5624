"""From the network's scores and boxes to the tracked box: penalties, cosine window, smoothing, clipping.

The post-processing of SiamRPN (CVPR 2018) as SparseTT has it. A target is its centre and its size in pixels of the
frame; boxes of cells are corners in pixels of the search crop. Pixels are points, see :mod:`sparse_track.crops`:
predicted sides are ``x2 - x1 + 1``. All is float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparse_track.config import TrackingConfig


@dataclass(frozen=True)
class Target:
    """Where a target is: ``(2,)`` x, y of its centre and ``(2,)`` w, h, in pixels of the frame."""

    centre: np.ndarray
    size: np.ndarray

    @classmethod
    def of_box(cls, box: np.ndarray) -> Target:
        """Of x, y, w, h."""
        return cls(box[:2] + (box[2:] - 1) / 2, box[2:].copy())

    @property
    def box(self) -> np.ndarray:
        """``(4,)`` x, y, w, h."""
        return np.concatenate([self.centre - (self.size - 1) / 2, self.size])


@dataclass(frozen=True)
class Located:
    """What a frame's predictions come to.

    Attributes:
        target: the new target, smoothed but not clipped to the frame yet.
        cell: number of the cell it was read from.
        score: of that cell, before penalty and window.
        response: of that cell, after penalty and window, which made it the best one.
        rate: share of the predicted size that was taken over.
    """

    target: Target
    cell: int
    score: float
    response: float
    rate: float


def cosine_window(cells: int) -> np.ndarray:
    """``(cells * cells,)`` outer product of two Hann windows; as published, it is 0 at the border."""
    return np.outer(np.hanning(cells), np.hanning(cells)).flatten()


def penalties(boxes: np.ndarray, size: np.ndarray, strength: float) -> np.ndarray:
    """``(N,)`` in (0, 1]: less than 1 for boxes of another size or aspect than the target's.

    Args:
        boxes: ``(N, 4)`` corners.
        size: ``(2,)`` w, h of the target in pixels of the crop.
        strength: penalty_k.
    """
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    scale = _change(_extent(sides) / _extent(size))
    aspect = _change((size[0] / size[1]) / (sides[:, 0] / sides[:, 1]))
    return np.exp(-(scale * aspect - 1) * strength)


def _extent(sides: np.ndarray) -> np.ndarray:
    """Side of the square with context around boxes of these sides ``(..., 2)``."""
    around = sides.sum(-1, keepdims=True) / 2
    return np.sqrt((sides + around).prod(-1))


def _change(ratio: np.ndarray) -> np.ndarray:
    return np.maximum(ratio, 1 / ratio)


def locate(
    scores: np.ndarray,
    boxes: np.ndarray,
    window: np.ndarray,
    before: Target,
    scale: float,
    crop_size: int,
    config: TrackingConfig,
) -> Located:
    """Choose a cell and move the target.

    Args:
        scores: ``(N,)`` in [0, 1].
        boxes: ``(N, 4)`` corners in pixels of the search crop.
        window: of :func:`cosine_window`.
        before: the target around which the crop was cut.
        scale: crop pixels per frame pixel.
        crop_size: side of the search crop in pixels.
        config: hyper-parameters.
    """
    scores, boxes = scores.astype(np.float64), boxes.astype(np.float64)
    penalty = penalties(boxes, before.size * scale, config.penalty_k)
    response = penalty * scores * (1 - config.window_influence) + window * config.window_influence
    best = int(response.argmax())
    rate = penalty[best] * scores[best] * config.test_lr
    found = (boxes[best, :2] + boxes[best, 2:]) / 2
    size = (boxes[best, 2:] - boxes[best, :2] + 1) / scale
    moved = Target(before.centre + (found - crop_size // 2) / scale, before.size * (1 - rate) + size * rate)
    return Located(moved, best, float(scores[best]), float(response[best]), float(rate))


def clip(target: Target, frame_size: tuple[int, int], min_side: float) -> Target:
    """Keep the centre in a frame of (height, width) and the sides between ``min_side`` and the frame's."""
    most = np.array(frame_size[::-1], np.float64)
    return Target(target.centre.clip(0, most), target.size.clip(min_side, np.maximum(most, min_side)))
