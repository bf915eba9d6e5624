"""Targets and losses of the centre head: weighted focal, GIoU and L1.

Heat maps and focal loss follow CornerNet and CenterNet, whose radius formula is kept as published (it lacks the
division by 2a in its third root).
"""

from __future__ import annotations

import torch
from torch import Tensor

from onestream_track.config import LossConfig
from onestream_track.heads import Maps, decode, find_peak
from trackcore import boxes as box_ops


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


def target_cells(boxes: Tensor, cells: int) -> Tensor:
    """Cells that lie in the middle of their box (the inner half of its width and height), and the centre cell itself.

    Args:
        boxes: ``(B, 4)`` x, y, w, h divided by the side of the crop.
        cells: F.

    Returns:
        ``(B, F, F)`` bool; at least one cell of each sample, the nearest one when the centre lies outside.
    """
    cell = torch.arange(cells, device=boxes.device, dtype=boxes.dtype)

    def near(start: Tensor, length: Tensor) -> Tensor:
        # maps decode a cell at its left or upper edge, so cell i stands for the coordinate i
        centre = (start + length / 2) * cells
        home = centre.floor().clamp(0, cells - 1)
        return ((cell - centre[:, None]).abs() <= length[:, None] * cells / 4) | (cell == home[:, None])

    x, y, w, h = boxes.unbind(-1)
    return near(y, h)[:, :, None] & near(x, w)[:, None, :]


def losses(maps: Maps, boxes: Tensor, config: LossConfig | None = None) -> dict[str, Tensor]:
    """Training losses of a batch.

    Args:
        maps: float32 output of the head.
        boxes: ``(B, 4)`` ground truth x, y, w, h divided by the side of the search crop.
        config: weights, and the cells whose boxes are judged; the published ones when None.

    Returns:
        the weighted ``total``, ``giou``, ``l1``, ``location``, and the mean ``iou`` at the peak.

    Raises:
        ValueError: a ground-truth box has NaN.
    """
    if torch.isnan(boxes).any():
        raise ValueError(f"ground-truth boxes hold NaN: {boxes[torch.isnan(boxes).any(-1)][:4].tolist()}")
    config = config or LossConfig()
    cells = maps.score.shape[-1]
    truth = box_ops.xywh_to_xyxy(boxes).clamp(0, 1)
    peak = box_ops.cxcywh_to_xyxy(decode(maps, find_peak(maps.score.detach()).index))
    if config.boxes_at == "peak":
        predicted, wanted = peak, truth
    else:
        sample, row, column = target_cells(boxes, cells).nonzero(as_tuple=True)
        centre = torch.stack([column, row], dim=1) + maps.offset[sample, :, row, column]
        predicted = box_ops.cxcywh_to_xyxy(torch.cat([centre / cells, maps.size[sample, :, row, column]], dim=1))
        wanted = truth[sample]
    giou = (1 - box_ops.overlap(predicted, wanted, "giou")).mean()
    l1 = (predicted - wanted).abs().mean()
    location = focal_loss(maps.score, heat_maps(boxes, cells))
    return {
        "total": config.giou_weight * giou + config.l1_weight * l1 + config.location_weight * location,
        "giou": giou,
        "l1": l1,
        "location": location,
        "iou": box_ops.overlap(peak.detach(), truth).mean(),
    }
