"""Weights of a tracker in the published format and in the own one."""

from __future__ import annotations

from pathlib import Path

import torch

from sparse_track.loading import load_network
from trackcore import checkpoints
from trackcore.recipes import to_yaml


def convert(source: str | Path, output: str | Path, *, recipe: str | None = None) -> None:
    """Write a tracker's weights as ``.safetensors`` with a card, or as the published program reads them.

    Args:
        source: own ``.safetensors`` or a published ``.pkl``.
        output: ``.safetensors`` or ``.pkl``.
        recipe: the network, for weights that do not tell.

    Raises:
        CheckpointError: the source cannot be read or fits another network, or the output cannot be written.
        ValueError: the output has another ending.
    """
    output = Path(output)
    if output.suffix not in (".safetensors", ".pkl"):
        raise ValueError(f"{output} must end in .safetensors or .pkl")
    checkpoint = checkpoints.load(source)
    network, tracking = load_network(source, recipe)
    state = network.state_dict()
    if output.suffix == ".pkl":
        contents = {"epoch": checkpoint.epoch or 0, "model_state_dict": state}
        checkpoints.write_atomic(output, lambda file: torch.save(contents, file))
        return
    card = {
        "kind": "SparseTT tracker",
        "model": to_yaml(network.config),
        "tracking": to_yaml(tracking),
        "source": checkpoint.path.name,
        "source_sha256": checkpoints.file_hash(source),
        "epoch": checkpoint.epoch,
        "licence": (checkpoint.meta.get("card") or {}).get("licence", "as that of the source"),
    }
    checkpoints.save_weights(output, state, card)
