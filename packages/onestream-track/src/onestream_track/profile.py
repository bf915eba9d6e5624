"""Multiply-adds and parameters of a network, by formula.

Per block with N tokens before and M after elimination and width D: ``4 D^2 N + 2 r D^2 M`` in linear layers (r is the
MLP ratio) and ``2 N^2 D`` in the two attention products.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from onestream_track.config import ModelConfig
from onestream_track.elimination import token_counts
from trackcore.stems import stem_macs


@dataclass(frozen=True)
class Macs:
    """Multiply-adds of one forward pass of one template and one search crop.

    Attributes:
        backbone_linear: patch embedding and linear layers.
        head: convolutions of the head.
        attention_products: queries times keys, and scores times values.
    """

    backbone_linear: int
    head: int
    attention_products: int

    @property
    def linear_and_conv(self) -> int:
        """What profilers that count modules report."""
        return self.backbone_linear + self.head

    @property
    def total(self) -> int:
        """All of them."""
        return self.linear_and_conv + self.attention_products


def macs(config: ModelConfig) -> Macs:
    """Multiply-adds at inference."""
    width, template, search = config.width, config.template_grid**2, config.search_grid**2
    hidden = int(width * config.mlp_ratio)
    left = dict(zip(config.elimination.layers, token_counts(search, config.elimination.keep), strict=True))
    stem = stem_macs(config.stride, width, convolutional=config.stem == "convolutional")
    linear = (template + search) * stem
    products = 0
    for number in range(config.depth):
        before = template + search
        search = left.get(number, search)
        linear += 4 * width * width * before + 2 * width * hidden * (template + search)
        products += 2 * before * before * width
    return Macs(linear, _head(config), products)


def _head(config: ModelConfig) -> int:
    first = config.head_channels
    widths = [config.width, first, first // 2, first // 4, first // 8]
    per_cell = sum(9 * a * b for a, b in pairwise(widths))
    outputs = 1 + 2 + 2
    return config.search_grid**2 * (3 * per_cell + outputs * widths[-1])
