"""Auto-encoders from files: own weights, run folders and published checkpoints; and the published layout on disk."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dropmae_pretrain.config import ModelConfig, ObjectiveConfig, Recipe
from dropmae_pretrain.network import DropMAE, build
from dropmae_pretrain.recipes import NETWORKS, get_recipe, recipe_names
from trackcore import checkpoints
from trackcore.devices import pick_device
from trackcore.recipes import from_yaml
from trackcore.training import resuming


@dataclass(frozen=True)
class Loaded:
    """A network and where it came from.

    Attributes:
        network: in evaluation mode.
        checkpoint: what the file held besides.
        step: optimiser steps it was trained for, 0 where the file does not say.
    """

    network: DropMAE
    checkpoint: checkpoints.Checkpoint
    step: int


def load_network(path: str | Path, *, recipe: str | None = None, device: str = "auto") -> Loaded:
    """The auto-encoder in a file or run folder.

    Args:
        path: own ``.safetensors``, a published ``.pth``, or a run folder, also while it is trained.
        recipe: name of the network's recipe, for files that do not tell.
        device: see :func:`trackcore.devices.pick_device`.

    Raises:
        CheckpointError: the file cannot be read, holds something else, or does not tell its network.
        UnknownRecipeError, ValueError: there is no such recipe or device.
    """
    chosen = get_recipe(recipe) if recipe is not None else None
    place = pick_device(device)
    checkpoint, known = _from_folder(Path(path)) if Path(path).is_dir() else (checkpoints.load(path), None)
    model, objective = _configuration(checkpoint, chosen or known)
    network = build(model, objective)
    hint = f"{checkpoint.path} is: {checkpoint.kind}"
    if not any(name.startswith("decoder_") for name in checkpoint.state):
        hint += "; it has no decoder, without which nothing can be reconstructed"
    checkpoints.load_state(network, checkpoint.state, hint=hint)
    card = checkpoint.meta.get("card") or {}
    step = card.get("step") or checkpoint.meta.get("step") or 0
    return Loaded(network.eval().to(place), checkpoint, int(step))


def _from_folder(folder: Path) -> tuple[checkpoints.Checkpoint, Recipe]:
    """The newest weights of a run, and its recipe."""
    file = folder / "recipe.yaml"
    if not file.is_file():
        raise checkpoints.CheckpointError(f"{folder} is no run folder: it holds no {file.name}")
    recipe = from_yaml(Recipe, file.read_text(encoding="utf-8"))
    weights, steps = folder / "weights.safetensors", resuming.saved_steps(folder / "checkpoints")
    if weights.exists():
        return checkpoints.load(weights), recipe
    if steps:
        return checkpoints.load(resuming.checkpoint_path(folder / "checkpoints", steps[-1])), recipe
    raise checkpoints.CheckpointError(f"{folder} holds no weights yet: neither {weights.name} nor a checkpoint")


def _configuration(
    checkpoint: checkpoints.Checkpoint, recipe: Recipe | None
) -> tuple[ModelConfig, ObjectiveConfig | None]:
    """The network of a checkpoint: the recipe's, that of its card, or the known one of its shapes."""
    if recipe is not None:
        return recipe.model, recipe.objective
    card = checkpoint.meta.get("card") or {}
    if "model" in card:
        objective = from_yaml(ObjectiveConfig, card["objective"]) if "objective" in card else None
        return from_yaml(ModelConfig, card["model"]), objective
    shapes = _shapes(checkpoint.state.items())
    for model in (*NETWORKS.values(), *(get_recipe(name).model for name in recipe_names())):
        with torch.device("meta"):
            if _shapes(build(model).state_dict().items()) == shapes:
                return model, None
    known = ", ".join(NETWORKS)
    raise checkpoints.CheckpointError(
        f"{checkpoint.path} is: {checkpoint.kind}; its shapes are those of no known auto-encoder ({known}): name its "
        "recipe, or keep the card beside the weights"
    )


def _shapes(state: Iterable[tuple[str, Tensor]]) -> set[tuple[str, tuple[int, ...]]]:
    """What identifies a network: decoders may be missing, so that the error can say so."""
    return {(name, tuple(tensor.shape)) for name, tensor in state if "decoder" not in name}


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
