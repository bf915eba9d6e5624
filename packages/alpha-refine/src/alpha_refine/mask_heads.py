"""Mask heads: from the compared map, and maps of earlier stages, to a mask of the crop. Published state-dict names."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from alpha_refine.backbone import STEM_CHANNELS
from alpha_refine.config import ModelConfig
from alpha_refine.heads import add_branch, wide


def _two(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions with ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, hidden, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _resize(features: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(features, size=size, mode="bilinear", align_corners=False)


def build_adjusters(config: ModelConfig) -> nn.ModuleList:
    """1x1 convolutions for the maps of the stem and of the stages before the compared one."""
    inputs = (STEM_CHANNELS, *config.channels[: config.stage - 1])
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(before, after, 1), nn.BatchNorm2d(after), nn.ReLU(inplace=True))
        for before, after in zip(inputs, config.adjusted, strict=True)
    )


class MergingMaskHead(nn.Module):
    """Merge the compared map with ever finer maps: ``post(up(h(coarse)) + v(fine))`` at each step (released).

    Args:
        inputs: channels of the compared map.
        adjusted: channels of the finer maps, from fine to coarse; a sixteenth of them is left after ``v``.
    """

    def __init__(self, inputs: int, adjusted: Sequence[int]):
        super().__init__()
        self.steps = len(adjusted)
        merged = [width // 16 for width in adjusted]
        for level, width in enumerate(adjusted):
            self.add_module(f"v{level}", _two(width, width // 4, merged[level]))
        for level in reversed(range(self.steps)):
            self.add_module(
                f"h{level}", _two(inputs if level == self.steps - 1 else merged[level], *[merged[level]] * 2)
            )
        for level in reversed(range(self.steps)):
            after = merged[level - 1] if level else 1
            self.add_module(f"post{self.steps - 1 - level}", nn.Conv2d(merged[level], after, 3, padding=1))

    def forward(self, features: Tensor, finer: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Probabilities ``(B, 1, *size)`` in float32.

        Args:
            features: ``(B, C, F, F)`` compared map.
            finer: adjusted maps, from fine to coarse.
            size: (height, width) of the crop.
        """
        for level in reversed(range(self.steps)):
            fine = finer[level]
            coarse = _resize(getattr(self, f"h{level}")(features), fine.shape[2:])
            features = getattr(self, f"post{self.steps - 1 - level}")(coarse + getattr(self, f"v{level}")(fine))
        return _resize(wide(features), size).sigmoid()


class PlainMaskHead(nn.Module):
    """Four 3x3 layers on the compared map alone; not their logits but the probabilities are resized."""

    def __init__(self, inputs: int, channels: int):
        super().__init__()
        add_branch(self, "", [inputs, channels, channels, channels], None)
        self.conv4 = nn.Sequential(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, features: Tensor, finer: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Probabilities ``(B, 1, *size)`` in float32; ``finer`` is not looked at."""
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            features = layer(features)
        return _resize(wide(features).sigmoid(), size)


def build_mask_head(config: ModelConfig) -> MergingMaskHead | PlainMaskHead | None:
    """The mask head a configuration asks for, with fresh weights; None for networks of boxes alone."""
    if config.mask_head == "none":
        return None
    if config.mask_head == "plain":
        return PlainMaskHead(config.neck_channels, config.head_channels)
    return MergingMaskHead(config.neck_channels, config.adjusted)
