"""Soft aggregation: masks of objects that were found one by one become one distribution a pixel.

"Space-Time Memory Networks" (ICCV 2019), as STCN and DropSeg compute it. Always in float32: half precision cannot tell
a probability of 0.9997 from 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-7


def log_odds(probabilities: Tensor) -> Tensor:
    """Log-odds of the background and of the objects.

    The background's probability is that of no object, ``prod(1 - p)``; all are clamped to ``[1e-7, 1 - 1e-7]``, whose
    upper end is 0.99999988 in float32.

    Args:
        probabilities: ``(..., K, H, W)``.

    Returns:
        ``(..., K + 1, H, W)``, the background first; float32, or float64 when the argument is.
    """
    if probabilities.dtype.itemsize < 4:
        probabilities = probabilities.float()
    background = (1 - probabilities).prod(dim=-3, keepdim=True)
    every = torch.cat([background, probabilities], dim=-3).clamp(EPSILON, 1 - EPSILON)
    return torch.log(every / (1 - every))


def aggregate(probabilities: Tensor) -> Tensor:
    """Probabilities ``(..., K + 1, H, W)`` that sum to 1, the background first, of objects found one by one."""
    return log_odds(probabilities).softmax(dim=-3)


def aggregate_logits(logits: Tensor) -> Tensor:
    """As :func:`aggregate`, from the network's logits ``(..., K, H, W)`` in any precision."""
    return aggregate(logits.float().sigmoid())
