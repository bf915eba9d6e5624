"""Comparing a search crop with a template: correlation, 1x1 convolutions and attention.

A neck has two methods. ``kernel`` takes what it needs from the template's map, once for a target; the result is a value
``(B, C, k, k)`` that the caller keeps. ``forward`` compares it with maps of search crops; a kernel of batch 1 serves
all of them. State-dict names are the published ones.

Section 3.2 of "Alpha-Refine: Boosting Tracking Performance by Precise Bounding Box Estimation" (CVPR 2021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers import SEModule
from torch import Tensor, nn

from alpha_refine.config import ModelConfig
from trackcore.ops.prroi_pool import prroi_pool

ATTENTION_REDUCTION = 4
POOLED_SIDE = 8  # of templates that are pooled from a box


def pixelwise_correlation(kernel: Tensor, features: Tensor) -> Tensor:
    """Scalar products of every template position with every search position, without scaling.

    Args:
        kernel: ``(B, C, k, k)``, or ``(1, C, k, k)`` for all.
        features: ``(B, C, H, W)``.

    Returns:
        ``(B, k * k, H, W)``; channel ``k * i + j`` is position (i, j) of the template.
    """
    product = kernel.flatten(2).mT @ features.flatten(2)
    return product.unflatten(2, features.shape[2:])


def cosine_correlation(kernel: Tensor, features: Tensor) -> Tensor:
    """:func:`pixelwise_correlation` of features whose mean over the search crop is taken off and whose length is 1."""
    mean = features.mean(dim=(2, 3), keepdim=True)
    return pixelwise_correlation(F.normalize(kernel - mean, dim=1), F.normalize(features - mean, dim=1))


def filter_correlation(kernel: Tensor, features: Tensor) -> Tensor:
    """The template as one filter: ``(B, C, k, k)`` and ``(B, C, H, W)`` to ``(B, 1, H - k + 1, W - k + 1)``."""
    return depthwise_correlation(kernel, features).sum(dim=1, keepdim=True)


def depthwise_correlation(kernel: Tensor, features: Tensor) -> Tensor:
    """The template as one filter per channel: ``(B, C, k, k)`` and ``(B, C, H, W)`` to ``(B, C, H - k + 1, ...)``."""
    batch, channels = features.shape[:2]
    filters = kernel.expand(batch, -1, -1, -1).flatten(0, 1)[:, None]
    return F.conv2d(features.flatten(0, 1)[None], filters, groups=batch * channels)[0].unflatten(0, (batch, channels))


def _mixing(inputs: int, outputs: int) -> nn.Sequential:
    """Three 1x1 convolutions with batch norm and ReLU."""
    hidden = 2 * outputs
    layers: list[nn.Module] = []
    for before, after in ((inputs, hidden), (hidden, hidden), (hidden, outputs)):
        layers += [nn.Conv2d(before, after, 1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _channel_attention(channels: int) -> SEModule:
    return SEModule(channels, rd_channels=channels // ATTENTION_REDUCTION)


class PixelwiseNeck(nn.Module):
    """The centre of the template's map against every position of the search crop (released).

    Args:
        rows: first and one-past-last row, and column, of the template's map that the target fills.
        channels: of the result.
        attention_first: channel attention before the convolutions instead of after them.
        cosine: see ``ModelConfig.similarity``.
    """

    def __init__(self, rows: tuple[int, int], channels: int, *, attention_first: bool = False, cosine: bool = False):
        super().__init__()
        self.rows, self.attention_first = rows, attention_first
        self.correlate = cosine_correlation if cosine else pixelwise_correlation
        positions = (rows[1] - rows[0]) ** 2
        self.post_corr = _mixing(positions, channels)
        self.channel_attention = _channel_attention(positions if attention_first else channels)

    def kernel(self, features: Tensor, boxes: Tensor | None = None) -> Tensor:
        """The central cells ``(B, C, k, k)`` of a template's map ``(B, C, F, F)``; its box is not looked at."""
        span = slice(*self.rows)
        return features[:, :, span, span]

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        """``(B, channels, H, W)``."""
        correlation = self.correlate(kernel, features)
        if self.attention_first:
            return self.post_corr(self.channel_attention(correlation))
        return self.channel_attention(self.post_corr(correlation))


class PooledNeck(nn.Module):
    """A neck whose template is pooled from the target's box by precise RoI pooling.

    Args:
        inputs: channels of the compared maps.
        channels: of the result.
        stride: crop pixels per cell.
        correlation: ``pixelwise``, ``single_channel`` or ``depthwise``.
        ending: ``none``, ``convolutions`` or ``nonlocal``, added to what the channel attention gives.
    """

    def __init__(self, inputs: int, channels: int, stride: int, correlation: str, ending: str):
        super().__init__()
        self.stride, self.correlation = stride, correlation
        self.post_corr = _mixing(POOLED_SIDE**2 if correlation == "pixelwise" else channels, channels)
        self.channel_attention = _channel_attention(channels)
        if correlation != "pixelwise":
            before = 1 if correlation == "single_channel" else inputs
            self.adjust_layer = nn.Sequential(
                nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
            )
        endings = {"none": nn.Identity, "convolutions": ResidualConvolutions, "nonlocal": NonLocalBlock}
        self.spatial_attention = endings[ending]() if ending == "none" else endings[ending](channels)

    def kernel(self, features: Tensor, boxes: Tensor | None) -> Tensor:
        """Templates ``(B, C, 8, 8)`` pooled from boxes ``(B, 4)`` x, y, w, h in crop pixels.

        Raises:
            ValueError: there are no boxes.
        """
        if boxes is None:
            raise ValueError("this neck pools the template from its box: give template boxes")
        corners = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)
        index = torch.arange(boxes.shape[0], device=boxes.device, dtype=boxes.dtype)[:, None]
        return prroi_pool(features, torch.cat([index, corners], dim=1), POOLED_SIDE, 1 / self.stride)

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        """``(B, channels, H, W)``."""
        if self.correlation == "pixelwise":
            compared = pixelwise_correlation(kernel, features)
        else:
            correlate = filter_correlation if self.correlation == "single_channel" else depthwise_correlation
            compared = F.interpolate(
                self.adjust_layer(correlate(kernel, features)), size=features.shape[2:], mode="bilinear"
            )
        return self.spatial_attention(self.channel_attention(self.post_corr(compared)))


class ResidualConvolutions(nn.Sequential):
    """Three 1x1 convolutions whose result is added to their input."""

    def __init__(self, channels: int):
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        super().__init__(*layers[:-1])

    def forward(self, features: Tensor) -> Tensor:
        return features + super().forward(features)


class NonLocalBlock(nn.Module):
    """Every position attends to all positions of the halved map. Wang et al., "Non-local Neural Networks", CVPR 2018.

    Starts as the identity, since the last normalisation's gain is 0.
    """

    def __init__(self, channels: int):
        super().__init__()
        inner = channels // 2
        self.g = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.MaxPool2d(2))
        self.W = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels))
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.MaxPool2d(2))
        nn.init.zeros_(self.W[1].weight)

    def forward(self, features: Tensor) -> Tensor:
        keys, values = self.phi(features).flatten(2), self.g(features).flatten(2)
        attention = (self.theta(features).flatten(2).mT @ keys).softmax(dim=-1)  # without scaling
        gathered = (attention @ values.mT).mT
        return features + self.W(gathered.unflatten(2, features.shape[2:]))


def build_neck(config: ModelConfig) -> PixelwiseNeck | PooledNeck:
    """The neck a configuration asks for, with fresh weights."""
    if config.neck in ("pixelwise", "attention_first"):
        first = config.neck == "attention_first"
        cosine = config.similarity == "cosine"
        return PixelwiseNeck(config.template_rows, config.neck_channels, attention_first=first, cosine=cosine)
    correlation, ending = {
        "prroi": ("pixelwise", "none"),
        "prroi_convolutions": ("pixelwise", "convolutions"),
        "prroi_nonlocal": ("pixelwise", "nonlocal"),
        "single_channel": ("single_channel", "nonlocal"),
        "depthwise": ("depthwise", "nonlocal"),
    }[config.neck]
    inputs = config.channels[config.stage - 1]
    return PooledNeck(inputs, config.neck_channels, config.stride, correlation, ending)
