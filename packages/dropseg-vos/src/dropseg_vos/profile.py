"""Parameters, multiply-adds and time of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dropseg_vos.config import ModelConfig
from dropseg_vos.network import build
from dropseg_vos.segmenter import Segmenter
from dropseg_vos.sizes import Size
from trackcore.profile import count_macs, count_parameters, median_seconds


@dataclass(frozen=True)
class Cost:
    """What a network comes to.

    Attributes:
        parameters: that are trained.
        macs: multiply-adds for one object in one frame by part: ``embedding`` of the frame, ``blocks``, ``pyramid``,
            ``decoder``.
        reference: multiply-adds of a reference's embedding, once for each object.
    """

    parameters: int
    macs: dict[str, int]
    reference: int

    def flops(self, objects: int = 1) -> int:
        """Two for each multiply-add of a frame with so many objects, which share its embedding."""
        shared = self.macs["embedding"]
        return 2 * (shared + objects * (sum(self.macs.values()) - shared))


@torch.no_grad()
def measure_cost(config: ModelConfig, size: Size) -> Cost:
    """Count without computing anything, for frames of ``size`` (height, width), multiples of the patch.

    The last block computes the frame's tokens alone, so that this is less than all blocks of all tokens.
    """
    height, width = size
    with torch.device("meta"):
        network = build(config)
        frame, mask = torch.zeros(1, 3, height, width), torch.zeros(1, 1, height, width)
        positions = torch.zeros(1, height * width // config.patch**2, config.width)
        tokens = network.embed_query(frame, positions)
        full = torch.zeros(1, config.width, height // config.patch, width // config.patch)
        half, quarter = network.fpn2(full), network.fpn1(full)
        macs = {
            "embedding": count_macs(lambda: network.embed_query(frame, positions)),
            "blocks": count_macs(lambda: network.encode(tokens, tokens)),
            "pyramid": count_macs(lambda: (network.fpn2(full), network.fpn1(full))),
            "decoder": count_macs(lambda: network.stcn_decoder(full, half, quarter)),
        }
        reference = count_macs(lambda: network.embed_reference(frame, mask, positions))
    return Cost(count_parameters(network), macs, reference)


def measure_time(segmenter: Segmenter, objects: int, size: Size, *, repeats: int = 5, batch: int = 1) -> float:
    """Median seconds of a frame of noise of ``size`` with so many objects, preparation and aggregation included."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (batch, *size, 3)).astype(np.uint8)
    labels = np.zeros(size, np.uint8)
    for number, rows in enumerate(np.array_split(np.arange(size[0]), objects), start=1):
        labels[rows[: max(1, len(rows) // 2)]] = number
    segmenter.init(frames[0], labels)
    device = segmenter.backend.device
    return median_seconds(lambda: segmenter.update_many(list(frames)), repeats=repeats, warmup=1, device=device) / batch
