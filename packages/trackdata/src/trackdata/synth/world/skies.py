"""What lies beyond everything: sky, skyline, or a blurred surrounding, as a picture of all directions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trackdata.synth.textures import Color
from trackdata.synth.world import noises
from trackdata.synth.world.cameras import View

KINDS = ("clear", "clouds", "overcast", "evening", "night", "water", "space", "blurred", "hall")
SKYLINES = ("none", "hills", "trees", "city")
_WIDTH, _HEIGHT = 1024, 512  # 360 by 180 degrees
_STEP = 8  # pixels between exact directions


@dataclass(frozen=True)
class Sky:
    """The picture of all directions.

    Attributes:
        kind: one of KINDS.
        skyline: one of SKYLINES, drawn around the horizon.
        colors: of the zenith, the horizon and the skyline.
        seed: of everything random in it.
    """

    kind: str
    skyline: str
    colors: tuple[Color, Color, Color]
    seed: int


class PaintedSky:
    """The painted picture; rows from straight up to straight down, columns all around."""

    def __init__(self, sky: Sky) -> None:
        picture = _paint(sky)
        self._picture = np.hstack([picture, picture])  # so that no direction in view crosses its edge
        self.horizon = picture[_HEIGHT // 2 - 8 : _HEIGHT // 2].mean(axis=(0, 1)).astype(np.float32)

    def draw(self, view: View, size: tuple[int, int], top: int = 0) -> np.ndarray:
        """The sky in ``size`` (width, height) pixels from the row ``top`` of the image on: RGB uint8 ``(H, W, 3)``."""
        width, height = size
        columns, rows = -(-width // _STEP) + 1, -(-height // _STEP) + 1
        x = (np.arange(columns) * _STEP - view.center[0]) / view.focal
        y = (np.arange(rows) * _STEP + top - view.center[1]) / view.focal
        rays = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1.0), axis=-1) @ view.axes
        heading = np.arctan2(view.axes[2, 0], view.axes[2, 2])
        # relative to the view's heading, so that directions do not jump within the image
        across = np.arctan2(rays[..., 0], rays[..., 2]) - heading
        across = (across + np.pi) % (2 * np.pi) - np.pi
        up = np.arctan2(rays[..., 1], np.hypot(rays[..., 0], rays[..., 2]))
        start = (heading % (2 * np.pi)) / (2 * np.pi) * _WIDTH + _WIDTH / 2
        map_x = (start + across * (_WIDTH / (2 * np.pi))).astype(np.float32)
        map_y = ((0.5 - up / np.pi) * _HEIGHT).astype(np.float32)
        # a coarse grid of exact directions, then straight lines between them
        grid = np.array([[1 / _STEP, 0, 0.5 / _STEP], [0, 1 / _STEP, 0.5 / _STEP]])
        maps = [
            cv2.warpAffine(part, grid, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP) for part in (map_x, map_y)
        ]
        return cv2.remap(self._picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _paint(sky: Sky) -> np.ndarray:
    rng = np.random.default_rng(sky.seed)
    zenith, horizon, ridge = (np.array(color, np.float32) * 255 for color in sky.colors)
    height = np.linspace(1, -1, _HEIGHT, dtype=np.float32)[:, None, None]  # 1 up, 0 at the horizon
    share = np.clip(np.abs(height), 0, 1) ** 0.5
    picture = np.broadcast_to(horizon + share * (zenith - horizon), (_HEIGHT, _WIDTH, 3)).copy()
    if sky.kind == "clouds":
        _clouds(rng, picture, 0.5, 3.5)
    elif sky.kind == "overcast":
        _clouds(rng, picture, 0.3, 1.2)
    elif sky.kind == "evening":
        glow = np.exp(-np.abs(height) * 7) * np.array([255, 140, 60], np.float32)
        around = np.exp(-(((np.arange(_WIDTH, dtype=np.float32) - rng.uniform(0, _WIDTH)) / 220) ** 2))[None, :, None]
        picture += 0.7 * glow * around
        _clouds(rng, picture, 0.55, 2.0)
    elif sky.kind in ("night", "space"):
        picture *= 0.25
        if sky.kind == "space":
            cloud = cv2.resize(noises.fractal(rng, _HEIGHT // 4, 3), (_WIDTH, _HEIGHT)) ** 3
            picture += 90 * cloud[..., None] * (zenith / 255)
        for _ in range(500):
            place = (int(rng.integers(_WIDTH)), int(rng.integers(_HEIGHT)))
            cv2.circle(picture, place, 0 if rng.uniform() < 0.9 else 1, (float(rng.uniform(90, 255)),) * 3, -1)
    elif sky.kind == "water":
        light = cv2.resize(noises.ridges(rng, _HEIGHT // 2, 6), (_WIDTH, _HEIGHT))
        picture *= 0.45 + 0.4 * np.clip(height, -0.6, 1) + 0.3 * light[..., None] * np.clip(height + 0.3, 0, 1)
    elif sky.kind == "blurred":
        _blobs(rng, picture, int(rng.integers(30, 90)), rng.uniform(4, 18), rng.uniform(20, 90))
    elif sky.kind == "hall":
        picture *= 0.4
        _blobs(rng, picture, int(rng.integers(40, 160)), rng.uniform(0.8, 3), rng.uniform(5, 16))
    _SKYLINE[sky.skyline](rng, picture, ridge)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _clouds(rng: np.random.Generator, picture: np.ndarray, level: float, gain: float) -> None:
    half = _HEIGHT // 2
    density = np.clip((noises.fractal(rng, half, int(rng.integers(2, 6)), octaves=6) - np.float32(level)) * gain, 0, 1)
    shade = 175 + 80 * noises.fractal(rng, half, 4)
    # clouds are wider than high; none lie below the horizon
    density, shade = (cv2.resize(part, (_WIDTH, half))[..., None] for part in (density, shade))
    picture[:half] += density * (shade - picture[:half])


def _blobs(rng: np.random.Generator, picture: np.ndarray, count: int, blur: float, size: float) -> None:
    """Soft coloured patches: what a lens focused on something near makes of a room or a garden."""
    for _ in range(count):
        place = (int(rng.integers(_WIDTH)), int(rng.integers(_HEIGHT // 8, _HEIGHT)))
        axes = tuple(np.maximum(1, size * rng.uniform(0.3, 1.6, 2)).astype(int).tolist())
        color = tuple(map(float, np.clip(rng.uniform(0, 255) + rng.normal(0, 45, 3), 0, 255)))
        if rng.uniform() < 0.5:
            cv2.ellipse(picture, place, axes, float(rng.uniform(0, 180)), 0, 360, color, -1)
        else:
            corner = (place[0] + 2 * axes[0], place[1] + 2 * axes[1])
            cv2.rectangle(picture, place, corner, color, -1)
    cv2.GaussianBlur(picture, (0, 0), blur, dst=picture)


def _no_skyline(rng: np.random.Generator, picture: np.ndarray, color: np.ndarray) -> None:
    return


def _hills(rng: np.random.Generator, picture: np.ndarray, color: np.ndarray) -> None:
    for layer in range(3):
        profile = noises.fractal(rng, _HEIGHT // 2, int(rng.integers(2, 6)))[0].repeat(4)
        _fill_below(picture, (0.04 + 0.13 * profile) * (1 - 0.3 * layer), color, haze=0.65 - 0.25 * layer, rng=rng)


def _trees(rng: np.random.Generator, picture: np.ndarray, color: np.ndarray) -> None:
    rough = cv2.resize(noises.fractal(rng, _HEIGHT // 2, 20, octaves=4, fall=0.8)[:1], (_WIDTH, 1))[0]
    wide = cv2.resize(noises.fractal(rng, _HEIGHT // 4, 4, octaves=2)[:1], (_WIDTH, 1))[0]
    _fill_below(picture, 0.02 + 0.06 * wide + 0.06 * rough, color, haze=0.2, rng=rng)


def _city(rng: np.random.Generator, picture: np.ndarray, color: np.ndarray) -> None:
    for layer in range(2):
        edges = np.sort(rng.integers(0, _WIDTH, 60 - 20 * layer))
        heights = rng.uniform(0.02, 0.2 - 0.05 * layer, len(edges) + 1)
        profile = heights[np.searchsorted(edges, np.arange(_WIDTH))]
        _fill_below(picture, profile, color, haze=0.5 - 0.35 * layer, rng=rng, lit=True)


def _fill_below(
    picture: np.ndarray,
    profile: np.ndarray,
    color: np.ndarray,
    haze: float,
    rng: np.random.Generator,
    lit: bool = False,
) -> None:
    """Paint what is below ``profile``: heights from 1 (up) to -1 (down), one per column."""
    band = slice(int(_HEIGHT * (0.5 - profile.max() / 2)), int(0.6 * _HEIGHT))
    height = np.linspace(1, -1, _HEIGHT, dtype=np.float32)[band, None]
    inside = (height < profile[None].astype(np.float32))[..., None]
    grain = noises.fractal(rng, _HEIGHT // 2, 16, octaves=4)[: len(height)]
    grain = np.tile(grain, (1, 4))[:, :_WIDTH, None]
    tone = (color * (1 - haze) + picture[band] * haze) * (0.7 + 0.6 * grain)
    if lit:
        windows = rng.uniform(0.85, 1.15, (-(-len(height) // 3), _WIDTH // 2)).repeat(3, axis=0).repeat(2, axis=1)
        tone *= windows[: len(height), :, None].astype(np.float32)
    np.copyto(picture[band], tone, where=inside)
    # further down, the land goes on in softer shades
    land = cv2.resize(noises.fractal(rng, _HEIGHT // 8, 6, octaves=3), (_WIDTH, _HEIGHT - band.stop))[..., None]
    picture[band.stop :] = tone[-1].mean(axis=0) * (0.75 + 0.5 * land)


_SKYLINE = {"none": _no_skyline, "hills": _hills, "trees": _trees, "city": _city}
