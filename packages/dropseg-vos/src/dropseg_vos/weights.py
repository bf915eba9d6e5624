"""Loading networks by name: which one a file of weights belongs to, and what a training starts from."""

from __future__ import annotations

from pathlib import Path

from dropseg_vos.config import ModelConfig
from dropseg_vos.network import SegmentationNetwork, build
from dropseg_vos.published import config_of, from_published, is_published, start_from_encoder
from dropseg_vos.recipes import get_recipe
from trackcore import checkpoints
from trackcore.recipes import from_yaml


def load_network(weights: str | Path, recipe: str | None = None) -> SegmentationNetwork:
    """The network of a file, with its weights, on the CPU.

    Args:
        weights: own ``.safetensors``, whose card names the network, or a published ``.pth`` (a bare state dict), whose
            shapes tell. Nothing in it is executed.
        recipe: name of the network's recipe; None asks the file.

    Raises:
        CheckpointError: the file cannot be read, fits another network, or holds no segmentation network.
        UnknownRecipeError: no such recipe.
    """
    checkpoint = checkpoints.load(weights)
    state = checkpoint.state
    if is_published(state):
        state = from_published(state)
    network = build(get_recipe(recipe).model if recipe is not None else _model_of(checkpoint, state))
    which = f"of {recipe!r}" if recipe else "it seems to be"
    checkpoints.load_state(network, state, hint=f"{weights} is: {checkpoint.kind}; the network is the one {which}")
    return network


def _model_of(checkpoint: checkpoints.Checkpoint, state) -> ModelConfig:
    card = checkpoint.meta.get("card") or {}
    if "model" in card:
        return from_yaml(ModelConfig, card["model"])
    try:
        return config_of(state)
    except KeyError as error:
        raise checkpoints.CheckpointError(
            f"{checkpoint.path} ({checkpoint.kind}) holds no segmentation network: it has no tensor {error.args[0]!r}"
        ) from None


def load_start_weights(network: SegmentationNetwork, path: str | Path) -> str:
    """Begin a training with the weights of a segmentation network, or of an encoder pre-trained by DropMAE.

    Returns:
        One line about what was taken.

    Raises:
        CheckpointError: the file cannot be read, or its weights do not fit.
    """
    checkpoint = checkpoints.load(path)
    if "mask_patch_embed.proj.weight" in checkpoint.state:
        state = from_published(checkpoint.state) if is_published(checkpoint.state) else checkpoint.state
        checkpoints.load_state(network, state, hint=f"{path} is: {checkpoint.kind}")
        return f"starts from all weights of {path}"
    started = start_from_encoder(network, checkpoint)
    return f"starts from {path} ({checkpoint.kind}): {len(started.loaded)} tensors, {len(started.fresh)} stay fresh"
