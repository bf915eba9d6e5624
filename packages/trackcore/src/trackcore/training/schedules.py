"""Learning-rate schedules: plain functions from progress to the factor on the base learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trackcore.training.config import Progress


def constant(progress: Progress) -> float:
    """Always the base learning rate."""
    return 1.0


def step_drop(epoch: int, drop_every: int, factor: float = 0.1) -> float:
    """``factor`` once more after every ``drop_every`` epochs; with 240, epochs 1 to 240 have 1, 241 to 480 have 0.1.

    Args:
        epoch: counted from 1.
        drop_every: epochs at each level, at least 1.
        factor: what each drop multiplies by.
    """
    if drop_every < 1:
        raise ValueError(f"drop_every must be at least 1 epoch, got {drop_every}")
    return factor ** ((epoch - 1) // drop_every)


def multi_step(epoch: int, milestones: Sequence[int], factor: float = 0.1) -> float:
    """``factor`` once more after each milestone epoch; milestone 3 is felt from epoch 4 on (epochs count from 1)."""
    return factor ** sum(epoch > milestone for milestone in milestones)


def warmup_cosine(progress: Progress, warmup_steps: int = 0, floor: float = 0.0) -> float:
    """Linear from 0 to 1 over ``warmup_steps`` optimiser steps, then half a cosine down to ``floor`` at the last step.

    The first step has 1 / warmup_steps and the last one before the end is just above ``floor``, so that no step has a
    learning rate of zero.
    """
    if progress.step < warmup_steps:
        return (progress.step + 1) / warmup_steps
    share = (progress.step - warmup_steps) / max(1, progress.total_steps - warmup_steps)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))


def warmup_cosine_epochs(position: float, epochs: float, warmup_epochs: float = 0.0, floor: float = 0.0) -> float:
    """Linear from 0 to 1 over ``warmup_epochs``, then half a cosine down to ``floor`` after ``epochs`` epochs.

    The schedule of MAE (CVPR 2022) and DropMAE (CVPR 2023), a function of the fractional epoch; the first step of a
    training with warm-up has a learning rate of zero.

    Args:
        position: epochs trained so far, such as ``Progress.position``.
    """
    if position < warmup_epochs:
        return position / warmup_epochs
    share = (position - warmup_epochs) / (epochs - warmup_epochs)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * share))
