"""What is minimised: cross-entropy of the hardest pixels (bootstrapped), as in STCN and DropSeg."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dropseg_vos.aggregation import log_odds
from dropseg_vos.config import LossConfig


def kept_share(step: int, config: LossConfig) -> float:
    """Share of the pixels that count at an optimiser step, counted from 0.

    All of them up to ``config.start``, ``config.kept`` after ``config.end``, linear between.
    """
    if step < config.start:
        return 1.0
    if step > config.end:
        return config.kept
    return config.kept + (1 - config.kept) * (config.end - step) / (config.end - config.start)


def hard_pixel_loss(logits: Tensor, classes: Tensor, share: float) -> Tensor:
    """Mean cross-entropy of the hardest pixels of one sample.

    Args:
        logits: ``(C, H, W)``.
        classes: ``(H, W)`` int64.
        share: of the pixels that count; their number is rounded down, 1 takes the plain mean.
    """
    losses = F.cross_entropy(logits[None], classes[None], reduction="none").flatten()
    return losses.mean() if share >= 1 else losses.topk(int(share * losses.numel())).values.mean()


def object_log_odds(logits: Tensor, present: Tensor) -> Tensor:
    """Log-odds ``(B, K + 1, H, W)`` of background and objects, float32.

    Args:
        logits: ``(B, K, H, W)`` of the network.
        present: ``(B, K)`` bool or numbers; slots without an object have a probability of 0.
    """
    return log_odds(logits.float().sigmoid() * present[..., None, None])


def segmentation_loss(odds: Tensor, classes: Tensor, present: Tensor, share: float) -> Tensor:
    """Batch mean of :func:`hard_pixel_loss`; channels of slots without an object take no part.

    Args:
        odds: ``(B, K + 1, H, W)``, see :func:`object_log_odds`.
        classes: ``(B, H, W)`` int64, 0 for background, then the slots.
        present: ``(B, K)`` bool; the first slots hold the objects.
    """
    counts = 1 + present.bool().sum(dim=1)
    # a background alone would leave nothing to tell apart
    parts = [
        hard_pixel_loss(sample[: max(2, int(count))], target, share)
        for sample, target, count in zip(odds, classes, counts, strict=True)
    ]
    return torch.stack(parts).mean()


def overlap_counts(odds: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels of intersection and union of each slot over the batch, ``(K,)`` each; found is what has more than half."""
    found = odds.softmax(dim=1)[:, 1:] > 0.5
    truth = classes[:, None] == torch.arange(1, odds.shape[1], device=odds.device)[:, None, None]
    return (found & truth).sum(dim=(0, 2, 3)), (found | truth).sum(dim=(0, 2, 3))
