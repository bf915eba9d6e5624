"""Box heads on the feature map of the search region.

The centre head is the published one. The corner head and the perceptron come with the published code base, where no
model uses them; they are kept as modules for those who do.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCORE_LIMIT = 1e-4


class Maps(NamedTuple):
    """Output of the centre head, float32.

    Attributes:
        score: ``(B, 1, F, F)`` in [1e-4, 1 - 1e-4], how likely the target's centre lies in a cell.
        size: ``(B, 2, F, F)`` width and height divided by the side of the search crop, same limits.
        offset: ``(B, 2, F, F)`` x and y of the centre inside the cell, in cells.
    """

    score: Tensor
    size: Tensor
    offset: Tensor


class Peak(NamedTuple):
    """Where a score map is highest.

    Attributes:
        index: ``(B,)`` row-major cell, the first one on ties.
        score: ``(B,)`` value of the map there.
    """

    index: Tensor
    score: Tensor


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _add_stack(module: nn.Module, branch: str, inputs: int, channels: int, outputs: int) -> None:
    """Register ``conv1_<branch> .. conv5_<branch>``: four 3x3 layers that halve the channels, then a 1x1."""
    widths = [inputs, channels, channels // 2, channels // 4, channels // 8]
    for number in range(4):
        module.add_module(f"conv{number + 1}_{branch}", _conv(widths[number], widths[number + 1]))
    module.add_module(f"conv5_{branch}", nn.Conv2d(widths[4], outputs, 1))


def _run_stack(module: nn.Module, branch: str, features: Tensor) -> Tensor:
    for number in range(1, 6):
        features = getattr(module, f"conv{number}_{branch}")(features)
    return features


def _probability(logits: Tensor) -> Tensor:
    # 1 - 1e-4 is 1 in half precision and log(1 - p) would be infinite: always float32 or more.
    logits = logits.float() if logits.dtype.itemsize < 4 else logits
    return logits.sigmoid().clamp(SCORE_LIMIT, 1 - SCORE_LIMIT)


class CenterHead(nn.Module):
    """Three identical stacks for centre score, offset and size.

    Args:
        inputs: channels of the feature map.
        channels: width of the first layer.
    """

    branches = (("ctr", 1), ("offset", 2), ("size", 2))

    def __init__(self, inputs: int, channels: int):
        super().__init__()
        for branch, outputs in self.branches:
            _add_stack(self, branch, inputs, channels, outputs)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, features: Tensor) -> Maps:
        """Maps of ``(B, C, F, F)`` features."""
        offset = _run_stack(self, "offset", features)
        return Maps(
            score=_probability(_run_stack(self, "ctr", features)),
            size=_probability(_run_stack(self, "size", features)),
            offset=offset.float() if offset.dtype.itemsize < 4 else offset,
        )


def find_peak(score: Tensor) -> Peak:
    """The highest cell of ``(B, 1, F, F)`` (or ``(B, F, F)``) maps."""
    flat = score.flatten(1)
    value = flat.amax(dim=1)
    # Neither max nor argmax promises which of equal cells it returns; the published decoding takes the first one.
    count = flat.shape[1]
    rank_from_end = torch.arange(count, 0, -1, device=flat.device)
    index = count - ((flat == value[:, None]) * rank_from_end).amax(dim=1)
    # A map with NaN equals nothing: any cell will do, its NaN score tells.
    return Peak(index=index.clamp(max=count - 1), score=value)


def decode(maps: Maps, index: Tensor) -> Tensor:
    """Boxes at given cells.

    Args:
        maps: from the centre head.
        index: ``(B,)`` row-major cells.

    Returns:
        ``(B, 4)`` cx, cy, w, h divided by the side of the search crop; differentiable in size and offset.
    """
    cells = maps.size.shape[-1]
    at = index[:, None, None].expand(-1, 2, 1)
    size = maps.size.flatten(2).gather(2, at)[:, :, 0]
    offset = maps.offset.flatten(2).gather(2, at)[:, :, 0]
    corner = torch.stack([index % cells, index // cells], dim=1)
    return torch.cat([(corner + offset) / cells, size], dim=1)


class CornerHead(nn.Module):
    """Two stacks whose soft-arg-max gives the top-left and the bottom-right corner (STARK's head).

    Args:
        inputs, channels: as for the centre head.
        cells: side F of the feature map.
        stride: pixels per cell.
    """

    def __init__(self, inputs: int, channels: int, cells: int, stride: int):
        super().__init__()
        self.cells, self.stride = cells, stride
        for branch in ("tl", "br"):
            _add_stack(self, branch, inputs, channels, 1)

    def logits(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Corner logits, each ``(B, F * F)``, row-major."""
        return tuple(_run_stack(self, branch, features).flatten(1) for branch in ("tl", "br"))

    def forward(self, features: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Boxes ``(B, 4)`` x1, y1, x2, y2 divided by ``F * stride``, and the corner probabilities ``(B, F * F)``."""
        probabilities = tuple(logits.softmax(dim=1) for logits in self.logits(features))
        cell = torch.arange(self.cells * self.cells, device=features.device)
        places = torch.stack([cell % self.cells, cell // self.cells], dim=1) * self.stride
        corners = [probability @ places.to(probability) for probability in probabilities]
        return torch.cat(corners, dim=1) / (self.cells * self.stride), probabilities


class PerceptronHead(nn.Module):
    """Linear layers with ReLU between them, optionally with batch norm after each."""

    def __init__(self, inputs: int, hidden: int, outputs: int, layers: int, *, batch_norm: bool = False):
        super().__init__()
        widths = [inputs, *[hidden] * (layers - 1), outputs]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b)) if batch_norm else nn.Linear(a, b)
            for a, b in pairwise(widths)
        )

    def forward(self, features: Tensor) -> Tensor:
        """``(B, inputs)`` to ``(B, outputs)``."""
        for layer in self.layers[:-1]:
            features = F.relu(layer(features))
        return self.layers[-1](features)
