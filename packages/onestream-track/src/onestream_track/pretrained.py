"""Start weights: MAE and DropMAE encoders, or an earlier tracker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from onestream_track.network import OneStreamNetwork
from onestream_track.timm_backbone import TimmBackbone, load_vit
from trackcore import checkpoints
from trackcore.positions import resize_patch_kernel


def load_pretraining(network: OneStreamNetwork, state: Mapping[str, Tensor]) -> checkpoints.LoadReport:
    """Load an MAE or DropMAE encoder into the backbone and derive both position tables from its table.

    Patch kernels are resized when the network's stride differs. DropMAE's frame-identity vectors go into networks that
    have them (DropTrack) and are reported as unexpected by those that do not.

    Args:
        state: the checkpoint's ``model`` dict, names without prefix.

    Returns:
        Missing and unexpected names; decoder tensors are not reported for DropTrack networks, as published.

    Raises:
        CheckpointMismatchError: shapes differ, or nothing in the checkpoint belongs to a ViT encoder.
    """
    if network.config.frame_identity:
        state = {name: tensor for name, tensor in state.items() if "decoder" not in name}
    backbone = network.backbone
    state = dict(state)
    kernel = state.get("patch_embed.proj.weight")
    if kernel is not None and network.config.stem == "linear":
        state["patch_embed.proj.weight"] = resize_patch_kernel(kernel, network.config.stride)
    report = checkpoints.load_state(backbone, state, strict=False)
    # The tracker's own tables and segment vectors are never part of a pre-training checkpoint.
    derived = {"pos_embed_z", "pos_embed_x", "template_segment_pos_embed", "search_segment_pos_embed"}
    missing = tuple(name for name in report.missing if name not in derived)
    encoder = [name for name in missing if name.startswith(("blocks.", "patch_embed.", "norm."))]
    if report.mismatched or encoder or "pos_embed" in missing:
        shapes = ", ".join(f"{name} {tuple(got)} for {tuple(wanted)}" for name, got, wanted in report.mismatched[:3])
        raise checkpoints.CheckpointMismatchError(
            "these weights are no pre-trained encoder for this network "
            f"(width {network.config.width}, depth {network.config.depth}): "
            + (f"shapes differ ({shapes})" if shapes else f"{len(encoder)} encoder tensors are missing"),
            report,
        )
    backbone.rebuild_position_tables()
    return checkpoints.LoadReport(missing, report.unexpected, report.mismatched)


def load_tracker(network: OneStreamNetwork, checkpoint: checkpoints.Checkpoint) -> None:
    """Load a tracker checkpoint strictly.

    Raises:
        CheckpointMismatchError: the file is something else, or a tracker of another size; the message says which.
    """
    checkpoints.load_state(network, checkpoint.state, strict=True, hint=_describe(checkpoint, network))


def _describe(checkpoint: checkpoints.Checkpoint, network: OneStreamNetwork) -> str:
    """One sentence on what the file is and what the network wants."""
    config = network.config
    wanted = f"the network is {'DropTrack' if config.frame_identity else 'OSTrack'} {config.search_size}"
    table = checkpoint.state.get("backbone.pos_embed_x")
    if table is None:
        return f"{checkpoint.path} is: {checkpoint.kind}; {wanted}, which needs a tracker checkpoint"
    side = round(table.shape[1] ** 0.5) * config.stride
    name = "DropTrack" if "backbone.temporal_pos_embed_x" in checkpoint.state else "OSTrack"
    return f"{checkpoint.path} is: {name} {side}, width {table.shape[2]}; {wanted}, width {config.width}"


def load_start_weights(network: OneStreamNetwork, path: str | Path) -> checkpoints.LoadReport:
    """Start training from a file: a tracker (recognised by its ``box_head``) or a pre-trained encoder.

    For a backbone of timm's, ``timm`` downloads the weights of its name; see
    :func:`onestream_track.timm_backbone.load_vit`.
    """
    if isinstance(network.backbone, TimmBackbone) and str(path) == "timm":
        return load_vit(network.backbone, "timm")
    checkpoint = checkpoints.load(path)
    if any(name.startswith("box_head.") for name in checkpoint.state):
        load_tracker(network, checkpoint)
        return checkpoints.LoadReport((), (), ())
    if isinstance(network.backbone, TimmBackbone):
        return load_vit(network.backbone, path)
    with torch.no_grad():
        return load_pretraining(network, checkpoint.state)
