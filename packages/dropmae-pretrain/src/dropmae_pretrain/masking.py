"""Which tokens are hidden, as a function of given noise."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Mask(NamedTuple):
    """A choice of visible tokens.

    Attributes:
        visible: ``(B, V)`` int64, their indices in the joint sequence, of each group in the order of rising noise.
        hidden: ``(B, L)`` float32, 1 for hidden tokens and 0 for visible ones.
    """

    visible: Tensor
    hidden: Tensor


def choose_visible(noise: Tensor, keep: int | tuple[int, int]) -> Mask:
    """Keep the tokens of smallest noise.

    Args:
        noise: ``(B, L)``, one number for each token of both frames, the first frame's first.
        keep: how many stay visible, of all tokens or of each frame.
    """
    if isinstance(keep, int):
        visible = noise.argsort(1)[:, :keep]
    else:
        first, second = noise.chunk(2, dim=1)
        start = first.shape[1]
        visible = torch.cat([first.argsort(1)[:, : keep[0]], second.argsort(1)[:, : keep[1]] + start], 1)
    hidden = torch.ones(noise.shape, device=noise.device).scatter_(1, visible, 0.0)
    return Mask(visible, hidden)
