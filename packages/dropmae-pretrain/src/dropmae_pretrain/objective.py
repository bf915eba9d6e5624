"""Patches, their normalisation, and the loss on hidden ones (MAE, CVPR 2022; DropMAE, CVPR 2023)."""

from __future__ import annotations

import torch
from torch import Tensor

TARGET_EPSILON = 1e-6


def patchify(frames: Tensor, patch: int) -> Tensor:
    """Cut frames into patch vectors.

    Args:
        frames: ``(B, 3, S, S)``.
        patch: side p, a divisor of S.

    Returns:
        ``(B, (S / p)^2, 3 p^2)``: patches row by row; in a patch rows, then columns, then channels.
    """
    grid = frames.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))  # B, channel, row, y, column, x
    return grid.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor, patch: int) -> Tensor:
    """The inverse of :func:`patchify`: ``(B, g^2, 3 p^2)`` to ``(B, 3, g p, g p)``."""
    side = round(patches.shape[1] ** 0.5)
    if side * side != patches.shape[1] or patches.shape[2] != 3 * patch * patch:
        raise ValueError(f"{tuple(patches.shape)} are no patches of side {patch} of a square frame")
    grid = patches.unflatten(2, (patch, patch, 3)).unflatten(1, (side, side))
    return grid.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


def patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation ``(..., 1)`` of patch vectors ``(..., 3 p^2)`` over all their values.

    The variance is the unbiased one, as published, and gets 1e-6 before the root: a constant patch has the target zero.
    A reconstruction in pixels is ``prediction * deviation + mean``.
    """
    return patches.mean(-1, keepdim=True), (patches.var(-1, keepdim=True) + TARGET_EPSILON).sqrt()


def target(first: Tensor, second: Tensor, patch: int, *, normalise: bool = True) -> Tensor:
    """What is to be predicted for both frames ``(B, 3, S, S)``: ``(B, L, 3 p^2)`` float32, the first frame's first."""
    patches = torch.cat([patchify(first, patch), patchify(second, patch)], dim=1).float()
    if not normalise:
        return patches
    mean, deviation = patch_statistics(patches)
    return (patches - mean) / deviation


def reconstruction_loss(prediction: Tensor, wanted: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of hidden patches: each patch's mean over its values, then the mean over the batch's patches.

    Args:
        prediction, wanted: ``(B, L, 3 p^2)``.
        hidden: ``(B, L)``, 1 where a patch counts.
    """
    errors = (prediction.float() - wanted).square().mean(-1)
    return (errors * hidden).sum() / hidden.sum()
