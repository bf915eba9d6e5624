"""Box heads: from the compared map ``(B, C, F, F)`` to two corners in pixels of the crop.

A cell of the map stands for its left upper pixel, so with 16 cells of 16 pixels coordinates lie in 0 .. 240; networks
have learned it. Nothing makes x1 smaller than x2. State-dict names are the published ones.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alpha_refine.config import ModelConfig


class Corners(NamedTuple):
    """What a box head says.

    Attributes:
        box: ``(B, 4)`` x1, y1, x2, y2 in crop pixels, float32.
        scores: ``(B, M, F, F)`` logits of the M maps the box comes from, float32: one of each corner, one of each
            coordinate, or one of the whole box.
    """

    box: Tensor
    scores: Tensor


def expected_place(scores: Tensor, stride: int) -> Tensor:
    """Expectation of the cell under the softmax of score maps ("soft-arg-max").

    Args:
        scores: ``(..., H, W)`` logits.
        stride: pixels per cell.

    Returns:
        ``(..., 2)`` x, y in pixels.
    """
    heat = scores.flatten(-2).softmax(dim=-1).unflatten(-1, scores.shape[-2:])
    x, y = (stride * torch.arange(side, device=scores.device, dtype=scores.dtype) for side in scores.shape[:-3:-1])
    # not as matrix products, which autocast would take in half precision
    return torch.stack([(heat.sum(dim=-2) * x).sum(dim=-1), (heat.sum(dim=-1) * y).sum(dim=-1)], dim=-1)


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def add_branch(module: nn.Module, suffix: str, widths: list[int], outputs: int | None) -> None:
    """Register ``conv1<suffix>``, ``conv2<suffix>`` ...: 3x3 layers of these widths, and a 1x1 one at the end."""
    for number, (before, after) in enumerate(pairwise(widths), start=1):
        module.add_module(f"conv{number}{suffix}", _conv(before, after))
    if outputs is not None:
        module.add_module(f"conv{len(widths)}{suffix}", nn.Conv2d(widths[-1], outputs, 1))


def wide(scores: Tensor) -> Tensor:
    """Half precision cannot tell pixels of a crop apart."""
    return scores.float() if scores.dtype.itemsize < 4 else scores


class CornerHead(nn.Module):
    """One branch for each corner: four 3x3 layers that halve their channels, and a score map.

    Args:
        inputs: channels of the compared map.
        channels: of the first layer.
        stride: pixels per cell of the compared map.
        fine: double the map after each of the four layers, which ends at a score for each of 16 x 16 pixels of a cell.
    """

    def __init__(self, inputs: int, channels: int, stride: int, *, fine: bool = False):
        super().__init__()
        self.stride, self.fine = stride / 16 if fine else stride, fine
        widths = [inputs, channels, channels // 2, channels // 4, channels // 8]
        for suffix in ("_tl", "_br"):
            add_branch(self, suffix, widths, 1)

    def forward(self, features: Tensor) -> Corners:
        scores = wide(torch.cat([self._branch(features, suffix) for suffix in ("_tl", "_br")], dim=1))
        return Corners(expected_place(scores, self.stride).flatten(1), scores)

    def _branch(self, features: Tensor, suffix: str) -> Tensor:
        for number in range(1, 5):
            features = getattr(self, f"conv{number}{suffix}")(features)
            if self.fine:
                features = F.interpolate(features, scale_factor=2.0, mode="bilinear")
        return getattr(self, f"conv5{suffix}")(features)


class SharedCornerHead(nn.Module):
    """Four 3x3 layers of one width, common to both corners; they bear the names of the first corner's branch."""

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        self.stride = stride
        add_branch(self, "_tl", [inputs, *[channels] * 4], 1)
        self.conv5_br = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor) -> Corners:
        for layer in (self.conv1_tl, self.conv2_tl, self.conv3_tl, self.conv4_tl):
            features = layer(features)
        scores = wide(torch.cat([self.conv5_tl(features), self.conv5_br(features)], dim=1))
        return Corners(expected_place(scores, self.stride).flatten(1), scores)


class ExtremeHead(nn.Module):
    """A score map and a map of offsets for each of x1, y1, x2, y2."""

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        self.stride = stride
        add_branch(self, "", [inputs, channels, channels, channels, 2 * channels], 8)

    def forward(self, features: Tensor) -> Corners:
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            features = layer(features)
        scores, offsets = wide(features).chunk(2, dim=1)
        heat = scores.flatten(2).softmax(dim=2)
        shift = (heat * offsets.flatten(2)).sum(dim=2)
        places = expected_place(scores, self.stride)  # of all four, of which x1 and x2 need x, y1 and y2 need y
        return Corners(
            torch.stack([places[:, 0, 0], places[:, 1, 1], places[:, 2, 0], places[:, 3, 1]], 1) + shift, scores
        )


class AnchorFreeHead(nn.Module):
    """A box for each cell, and a confidence that picks one.

    Trained as published, by the loss of the picked box alone, the confidence gets no gradient and stays what it was
    initialised to.
    """

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        self.stride = stride
        for suffix, outputs in (("_box", 4), ("_conf", 1)):
            add_branch(self, suffix, [inputs, *[channels] * 4], outputs)

    def maps(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets ``(B, 4, F, F)`` in the order x1, x2, y1, y2, and confidences ``(B, 1, F, F)``."""
        results = []
        for suffix in ("_box", "_conf"):
            result = features
            for number in range(1, 6):
                result = getattr(self, f"conv{number}{suffix}")(result)
            results.append(wide(result))
        return results[0], results[1]

    def read(self, offsets: Tensor, cells: Tensor) -> Tensor:
        """Boxes ``(B, 4)`` x1, y1, x2, y2 at row-major cells ``(B,)``."""
        width = offsets.shape[3]
        x1, x2, y1, y2 = offsets.flatten(2).gather(2, cells[:, None, None].expand(-1, 4, 1))[:, :, 0].unbind(dim=1)
        x, y = self.stride * (cells % width), self.stride * (cells // width)
        return torch.stack([x1 + x, y1 + y, x2 + x, y2 + y], dim=1)

    def forward(self, features: Tensor) -> Corners:
        offsets, confidence = self.maps(features)
        return Corners(self.read(offsets, confidence.flatten(1).argmax(dim=1)), confidence)


class DeltaHead(nn.Module):
    """Centre and size from the mean of the compared map, relative to a box in the middle of the crop.

    Deltas d mean a centre at ``S / 2 + side * d`` and sides of ``side * exp(d)``.

    Args:
        inputs, channels: of the compared map, and of two 1x1 layers.
        size: S, side of the crop in pixels.
        side: of the middle box in pixels.
        rectified: deltas are not negative, as in one of the two published forms.
    """

    def __init__(self, inputs: int, channels: int, size: int, side: float, *, rectified: bool = False):
        super().__init__()
        self.size, self.side = size, side
        for number, before in enumerate((inputs, channels), start=1):
            layers = nn.Conv2d(before, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
            self.add_module(f"conv{number}", nn.Sequential(*layers))
        self.fc = nn.Sequential(nn.Linear(channels, 4), nn.ReLU()) if rectified else nn.Linear(channels, 4)

    def deltas(self, features: Tensor) -> Tensor:
        """``(B, 4)`` of centre x, centre y, logarithms of width and height."""
        return wide(self.fc(self.conv2(self.conv1(features)).mean(dim=(2, 3))))

    def decode(self, deltas: Tensor) -> Tensor:
        """Deltas ``(B, 4)`` as x1, y1, x2, y2."""
        centre, half = self.size / 2 + self.side * deltas[:, :2], self.side / 2 * deltas[:, 2:].exp()
        return torch.cat([centre - half, centre + half], dim=1)

    def forward(self, features: Tensor) -> Corners:
        """The box, and no score maps: M is 0."""
        box = self.decode(self.deltas(features))
        return Corners(box, box.new_zeros(len(box), 0, *features.shape[2:]))


def build_box_head(config: ModelConfig) -> nn.Module | None:
    """The box head a configuration asks for, with fresh weights; None for networks of masks alone."""
    arguments = (config.neck_channels, config.head_channels, config.stride)
    match config.box_head:
        case "none":
            return None
        case "corners":
            return CornerHead(*arguments)
        case "fine_corners":
            return CornerHead(*arguments, fine=True)
        case "shared_corners":
            return SharedCornerHead(*arguments)
        case "extremes":
            return ExtremeHead(*arguments)
        case "anchor_free":
            return AnchorFreeHead(*arguments)
        case "deltas":
            return DeltaHead(config.neck_channels, config.head_channels, config.size, config.size / config.factor)
