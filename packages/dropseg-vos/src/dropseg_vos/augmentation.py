"""From two frames, or one still image, to a training pair: every random number is an explicit parameter.

The steps, their order and their filters are those of STCN, which DropSeg trains with. Pictures are Pillow images;
labels get the geometry of their frame by the same parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from dropseg_vos import spline

MEAN_COLOUR = (124, 116, 104)  # what lies outside of a frame
_NEAREST, _BICUBIC = InterpolationMode.NEAREST, InterpolationMode.BICUBIC

Change = Literal["brightness", "contrast", "saturation", "hue"]
_ADJUST = {
    "brightness": TF.adjust_brightness,
    "contrast": TF.adjust_contrast,
    "saturation": TF.adjust_saturation,
    "hue": TF.adjust_hue,
}


@dataclass(frozen=True)
class Jitter:
    """Changes of colour by name, in the order in which they are made. Factors are 1 for none, of the hue 0."""

    changes: tuple[tuple[Change, float], ...] = ()

    def __call__(self, image: Image.Image) -> Image.Image:
        for name, factor in self.changes:
            image = _ADJUST[name](image, factor)
        return image


@dataclass(frozen=True)
class Affine:
    """Rotation and shear along x in degrees, and scale, about the middle of the picture."""

    angle: float = 0.0
    shear: float = 0.0
    scale: float = 1.0

    def __call__(self, image: Image.Image, mode: InterpolationMode, fill: int | tuple[int, ...]) -> Image.Image:
        return TF.affine(image, self.angle, [0, 0], self.scale, [self.shear, 0], interpolation=mode, fill=fill)


@dataclass(frozen=True)
class Shared:
    """What both frames of a video have in common: crop (top, left, height, width) in pixels, flip, colours."""

    crop: tuple[int, int, int, int]
    flip: bool = False
    jitter: Jitter = Jitter()
    gray: bool = False


@dataclass(frozen=True)
class Own:
    """What each frame of a video has for itself."""

    affine: Affine = Affine()
    jitter: Jitter = Jitter()


def share(image: np.ndarray, labels: np.ndarray, parameters: Shared, size: int) -> tuple[Image.Image, Image.Image]:
    """Flip, crop, resize to ``size`` x ``size`` and colour a frame, and its labels where they are concerned.

    Args:
        image: RGB uint8 ``(H, W, 3)``.
        labels: ``(H, W)`` uint8.
        parameters: the crop lies in the flipped frame.
        size: in pixels.
    """
    frame, mask = Image.fromarray(image), Image.fromarray(labels)
    if parameters.flip:
        frame, mask = TF.hflip(frame), TF.hflip(mask)
    top, left, height, width = parameters.crop
    frame = TF.resized_crop(frame, top, left, height, width, [size, size], _BICUBIC)
    mask = TF.resized_crop(mask, top, left, height, width, [size, size], _NEAREST)
    frame = parameters.jitter(frame)
    return (TF.rgb_to_grayscale(frame, 3) if parameters.gray else frame), mask


def vary(frame: Image.Image, labels: Image.Image, parameters: Own) -> tuple[np.ndarray, np.ndarray]:
    """Turn, shear and colour one frame: RGB uint8 ``(S, S, 3)``, labels uint8 ``(S, S)``."""
    frame = parameters.affine(frame, _BICUBIC, MEAN_COLOUR)
    labels = parameters.affine(labels, _NEAREST, 0)
    return np.asarray(parameters.jitter(frame)), np.asarray(labels)


@dataclass(frozen=True)
class SharedStill:
    """What the two frames that are made of a still image have in common."""

    scale: float = 1.0
    flip: bool = False
    jitter: Jitter = Jitter()
    gray: bool = False


@dataclass(frozen=True)
class OwnStill:
    """What each of the two has for itself.

    Attributes:
        crop: (top, left) of the square, in pixels of the image whose short side is the crop's.
        source, target: control points of a thin-plate spline, or None.
    """

    affine: Affine = Affine()
    crop: tuple[int, int] = (0, 0)
    jitter: Jitter = Jitter()
    source: np.ndarray | None = None
    target: np.ndarray | None = None


def share_still(image: np.ndarray, mask: np.ndarray, parameters: SharedStill) -> tuple[Image.Image, Image.Image]:
    """Scale, flip and colour a still image ``(H, W, 3)`` and its mask ``(H, W)``, uint8, 255 for the object."""
    affine = Affine(scale=parameters.scale)
    frame = affine(Image.fromarray(image), _NEAREST, MEAN_COLOUR)
    grey = affine(Image.fromarray(mask), _NEAREST, 0)
    if parameters.flip:
        frame, grey = TF.hflip(frame), TF.hflip(grey)
    frame = parameters.jitter(frame)
    return (TF.rgb_to_grayscale(frame, 3) if parameters.gray else frame), grey


def vary_still(frame: Image.Image, mask: Image.Image, parameters: OwnStill, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn, crop, colour and bend one of the two frames: RGB uint8 ``(S, S, 3)``, soft mask float32 in [0, 1]."""
    frame = parameters.affine(frame, _BICUBIC, MEAN_COLOUR)
    mask = parameters.affine(mask, _BICUBIC, 0)
    frame, mask = TF.resize(frame, [size], _BICUBIC), TF.resize(mask, [size], _NEAREST)
    frame = TF.crop(frame, *parameters.crop, size, size)
    mask = TF.crop(mask, *parameters.crop, size, size)
    pixels, grey = np.asarray(parameters.jitter(frame)), np.asarray(mask)
    if parameters.source is not None:
        pixels, grey = spline.warp(pixels, grey, parameters.source, parameters.target)
    return pixels, grey.astype(np.float32) / 255


# Ranges, as published: (brightness, contrast, saturation[, hue]) of jitters, degrees of affine maps.
_SHARED_JITTER, _OWN_JITTER = (0.1, 0.03, 0.03), (0.01, 0.01, 0.01)
_STILL_JITTER, _OWN_STILL_JITTER = (0.1, 0.05, 0.05, 0.05), (0.1, 0.05, 0.05)
_GRAY, _FLIP, _BEND = 0.05, 0.5, 0.33
_ASPECT = (3 / 4, 4 / 3)
_CONTROL_POINTS, _BENDING = 12, 0.02
_CROP_TRIES = 10


def draw_jitter(rng: np.random.Generator, ranges: tuple[float, ...]) -> Jitter:
    """Factors uniform within ``ranges`` of 1 (the hue's of 0), in random order."""
    names: tuple[Change, ...] = ("brightness", "contrast", "saturation", "hue")
    factors = [(0.0 if name == "hue" else 1.0) + rng.uniform(-r, r) for name, r in zip(names, ranges, strict=False)]
    return Jitter(tuple((names[place], factors[place]) for place in rng.permutation(len(ranges))))


def draw_crop(rng: np.random.Generator, size: tuple[int, int], area: tuple[float, float]) -> tuple[int, int, int, int]:
    """A random crop (top, left, height, width) of a frame of ``size``, by torchvision's rule."""
    height, width = size
    for _ in range(_CROP_TRIES):
        pixels = height * width * rng.uniform(*area)
        aspect = math.exp(rng.uniform(*map(math.log, _ASPECT)))
        rows, columns = round(math.sqrt(pixels / aspect)), round(math.sqrt(pixels * aspect))
        if 0 < rows <= height and 0 < columns <= width:
            return int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1)), rows, columns
    rows, columns = min(height, round(width / _ASPECT[0])), min(width, round(height * _ASPECT[1]))
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def draw_shared(rng: np.random.Generator, size: tuple[int, int], area: tuple[float, float]) -> Shared:
    """Parameters for both frames of a video whose frames have ``size`` (height, width)."""
    flip = bool(rng.random() < _FLIP)
    crop = draw_crop(rng, size, area)
    return Shared(crop, flip, draw_jitter(rng, _SHARED_JITTER), bool(rng.random() < _GRAY))


def draw_own(rng: np.random.Generator) -> Own:
    """Parameters for one frame of a video."""
    return Own(Affine(rng.uniform(-15, 15), rng.uniform(-10, 10)), draw_jitter(rng, _OWN_JITTER))


def draw_shared_still(rng: np.random.Generator) -> SharedStill:
    """Parameters for both frames that are made of a still image."""
    scale, flip = rng.uniform(0.8, 1.5), bool(rng.random() < _FLIP)
    return SharedStill(scale, flip, draw_jitter(rng, _STILL_JITTER), bool(rng.random() < _GRAY))


def draw_own_still(rng: np.random.Generator, image_size: tuple[int, int], size: int) -> OwnStill:
    """Parameters for one frame that is made of a still image of ``image_size`` (height, width)."""
    affine = Affine(rng.uniform(-20, 20), rng.uniform(-10, 10), rng.uniform(0.9, 1.1))
    height, width = (size if side == min(image_size) else int(size * side / min(image_size)) for side in image_size)
    crop = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
    jitter = draw_jitter(rng, _OWN_STILL_JITTER)
    if rng.random() >= _BEND:
        return OwnStill(affine, crop, jitter)
    # rows come first, and the spline takes them for x: harmless, as both lie in [0, 1]
    source = np.column_stack([rng.permutation(size)[:_CONTROL_POINTS], rng.permutation(size)[:_CONTROL_POINTS]]) / size
    return OwnStill(affine, crop, jitter, source, source + rng.normal(0, _BENDING, source.shape))
