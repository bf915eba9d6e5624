"""Weights in other files: published checkpoints as ``.safetensors`` with a card, and the other way round."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from alpha_refine.network import RefinementNetwork, build
from alpha_refine.weights import load_network
from trackcore import checkpoints
from trackcore.checkpoints import load_state, save_weights, write_atomic
from trackcore.recipes import to_yaml

PUBLISHED_SUFFIXES = (".pth", ".tar", ".pt")


def without_unused(network: RefinementNetwork) -> RefinementNetwork:
    """A copy without the stages and the classifier that take no part; it computes the same.

    The released network keeps 10.2 of 23.8 million numbers.
    """
    config = network.config
    kept = slice(0, config.stage)
    smaller = build(replace(config, blocks=config.blocks[kept], channels=config.channels[kept], classes=0))
    names = smaller.state_dict().keys()
    load_state(smaller, {name: tensor for name, tensor in network.state_dict().items() if name in names})
    return smaller


def convert(
    source: str | Path, output: str | Path, *, recipe: str | None = None, unused: bool = True
) -> dict[str, Any]:
    """Write the weights of ``source`` to ``output``.

    Args:
        source: own ``.safetensors`` or a published ``.pth.tar``.
        output: a ``.safetensors`` file, which gets a card that names the network, or a ``.pth``, ``.pth.tar`` or
            ``.pt`` file of ``torch.save`` with the weights under ``net``, as published programs write it.
        recipe: name of the network's recipe, for weights that do not tell.
        unused: keep what takes no part in refining (last stage, classifier), which published programs insist on.

    Returns:
        The card: what the weights are, the network's configuration, where they come from.

    Raises:
        CheckpointError: the source cannot be read or fits another network, or the output cannot be written.
        ValueError: another suffix of the output.
    """
    source, output = Path(source), Path(output)
    if output.suffix not in (".safetensors", *PUBLISHED_SUFFIXES):
        raise ValueError(f"{output}: weights go to .safetensors, or to {', '.join(PUBLISHED_SUFFIXES)}")
    network = load_network(source, recipe)
    if not unused:
        network = without_unused(network)
    checkpoint = checkpoints.load(source)
    card = {
        "kind": "Alpha-Refine refiner",
        "model": to_yaml(network.config),
        "source": source.name,
        "source_kind": checkpoint.kind,
        "source_sha256": checkpoints.file_hash(source),
        "epoch": checkpoint.epoch,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    if output.suffix == ".safetensors":
        save_weights(output, network.state_dict(), card)
    else:
        buffer = io.BytesIO()
        torch.save({"net": network.state_dict(), "net_type": "SEcmnet", "epoch": checkpoint.epoch}, buffer)
        write_atomic(output, lambda file: file.write(buffer.getvalue()))
    return card
