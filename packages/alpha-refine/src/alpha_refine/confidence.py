"""How sure a box head is, read off its score maps at no cost."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Confidence = Literal["peak", "entropy"]


def confidence(scores: Tensor, kind: Confidence = "peak") -> Tensor:
    """Confidence in [0, 1] of boxes, from the maps they come from.

    - ``peak``: the geometric mean of the maps' largest probabilities.
    - ``entropy``: 1 minus the mean entropy of the maps over that of a flat map.

    Both are 1 when every map has a single cell, and near 0 when the maps are flat. They rank boxes; neither is the
    probability of anything.

    Args:
        scores: ``(B, M, F, F)`` logits, see :class:`alpha_refine.heads.Corners`.
        kind: which one.

    Returns:
        ``(B,)``; NaN for heads without maps.

    Raises:
        ValueError: unknown kind.
    """
    if kind not in ("peak", "entropy"):
        raise ValueError(f"confidence is 'peak' or 'entropy', got {kind!r}")
    if scores.shape[1] == 0:
        return scores.new_full((len(scores),), torch.nan)
    logs = scores.flatten(2).log_softmax(dim=2)
    if kind == "peak":
        return logs.amax(dim=2).mean(dim=1).exp()
    entropy = -(logs.exp() * logs).sum(dim=2).mean(dim=1)
    return 1 - entropy / math.log(logs.shape[2])
