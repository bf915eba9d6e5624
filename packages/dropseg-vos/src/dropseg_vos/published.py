"""State dicts of published checkpoints, as this package's and the other way round; and encoders to start from.

Published files hold 190 entries, of which a class token, a classifier with its norm and two position tables take no
part or say what another entry says. The position grid is stored twice over in ``pos_embed_two_frame``, for two frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dropseg_vos.config import ModelConfig
from dropseg_vos.network import SegmentationNetwork
from trackcore.checkpoints import Checkpoint, CheckpointError, load_state

TWO_FRAMES, THREE_FRAMES = "pos_embed_two_frame", "pos_embed_three_frame"
_UNUSED = ("cls_token", "fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias", THREE_FRAMES)
_CLASSES = 1000


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict as that of :class:`~dropseg_vos.network.SegmentationNetwork`.

    Raises:
        CheckpointError: the two frames have different position grids, which no network here has.
    """
    own = {name: tensor for name, tensor in state.items() if name not in (*_UNUSED, TWO_FRAMES)}
    first, second = state[TWO_FRAMES][:, 1:].chunk(2, dim=1)
    if not torch.equal(first, second):
        raise CheckpointError(f"the two halves of {TWO_FRAMES} differ; a network has one grid for both frames")
    own["position_grid"] = first
    return own


def to_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a published checkpoint, in its order; what takes no part is zero (the norm's weight one)."""
    grid, start = state["position_grid"], state["pos_embed"]
    width = grid.shape[2]
    class_row = start[:, :1]
    first = {
        "cls_token": torch.zeros(1, 1, width),
        "pos_embed": start,
        "temporal_pos_embed_x": state["temporal_pos_embed_x"],
        "temporal_pos_embed_z": state["temporal_pos_embed_z"],
        TWO_FRAMES: torch.cat([class_row, grid, grid], dim=1),
        THREE_FRAMES: torch.cat([class_row, grid, grid, grid], dim=1),
    }
    classifier = {
        "head.weight": torch.zeros(_CLASSES, width),
        "head.bias": torch.zeros(_CLASSES),
        "fc_norm.weight": torch.ones(width),
        "fc_norm.bias": torch.zeros(width),
    }
    rest = {name: tensor for name, tensor in state.items() if name not in first and name != "position_grid"}
    encoder = {name: tensor for name, tensor in rest.items() if name.startswith(("patch_embed.", "blocks.", "norm."))}
    return {**first, **encoder, **classifier, **{name: rest[name] for name in rest if name not in encoder}}


def is_published(state: Mapping[str, Tensor]) -> bool:
    """Whether these are the names of a published DropSeg checkpoint."""
    return TWO_FRAMES in state and "mask_patch_embed.proj.weight" in state


def config_of(state: Mapping[str, Tensor]) -> ModelConfig:
    """The network that a state dict under this package's names belongs to, with heads of 64 channels, as ViTs have.

    Raises:
        KeyError: naming the tensor that it lacks.
    """
    kernel, hidden = state["mask_patch_embed.proj.weight"], state["blocks.0.mlp.fc1.weight"]
    depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    stages = ("compress", "up_16_8.out_conv", "up_8_4.out_conv")
    channels = tuple(len(state[f"stcn_decoder.{stage}.conv2.weight"]) for stage in stages)
    side = round(state["position_grid"].shape[1] ** 0.5)
    return ModelConfig(
        image_size=side * kernel.shape[-1],
        patch=kernel.shape[-1],
        width=len(kernel),
        depth=depth,
        heads=max(1, len(kernel) // 64),
        mlp_ratio=len(hidden) / len(kernel),
        start_grid=round((state["pos_embed"].shape[1] - 1) ** 0.5),
        pyramid=(state["fpn2.0.weight"].shape[1], state["fpn1.3.weight"].shape[1]),
        decoder=channels,
        stem="convolutional" if "patch_embed.layers.0.weight" in state else "linear",
    )


@dataclass(frozen=True)
class Started:
    """What became of an encoder's weights.

    Attributes:
        loaded: names that the network took.
        ignored: names that it has no place for.
        fresh: names of the network that keep their initial values.
    """

    loaded: tuple[str, ...]
    ignored: tuple[str, ...]
    fresh: tuple[str, ...]


def start_from_encoder(network: SegmentationNetwork, checkpoint: Checkpoint) -> Started:
    """Begin with the encoder of a DropMAE pre-training: positions, frame identities, patch embedding, blocks, norm.

    Entries of its decoder and a classifier are left out. Position tables of another grid are resampled.

    Raises:
        CheckpointError: the checkpoint is no such encoder, or one of another size; the network is as it was.
    """
    encoder = {
        name: tensor
        for name, tensor in checkpoint.state.items()
        if "decoder" not in name and not name.startswith("head.")
    }
    own = network.state_dict()
    place = f"{checkpoint.path} is: {checkpoint.kind}"
    lacking = [name for name in own if name.startswith(("patch_embed.", "blocks.", "norm.")) and name not in encoder]
    if lacking or "pos_embed" not in encoder:
        raise CheckpointError(f"{place}; it is no encoder of this network: it lacks {(lacking or ['pos_embed'])[0]!r}")
    table = encoder.pop("pos_embed")
    misfits = [name for name, tensor in encoder.items() if name in own and tensor.shape != own[name].shape]
    if misfits or table.shape[2] != network.config.width:
        name = misfits[0] if misfits else "pos_embed"
        raise CheckpointError(
            f"{place}; its encoder has another size: {name} is {list(checkpoint.state[name].shape)}, "
            f"the network wants {list(own[name].shape)}"
        )
    load_state(network, encoder, strict=False)
    if table.shape == network.pos_embed.shape:
        network.pos_embed.copy_(table)
    network.set_positions(table)
    loaded = ("pos_embed", *(name for name in encoder if name in own))
    return Started(
        loaded=loaded,
        ignored=tuple(name for name in encoder if name not in own),
        fresh=tuple(name for name in own if name not in (*loaded, "position_grid")),
    )
