"""What goes into a network while it tracks: the samples that an 8-bit network is calibrated with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from onestream_track.exporting import needs_voters
from onestream_track.network import OneStreamNetwork, Output
from onestream_track.tracker import OneStreamTracker
from trackcore.following import track_video


class _Recorder:
    """A network that remembers some of its inputs, evenly spread over all calls, whose number it does not know."""

    def __init__(self, network: OneStreamNetwork, count: int):
        self._network, self._count = network, count
        self._every, self._calls = 1, 0
        self.samples: list[dict[str, Tensor]] = []

    def __call__(self, template: Tensor, search: Tensor, *, template_mask: Tensor | None = None) -> Output:
        if self._calls % self._every == 0:
            voters = {"voters": template_mask} if needs_voters(self._network.config) else {}
            self.samples.append({"template": template, "search": search, **voters})
            if len(self.samples) == 2 * self._count:
                self.samples, self._every = self.samples[::2], 2 * self._every
        self._calls += 1
        return self._network(template, search, template_mask=template_mask)


def collect_inputs(
    network: OneStreamNetwork, source: str | Path, box: np.ndarray, count: int = 32
) -> list[dict[str, Tensor]]:
    """Follow a target through a video and keep what the network was given.

    Args:
        network: on the CPU, in eval mode.
        source: see :func:`trackcore.video.open_video`.
        box: x, y, w, h of the target in the first frame.
        count: how many inputs are wanted; there are fewer when the video is shorter, and up to twice as many.

    Raises:
        FrameReadError: the video cannot be read.
        ValueError: the box cannot be tracked, or the video has but one frame.
    """
    recorder = _Recorder(network, count)
    with torch.inference_mode():
        track_video(OneStreamTracker(recorder, network.config), source, box)
    if not recorder.samples:
        raise ValueError(f"{source}: one frame is too few to track a target in")
    return recorder.samples
