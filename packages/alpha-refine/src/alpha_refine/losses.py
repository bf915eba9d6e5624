"""Losses of boxes and masks in a search crop."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from alpha_refine.config import LossConfig
from alpha_refine.network import Output
from trackcore.boxes import area, overlap, xywh_to_xyxy


def mse_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error over all coordinates of ``(B, 4)`` boxes, in squared crop pixels."""
    return F.mse_loss(predicted, wanted)


def smoothed_overlap(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Overlap of ``(B, 4)`` x1, y1, x2, y2 boxes in pixels with one pixel added to intersection and union, ``(B,)``.

    It is positive for any boxes, so its logarithm exists. A box whose corners cross has no area.
    """
    intersection, union = _intersection_and_union(predicted, wanted)
    return (intersection + 1) / (union + 1)


def iou_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Minus the logarithm of :func:`smoothed_overlap`, mean over ``(B, 4)`` x1, y1, x2, y2 boxes."""
    return -smoothed_overlap(predicted, wanted).log().mean()


def linear_iou_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """One minus :func:`smoothed_overlap`, mean over ``(B, 4)`` x1, y1, x2, y2 boxes."""
    return (1 - smoothed_overlap(predicted, wanted)).mean()


def giou_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """One minus the generalised overlap (Rezatofighi et al., CVPR 2019), mean over ``(B, 4)`` x1, y1, x2, y2 boxes.

    The overlap in it is :func:`smoothed_overlap`; the share of the hull that neither box fills is not smoothed.
    """
    _, union = _intersection_and_union(predicted, wanted)
    left_top = torch.minimum(predicted[:, :2], wanted[:, :2])
    right_bottom = torch.maximum(predicted[:, 2:], wanted[:, 2:])
    hull = (right_bottom - left_top).clamp(min=0).prod(dim=1) + 1e-7
    return (1 - smoothed_overlap(predicted, wanted) + (hull - union) / hull).mean()


def _intersection_and_union(predicted: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    left_top = torch.maximum(predicted[:, :2], wanted[:, :2])
    right_bottom = torch.minimum(predicted[:, 2:], wanted[:, 2:])
    intersection = (right_bottom - left_top).clamp(min=0).prod(dim=1)
    return intersection, area(predicted) + area(wanted) - intersection


BOX_LOSSES = {"mse": mse_loss, "iou": iou_loss, "linear_iou": linear_iou_loss, "giou": giou_loss}


def mask_loss(predicted: Tensor, wanted: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy, mean over the pixels of the samples that have a mask; 0 when none has.

    Args:
        predicted: ``(B, 1, S, S)`` probabilities, float32. Logarithms are cut off at -100.
        wanted: ``(B, 1, S, S)`` numbers from 0 to 1.
        present: ``(B,)`` bool, the sample has a mask.
    """
    pixels = F.binary_cross_entropy(predicted, wanted, reduction="none")
    each = pixels.mean(dim=(1, 2, 3))
    return (each * present).sum() / present.sum().clamp(min=1)


def losses(
    output: Output,
    boxes: Tensor,
    masks: Tensor | None = None,
    has_mask: Tensor | None = None,
    config: LossConfig | None = None,
) -> dict[str, Tensor]:
    """Training losses of a batch.

    Args:
        output: of the network.
        boxes: ``(B, 4)`` true x, y, w, h in crop pixels.
        masks: ``(B, S, S)`` bool; needed when ``output`` has masks.
        has_mask: ``(B,)`` bool: False for samples whose dataset has none.
        config: which losses; the published ones when None.

    Returns:
        ``total``; where the network predicts boxes, ``box`` in the units of its loss and the mean overlap ``iou``;
        where it predicts masks, ``mask`` before it is weighted.

    Raises:
        ValueError: a true box has NaN, or there are no masks to learn from.
    """
    if torch.isnan(boxes).any():
        raise ValueError(f"true boxes hold NaN: {boxes[torch.isnan(boxes).any(-1)][:4].tolist()}")
    config = config or LossConfig()
    found: dict[str, Tensor] = {}
    if output.box is not None:
        predicted, wanted = output.box.float(), xywh_to_xyxy(boxes.float())
        found["box"] = BOX_LOSSES[config.box](predicted, wanted)
        found["iou"] = overlap(predicted.detach(), wanted).mean()
    if output.mask is not None:
        if masks is None or has_mask is None:
            raise ValueError("the network predicts masks, but the samples have none")
        found["mask"] = mask_loss(output.mask.float(), masks[:, None].float(), has_mask)
    total = found.get("box", boxes.new_zeros(()))
    if "mask" in found:
        total = total + config.mask_weight * found["mask"]
    return {"total": total, **found}
