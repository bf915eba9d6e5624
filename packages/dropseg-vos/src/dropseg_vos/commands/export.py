"""``dropseg-vos export``: a network for ONNX Runtime and OpenVINO."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from dropseg_vos.cli import PROGRAM, UsageError


@dataclass(frozen=True)
class Export:
    """Write a network as graphs for ONNX Runtime and OpenVINO, and print how far they are from PyTorch.

    `--backend onnx` and `--backend openvino` of the other verbs take the folder as --weights. The graphs take frames of
    one size.
    """

    output: Path
    """folder to write"""
    size: tuple[int, int] = (480, 854)
    """height and width of the frames, as the network is to look at them; rounded up to multiples of its patch"""
    weights: Path | None = None
    """own .safetensors, whose card names the network, or a published .pth"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell"""
    format: Literal["both", "onnx", "openvino"] = "both"
    """which graphs"""


def run(words: Sequence[str]) -> int:
    """Export and print the differences; returns 0."""
    asked = tyro.cli(Export, args=list(words), prog="dropseg-vos export")
    if asked.weights is None and asked.recipe is None:
        raise UsageError("give --weights FILE, or --recipe NAME to export a network without trained weights")
    if min(asked.size) < 1:
        raise UsageError(f"--size takes height and width in pixels, got {asked.size[0]} and {asked.size[1]}")

    from dropseg_vos.exporting import export_network
    from dropseg_vos.network import build
    from dropseg_vos.recipes import get_recipe
    from dropseg_vos.weights import load_network
    from trackcore.checkpoints import file_hash

    if asked.weights is None:
        print(f"{PROGRAM}: no --weights: {asked.recipe!r} is exported with random weights", file=sys.stderr)
        network, card = build(get_recipe(asked.recipe).model), {"recipe": asked.recipe}
    else:
        network = load_network(asked.weights, asked.recipe)
        card = {"source": asked.weights.name, "source_sha256": file_hash(asked.weights)}
    patch = network.config.patch
    height, width = (-(-side // patch) * patch for side in asked.size)
    formats = ("onnx", "openvino") if asked.format == "both" else (asked.format,)
    for file, parity in export_network(network, asked.output, (height, width), formats, card=card).items():
        print(f"{asked.output / file}: largest differences to PyTorch: {parity}")
    print(f"frames become {width} x {height} with padding")
    return 0
