"""How frame pairs are drawn and cropped. Nothing here imports more than the standard library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CropConfig:
    """How a frame becomes the network's input; the defaults are the published ones.

    Attributes:
        size: side S of the crop in pixels.
        area: least and most of the frame's area that is cut out, drawn uniformly.
        aspect: least and largest width over height of what is cut out, drawn log-uniformly.
        flip_probability: of mirroring.
        mean, std: of RGB in [0, 1], for normalisation.
    """

    size: int = 224
    area: tuple[float, float] = (0.2, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip_probability: float = 0.5
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size}")
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area is a range of shares with 0 < low <= high <= 1, got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect is a range with 0 < low <= high, got {self.aspect}")
        if not 0 <= self.flip_probability <= 1:
            raise ValueError(f"flip_probability must lie in [0, 1], got {self.flip_probability}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {self.std}")


@dataclass(frozen=True)
class PairConfig:
    """Which frames make a pair.

    Attributes:
        kind: ``frames``, as published: two frames of a video. ``crops``: one frame of a video, or a still image, twice,
            which crop and flip then make different (the pairs of CropMAE, ECCV 2024).
        gap: the second frame follows less than this many frames after the first, so 1 to 49 by default; videos that are
            shorter narrow it.
        swap: probability with which the later frame comes first; published is 0.
        crop: how frames are cropped.
        same_crop: cut the same place out of both frames, as SiamMAE (NeurIPS 2023) does; published is a crop for each,
            drawn on its own. Nearby places then look alike, so that matches are found sooner. Frames of different
            sizes still get a crop each.
        max_attempts: videos tried for one pair before giving up.
    """

    kind: Literal["frames", "crops"] = "frames"
    gap: int = 50
    swap: float = 0.0
    crop: CropConfig = CropConfig()
    same_crop: bool = False
    max_attempts: int = 10

    def __post_init__(self) -> None:
        if self.gap < 2:
            raise ValueError(f"gap must be at least 2, with which frames follow each other directly; got {self.gap}")
        if not 0 <= self.swap <= 1:
            raise ValueError(f"swap is a probability, got {self.swap}")
        if self.same_crop and self.kind == "crops":
            raise ValueError("same_crop would make both pictures of a pair from one frame the same: set kind to frames")
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, got {self.max_attempts}")
