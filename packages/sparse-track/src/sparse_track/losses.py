"""Focal loss and IoU loss of both branches of the double head."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sparse_track.config import LossConfig
from sparse_track.head import Predictions
from sparse_track.targets import IGNORED, POSITIVE, Labels


def focal_loss(logits: Tensor, classes: Tensor, alpha: float, gamma: float) -> Tensor:
    """``alpha_t (1 - p_t)^gamma BCE`` of each cell, 0 where it is ignored.

    Lin et al., "Focal Loss for Dense Object Detection" (ICCV 2017).

    Args:
        logits: ``(B, N)``.
        classes: ``(B, N)``, see :class:`sparse_track.targets.Labels`.
    """
    positive = classes == POSITIVE
    cross_entropy = F.binary_cross_entropy_with_logits(logits, positive.to(logits), reduction="none")
    missed = torch.where(positive, 1 - logits.sigmoid(), logits.sigmoid())
    balance = torch.where(positive, alpha, 1 - alpha)
    return balance * missed**gamma * cross_entropy * (classes != IGNORED)


def inclusive_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU of each box with its partner, in the published convention: a side is ``x2 - x1 + 1`` pixels.

    Args:
        boxes, others: ``(..., 4)`` x1, y1, x2, y2.
    """
    left, top, right, bottom = boxes.unbind(-1)
    left2, top2, right2, bottom2 = others.unbind(-1)
    width = (torch.minimum(right, right2) - torch.maximum(left, left2) + 1).clamp(min=0)
    height = (torch.minimum(bottom, bottom2) - torch.maximum(top, top2) + 1).clamp(min=0)
    shared = width * height
    area = ((right - left + 1) * (bottom - top + 1)).abs()
    area2 = ((right2 - left2 + 1) * (bottom2 - top2 + 1)).abs()
    return shared / (area + area2 - shared)


def iou_loss(iou: Tensor) -> Tensor:
    """``-ln IoU``; boxes apart from each other cost 87.3 and have no gradient."""
    return -iou.clamp(min=torch.finfo(iou.dtype).tiny).log()


def losses(
    predictions: Predictions, labels: Labels, config: LossConfig | None = None, positives: Tensor | None = None
) -> dict[str, Tensor]:
    """Training losses of a batch.

    Args:
        predictions: float32 output of the head, boxes of both branches included.
        labels: what it should have been.
        config: weights; the published ones when None.
        positives: what sums over cells are divided by; the positive cells of the batch (at least 1) when None.

    Returns:
        the weighted losses ``cls_fc``, ``reg_fc``, ``cls_conv``, ``reg_conv``, their sum ``total``, and ``iou_fc``,
        ``iou_conv``, the mean IoU over positive cells.
    """
    config = config or LossConfig()
    inside = labels.classes == POSITIVE
    positives = inside.sum().clamp(min=1) if positives is None else positives
    wanted = labels.boxes[inside]
    result = {}
    for branch, logits, boxes, classification, regression in (
        ("fc", predictions.fc_logits, predictions.fc_boxes, config.fc_classification, config.fc_regression),
        ("conv", predictions.conv_logits, predictions.conv_boxes, config.conv_classification, config.conv_regression),
    ):
        focal = focal_loss(logits, labels.classes, config.alpha, config.gamma)
        iou = inclusive_iou(boxes[inside], wanted)
        result[f"cls_{branch}"] = classification * focal.sum() / positives
        result[f"reg_{branch}"] = regression * iou_loss(iou).sum() / positives
        result[f"iou_{branch}"] = iou.detach().sum() / inside.sum().clamp(min=1)
    total = sum(value for name, value in result.items() if not name.startswith("iou"))
    return {"total": total, **result}
