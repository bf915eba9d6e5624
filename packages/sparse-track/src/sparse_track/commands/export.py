"""``sparse-track export``: a tracker for ONNX Runtime and OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from sparse_track.commands.options import NetworkChoice


@dataclass(frozen=True)
class Export:
    """Write a tracker as graphs for ONNX Runtime and OpenVINO, and print how far they are from PyTorch.

    `--backend onnx` and `--backend openvino` of the other verbs take the folder as --weights.
    """

    output: Path
    """folder to write"""
    network: tyro.conf.OmitArgPrefixes[NetworkChoice]
    format: Literal["both", "onnx", "openvino"] = "both"
    """which graphs"""
    search_size: int | None = None
    """side of the search crop in pixels, where it is to differ from the network's"""


def run(words: Sequence[str]) -> int:
    """Export and print the differences; returns 0."""
    asked = tyro.cli(Export, args=list(words), prog="sparse-track export")
    described = asked.network.described()

    from sparse_track.exporting import export_tracker
    from sparse_track.loading import load_network
    from trackcore.checkpoints import file_hash

    network, tracking = load_network(**described, search_size=asked.search_size)
    weights = asked.network.weights
    card = {"recipe": asked.network.recipe}
    if weights is not None:
        card |= {"source": weights.name, "source_sha256": file_hash(weights)}
    formats = ("onnx", "openvino") if asked.format == "both" else (asked.format,)
    for file, parity in export_tracker(network, tracking, asked.output, formats, card=card).items():
        print(f"{asked.output / file}: largest differences to PyTorch: {parity}")
    return 0
