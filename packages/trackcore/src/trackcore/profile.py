"""Parameters, multiply-adds and time of networks.

::

    macs = count_macs(lambda: network(images))
    seconds = median_seconds(lambda: network(images), device=images.device)
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(network: nn.Module) -> int:
    """Numbers in all parameters; buffers are not counted."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(compute: Callable[[], object]) -> int:
    """Multiply-adds of the matrix products, convolutions and attention in a call.

    On the meta device nothing is computed.
    """
    # inference mode would hide operations from the counter
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops() // 2


def median_seconds(
    compute: Callable[[], object], *, repeats: int = 20, warmup: int = 3, device: torch.device | str = "cpu"
) -> float:
    """Median wall-clock time of a call, in inference mode.

    Args:
        compute: what is timed.
        repeats: timed calls.
        warmup: calls before them, not counted.
        device: where it computes; work on CUDA is waited for.
    """
    seconds = []
    with torch.inference_mode():
        for number in range(warmup + repeats):
            began = time.perf_counter()
            compute()
            if torch.device(device).type == "cuda":
                torch.cuda.synchronize(device)
            if number >= warmup:
                seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
