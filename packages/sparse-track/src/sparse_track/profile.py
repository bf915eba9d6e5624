"""Parameters, multiply-adds and time of a tracker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sparse_track.config import ModelConfig
from sparse_track.inference import prepare
from sparse_track.network import build
from sparse_track.tracker import SparseTracker
from trackcore.profile import count_macs, count_parameters, median_seconds


@dataclass(frozen=True)
class Size:
    """What a network comes to.

    Attributes:
        parameters: in its file.
        used: parameters of what is left when it is made ready for inference, batch norms folded in.
        macs: multiply-adds of one tracked frame by part: backbone, neck, head.
        template: multiply-adds of a template, once per target.
    """

    parameters: int
    used: int
    macs: dict[str, int]
    template: int

    @property
    def total(self) -> int:
        """Multiply-adds of one tracked frame."""
        return sum(self.macs.values())


def measure_size(config: ModelConfig) -> Size:
    """Count without computing anything."""
    with torch.device("meta"):
        network = build(config)
        parameters = count_parameters(network)
        prepare(network)
        template = torch.zeros(1, 3, config.template_size, config.template_size)
        search = torch.zeros(1, 3, config.search_size, config.search_size)
        memory = network.remember(template)
        backbone = count_macs(lambda: network.basemodel(search))
        features = network.feat_adjuster_x(network.basemodel(search))
        joined = network.neck(features, memory)
        whole = count_macs(lambda: network.locate(memory, search))
        head = count_macs(lambda: network.head(joined, fc_boxes=False))
        macs = {"backbone": backbone, "neck": whole - backbone - head, "head": head}
        return Size(parameters, count_parameters(network), macs, count_macs(lambda: network.remember(template)))


def measure_time(tracker: SparseTracker, *, repeats: int = 20, frame_size: tuple[int, int] = (720, 1280)) -> float:
    """Median seconds of one :meth:`SparseTracker.update` in a frame of noise (height, width), everything included."""
    frame = np.random.default_rng(0).integers(0, 256, (*frame_size, 3), np.uint8)
    box = np.array([0.4 * frame_size[1], 0.4 * frame_size[0], 140.0, 90.0])
    tracker.init(frame, box)

    def update() -> None:
        tracker.set_box(box)
        tracker.update(frame)

    return median_seconds(update, repeats=repeats, device=tracker.device)
