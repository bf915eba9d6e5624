"""From tokens of the current frame to one logit a pixel: a pyramid made of the last layer, and a decoder as STCN's.

Names are the published ones. All convolutions are 3 x 3 with bias and keep the size.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def _conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, stride=2)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of ``(B, C, H, W)``."""

    def __init__(self, channels: int):
        super().__init__()
        self.ln = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, maps: Tensor) -> Tensor:
        return self.ln(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def quarter_pyramid(width: int, channels: int) -> nn.Sequential:
    """Tokens' map ``(B, width, h, w)`` to ``(B, channels, 4h, 4w)``."""
    return nn.Sequential(_double(width, width), ChannelNorm(width), nn.GELU(), _double(width, channels))


def half_pyramid(width: int, channels: int) -> nn.Sequential:
    """Tokens' map ``(B, width, h, w)`` to ``(B, channels, 2h, 2w)``."""
    return nn.Sequential(_double(width, channels))


class ResidualBlock(nn.Module):
    """``y = conv2(relu(conv1(relu(x)))) + x``; where the number of channels changes, ``x`` passes a convolution."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.downsample = _conv3(inputs, outputs) if inputs != outputs else None
        self.conv1 = _conv3(inputs, outputs)
        self.conv2 = _conv3(outputs, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        branch = self.conv2(self.conv1(maps.relu()).relu())
        return branch + (maps if self.downsample is None else self.downsample(maps))


class UpBlock(nn.Module):
    """Twice the size, joined to a map of that size."""

    def __init__(self, skip: int, inputs: int, outputs: int):
        super().__init__()
        self.skip_conv = _conv3(skip, inputs)
        self.out_conv = ResidualBlock(inputs, outputs)

    def forward(self, skip: Tensor, maps: Tensor) -> Tensor:
        """``skip`` ``(B, skip, 2H, 2W)`` and ``maps`` ``(B, inputs, H, W)`` to ``(B, outputs, 2H, 2W)``."""
        larger = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out_conv(self.skip_conv(skip) + larger)


class Decoder(nn.Module):
    """Mask logits from the pyramid.

    Args:
        width: channels of the tokens.
        pyramid: channels of the maps at a half and a quarter of the patch.
        channels: of the decoder at the patch, a half and a quarter of it.
        scale: size of the output relative to the quarter map: a quarter of the patch.
    """

    def __init__(self, width: int, pyramid: tuple[int, int], channels: tuple[int, int, int], scale: int):
        super().__init__()
        self.scale = scale
        self.compress = ResidualBlock(width, channels[0])
        self.up_16_8 = UpBlock(pyramid[0], channels[0], channels[1])
        self.up_8_4 = UpBlock(pyramid[1], channels[1], channels[2])
        self.pred = _conv3(channels[2], 1)

    def forward(self, full: Tensor, half: Tensor, quarter: Tensor) -> Tensor:
        """Maps ``(B, C, h, w)``, ``(B, C, 2h, 2w)``, ``(B, C, 4h, 4w)`` to logits ``(B, 1, 4h scale, 4w scale)``."""
        maps = self.up_8_4(quarter, self.up_16_8(half, self.compress(full)))
        logits = self.pred(maps.relu())
        return F.interpolate(logits, scale_factor=self.scale, mode="bilinear", align_corners=False)
