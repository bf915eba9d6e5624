"""Parameters, multiply-adds and time of a refiner."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from alpha_refine.backbone import extract
from alpha_refine.config import ModelConfig
from alpha_refine.folding import prepare
from alpha_refine.necks import POOLED_SIDE
from alpha_refine.network import build
from alpha_refine.refiner import Refiner


@dataclass(frozen=True)
class Size:
    """What a network comes to.

    Attributes:
        parameters: in its file.
        used: parameters of what is left when it is made ready for inference, batch norm folded in.
        macs: multiply-adds of one search crop by part: backbone, neck, box, mask.
    """

    parameters: int
    used: int
    macs: dict[str, int]

    def flops(self, *, mask: bool) -> int:
        """Two for each multiply-add of one search crop, with the mask or without."""
        return 2 * sum(count for part, count in self.macs.items() if mask or part != "mask")


@torch.no_grad()  # inference mode would hide operations from the counter
def measure_size(config: ModelConfig) -> Size:
    """Count without computing anything."""
    with torch.device("meta"):
        network = build(config)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        prepare(network)
        images = torch.zeros(1, 3, config.size, config.size)
        side = config.template_side if config.neck in ("pixelwise", "attention_first") else POOLED_SIDE
        kernel = torch.zeros(1, config.channels[config.stage - 1], side, side)
        backbone = _macs(lambda: extract(network.feature_extractor, images, config.stage))
        compared = _macs(lambda: network.search(images, kernel, box=False, mask=False))
        macs = {
            "backbone": backbone,
            "neck": compared - backbone,
            "box": _macs(lambda: network.search(images, kernel, mask=False)) - compared,
            "mask": _macs(lambda: network.search(images, kernel, box=False)) - compared,
        }
    used = sum(parameter.numel() for parameter in network.parameters())
    return Size(parameters, used, macs)


def _macs(compute: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops() // 2


def measure_time(refiner: Refiner, *, mask: bool = False, repeats: int = 20, frame_size=(720, 1280)) -> float:
    """Median seconds of one :meth:`Refiner.refine` in a frame of noise (height, width), crop and mapping included."""
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (*frame_size, 3)).astype(np.uint8)
    box = np.array([0.4 * frame_size[1], 0.4 * frame_size[0], 140.0, 90.0])
    template = refiner.init(frame, box)
    times = []
    for _ in range(repeats + 3):  # the first ones warm up
        began = time.perf_counter()
        refiner.refine(frame, template, box, mask=mask)
        times.append(time.perf_counter() - began)
    return statistics.median(times[3:])
