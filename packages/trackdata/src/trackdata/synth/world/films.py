"""What the recording does to the picture: exposure, blur, noise, resolution, bars, print on top, compression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from trackdata.synth.curves import STILL, Curve

_MARGIN = 32  # the noise pattern is this much larger than the frame, to be shifted about


@dataclass(frozen=True)
class Film:
    """How the camera records.

    Attributes:
        exposure: mean grey level that automatic exposure aims at in the first frame.
        shutter: exposure as a share of the frame interval, which sets the length of motion blur.
        defocus: standard deviation of the blur in pixels over time; below 0.2 is sharp.
        backdrop: standard deviation of the blur of surfaces and sky alone, in pixels.
        saturation: 0 is grey, 1 as painted.
        gamma: above 1 darkens the middle tones.
        vignette: how much darker the corners are, 0 to 1.
        banding: strength of brightness bands that a rolling shutter takes from flickering lamps, and their number.
        noise: standard deviation in grey levels, and the part of it that grows with brightness.
        reduction: factor by which the picture is recorded smaller and enlarged again; 1 is none.
        sharpening: of edges, 0 to 1.
        bars: left, top, right and bottom black bars in pixels.
        print: seed of a logo or caption on top, or None.
        codec: FFmpeg's name of a video codec and its quantiser, or None.
        quality: of the JPEG, 1 to 100.
    """

    exposure: float = 110.0
    shutter: float = 0.0
    defocus: Curve = STILL
    backdrop: float = 0.0
    saturation: float = 1.0
    gamma: float = 1.0
    vignette: float = 0.0
    banding: tuple[float, float] = (0.0, 0.0)
    noise: tuple[float, float] = (0.0, 0.0)
    reduction: float = 1.0
    sharpening: float = 0.0
    bars: tuple[int, int, int, int] = (0, 0, 0, 0)
    print: int | None = None
    codec: tuple[str, int] | None = None
    quality: int = 95

    def crop(self, mask: np.ndarray) -> None:
        """Clear ``mask`` ``(H, W)`` below the bars, in place."""
        left, top, right, bottom = self.bars
        height, width = mask.shape
        mask[:top] = mask[height - bottom :] = False
        mask[:, :left] = mask[:, width - right :] = False

    def overlay(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
        """What is printed over an image of ``size`` (width, height), and where: uint8 ``(H, W, 3)`` and ``(H, W)``."""
        return None if self.print is None else _overlay(self.print, size)


class Developer:
    """Turns rendered pictures of one sequence into recorded ones.

    Args:
        film: how it is recorded.
        size: width and height in pixels.
        seed: of the noise.
        haze: grey levels added everywhere, for want of contrast.
    """

    def __init__(self, film: Film, size: tuple[int, int], seed: int, haze: float = 0.0) -> None:
        self.film, self._size, self._seed = film, size, seed
        width, height = size
        rng = np.random.default_rng(seed)
        self._noise = rng.standard_normal((height + _MARGIN, width + _MARGIN, 3), np.float32)
        x = (np.arange(width, dtype=np.float32) - width / 2) / max(size)
        y = (np.arange(height, dtype=np.float32) - height / 2) / max(size)
        self._corners = 1 - np.float32(2 * film.vignette) * (x[None, :] ** 2 + y[:, None] ** 2)
        grey = np.tile([0.299, 0.587, 0.114], (3, 1))
        mixing = (1 - film.saturation) * grey + film.saturation * np.eye(3)
        self._mixing = np.column_stack([mixing, np.full(3, haze)])
        levels = np.linspace(0, 1, 256) ** film.gamma
        self._tones = np.clip(levels * 255, 0, 255).astype(np.uint8)

    def develop(self, image: np.ndarray, index: int) -> np.ndarray:
        """Frame ``index`` as recorded, RGB uint8 ``(H, W, 3)``, from a rendered one, float32, which is changed."""
        film = self.film
        sigma = float(film.defocus.at(index))
        if sigma > 0.2:
            cv2.GaussianBlur(image, (0, 0), sigma, dst=image)
        if film.vignette:
            image *= self._corners[..., None]
        if film.banding[0]:
            image *= self._bands(index)
        image = cv2.transform(image, self._mixing)
        if film.noise[0]:
            image += self._grain(image, index)
        if film.reduction > 1:
            image = self._enlarged(image)
        if film.sharpening:
            image += np.float32(film.sharpening) * (image - cv2.GaussianBlur(image, (0, 0), 1.2))
        recorded = cv2.convertScaleAbs(np.maximum(image, 0, out=image))
        if film.gamma != 1:
            recorded = cv2.LUT(recorded, self._tones)
        return self._printed(recorded)

    def _bands(self, index: int) -> np.ndarray:
        strength, count = self.film.banding
        rows = np.arange(self._size[1], dtype=np.float32) / self._size[1]
        phase = np.random.default_rng((self._seed, 2)).uniform() + 0.37 * index
        return (1 + np.float32(strength) * np.sin(np.float32(2 * np.pi) * (count * rows + np.float32(phase))))[
            :, None, None
        ]

    def _grain(self, image: np.ndarray, index: int) -> np.ndarray:
        flat, bright = self.film.noise
        row, column = np.random.default_rng((self._seed, index)).integers(0, _MARGIN, 2)
        grain = self._noise[row : row + image.shape[0], column : column + image.shape[1]]
        if self.film.saturation == 0:
            grain = grain[..., :1]
        if not bright:
            return grain * np.float32(flat)
        strength = np.maximum(image, 0)
        strength *= np.float32(bright / 255)
        strength += np.float32(flat)
        strength *= grain
        return strength

    def _enlarged(self, image: np.ndarray) -> np.ndarray:
        width, height = self._size
        small = (max(16, round(width / self.film.reduction)), max(16, round(height / self.film.reduction)))
        ways = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST if self.film.reduction < 2 else cv2.INTER_LINEAR)
        way = ways[self._seed % 3]
        return cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), self._size, interpolation=way)

    def _printed(self, image: np.ndarray) -> np.ndarray:
        overlay = self.film.overlay(self._size)
        if overlay is not None:
            cv2.copyTo(overlay[0], overlay[1], image)
        left, top, right, bottom = self.film.bars
        height, width = image.shape[:2]
        image[:top] = image[height - bottom :] = 0
        image[:, :left] = image[:, width - right :] = 0
        return image


@lru_cache(maxsize=4)
def _overlay(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A logo in a corner, a time stamp or a caption."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    color = tuple(rng.integers(0, 256, 3).tolist())
    kind = int(rng.integers(3))
    unit = height / 24
    if kind == 0:  # a logo
        side, corner = max(4, round(rng.uniform(1.5, 4) * unit)), rng.integers(0, 2, 2)
        left, top = (round(unit) if not c else round(full - side - unit) for c, full in zip(corner, size, strict=True))
        cv2.rectangle(picture, (left, top), (left + side, top + side), color, -1)
        cv2.circle(picture, (left + side // 2, top + side // 2), max(1, side // 3), (255, 255, 255), -1)
        cv2.rectangle(mask, (left, top), (left + side, top + side), 255, -1)
        return picture, mask
    text = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVWXYZ0123456789:-  "), int(rng.integers(8, 26))))
    scale = unit / 22
    left, base = (round(unit), round(rng.choice((1.6, 23.2)) * unit))
    cv2.putText(picture, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, (250, 250, 250), max(1, round(scale * 2)))
    mask[picture.any(axis=2)] = 255
    if kind == 2:  # a caption on a bar
        top, bottom = max(0, round(base - 1.2 * unit)), min(height - 1, round(base + 0.5 * unit))
        band = np.zeros_like(mask)
        cv2.rectangle(band, (0, top), (round(rng.uniform(0.5, 1.0) * width), bottom), 255, -1)
        picture[(band > 0) & (mask == 0)] = color
        mask |= band
    return picture, mask
