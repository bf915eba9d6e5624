"""Weights in other files: published checkpoints as ``.safetensors`` with a card, and the other way round."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from dropseg_vos.published import to_published
from dropseg_vos.weights import load_network
from trackcore import checkpoints
from trackcore.recipes import to_yaml

PUBLISHED_SUFFIXES = (".pth", ".pt")


def convert(source: str | Path, output: str | Path, *, recipe: str | None = None) -> dict[str, Any]:
    """Write the weights of ``source`` to ``output``.

    Args:
        source: own ``.safetensors`` or a published ``.pth``.
        output: a ``.safetensors`` file, which gets a card that names the network, or a ``.pth`` or ``.pt`` file: a bare
            state dict of ``torch.save`` with all names that the published program insists on.
        recipe: name of the network's recipe, for weights that do not tell.

    Returns:
        The card: what the weights are, the network's configuration, where they come from.

    Raises:
        CheckpointError: the source cannot be read or fits another network, or the output cannot be written.
        ValueError: another suffix of the output, or a network that the published program does not know.
    """
    source, output = Path(source), Path(output)
    if output.suffix not in (".safetensors", *PUBLISHED_SUFFIXES):
        raise ValueError(f"{output}: weights go to .safetensors, or to {', '.join(PUBLISHED_SUFFIXES)}")
    network = load_network(source, recipe)
    checkpoint = checkpoints.load(source)
    card = {
        "kind": "DropSeg network",
        "model": to_yaml(network.config),
        "source": source.name,
        "source_kind": checkpoint.kind,
        "source_sha256": checkpoints.file_hash(source),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    if output.suffix == ".safetensors":
        checkpoints.save_weights(output, network.state_dict(), card)
    else:
        if network.config.stem != "linear":
            raise ValueError(f"{source} turns pixels into tokens by convolutions, which published files cannot say")
        buffer = io.BytesIO()
        torch.save({name: tensor.clone() for name, tensor in to_published(network.state_dict()).items()}, buffer)
        checkpoints.write_atomic(output, lambda file: file.write(buffer.getvalue()))
    return card
