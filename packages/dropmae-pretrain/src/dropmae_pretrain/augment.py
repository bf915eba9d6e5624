"""From a frame to the network's input: random resized crop, flip, normalise, every random number explicit.

The rule of the crop is torchvision's ``RandomResizedCrop``, the filter Pillow's bicubic with antialiasing, which
published checkpoints were trained with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dropmae_pretrain.pair_config import CropConfig
from trackdata.pairs import normalise

_TRIES = 10  # published


@dataclass(frozen=True)
class CropParameters:
    """What is cut out of a frame, in pixels, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    flip: bool = False


def draw_parameters(rng: np.random.Generator, size: tuple[int, int], config: CropConfig) -> CropParameters:
    """Draw the crop of a frame of ``size`` (height, width).

    Area and aspect are drawn until the crop fits, ten times at most; then it is the largest one in the middle whose
    aspect is allowed.
    """
    height, width = size
    low, high = (math.log(value) for value in config.aspect)
    for _ in range(_TRIES):
        area = height * width * rng.uniform(*config.area)
        aspect = math.exp(rng.uniform(low, high))
        rows, columns = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < rows <= height and 0 < columns <= width:
            top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
            break
    else:
        rows, columns = largest_crop(size, config.aspect)
        top, left = (height - rows) // 2, (width - columns) // 2
    return CropParameters(top, left, rows, columns, bool(rng.random() < config.flip_probability))


def largest_crop(size: tuple[int, int], aspect: tuple[float, float]) -> tuple[int, int]:
    """(height, width) of the largest crop of a frame of ``size`` whose width over height lies within ``aspect``."""
    height, width = size
    if width / height < aspect[0]:
        return round(width / aspect[0]), width
    if width / height > aspect[1]:
        return height, round(height * aspect[1])
    return height, width


def cut(image: np.ndarray, parameters: CropParameters, size: int) -> np.ndarray:
    """The crop as ``(size, size, 3)`` uint8.

    Cut first and resized afterwards, so that nothing from outside the crop enters.

    Args:
        image: ``(H, W, 3)`` RGB uint8.
        parameters: a rectangle inside the image.
        size: in pixels.

    Raises:
        ValueError: the rectangle is empty or reaches beyond the image.
    """
    bottom, right = parameters.top + parameters.height, parameters.left + parameters.width
    if min(parameters.top, parameters.left) < 0 or min(parameters.height, parameters.width) < 1:
        raise ValueError(f"a crop has at least one pixel and begins inside the image, got {parameters}")
    if bottom > image.shape[0] or right > image.shape[1]:
        raise ValueError(f"{parameters} reaches beyond the image of {image.shape[0]} x {image.shape[1]} pixels")
    part = Image.fromarray(np.ascontiguousarray(image[parameters.top : bottom, parameters.left : right]))
    resized = np.asarray(part.resize((size, size), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(resized[:, ::-1]) if parameters.flip else resized


def augment(image: np.ndarray, parameters: CropParameters, config: CropConfig) -> np.ndarray:
    """The crop as ``(3, S, S)`` float32, normalised. Arguments and errors as :func:`cut`."""
    return normalise(cut(image, parameters, config.size), config.mean, config.std)
