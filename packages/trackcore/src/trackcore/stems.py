"""How small networks that start from scratch turn pixels into tokens."""

from __future__ import annotations

from torch import Tensor, nn


class ConvolutionalStem(nn.Module):
    """3x3 convolutions of stride 2 down to the patch grid, then a 1x1.

    "Early Convolutions Help Transformers See Better" (NeurIPS 2021).
    """

    def __init__(self, stride: int, width: int):
        super().__init__()
        steps = stride.bit_length() - 1
        if stride != 1 << steps or steps < 1:
            raise ValueError(f"a convolutional stem needs a stride that is a power of two, got {stride}")
        layers: list[nn.Module] = []
        channels = 3
        for step in range(steps):
            grown = max(width >> (steps - 1 - step), 16)
            layers += [nn.Conv2d(channels, grown, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(grown), nn.ReLU()]
            channels = grown
        self.layers = nn.Sequential(*layers)
        self.proj = nn.Conv2d(channels, width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` to ``(B, (S / stride)^2, C)``, row-major."""
        return self.proj(self.layers(images)).flatten(2).transpose(1, 2)
