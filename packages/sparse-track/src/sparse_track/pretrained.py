"""Weights from elsewhere: published trackers by name, Swin classifiers of Microsoft and timm converted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sparse_track.network import SparseNetwork
from trackcore import checkpoints

BACKBONE = "basemodel.net."

# What a checkpoint may lack: computed values, counters, and what no output depends on.
_OPTIONAL = re.compile(
    r"relative_position_index$|num_batches_tracked$|^head\.fm_ctr$"
    r"|^basemodel\.net\.stages\.(3\.|2\.downsample\.)"
)
_UNUSED = re.compile(r"^basemodel\.net\.stages\.(3\.|2\.downsample\.)")
_TABLE = "relative_position_bias_table"


def convert_swin(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names and orders of a Swin classifier's weights as the backbone has them, without ``basemodel.net.``.

    Microsoft's files and timm's differ in where they put a merging: behind its stage, or before the next one. Both
    order the four tokens that are merged by column, then row, before their channels; here channels come first.

    Args:
        state: of a classifier, names without prefix.

    Returns:
        The backbone's weights; norm and head of the classifier, and masks that are computed here, are left out.
    """
    timm = "layers.0.downsample.reduction.weight" not in state
    converted = {}
    for name, tensor in state.items():
        if name.startswith(("norm.", "head.")) or name.endswith("attn_mask"):
            continue
        name = name.replace("patch_embed.proj.", "patch_embed.projection.").replace(".attn.", ".attn.w_msa.")
        name = name.replace(".mlp.fc1.", ".ffn.layers.0.0.").replace(".mlp.fc2.", ".ffn.layers.1.")
        if (merging := re.match(r"layers\.(\d+)\.downsample\.", name)) is not None:
            stage = int(merging[1]) - 1 if timm else int(merging[1])
            name = f"stages.{stage}.downsample.{name[merging.end() :]}"
            tensor = _channels_first(tensor)
        converted[name.replace("layers.", "stages.", 1) if name.startswith("layers.") else name] = tensor
    return converted


def _channels_first(tensor: Tensor) -> Tensor:
    """The last dimension from four blocks of channels (places 00, 10, 01, 11) to four places of each channel."""
    return tensor.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :].transpose(-2, -1).flatten(-2)


def load_swin(network: SparseNetwork, state: Mapping[str, Tensor]) -> checkpoints.LoadReport:
    """Load a Swin classifier of Microsoft's or timm's into the backbone.

    Tables of another window size are resampled bicubically. The backbone's last norm has no counterpart and stays.

    Raises:
        CheckpointMismatchError: the classifier is of another size, or no Swin.
    """
    swin = network.basemodel.net
    own = swin.state_dict()
    converted = {name: tensor for name, tensor in convert_swin(state).items() if _needed(BACKBONE + name, network)}
    for name, tensor in converted.items():
        if name.endswith(_TABLE) and name in own and len(tensor) != len(own[name]):
            converted[name] = _resample_table(tensor, len(own[name]))
        if name.endswith("relative_position_index"):
            converted[name] = own[name]
    report = checkpoints.load_state(swin, converted, strict=False)
    lacking = [name for name in report.missing if not _OPTIONAL.search(BACKBONE + name) and "norm2" not in name[:5]]
    if report.mismatched or lacking:
        raise checkpoints.CheckpointMismatchError(
            f"these weights are no Swin classifier for this backbone of width {swin.patch_embed.norm.weight.numel()}\n"
            f"{report}",
            report,
        )
    return report


def _resample_table(table: Tensor, count: int) -> Tensor:
    """``(n * n, heads)`` relative positions to ``(count, heads)``."""
    before, after = round(len(table) ** 0.5), round(count**0.5)
    image = table.T.reshape(1, -1, before, before)
    image = F.interpolate(image, (after, after), mode="bicubic", align_corners=False)
    return image.flatten(2)[0].T


def _needed(name: str, network: SparseNetwork) -> bool:
    """Whether the network has a place for a tensor; only those of its unused part may be left out."""
    return not (_UNUSED.match(name) and len(network.basemodel.net.stages) == 3)


def load_tracker(network: SparseNetwork, checkpoint: checkpoints.Checkpoint) -> None:
    """Load a tracker's checkpoint strictly, except for what no output depends on.

    Where the crops have another size than those of the checkpoint, the learned position tables are interpolated; the
    published network knows one size alone.

    Raises:
        CheckpointMismatchError: the file is something else, or a tracker of another size; the message says which.
    """
    own = network.state_dict()
    kept = {name: tensor for name, tensor in own.items() if _OPTIONAL.search(name)}
    state = kept | {name: tensor for name, tensor in checkpoint.state.items() if _needed(name, network)}
    for name in own:
        if "spatial_position_encoding" in name and name in state and state[name].shape[1:] == own[name].shape[1:]:
            state[name] = resample_positions(state[name], len(own[name]))
    state["head.fm_ctr"] = own["head.fm_ctr"]
    hint = f"{checkpoint.path} is: {checkpoint.kind}; the network is SparseTT {network.config.search_size}"
    checkpoints.load_state(network, state, strict=True, hint=hint)


def resample_positions(table: Tensor, cells: int) -> Tensor:
    """A table of learned places ``(n, C)`` along one side, interpolated to ``(cells, C)``; its ends stay."""
    if len(table) == cells:
        return table
    return F.interpolate(table.T[None], cells, mode="linear", align_corners=True)[0].T.contiguous()


@torch.no_grad()
def load_start_weights(network: SparseNetwork, path: str | Path) -> None:
    """Start training from a file: a tracker (recognised by its ``head``) or a Swin classifier.

    Raises:
        CheckpointError: the file cannot be read, or fits neither.
    """
    checkpoint = checkpoints.load(path)
    if any(name.startswith("feat_adjuster_") for name in checkpoint.state):
        load_tracker(network, checkpoint)
    else:
        load_swin(network, checkpoint.state)
