"""``alpha-refine export``: a refiner for ONNX Runtime and OpenVINO."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from alpha_refine.cli import PROGRAM, UsageError


@dataclass(frozen=True)
class Export:
    """Write a refiner as graphs for ONNX Runtime and OpenVINO, and print how far they are from PyTorch.

    `--backend onnx` and `--backend openvino` of the other verbs take the folder as --weights.
    """

    output: Path
    """folder to write"""
    weights: Path | None = None
    """own .safetensors, whose card names the network, or a published .pth.tar"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell"""
    format: Literal["both", "onnx", "openvino"] = "both"
    """which graphs"""


def run(words: Sequence[str]) -> int:
    """Export and print the differences; returns 0."""
    asked = tyro.cli(Export, args=list(words), prog="alpha-refine export")
    if asked.weights is None and asked.recipe is None:
        raise UsageError("give --weights FILE, or --recipe NAME to export a network without trained weights")

    from alpha_refine.exporting import export_refiner
    from alpha_refine.network import build
    from alpha_refine.recipes import get_recipe
    from alpha_refine.weights import load_network
    from trackcore.checkpoints import file_hash

    if asked.weights is None:
        print(f"{PROGRAM}: no --weights: {asked.recipe!r} is exported with random weights", file=sys.stderr)
        network, card = build(get_recipe(asked.recipe).model), {"recipe": asked.recipe}
    else:
        network = load_network(asked.weights, asked.recipe)
        card = {"source": asked.weights.name, "source_sha256": file_hash(asked.weights)}
    formats = ("onnx", "openvino") if asked.format == "both" else (asked.format,)
    for file, parity in export_refiner(network, asked.output, formats, card=card).items():
        print(f"{asked.output / file}: largest differences to PyTorch: {parity}")
    return 0
