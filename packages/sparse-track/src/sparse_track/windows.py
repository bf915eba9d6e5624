"""How a map of tokens is cut into windows, as gather indices and a mask.

The published order of operations differs from timm's, and published weights depend on it: the map is padded right and
below to whole windows first and rolled then, and nothing hides the padding, whose tokens are keys as good as any.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from timm.models.swin_transformer import window_partition, window_reverse
from torch import Tensor

HIDDEN = -100.0  # added to the logit between tokens of different regions, as published


@dataclass(frozen=True)
class WindowLayout:
    """Windows of side w over an H x W map that is padded to whole windows.

    Attributes:
        tokens: ``(windows * w * w,)`` int64, for each place in each window the token (row-major) that lies there;
            H * W stands for padding.
        places: ``(H * W,)`` int64, for each token its place among those of all windows.
        mask: ``(windows, w * w, w * w)`` float32 to add to logits, 0 or -100; None for windows that are not shifted.
    """

    tokens: Tensor
    places: Tensor
    mask: Tensor | None


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what tracking made first must do for training, which saves it for the way back
def window_layout(height: int, width: int, window: int, shift: int, device: torch.device) -> WindowLayout:
    """The layout of a map of ``height`` x ``width`` tokens, rolled by ``shift`` towards the top left."""
    rows, columns = height + -height % window, width + -width % window
    size = (window, window)
    own = torch.arange(height * width, device=device).view(height, width)
    padded = F.pad(own, (0, columns - width, 0, rows - height), value=height * width)
    tokens = window_partition(padded.roll((-shift, -shift), (0, 1))[None, ..., None], size).flatten()
    numbers = torch.arange(rows * columns, device=device).view(-1, window, window, 1)
    back = window_reverse(numbers, size, rows, columns)[0, ..., 0].roll((shift, shift), (0, 1))
    mask = None
    if shift:
        row, column = (_slices(length, window, shift, device) for length in (rows, columns))
        region = window_partition((3 * row[:, None] + column)[None, ..., None], size).flatten(1)
        mask = torch.where(region[:, :, None] == region[:, None, :], 0.0, HIDDEN)
    return WindowLayout(tokens, back[:height, :width].flatten(), mask)


def _slices(length: int, window: int, shift: int, device: torch.device) -> Tensor:
    """``(length,)``: 0 for the part that no window divides, 1 and 2 for the parts that meet in the last window."""
    place = torch.arange(length, device=device)
    return (place >= length - window).long() + (place >= length - shift).long()
