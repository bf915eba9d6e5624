"""A tracked 720p frame: eager, compiled, in ONNX Runtime and in OpenVINO, in several precisions, and several targets.

    python benchmarks/speed/onestream.py

The ways to compute take turns, so that what else the machine does falls on all of them alike. The weights are random,
which changes no time.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro
from machine import measure_machine
from refine import FRAME, take_turns
from reporting import Figure, report

if TYPE_CHECKING:
    from onestream_track.tracker import MultiTargetTracker

RECIPES = ("ostrack/vitb_256_mae_ce_32x4_ep300", "ostrack/vitb_384_mae_ce_32x4_ep300", "tiny")
EXPORTED = (("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("onnx", "int8"), ("openvino", "int8"))


def trackers(recipe: str, folder: Path, compiled: bool) -> dict[str, tuple[MultiTargetTracker, str]]:
    """Trackers with the same weights by the way they compute, and the precision they are set against."""
    import torch

    from onestream_track.config import ModelConfig
    from onestream_track.exporting import export_network
    from onestream_track.loading import create_multi
    from onestream_track.network import build
    from onestream_track.recipes import get_recipe
    from trackcore.checkpoints import save_weights
    from trackcore.recipes import to_yaml

    config: ModelConfig = get_recipe(recipe).model
    torch.manual_seed(0)
    network = build(config).eval().requires_grad_(False)
    weights = save_weights(folder / "weights.safetensors", network.state_dict(), {"model": to_yaml(config)})
    ways: dict[str, tuple[MultiTargetTracker, str]] = {
        "eager": (create_multi(weights, device="cpu"), "fp32"),
        "eager, bf16": (create_multi(weights, device="cpu", precision="bf16"), "bf16"),
    }
    if compiled:
        ways["compiled"] = create_multi(weights, device="cpu", backend="compile"), "fp32"
    generator = torch.Generator().manual_seed(1)
    sides = {"template": config.template_size, "search": config.search_size}
    samples = [
        {name: torch.randn(1, 3, side, side, generator=generator) for name, side in sides.items()} for _ in range(4)
    ]
    export_network(network, folder / "exported", calibration=samples)
    for backend, precision in EXPORTED:
        against = "bf16" if precision == "bf16" else "fp32"
        ways[f"{backend}, {precision}"] = (
            create_multi(folder / "exported", backend=backend, precision=precision),
            against,
        )
    return ways


def updates(ways: dict[str, tuple[MultiTargetTracker, str]], targets: int) -> dict[str, Callable[[], object]]:
    """An update of all targets by the way it is computed; their boxes are put back each time."""
    frame = np.random.default_rng(0).integers(0, 256, (*FRAME, 3)).astype(np.uint8)
    boxes = [np.array([400.0 + 20 * number, 300.0, 140.0, 90.0]) for number in range(targets)]
    functions: dict[str, Callable[[], object]] = {}
    for name, (tracker, _) in ways.items():
        tracker.init(frame, boxes)

        def function(tracker=tracker) -> None:
            for number, box in enumerate(boxes):
                tracker.set_box(number, box)
            tracker.update(frame)

        functions[name] = function
    return functions


def memory_growth(frames: int) -> tuple[float, float]:
    """Seconds a frame, and bytes by which the largest memory of the process grew a frame, over a long video of a small
    network; the picture moves on and on."""
    from onestream_track.loading import create

    tracker = create(recipe="debug", device="cpu", policy={"grow": 1.1, "template_rate": 0.2, "template_above": 0.0})
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    tracker.init(picture, np.array([60.0, 40.0, 30.0, 30.0]))

    def play(count: int) -> None:
        for number in range(count):
            tracker.update(np.roll(picture, number, axis=1))

    play(max(10, frames // 10))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    play(frames)
    seconds = (time.perf_counter() - began) / frames
    return seconds, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / frames


@dataclass(frozen=True)
class Options:
    """Time a tracked frame."""

    recipes: tuple[str, ...] = RECIPES
    """networks"""
    targets: tuple[int, ...] = (1, 8)
    """followed at once"""
    repeats: int = 10
    """timed updates; the median counts"""
    compiled: bool = True
    """include torch.compile, which needs a C++ compiler"""
    video: int = 100_000
    """frames over which memory is watched, with a small network; 0 leaves it out"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    from onestream_track.profile import macs, parameters
    from onestream_track.recipes import get_recipe

    machine = measure_machine()
    figures = []
    for recipe in options.recipes:
        config = get_recipe(recipe).model
        counted = macs(config)
        print(f"{recipe}: {parameters(config)} parameters, {1e-9 * counted.total:.2f} GMAC")
        with tempfile.TemporaryDirectory() as folder:
            ways = trackers(recipe, Path(folder), options.compiled)
            for targets in options.targets:
                seconds = take_turns(updates(ways, targets), options.repeats, warmup=2)
                for name, median in seconds.items():
                    figures.append(
                        Figure(
                            f"{recipe.rpartition('/')[2]}, {targets} target{'s' if targets > 1 else ''}, {name}",
                            median,
                            gflop=2e-9 * targets * counted.total,
                            precision=ways[name][1],
                            note=f"{seconds['eager'] / median:.2f} x eager",
                        )
                    )
    if options.video:
        seconds, grown = memory_growth(options.video)
        note = f"memory grew by {grown:.2f} bytes a frame"
        figures.append(Figure(f"debug, {options.video} frames in a row", seconds, note=note))
    report("onestream", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
