"""Which network a file of weights belongs to, and loading it by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from alpha_refine.config import BoxHead, MaskHead, ModelConfig, Neck
from alpha_refine.network import RefinementNetwork, build
from alpha_refine.recipes import get_recipe
from trackcore import checkpoints
from trackcore.recipes import from_yaml
from trackcore.safe_pickle import StandIn


def load_network(weights: str | Path, recipe: str | None = None) -> RefinementNetwork:
    """The network of a file, with its weights, on the CPU.

    Args:
        weights: own ``.safetensors``, whose card names the network, or a published ``.pth.tar``, whose names and shapes
            tell. Nothing in it is executed.
        recipe: name of the network's recipe; None asks the file.

    Raises:
        CheckpointError: the file cannot be read, fits another network, or is no refiner.
        UnknownRecipeError: no such recipe.
    """
    checkpoint = checkpoints.load(weights)
    config = get_recipe(recipe).model if recipe is not None else model_of(checkpoint)
    network = build(config)
    hint = f"{weights} is: {checkpoint.kind}; the network is the one {f'of {recipe!r}' if recipe else 'it seems to be'}"
    checkpoints.load_state(network, checkpoint.state, hint=hint)
    return network


def model_of(checkpoint: checkpoints.Checkpoint) -> ModelConfig:
    """The network a checkpoint belongs to: from its card, or from names and shapes.

    Two published networks differ in no name or shape from the released one: ``SEcm_r34_Att``, which is told by the
    constructor noted in the file, and one with the template pooled from its box, which no published setting trains.

    Raises:
        CheckpointError: these are no weights of a refiner.
    """
    card = checkpoint.meta.get("card") or {}
    if "model" in card:
        return from_yaml(ModelConfig, card["model"])
    try:
        return _from_names(checkpoint.state, _constructor(checkpoint.meta.get("constructor")))
    except KeyError as error:
        raise checkpoints.CheckpointError(
            f"{checkpoint.path} ({checkpoint.kind}) holds no refiner: it has no tensor {error.args[0]!r}"
        ) from None


def _constructor(noted: object) -> str:
    """Module and function that built the network, as published files note it; "" where they do not."""
    if not isinstance(noted, StandIn):
        return ""
    return ".".join(str(noted.attributes.get(name, "")) for name in ("fun_module", "fun_name"))


def _from_names(state: Mapping[str, Tensor], constructor: str) -> ModelConfig:
    blocks, channels = [], []
    while (kernel := state.get(f"feature_extractor.layer{len(blocks) + 1}.0.conv1.weight")) is not None:
        stage = f"feature_extractor.layer{len(blocks) + 1}."
        blocks.append(len({name.removeprefix(stage).split(".")[0] for name in state if name.startswith(stage)}))
        channels.append(len(kernel))
    if not blocks:
        raise KeyError("feature_extractor.layer1.0.conv1.weight")
    adjusted = [len(state["feat_adjust.0.0.weight"])]
    while (kernel := state.get(f"feat_adjust.{len(adjusted)}.0.weight")) is not None:
        adjusted.append(len(kernel))
    box_head, first = _box_head(state)
    classifier = state.get("feature_extractor.fc.weight")
    return ModelConfig(
        blocks=tuple(blocks),
        channels=tuple(channels),
        classes=0 if classifier is None else len(classifier),
        stage=len(adjusted),
        neck=_neck(state, constructor),
        neck_channels=len(state["neck.post_corr.6.weight"]),
        box_head=box_head,
        head_channels=ModelConfig.head_channels if first is None else len(state[first]),
        mask_head=_mask_head(state),
        adjusted=tuple(adjusted),
    )


def _neck(state: Mapping[str, Tensor], constructor: str) -> Neck:
    if (adjuster := state.get("neck.adjust_layer.0.weight")) is not None:
        return "single_channel" if adjuster.shape[1] == 1 else "depthwise"
    if "neck.spatial_attention.g.0.weight" in state:
        return "prroi_nonlocal"
    if "neck.spatial_attention.0.weight" in state:
        return "prroi_convolutions"
    return "attention_first" if "_Att" in constructor else "pixelwise"


def _box_head(state: Mapping[str, Tensor]) -> tuple[BoxHead, str | None]:
    """The kind, and the name of the first layer's kernel."""
    for kind, last, first in (
        ("corners", "conv1_br.0.weight", "conv1_tl.0.weight"),
        ("shared_corners", "conv5_br.weight", "conv1_tl.0.weight"),
        ("anchor_free", "conv5_conf.weight", "conv1_conf.0.weight"),
        ("extremes", "conv5.weight", "conv1.0.weight"),
        ("deltas", "fc.weight", "conv1.0.weight"),
    ):
        if f"corner_head.{last}" in state:
            return kind, f"corner_head.{first}"
    return "none", None


def _mask_head(state: Mapping[str, Tensor]) -> MaskHead:
    if "mask_head.v0.0.weight" in state:
        return "merged"
    return "plain" if "mask_head.conv1.0.weight" in state else "none"
