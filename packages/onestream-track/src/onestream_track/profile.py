"""Parameters, multiply-adds and time of a tracker; the multiply-adds by formula.

Per block with N tokens before and M after elimination and width D: ``4 D^2 N + 2 r D^2 M`` in linear layers (r is the
MLP ratio) and ``2 N^2 D`` in the two attention products.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from onestream_track.config import ModelConfig
from onestream_track.elimination import token_counts
from onestream_track.network import build
from onestream_track.timm_backbone import resolve
from onestream_track.tracker import MultiTargetTracker
from trackcore.profile import count_macs, count_parameters, median_seconds
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
    config = resolve(config)
    if config.backbone is not None:
        return _counted(config)
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


def _counted(config: ModelConfig) -> Macs:
    """By running the network without computing: ViTs differ in what they have beside the four matrix products."""
    with torch.device("meta"):
        network = build(config).eval()
        crops = (torch.zeros(1, 3, side, side) for side in (config.template_size, config.search_size))
        total = count_macs(lambda: network.maps(*crops))
    search, left = config.search_grid**2, token_counts(config.search_grid**2, config.elimination.keep)
    after = dict(zip(config.elimination.layers, left, strict=True))
    products = 0
    for number in range(config.depth):
        products += 2 * (network.backbone.prefix + config.template_grid**2 + search) ** 2 * config.width
        search = after.get(number, search)
    return Macs(total - products - _head(config), _head(config), products)


def _head(config: ModelConfig) -> int:
    first = config.head_channels
    widths = [config.width, first, first // 2, first // 4, first // 8]
    per_cell = sum(9 * a * b for a, b in pairwise(widths))
    outputs = 1 + 2 + 2
    return config.search_grid**2 * (3 * per_cell + outputs * widths[-1])


def parameters(config: ModelConfig) -> int:
    """Numbers in all parameters."""
    with torch.device("meta"):
        return count_parameters(build(config))


def measure_time(
    tracker: MultiTargetTracker, *, targets: int = 1, repeats: int = 20, frame_size: tuple[int, int] = (720, 1280)
) -> float:
    """Median seconds of one update of all targets in a frame of noise (height, width), everything included."""
    frame = np.random.default_rng(0).integers(0, 256, (*frame_size, 3), np.uint8)
    height, width = frame_size
    boxes = [
        np.array([0.4 * width + 10 * number, 0.4 * height, 0.11 * width, 0.12 * height]) for number in range(targets)
    ]
    tracker.init(frame, boxes)

    def update() -> None:
        for number, box in enumerate(boxes):
            tracker.set_box(number, box)
        tracker.update(frame)

    return median_seconds(update, repeats=repeats, device=tracker.device)
