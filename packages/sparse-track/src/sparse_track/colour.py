"""Colour augmentation of crops as the published code has it; its recipes use none of it.

Images are ``(H, W, 3)`` RGB on the scale 0 to 255, float32 unless said otherwise; values may leave that scale.
"""

from __future__ import annotations

import cv2
import numpy as np

_GREY = np.float32([0.299, 0.587, 0.114])
# Principal components of ImageNet's colours: rows are R, G, B; AlexNet (NeurIPS 2012).
_COMPONENTS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
_EXTENTS = np.array([0.2175, 0.0188, 0.0045])


def factor(variation: float, number: float) -> float:
    """From ``1 - variation`` to ``1 + variation`` for ``number`` from 0 to 1."""
    return 1 + variation * (2 * number - 1)


def grey(image: np.ndarray) -> np.ndarray:
    """``(H, W, 1)`` brightness."""
    return (image @ _GREY)[..., None]


def brightness(image: np.ndarray, by: float) -> np.ndarray:
    return image * np.float32(by)


def contrast(image: np.ndarray, by: float) -> np.ndarray:
    """Away from the image's mean brightness."""
    return image * np.float32(by) + np.float32(grey(image).mean() * (1 - by))


def saturation(image: np.ndarray, by: float) -> np.ndarray:
    """Away from each pixel's brightness."""
    return image * np.float32(by) + grey(image) * np.float32(1 - by)


def lighting(image: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Shift all pixels along the principal components of ImageNet's colours.

    Args:
        numbers: ``(3,)`` how far, relative to each component's extent. As published, the shift is one for images on the
            scale 0 to 1 and so too small to be seen; times 255 it is what was meant.
    """
    return image + (_COMPONENTS @ (_EXTENTS * numbers)).astype(np.float32)


def blur(image: np.ndarray, side: int = 5, sigma: float = 1.5) -> np.ndarray:
    """Gaussian blur of a uint8 image over ``side`` pixels."""
    return cv2.GaussianBlur(image, (side, side), sigma)


_JITTERS = (brightness, contrast, saturation)


def jitter(image: np.ndarray, variation: float, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast and saturation, each by a random factor, in random order; uint8 to uint8."""
    result = image.astype(np.float32)
    for number in rng.permutation(len(_JITTERS)):
        result = _JITTERS[number](result, factor(variation, rng.random()))
    return result.clip(0, 255).astype(np.uint8)
