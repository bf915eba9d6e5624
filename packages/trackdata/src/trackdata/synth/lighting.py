"""Light as it changes over the image and over time."""

from __future__ import annotations

import cv2
import numpy as np

from trackdata.synth.scene import Light

_LIGHT_STEP = 8  # pixels between samples of the illumination


def illumination(light: Light, size: tuple[int, int], time: float) -> np.ndarray:
    """Factor of every channel: float32 ``(H, W, 3)``."""
    width, height = size
    short = min(size)
    x = (np.arange(0, width + _LIGHT_STEP, _LIGHT_STEP, dtype=np.float32)[None, :] - width / 2) / short
    y = (np.arange(0, height + _LIGHT_STEP, _LIGHT_STEP, dtype=np.float32)[:, None] - height / 2) / short
    direction = light.direction.at(time)
    field = 1 + light.slope.at(time) * (x * np.cos(direction) + y * np.sin(direction))
    if light.shadow:
        distance = x * np.cos(light.shadow_direction) + y * np.sin(light.shadow_direction) - light.shadow_edge.at(time)
        field = field * (1 - light.shadow / (1 + np.exp(-distance / 0.04)))
    field = field * np.exp(light.gain.at(time)) * light.contrast
    tint = np.exp(np.array([light.tint[0], 0.0, light.tint[1]]))
    field = np.maximum(field, 0)[..., None] * tint
    return cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
