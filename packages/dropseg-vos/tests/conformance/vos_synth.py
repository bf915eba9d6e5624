"""Synthetic videos and label maps made with integer arithmetic only, so that every machine gets the same bytes.

``video`` returns RGB frames and label maps. An object is a dict with the keys ``label``, ``kind`` ("disc" or "box"),
``cx``, ``cy`` (start position in pixels), ``vx``, ``vy`` (velocity in quarter pixels per frame), ``size`` (radius of a
disc; half width and half height of a box), ``color`` and optionally ``first`` and ``last`` (frames in which it is
visible, both included). Objects are painted in the order given; a later one hides an earlier one.
"""

from __future__ import annotations

import numpy as np


def position(obj: dict, t: int) -> tuple[int, int]:
    """Centre (x, y) of an object in frame ``t``."""
    return obj["cx"] + (obj["vx"] * t) // 4, obj["cy"] + (obj["vy"] * t) // 4


def region(obj: dict, t: int, height: int, width: int) -> np.ndarray:
    """Boolean (height, width) area of an object in frame ``t``, before occlusion."""
    if not obj.get("first", 0) <= t <= obj.get("last", 1 << 30):
        return np.zeros((height, width), dtype=bool)
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    px, py = position(obj, t)
    if obj["kind"] == "disc":
        return (x - px) ** 2 + (y - py) ** 2 <= obj["size"] ** 2
    half_w, half_h = obj["size"]
    return (np.abs(x - px) <= half_w) & (np.abs(y - py) <= half_h)


def video(frames: int, height: int, width: int, objects: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """RGB frames (frames, height, width, 3) and label maps (frames, height, width), both uint8."""
    rgb = np.zeros((frames, height, width, 3), dtype=np.uint8)
    labels = np.zeros((frames, height, width), dtype=np.uint8)
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    for t in range(frames):
        for c in range(3):
            back = 3 * x + 5 * y + 40 * c + 2 * t * (c + 1) + 17 * (((x + t) // 9 + y // 7) % 4)
            rgb[t, :, :, c] = back % 256
        for obj in objects:
            area = region(obj, t, height, width)
            px, py = position(obj, t)
            for c in range(3):
                paint = obj["color"][c] + 5 * (((x - px) // 4) % 6) + 3 * (((y - py) // 3) % 5)
                rgb[t, :, :, c][area] = (paint % 256)[area]
            labels[t][area] = obj["label"]
    return rgb, labels


def speckle(labels: np.ndarray, per_mille: int, value: int = 0, seed: int = 0) -> np.ndarray:
    """Copy of (frames, height, width) label maps with about ``per_mille`` of 1024 pixels overwritten by ``value``."""
    t, y, x = np.indices(labels.shape).astype(np.int64)
    mixed = (x * 73856093) ^ (y * 19349663) ^ (t * 83492791) ^ (seed * 2654435761)
    mixed = (((mixed ^ (mixed >> 13)) & 0x7FFFFFFF) * 1274126177) & 0x7FFFFFFF
    out = labels.copy()
    out[(mixed >> 7) % 1024 < per_mille] = value
    return out


TWO_OBJECTS = [
    {"label": 1, "kind": "disc", "cx": 42, "cy": 46, "vx": 22, "vy": 7, "size": 19, "color": (205, 60, 40)},
    {"label": 2, "kind": "box", "cx": 112, "cy": 52, "vx": -18, "vy": 5, "size": (17, 14), "color": (30, 90, 210)},
]

LEAVING_OBJECTS = [
    {"label": 1, "kind": "disc", "cx": 30, "cy": 40, "vx": 44, "vy": 6, "size": 16, "color": (210, 70, 50)},
    {
        "label": 2,
        "kind": "box",
        "cx": 100,
        "cy": 60,
        "vx": 0,
        "vy": 0,
        "size": (20, 12),
        "color": (20, 160, 80),
        "last": 7,
    },
    {"label": 3, "kind": "disc", "cx": 70, "cy": 70, "vx": -4, "vy": -8, "size": 9, "color": (60, 60, 220)},
]

LATE_OBJECTS = [
    {"label": 2, "kind": "disc", "cx": 36, "cy": 40, "vx": 14, "vy": 6, "size": 17, "color": (200, 80, 60), "first": 1},
    {
        "label": 5,
        "kind": "box",
        "cx": 104,
        "cy": 56,
        "vx": -14,
        "vy": 4,
        "size": (16, 13),
        "color": (40, 100, 200),
        "first": 3,
    },
]
