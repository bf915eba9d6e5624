"""Sizes of frames on their way through the network: normalise, resize, pad, and back.

Frames are RGB uint8 ``(H, W, 3)`` outside, ImageNet-normalised float32 ``(B, 3, H, W)`` inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

Size = tuple[int, int]


@dataclass(frozen=True)
class Sizing:
    """At which size frames are looked at. Results have the frames' own size in any case.

    Attributes:
        rule: ``keep``: as they are (DAVIS at 480p). ``limit``: smaller when the short side is above ``short_side``.
            ``always``: to ``short_side``, be it larger or smaller, as STCN evaluates on YouTube-VOS.
        short_side: in pixels.
        antialias: average over what falls between when frames are made smaller; the published rule does not.
    """

    rule: Literal["keep", "limit", "always"] = "limit"
    short_side: int = 480
    antialias: bool = True

    def __post_init__(self) -> None:
        if self.rule not in ("keep", "limit", "always"):
            raise ValueError(f"the rule of sizes is keep, limit or always, got {self.rule!r}")
        if self.short_side < 1:
            raise ValueError(f"short_side must be at least 1 pixel, got {self.short_side}")

    def working(self, size: Size) -> Size:
        """The (height, width) that a frame of ``size`` is looked at; the long side is rounded down."""
        short = min(size)
        if self.rule == "keep" or short == self.short_side or (self.rule == "limit" and short < self.short_side):
            return size
        height, width = (self.short_side if side == short else int(self.short_side * side / short) for side in size)
        return height, width


DAVIS = Sizing("keep")
YOUTUBE_VOS = Sizing("always", 480, antialias=False)


@dataclass(frozen=True)
class Padding:
    """Zeros around maps, so that both sides are multiples of a divisor; the half that is rounded down comes first."""

    left: int
    right: int
    top: int
    bottom: int

    @classmethod
    def of(cls, size: Size, divisor: int) -> Padding:
        """The padding of maps of ``size`` (height, width)."""
        height, width = (-side % divisor for side in size)
        return cls(width // 2, width - width // 2, height // 2, height - height // 2)

    def add(self, maps: Tensor) -> Tensor:
        """``(..., H, W)`` with zeros around."""
        return F.pad(maps, (self.left, self.right, self.top, self.bottom))

    def remove(self, maps: Tensor) -> Tensor:
        """``(..., H, W)`` without the padding."""
        height, width = maps.shape[-2:]
        return maps[..., self.top : height - self.bottom, self.left : width - self.right]


def normalise(frames: np.ndarray | Tensor, device: torch.device | str = "cpu") -> Tensor:
    """``(..., H, W, 3)`` RGB uint8 to ``(..., 3, H, W)`` float32 of zero mean and unit variance over ImageNet."""
    pixels = torch.as_tensor(frames, device=device).movedim(-1, -3).float().div_(255)
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))
    return pixels.sub_(mean).div_(std)


def resize_frames(frames: Tensor, size: Size, *, antialias: bool = False) -> Tensor:
    """Bicubic resize of normalised frames ``(B, 3, H, W)``; as published without antialiasing."""
    if tuple(frames.shape[-2:]) == tuple(size):
        return frames
    return F.interpolate(frames, size=size, mode="bicubic", align_corners=False, antialias=antialias)


def resize_masks(masks: Tensor, size: Size) -> Tensor:
    """Nearest resize of masks ``(B, 1, H, W)``."""
    return masks if tuple(masks.shape[-2:]) == tuple(size) else F.interpolate(masks, size=size, mode="nearest")


def resize_probabilities(maps: Tensor, size: Size) -> Tensor:
    """Bilinear resize of ``(B, C, H, W)``, back to the size of frames."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
