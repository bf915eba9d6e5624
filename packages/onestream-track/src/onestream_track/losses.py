"""Targets and losses of the centre head: weighted focal, GIoU and L1.

Heat maps and focal loss follow CornerNet and CenterNet, whose radius formula is kept as published (it lacks the
division by 2a in its third root).
"""

from __future__ import annotations

import torch
from torch import Tensor

from onestream_track.heads import Maps, decode, find_peak
from trackcore import boxes as box_ops

GIOU_WEIGHT = 2.0
L1_WEIGHT = 5.0
LOCATION_WEIGHT = 1.0


def gaussian_radius(width: Tensor, height: Tensor, overlap: float = 0.7) -> Tensor:
    """Radius in cells within which a corner pair still overlaps the box by ``overlap``; integers as float32.

    Args:
        width, height: of boxes, in cells.
    """
    total, area = height + width, width * height
    first = (total + (total**2 - 4 * area * (1 - overlap) / (1 + overlap)).sqrt()) / 2
    second = (2 * total + (4 * total**2 - 16 * (1 - overlap) * area).sqrt()) / 2
    third = (-2 * overlap * total + (4 * overlap**2 * total**2 + 16 * overlap * (1 - overlap) * area).sqrt()) / 2
    return torch.minimum(torch.minimum(first, second), third).trunc().clamp(min=0)


def heat_maps(boxes: Tensor, cells: int) -> Tensor:
    """Gaussian targets, 1 at the cell of the box centre.

    Args:
        boxes: ``(B, 4)`` x, y, w, h divided by the side of the crop.
        cells: F.

    Returns:
        ``(B, F, F)``. A centre outside the map leaves no cell equal to 1.
    """
    x, y, w, h = (boxes * cells).unbind(-1)
    column, row = (x + w / 2).round(), (y + h / 2).round()  # half to even
    radius = gaussian_radius(w, h)
    sigma = (2 * radius + 1) / 6
    cell = torch.arange(cells, device=boxes.device, dtype=boxes.dtype)
    across, down = cell - column[:, None], cell - row[:, None]
    inside = (down.abs() <= radius[:, None])[:, :, None] & (across.abs() <= radius[:, None])[:, None, :]
    distance = down[:, :, None] ** 2 + across[:, None, :] ** 2
    return torch.exp(-distance / (2 * sigma**2)[:, None, None]) * inside


def focal_loss(score: Tensor, target: Tensor) -> Tensor:
    """CenterNet's penalty-reduced focal loss, summed and divided by the positives of the whole batch (if any).

    Args:
        score: ``(B, 1, F, F)`` probabilities.
        target: ``(B, F, F)`` heat maps; cells equal to 1 are positives.
    """
    score = score[:, 0].clamp(min=1e-12)
    positive = target == 1
    hit = (1 - score) ** 2 * score.log()
    miss = (1 - target) ** 4 * score**2 * (1 - score).log()
    total = -torch.where(positive, hit, miss).sum()
    return total / positive.sum().clamp(min=1)


def losses(maps: Maps, boxes: Tensor) -> dict[str, Tensor]:
    """Training losses of a batch.

    The predicted box comes from the arg-max of the predicted score, so size and offset get gradients at one cell per
    sample.

    Args:
        maps: float32 output of the head.
        boxes: ``(B, 4)`` ground truth x, y, w, h divided by the side of the search crop.

    Returns:
        ``total`` (2 GIoU + 5 L1 + location), ``giou``, ``l1``, ``location``, and the mean ``iou``.

    Raises:
        ValueError: a ground-truth box has NaN.
    """
    if torch.isnan(boxes).any():
        raise ValueError(f"ground-truth boxes hold NaN: {boxes[torch.isnan(boxes).any(-1)][:4].tolist()}")
    predicted = box_ops.cxcywh_to_xyxy(decode(maps, find_peak(maps.score.detach()).index))
    truth = box_ops.xywh_to_xyxy(boxes).clamp(0, 1)
    giou = (1 - box_ops.overlap(predicted, truth, "giou")).mean()
    l1 = (predicted - truth).abs().mean()
    location = focal_loss(maps.score, heat_maps(boxes, maps.score.shape[-1]))
    return {
        "total": GIOU_WEIGHT * giou + L1_WEIGHT * l1 + LOCATION_WEIGHT * location,
        "giou": giou,
        "l1": l1,
        "location": location,
        "iou": box_ops.overlap(predicted.detach(), truth).mean(),
    }
