"""A call of refine() in a 720p frame: as published, folded, compiled, in ONNX Runtime and in OpenVINO.

python benchmarks/speed/refine.py

The ways to compute take turns, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from machine import measure_machine
from reporting import Figure, report

FRAME = (720, 1280)
BOX = (520.0, 300.0, 140.0, 90.0)  # x, y, w, h


def refiners(recipe: str, folder: Path, compiled: bool) -> dict[str, tuple[object, str]]:
    """Refiners with the same weights by the way they compute, and the precision of each."""
    import torch

    from alpha_refine.exporting import export_refiner
    from alpha_refine.loading import load_refiner
    from alpha_refine.network import build
    from alpha_refine.recipes import get_recipe
    from alpha_refine.refiner import Refiner
    from trackcore.checkpoints import save_weights
    from trackcore.recipes import to_yaml

    config = get_recipe(recipe).model
    torch.manual_seed(0)
    literal = build(config).eval().requires_grad_(False)
    weights = save_weights(folder / f"{recipe}.safetensors", literal.state_dict(), {"model": to_yaml(config)})
    ways: dict[str, tuple[object, str]] = {
        "as published": (Refiner(literal, config), "fp32"),
        "folded": (load_refiner(weights, device="cpu"), "fp32"),
        "folded, bf16": (load_refiner(weights, device="cpu", precision="bf16"), "bf16"),
    }
    if compiled:
        ways["compiled"] = load_refiner(weights, device="cpu", backend="compile"), "fp32"
    exported = folder / recipe
    export_refiner(build(config).eval(), exported)
    for backend, precision in (("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")):
        ways[f"{backend}, {precision}"] = load_refiner(exported, backend=backend, precision=precision), precision
    return ways


def take_turns(functions: Mapping[str, Callable[[], object]], repeats: int, warmup: int = 3) -> dict[str, float]:
    """Median seconds of functions that are called one after the other, over and over."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(warmup + repeats):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            if number >= warmup:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in seconds.items()}


def calls(ways: Mapping[str, tuple[object, str]], mask: bool) -> dict[str, Callable[[], object]]:
    """One call for a box, or for a box and a mask; the published program makes two passes for both."""
    frame = np.random.default_rng(0).integers(0, 256, (*FRAME, 3)).astype(np.uint8)
    box = np.array(BOX)
    functions: dict[str, Callable[[], object]] = {}
    for name, (refiner, _) in ways.items():
        template = refiner.init(frame, box)
        if mask and name == "as published":

            def function(refiner=refiner, template=template) -> None:
                refiner.refine(frame, template, box)
                refiner.refine(frame, template, box, box=False, mask=True)
        else:

            def function(refiner=refiner, template=template) -> None:
                refiner.refine(frame, template, box, mask=mask)

        functions[name] = function
    return functions


@dataclass(frozen=True)
class Options:
    """Time refine()."""

    recipes: tuple[str, ...] = ("SEcm_r34", "SEcm_r18", "small")
    """networks"""
    repeats: int = 20
    """timed calls; the median counts"""
    compiled: bool = True
    """include torch.compile, which needs a C++ compiler"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    from alpha_refine.profile import measure_size
    from alpha_refine.recipes import get_recipe

    machine = measure_machine()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for recipe in options.recipes:
            size = measure_size(get_recipe(recipe).model)
            ways = refiners(recipe, Path(folder), options.compiled)
            for mask in (False, True):
                seconds = take_turns(calls(ways, mask), options.repeats)
                for name, median in seconds.items():
                    figures.append(
                        Figure(
                            f"{recipe}, {'box and mask' if mask else 'box'}, {name}",
                            median,
                            gflop=1e-9 * size.flops(mask=mask),
                            precision=ways[name][1],
                            note=f"{seconds['as published'] / median:.2f} x as published",
                        )
                    )
    report("refine", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
