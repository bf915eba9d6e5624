"""The double head: one branch of 1 x 1 convolutions and one of bottlenecks, both classify cells and find boxes.

"Rethinking Classification and Localization for Object Detection" (CVPR 2020) is where the idea is from. Names are the
published ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparse_track.config import HeadConfig


class Predictions(NamedTuple):
    """Output of the head, float32, one row for each of the N cells (row-major).

    Attributes:
        fc_logits, conv_logits: ``(B, N)``, how likely a cell's centre lies in the target.
        fc_boxes, conv_boxes: ``(B, N, 4)`` x1, y1, x2, y2 in pixels of the search crop. ``fc_boxes`` is None when only
            what tracking needs was asked for.
    """

    fc_logits: Tensor
    conv_logits: Tensor
    fc_boxes: Tensor | None
    conv_boxes: Tensor


def cell_centres(cells: int, size: int, stride: int = 16) -> Tensor:
    """``(cells * cells, 2)`` float32 x, y of the cells' centres in pixels of a search crop of side ``size``."""
    line = (size - 1 - (cells - 1) * stride) // 2 + stride * torch.arange(cells, dtype=torch.float32)
    return torch.stack([line.repeat(cells), line.repeat_interleave(cells)], dim=1)


def fuse_scores(fc_logits: Tensor, conv_logits: Tensor) -> Tensor:
    """Score in [0, 1] of both branches together: ``p_fc + p_conv (1 - p_fc)``."""
    fc, conv = fc_logits.sigmoid(), conv_logits.sigmoid()
    return fc + conv * (1 - fc)


class ConvNorm(nn.Module):
    """Convolution without bias and batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.bn(self.conv(features))


class ResidualBlock(nn.Module):
    """3 x 3, then 1 x 1 to the branch's width, and a 1 x 1 beside them."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1 = ConvNorm(inputs, inputs, 3)
        self.conv2 = ConvNorm(inputs, outputs)
        self.conv_identity = ConvNorm(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(features))) + self.conv_identity(features))


class Bottleneck(nn.Module):
    """1 x 1 down, 3 x 3, 1 x 1 up, and the input beside them."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        inner = F.relu(self.bn1(self.conv1(features)))
        inner = F.relu(self.bn2(self.conv2(inner)))
        return F.relu(self.bn3(self.conv3(inner)) + features)


class DoubleHead(nn.Module):
    """Both branches.

    Args:
        inputs: channels of the features.
        cells: side of the feature map.
        size: side of the search crop in pixels.
        config: sizes.
        stride: pixels per cell.
    """

    def __init__(self, inputs: int, cells: int, size: int, config: HeadConfig, stride: int = 16):
        super().__init__()
        self.stride = stride
        self.bi_fc = nn.Parameter(torch.tensor(0.0))
        self.si_fc = nn.Parameter(torch.tensor(1.0))
        self.bi_conv = nn.Parameter(torch.tensor(0.0))
        self.si_conv = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("fm_ctr", cell_centres(cells, size, stride)[None])
        width = config.width
        self.fc_branch = nn.Sequential(nn.Conv2d(inputs, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU())
        self.fc_branch_cls = ConvNorm(width, 1)
        self.fc_branch_reg = ConvNorm(width, 4)
        self.conv_branch = nn.Sequential(
            ResidualBlock(inputs, width), *(Bottleneck(width, config.inner) for _ in range(config.bottlenecks))
        )
        self.conv_branch_cls = ConvNorm(width, 1)
        self.conv_branch_reg = ConvNorm(width, 4)
        self._init_weights()

    def _init_weights(self) -> None:
        for module in self.conv_branch.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
        for module in self.fc_branch:
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in (self.fc_branch_cls, self.fc_branch_reg, self.conv_branch_cls, self.conv_branch_reg):
            nn.init.kaiming_normal_(layer.conv.weight, mode="fan_out", nonlinearity="relu")

    def _boxes(self, distances: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """Boxes of ``(B, 4, s, s)`` left, top, right, bottom before the exponential."""
        near, far = ((scale * distances.flatten(2).mT + bias).exp() * self.stride).split(2, dim=2)
        return torch.cat([self.fm_ctr - near, self.fm_ctr + far], dim=2)

    def forward(self, features: Tensor, *, fc_boxes: bool = True) -> Predictions:
        """Predictions of ``(B, C, s, s)`` features.

        Args:
            fc_boxes: also compute the boxes of the fully connected branch, which only training needs.
        """
        last = self.conv_branch_cls.conv.weight.dtype  # may be wider than the branches'
        fc, conv = self.fc_branch(features).to(last), self.conv_branch(features).to(last)
        return Predictions(
            fc_logits=self.fc_branch_cls(fc).flatten(1).float(),
            conv_logits=self.conv_branch_cls(conv).flatten(1).float(),
            fc_boxes=self._boxes(self.fc_branch_reg(fc).float(), self.si_fc, self.bi_fc) if fc_boxes else None,
            conv_boxes=self._boxes(self.conv_branch_reg(conv).float(), self.si_conv, self.bi_conv),
        )
