"""On a CUDA device: a tracked 720p frame, a call of refine(), and top-k attention, each beside its other forms.

    python benchmarks/speed/gpu.py

Weights are random, which changes no time. `network.py`, `box_ops.py`, `dropmae.py` and `segment.py` take `--device
cuda` themselves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from machine import measure_machine, waiting
from reporting import Figure, report
from segment import take_turns

FRAME = (720, 1280)
BOX = (520.0, 300.0, 140.0, 90.0)  # x, y, w, h


def frames(recipe: str, targets: int, options: Options) -> list[Figure]:
    """An update of all targets, everything included: upload, crops, network, boxes back on the host."""
    import torch

    from onestream_track.network import build
    from onestream_track.profile import macs
    from onestream_track.recipes import get_recipe
    from onestream_track.tracker import MultiTargetTracker

    config = get_recipe(recipe).model
    torch.manual_seed(0)
    network = build(config).eval().requires_grad_(False).to(options.device)
    half = build(config).eval().requires_grad_(False).to(options.device)
    half.backbone.to(torch.bfloat16)
    frame = np.random.default_rng(0).integers(0, 256, (*FRAME, 3)).astype(np.uint8)
    boxes = [np.array(BOX) + np.array([20.0 * number, 0, 0, 0]) for number in range(targets)]
    ways: dict[str, tuple[Any, str, dict[str, Any]]] = {
        "eager": (network, "fp32", {}),
        "eager, bf16": (half, "bf16", {}),
        "eager, bf16, crops on the device": (half, "bf16", {"crop": "device"}),
    }
    if options.device == "cuda":
        ways |= {
            "graph": (network, "fp32", {"graph": True}),
            "graph, bf16": (half, "bf16", {"graph": True}),
            "graph, bf16, crops on the device": (half, "bf16", {"graph": True, "crop": "device"}),
        }
    functions: dict[str, Callable[[], object]] = {}
    for name, (chosen, _, how) in ways.items():
        tracker = MultiTargetTracker(chosen, config, device=options.device, **how)
        tracker.init(frame, boxes)

        def function(tracker: MultiTargetTracker = tracker) -> None:
            for number, box in enumerate(boxes):
                tracker.set_box(number, box)
            tracker.update(frame)

        functions[name] = function
    gflop = 2e-9 * targets * macs(config).total
    called = f"{recipe.rpartition('/')[2]}, {targets} target{'s' if targets > 1 else ''}"
    seconds = take_turns(functions, options.repeats, waiting(options.device))
    return [
        Figure(f"{called}, {name}", median, "frame", gflop, ways[name][1], f"{seconds['eager'] / median:.2f} x eager")
        for name, median in seconds.items()
    ]


def refining(options: Options) -> list[Figure]:
    """A call of refine(), crop and transfers included."""
    from alpha_refine.loading import load_refiner
    from alpha_refine.network import build
    from alpha_refine.profile import measure_size
    from alpha_refine.recipes import get_recipe
    from alpha_refine.refiner import Refiner
    from trackcore.checkpoints import save_weights
    from trackcore.recipes import to_yaml

    recipe = "SEcm_r34"
    config = get_recipe(recipe).model
    frame = np.random.default_rng(0).integers(0, 256, (*FRAME, 3)).astype(np.uint8)
    box = np.array(BOX)
    literal = build(config).eval().requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        card = {"model": to_yaml(config)}
        weights = save_weights(Path(folder) / "weights.safetensors", literal.state_dict(), card)
        ways = {
            "as published": (Refiner(literal.to(options.device), config, device=options.device), "fp32"),
            "folded": (load_refiner(weights, device=options.device), "fp32"),
            "folded, bf16": (load_refiner(weights, device=options.device, precision="bf16"), "bf16"),
        }
    figures = []
    for mask in (False, True):
        functions = {}
        for name, (refiner, _) in ways.items():
            template = refiner.init(frame, box)

            def function(refiner: Refiner = refiner, template: Any = template, mask: bool = mask) -> None:
                refiner.refine(frame, template, box, mask=mask)

            functions[name] = function
        seconds = take_turns(functions, options.repeats, waiting(options.device))
        gflop = 1e-9 * measure_size(config).flops(mask=mask)
        for name, median in seconds.items():
            note = f"{seconds['as published'] / median:.2f} x as published"
            what = f"{recipe}, {'box and mask' if mask else 'box'}, {name}"
            figures.append(Figure(what, median, "call", gflop, ways[name][1], note))
    return figures


def attention(options: Options) -> list[Figure]:
    """Top-k attention of SparseTT's search tokens, forward, and forward with gradients."""
    import torch
    import torch.nn.functional as F

    from sparse_track.config import ModelConfig
    from trackcore.ops.topk_attention import topk_attention, topk_weights

    config = ModelConfig()
    tokens, width = config.search_cells**2, config.neck.width // config.neck.heads
    figures = []
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        for batch in (1, 32):
            shape = (batch * config.neck.heads, tokens, width)
            given = [torch.randn(shape, device=options.device, dtype=dtype) for _ in range(3)]
            forms: dict[str, Callable[..., torch.Tensor]] = {
                "dense": lambda q, k, v: (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v,
                "dense, fused": F.scaled_dot_product_attention,
                "k = 32": lambda q, k, v: topk_attention(q, k, v, 32),
                "k = 32, weights written out": lambda q, k, v: topk_weights(q, k, 32) @ v,
            }
            for what, passes in (("attention", 1), ("attention, forward and backward", 3)):
                functions = {name: _pass(form, given, passes > 1) for name, form in forms.items()}
                seconds = take_turns(functions, options.repeats, waiting(options.device))
                gflop = passes * 4e-9 * shape[0] * tokens**2 * width
                for name, median in seconds.items():
                    note = f"{median / seconds['dense']:.2f} x dense"
                    called = f"{what} of {shape[0]} x {tokens} queries, {precision}, {name}"
                    figures.append(Figure(called, median, "layer", gflop, precision, note))
    return figures


def _pass(form: Callable[..., Any], given: list[Any], learn: bool) -> Callable[[], object]:
    import torch

    leaves = [tensor.clone().requires_grad_(learn) for tensor in given]

    def run() -> None:
        with torch.set_grad_enabled(learn):
            output = form(*leaves)
            if learn:
                torch.autograd.grad(output.sum(), leaves)

    return run


@dataclass(frozen=True)
class Options:
    """Time what runs on a CUDA device."""

    recipes: tuple[str, ...] = (
        "ostrack/vitb_256_mae_ce_32x4_ep300",
        "ostrack/vitb_384_mae_ce_32x4_ep300",
        "tiny_long",
    )
    """networks of the tracker"""
    targets: tuple[int, ...] = (1, 16)
    """followed at once"""
    repeats: int = 50
    """timed calls; the median counts"""
    device: str = "cuda"
    """cuda, or cpu to try the script"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine(options.device)
    figures: list[Figure] = []
    for recipe in options.recipes:
        for targets in options.targets:
            figures += frames(recipe, targets, options)
            report("tracked frames on a GPU", machine, figures, options.label, options.output)
    report("refine on a GPU", machine, refining(options), options.label, options.output)
    report("top-k attention on a GPU", machine, attention(options), options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
