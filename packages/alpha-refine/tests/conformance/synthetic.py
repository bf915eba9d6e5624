"""Synthetic video and adjusted weights that the cases in this folder use.

``frame`` and ``truth`` use integer arithmetic only, so every implementation gets the same bytes.
``adjusted`` turns the plain deterministic weights into weights whose corner and mask heads react to
the picture (with the plain ones the soft-argmax is saturated and says nothing).
"""

from __future__ import annotations

import fill
import numpy as np

TOY_A = {
    "seed": 0,
    "tl_seed": 182,
    "br_seed": 46,
    "corr_gain": 0.125,
    "head_gain": 2.0,
    "last_gain": 4.0,
    "mask_gain": 1.75,
}


def centre_and_size(t: int, kind: int = 0) -> tuple[int, int, int, int]:
    """Centre x, centre y, width and height of the object in frame ``t``."""
    if kind == 0:
        return 110 + 4 * t, 100 + (t * t) % 13, 64 + 2 * t, 48 + t
    return 250 - 5 * t, 150 - 3 * t, 40 + t, 72 - 2 * t


def truth(t: int, kind: int = 0) -> tuple[int, int, int, int]:
    """Box (left, top, width, height) of the object in frame ``t``."""
    cx, cy, w, h = centre_and_size(t, kind)
    return cx - w // 2, cy - h // 2, w, h


def frame(t: int, height: int = 240, width: int = 320, kind: int = 0) -> np.ndarray:
    """Frame ``t``, uint8 RGB. Division is floor division, the remainder has the sign of the divisor."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    cx, cy, w, h = centre_and_size(t, kind)
    u, v = x - cx, y - cy
    inside = (2 * u) ** 2 * h * h + (2 * v) ** 2 * w * w <= w * w * h * h
    picture = np.empty((height, width, 3), np.uint8)
    for c in range(3):
        back = (
            96
            + 24 * c
            + ((x * (3 + kind) + y * 2 + t * 5) % 64) // 2
            + (((x // 16) + (y // 16) + c) % 2) * 28
            + (x * y) // 97 % 16
        )
        front = 200 - 60 * c + ((u * 5 + v * 7) % 48) // 2 - (((u + 64) // 8 + (v + 64) // 8) % 2) * (50 - 10 * c)
        picture[..., c] = np.where(inside, front, back).clip(0, 255).astype(np.uint8)
    return picture


def ellipse(t: int, height: int = 240, width: int = 320, kind: int = 0) -> np.ndarray:
    """Mask of the object in frame ``t``, uint8 with values 0 and 1, shape (height, width)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    cx, cy, w, h = centre_and_size(t, kind)
    u, v = x - cx, y - cy
    return ((2 * u) ** 2 * h * h + (2 * v) ** 2 * w * w <= w * w * h * h).astype(np.uint8)


def _scaled(value: np.ndarray, gain: float, centred: bool) -> np.ndarray:
    """``gain`` times ``value``; when ``centred``, minus the mean over each output channel first."""
    value = value.astype(np.float64)
    if centred:
        value = value - value.mean(axis=tuple(range(1, value.ndim)), keepdims=True)
    return (value * gain).astype(np.float32)


def adjusted(name: str, shape: tuple[int, ...], how: dict) -> np.ndarray:
    """Value of the published state-dict entry ``name`` under the adjustment ``how``."""
    seed = how["seed"]
    if name.startswith("corner_head.conv"):
        part = name.split(".")[1]
        seed = how["tl_seed"] if part.endswith("_tl") else how["br_seed"]
        value = fill.weight(name, shape, seed)
        if len(shape) == 4:
            last = part.startswith("conv5")
            value = _scaled(value, how["last_gain"] if last else how["head_gain"], centred=not last)
        return value
    value = fill.weight(name, shape, seed)
    if name.startswith("neck.post_corr") and len(shape) == 4:
        value = _scaled(value, how["corr_gain"] if name == "neck.post_corr.0.weight" else 1.0, centred=True)
    if name.startswith("mask_head.") and len(shape) == 4:
        value = _scaled(value, how["mask_gain"], centred=True)
    return value


def adjust_(state_dict, how: dict = TOY_A, rename=lambda name: name) -> None:
    """Fill a torch state dict in place with ``adjusted`` values. ``rename`` maps to the published names."""
    import torch

    with torch.no_grad():
        for name, tensor in state_dict.items():
            if not tensor.is_floating_point() and not name.endswith("num_batches_tracked"):
                continue
            value = torch.from_numpy(np.asarray(adjusted(rename(name), tuple(tensor.shape), how)))
            tensor.copy_(value.to(tensor.dtype))


class ScriptedTracker:
    """Stand-in for a base tracker: moves its own state by a fixed script, so feedback of a refined box shows.

    State: centre (x, y) and size (w, h) in pixels. Step ``t`` (1, 2, ...) adds ``(dx, dy)`` to the centre and
    multiplies the size by ``scale``, where the three come from ``SCRIPT[(t - 1) % len(SCRIPT)]``.
    """

    SCRIPT = ((4.0, 1.5, 0.9375), (3.25, -2.0, 1.0), (5.5, 0.75, 0.875), (2.0, 3.0, 1.03125), (4.75, -1.25, 0.90625))

    def __init__(self) -> None:
        self.step = 0
        self.centre = np.zeros(2)
        self.size = np.zeros(2)

    def advance(self) -> None:
        dx, dy, scale = self.SCRIPT[self.step % len(self.SCRIPT)]
        self.step += 1
        self.centre = self.centre + np.array([dx, dy])
        self.size = self.size * scale
