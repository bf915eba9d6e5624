"""Checkpoints in the layout of the published training code, optimiser included."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from trackcore import checkpoints


def save_published(
    path: str | Path,
    network: nn.Module,
    optimizer: Optimizer | None = None,
    *,
    epoch: int = 0,
    args: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint as the published code does: ``model``, ``optimizer``, ``epoch``, ``scaler``, ``args``.

    Args:
        path: ``.pth`` file; folders above it are created.
        network: the auto-encoder.
        optimizer: over :func:`dropmae_pretrain.training.parameter_groups`; left empty when None.
        epoch: last finished epoch, counted from 0.
        args: settings, which become an ``argparse.Namespace``. Readers other than :mod:`trackcore.checkpoints` need
            an allowance for that class.

    Raises:
        CheckpointWriteError: the disk is full; an earlier file is as it was.
    """
    contents = {
        "model": {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()},
        "optimizer": optimizer.state_dict() if optimizer is not None else {},
        "epoch": epoch,
        "scaler": {},
        "args": Namespace(**(args or {})),
    }
    checkpoints.write_atomic(path, lambda file: torch.save(contents, file))
    return Path(path)


def load_published_optimizer(optimizer: Optimizer, checkpoint: checkpoints.Checkpoint) -> None:
    """Give an optimiser the state in a published checkpoint, which names parameters by their order alone.

    Raises:
        CheckpointError: the file has no optimiser state, or one of other parameters.
    """
    stored = checkpoint.meta.get("optimizer")
    if not stored:
        raise checkpoints.CheckpointError(f"{checkpoint.path} has no optimiser state")
    own = optimizer.param_groups
    sizes = [[len(group["params"]) for group in groups] for groups in (stored["param_groups"], own)]
    if sizes[0] != sizes[1]:
        raise checkpoints.CheckpointError(
            f"the optimiser of {checkpoint.path} has groups of {sizes[0]} parameters, this one of {sizes[1]}"
        )
    numbers = [number for group in stored["param_groups"] for number in group["params"]]
    parameters = [parameter for group in own for parameter in group["params"]]
    for number, parameter in zip(numbers, parameters, strict=True):
        moment = stored["state"].get(number, {}).get("exp_avg")
        if moment is not None and moment.shape != parameter.shape:
            raise checkpoints.CheckpointError(
                f"in the optimiser of {checkpoint.path} parameter {number} has shape {list(moment.shape)}, here "
                f"{list(parameter.shape)}"
            )
    optimizer.load_state_dict(stored)
