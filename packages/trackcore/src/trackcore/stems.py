"""How small networks that start from scratch turn pixels into tokens."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class ConvolutionalStem(nn.Module):
    """3x3 convolutions of stride 2 down to the patch grid, then a 1x1.

    "Early Convolutions Help Transformers See Better" (NeurIPS 2021).
    """

    def __init__(self, stride: int, width: int):
        super().__init__()
        channels = _channels(stride, width)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.proj = nn.Conv2d(channels[-1], width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` to ``(B, (S / stride)^2, C)``, row-major."""
        return self.proj(self.layers(images)).flatten(2).transpose(1, 2)


def _channels(stride: int, width: int) -> list[int]:
    """Channels of the image and after each convolution of stride 2."""
    steps = stride.bit_length() - 1
    if stride != 1 << steps or steps < 1:
        raise ValueError(f"a convolutional stem needs a stride that is a power of two, got {stride}")
    return [3, *(max(width >> (steps - 1 - step), 16) for step in range(steps))]


def stem_macs(stride: int, width: int, *, convolutional: bool) -> int:
    """Multiply-adds for each token: of one convolution over ``stride x stride`` patches, or of the stem above."""
    if not convolutional:
        return 3 * stride**2 * width
    channels = _channels(stride, width)
    total = channels[-1] * width
    for step, (before, after) in enumerate(pairwise(channels), start=1):
        total += 9 * before * after * (stride >> step) ** 2
    return total
