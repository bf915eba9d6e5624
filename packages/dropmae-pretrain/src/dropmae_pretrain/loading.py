"""From a file or run folder to a network: own weights and training checkpoints, published DropMAE files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dropmae_pretrain.config import ModelConfig, ObjectiveConfig, Recipe
from dropmae_pretrain.network import DropMAE, build
from dropmae_pretrain.recipes import NETWORKS, get_recipe, recipe_names
from trackcore import checkpoints
from trackcore.checkpoints import Checkpoint, CheckpointError
from trackcore.devices import pick_device
from trackcore.recipes import from_yaml
from trackcore.training import resuming

_DECODER = ("decoder_", "mask_token")  # how the names begin that the encoder does without


@dataclass(frozen=True)
class Loaded:
    """A network and where it came from.

    Attributes:
        network: in evaluation mode.
        checkpoint: what the file held besides.
        step: optimiser steps it was trained for, 0 where the file does not say.
    """

    network: DropMAE
    checkpoint: Checkpoint
    step: int


def load_network(
    path: str | Path, *, recipe: str | None = None, device: str = "auto", encoder_only: bool = False
) -> Loaded:
    """The auto-encoder in a file or run folder.

    Args:
        path: own ``.safetensors``, a published ``.pth``, or a run folder, also while it is trained.
        recipe: name of the network's recipe, for files that do not tell.
        device: see :func:`trackcore.devices.pick_device`.
        encoder_only: the decoder is not needed: where the file lacks it, it keeps fresh weights.

    Raises:
        CheckpointError: the file cannot be read, holds something else, or does not tell its network.
        UnknownRecipeError, ValueError: there is no such recipe or device.
    """
    chosen, path = get_recipe(recipe) if recipe is not None else None, Path(path)
    place = pick_device(device)
    checkpoint, known = _from_folder(path) if path.is_dir() else (checkpoints.load(path), None)
    model, objective = _configuration(checkpoint, chosen or known)
    network = build(model, objective)
    hint = f"{checkpoint.path} is: {checkpoint.kind}"
    if not any(name.startswith("decoder_") for name in checkpoint.state):
        hint += "; it has no decoder, without which nothing can be reconstructed"
    fresh = {name: value for name, value in network.state_dict().items() if name.startswith(_DECODER)}
    checkpoints.load_state(network, (fresh if encoder_only else {}) | checkpoint.state, hint=hint)
    card = checkpoint.meta.get("card") or {}
    step = card.get("step") or checkpoint.meta.get("step") or 0
    return Loaded(network.eval().to(place), checkpoint, int(step))


def _from_folder(folder: Path) -> tuple[Checkpoint, Recipe]:
    """The newest weights of a run, and its recipe."""
    file = folder / "recipe.yaml"
    if not file.is_file():
        raise CheckpointError(f"{folder} is no run folder: it holds no {file.name}")
    recipe = from_yaml(Recipe, file.read_text(encoding="utf-8"))
    weights, steps = folder / "weights.safetensors", resuming.saved_steps(folder / "checkpoints")
    if weights.exists():
        return checkpoints.load(weights), recipe
    if steps:
        return checkpoints.load(resuming.checkpoint_path(folder / "checkpoints", steps[-1])), recipe
    raise CheckpointError(f"{folder} holds no weights yet: neither {weights.name} nor a checkpoint")


def _configuration(checkpoint: Checkpoint, recipe: Recipe | None) -> tuple[ModelConfig, ObjectiveConfig | None]:
    """The network of a checkpoint: the recipe's, that of its card, or the known one of its shapes."""
    if recipe is not None:
        return recipe.model, recipe.objective
    card = checkpoint.meta.get("card") or {}
    if "model" in card:
        objective = from_yaml(ObjectiveConfig, card["objective"]) if "objective" in card else None
        return from_yaml(ModelConfig, card["model"]), objective
    sizes = _sizes_in(checkpoint.state)
    for model in (*NETWORKS.values(), *(get_recipe(name).model for name in recipe_names())):
        if sizes == _sizes_of(model):
            return model, None
    raise CheckpointError(
        f"{checkpoint.path} is: {checkpoint.kind}; its shapes are those of no known auto-encoder "
        f"({', '.join(NETWORKS)}): name its recipe, or keep the card beside the weights"
    )


def _sizes_of(model: ModelConfig) -> tuple[int, ...]:
    """What shapes of an encoder tell: positions, width, side of the last kernel before tokens, MLP width, depth."""
    kernel = model.patch if model.stem == "linear" else 1
    return model.frame_tokens + 1, model.width, kernel, int(model.width * model.mlp_ratio), model.depth


def _sizes_in(state: Mapping[str, Tensor]) -> tuple[int, ...] | None:
    """The same of a state dict, None when it holds no encoder."""
    names = ("pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight")
    if not all(name in state for name in names):
        return None
    table, kernel, hidden = (state[name].shape for name in names)
    depth = sum(name.startswith("blocks.") and name.endswith(".norm1.weight") for name in state)
    return table[1], table[-1], kernel[-1], hidden[0], depth
