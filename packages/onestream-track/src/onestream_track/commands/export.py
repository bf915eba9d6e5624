"""``onestream-track export``: a network for ONNX Runtime and OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import tyro

from onestream_track.cli import FINISHED, UsageError
from onestream_track.commands.options import NetworkChoice, parse_box

TRUTH = ("groundtruth.txt", "groundtruth_rect.txt")


@dataclass(frozen=True)
class Export:
    """Write a network as a graph for ONNX Runtime and OpenVINO, and print how far it is from PyTorch.

    `--backend onnx` and `--backend openvino` of the other verbs take the folder as --weights.
    """

    network: tyro.conf.OmitArgPrefixes[NetworkChoice]
    name: tyro.conf.Positional[str | None] = None
    """the network's recipe, where the weights do not tell"""
    output: Path = Path("exported")
    """folder to write"""
    format: Literal["both", "onnx", "openvino"] = "both"
    """which graphs"""
    int8: Path | None = None
    """video or folder of frames to track for calibration; an 8-bit network is written as well"""
    init: str | None = None
    """the target's box x,y,w,h in it; by default the first line of its groundtruth.txt"""
    samples: int = 32
    """inputs to calibrate with"""


def run(words: Sequence[str]) -> int:
    """Export and print the differences; returns 0."""
    asked = tyro.cli(Export, args=list(words), prog="onestream-track export")
    choice = asked.network
    if asked.name is not None:
        if choice.recipe not in (None, asked.name):
            raise UsageError(f"two recipes: {asked.name} and --recipe {choice.recipe}")
        choice = NetworkChoice(choice.weights, asked.name)
    if asked.init is not None and asked.int8 is None:
        raise UsageError("--init goes with --int8 VIDEO")
    if asked.samples < 1:
        raise UsageError(f"--samples must be at least 1, got {asked.samples}")
    box = _first_box(asked.int8, asked.init) if asked.int8 is not None else None
    described = choice.described()

    from onestream_track.calibration import collect_inputs
    from onestream_track.exporting import export_network
    from onestream_track.loading import load_network, recommended_policy
    from trackcore.checkpoints import file_hash

    network = load_network(**described)
    card = {"recipe": choice.recipe, "policy": asdict(recommended_policy(**described))}
    if described["weights"] is not None:
        card |= {"source": Path(described["weights"]).name, "source_sha256": file_hash(described["weights"])}
    calibration = None if box is None else collect_inputs(network, asked.int8, box, asked.samples)
    formats = ("onnx", "openvino") if asked.format == "both" else (asked.format,)
    for file, parity in export_network(network, asked.output, formats, calibration=calibration, card=card).items():
        print(f"{asked.output / file}: largest differences to PyTorch: {parity}")
    return FINISHED


def _first_box(video: Path, given: str | None) -> list[float]:
    if given is not None:
        return parse_box(given)
    for file in (video / name for name in TRUTH):
        if file.is_file():
            return parse_box(file.read_text(encoding="utf-8").partition("\n")[0].replace("\t", ","))
    raise UsageError(
        f"--int8 {video} has no groundtruth.txt beside its frames: give the target's box with --init x,y,w,h"
    )
