"""Pre-trained encoders for those who use them: trackers, video object segmentation, timm.

Trackers and DropSeg take the encoder under its own names: position table, both frame-identity vectors, patch embedding,
blocks and last norm. They give the identity of second frames (``temporal_pos_embed_z``) to the template or the memory,
and that of first frames (``temporal_pos_embed_x``) to the search region or the query, and resample the positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from trackcore import checkpoints

Target = Literal["onestream", "dropseg", "timm"]
Frame = Literal["none", "first", "second"]

_ENTRY = {"onestream": "model", "dropseg": "model", "timm": "state_dict"}  # under which each looks in a .pth
_IDENTITY = {"first": "temporal_pos_embed_x", "second": "temporal_pos_embed_z"}
_UNCLEAR = "published DropMAE weights come without a licence; ask their authors before you pass them on"


def encoder_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What trackers take of an auto-encoder's state dict: every entry without "decoder" in its name.

    That includes the mask token, which they leave aside.
    """
    return {name: tensor for name, tensor in state.items() if "decoder" not in name}


def timm_state(state: Mapping[str, Tensor], *, frame: Frame = "none", class_token: bool = True) -> dict[str, Tensor]:
    """The encoder as timm's ``VisionTransformer`` without classifier names it.

    Args:
        state: of an encoder or auto-encoder.
        frame: whose identity vector is added to the positions of the patches. timm has no place for it; without one,
            tokens look like those of no frame the encoder has seen.
        class_token: add the class token that timm's models have by default, as zeros, and keep its row of positions.
            Without, they are for ``class_token=False``.
    """
    encoder = {name: tensor for name, tensor in encoder_state(state).items() if name != "mask_token"}
    vectors = {which: encoder.pop(name) for which, name in _IDENTITY.items()}
    positions = encoder.pop("pos_embed")
    head, places = positions[:, :1], positions[:, 1:]
    if frame != "none":
        places = places + vectors[frame]
    if not class_token:
        return {"pos_embed": places, **encoder}
    return {"cls_token": torch.zeros_like(head), "pos_embed": torch.cat([head, places], dim=1), **encoder}


def convert(
    source: str | Path, target: Target, output: str | Path, *, frame: Frame = "none", class_token: bool = True
) -> dict[str, Any]:
    """Write a pre-trained encoder for one of its users.

    Args:
        source: own ``.safetensors``, or a published ``.pth``.
        target: who reads it.
        output: ``.safetensors``, which gets a card beside it, or ``.pth``, which holds the card under ``card``.
        frame, class_token: for timm, see :func:`timm_state`.

    Returns:
        The card: where the weights come from.

    Raises:
        CheckpointError: the source cannot be read or is no such encoder, or the output cannot be written.
        ValueError: the output has another ending.
    """
    output = Path(output)
    if output.suffix not in (".safetensors", ".pth"):
        raise ValueError(f"{output} must end in .safetensors or .pth")
    checkpoint = checkpoints.load(source)
    needed = ("pos_embed", "temporal_pos_embed_x", "temporal_pos_embed_z", "patch_embed.proj.weight", "norm.weight")
    if lacking := [name for name in needed if name not in checkpoint.state]:
        raise checkpoints.CheckpointError(
            f"{source} is: {checkpoint.kind}; to convert, it must be a DropMAE encoder or auto-encoder, but it lacks "
            f"{', '.join(lacking)}"
        )
    steps = _stem_steps(checkpoint.state)
    if target == "timm" and steps:
        raise checkpoints.CheckpointError(f"{source} turns pixels into tokens by a stem that timm's ViT does not have")
    state = (
        timm_state(checkpoint.state, frame=frame, class_token=class_token)
        if target == "timm"
        else encoder_state(checkpoint.state)
    )
    card = _card(checkpoint, target, state)
    if target == "timm":
        card |= {"frame": frame, "class_token": class_token}
    if output.suffix == ".safetensors":
        checkpoints.save_weights(output, state, card)
    else:
        contents = {_ENTRY[target]: {name: tensor.clone() for name, tensor in state.items()}, "card": card}
        checkpoints.write_atomic(output, lambda file: torch.save(contents, file))
    return card


def _card(checkpoint: checkpoints.Checkpoint, target: Target, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Where exported weights come from, as far as the source says."""
    own = checkpoint.meta.get("card") or {}
    settings = _settings(checkpoint.meta.get("args"))
    kernel = state["patch_embed.proj.weight"]
    trained = own.get("train") or {}
    return {
        "kind": f"DropMAE encoder for {target}",
        "source": checkpoint.path.name,
        "source_sha256": checkpoints.file_hash(checkpoint.path),
        "source_kind": checkpoint.kind,
        "recipe": own.get("recipe"),
        "data": own.get("data"),
        "objective": own.get("objective") or {key: settings[key] for key in ("P", "mask_ratio") if key in settings},
        "epoch": checkpoint.epoch,
        "step": own.get("step"),
        "loss": trained.get("total"),
        "width": kernel.shape[0],
        "patch": 1 << steps if (steps := _stem_steps(state)) else kernel.shape[-1],
        "licence": own.get("licence", _UNCLEAR),
    }


def _stem_steps(state: Mapping[str, Tensor]) -> int:
    """Convolutions of stride 2 in a convolutional stem, 0 when tokens come from patches at once."""
    return sum(name.startswith("patch_embed.layers.") and value.ndim == 4 for name, value in state.items())


def _settings(args: Any) -> dict[str, Any]:
    """The plain values among a published checkpoint's settings."""
    attributes = getattr(args, "attributes", None) or {}
    return {name: value for name, value in attributes.items() if isinstance(value, int | float | str | bool)}
