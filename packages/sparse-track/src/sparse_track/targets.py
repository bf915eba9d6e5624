"""What each cell of the head should say."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


class Labels(NamedTuple):
    """Targets of the N cells of each sample.

    Attributes:
        classes: ``(B, N)`` int64, positive (1), negative (0) or ignored (-1).
        boxes: ``(B, N, 4)`` x1, y1, x2, y2 of the target in pixels of the search crop where a cell lies inside, else 0.
    """

    classes: Tensor
    boxes: Tensor


def assign(boxes: Tensor, same_target: Tensor, centres: Tensor) -> Labels:
    """Cells whose centre lies strictly inside the box are positive; there is neither shrinking nor a band to ignore.

    Where template and search region show different targets, only the cells inside the box are learned from, as
    negative ones: a look-alike may not be taken for the target, while what is around it says nothing.

    Args:
        boxes: ``(B, 4)`` x1, y1, x2, y2 of the target in pixels of the search crop.
        same_target: ``(B,)`` bool.
        centres: ``(N, 2)`` x, y of the cells' centres.
    """
    x, y = centres.unbind(1)
    left, top, right, bottom = boxes[:, :, None].unbind(1)
    inside = (x > left) & (y > top) & (x < right) & (y < bottom)
    classes = torch.where(same_target[:, None], inside.long(), torch.where(inside, NEGATIVE, IGNORED))
    return Labels(classes, boxes[:, None] * inside[..., None])
