"""SparseTT: top-k attention beside dense attention, and a tracked frame in each way to compute it.

    python benchmarks/speed/sparse.py

What is compared takes turns, so that what else the machine does falls on all of it alike. `literal_sparse.py` is the
network computed as it reads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro
from machine import measure_machine
from refine import take_turns
from reporting import Figure, report

if TYPE_CHECKING:
    from sparse_track.tracker import SparseTracker

FRAME = (720, 1280)
BOX = (520.0, 300.0, 140.0, 90.0)  # x, y, w, h
AS_IT_READS = "as it reads"


def cores(options: Options) -> list[Figure]:
    """Attention of the decoder's search tokens, heads as published, from given queries, keys and values."""
    import torch
    import torch.nn.functional as F
    from literal_sparse import dense, literal_topk

    from sparse_track.config import ModelConfig
    from trackcore.ops.topk_attention import topk_attention

    config = ModelConfig()
    heads, tokens, width = config.neck.heads, config.search_cells**2, config.neck.width // config.neck.heads
    queries, keys, values = (torch.randn(heads, tokens, width) for _ in range(3))
    forms: dict[str, Callable[..., torch.Tensor]] = {
        "dense": lambda *given: dense(*given)[0],
        "dense, fused": F.scaled_dot_product_attention,
        **{f"k = {k}": lambda *given, k=k: topk_attention(*given, k) for k in options.counts},
        f"k = {options.counts[0]}, {AS_IT_READS}": lambda *given: literal_topk(*given, options.counts[0])[0],
    }
    gflop = 4e-9 * heads * tokens**2 * width
    figures = []
    for what, passes in (("attention", 1), ("attention, forward and backward", 3)):
        functions = {name: _call(form, (queries, keys, values), passes > 1) for name, form in forms.items()}
        seconds = take_turns(functions, 5 * options.repeats)
        for name, median in seconds.items():
            note = f"{heads} x {tokens} queries, {median / seconds['dense']:.2f} x dense"
            figures.append(Figure(f"{what}, {name}", median, "layer", passes * gflop, note=note))
    return figures


def _call(form: Callable, given: tuple, learn: bool) -> Callable[[], object]:
    import torch

    if not learn:

        def run() -> None:
            with torch.inference_mode():
                form(*given)

        return run
    leaves = [tensor.clone().requires_grad_() for tensor in given]

    def run() -> None:
        torch.autograd.grad(form(*leaves).sum(), leaves)

    return run


def trackers(recipe: str, folder: Path, compiled: bool) -> dict[str, tuple[SparseTracker, str]]:
    """Trackers with the same weights by the way they compute, and the precision of each."""
    import torch
    from literal_sparse import LiteralNetwork

    from sparse_track.exporting import export_tracker
    from sparse_track.loading import create
    from sparse_track.network import build
    from sparse_track.recipes import get_recipe
    from sparse_track.tracker import SparseTracker
    from trackcore.checkpoints import save_weights
    from trackcore.recipes import to_yaml

    told = get_recipe(recipe)
    torch.manual_seed(0)
    network = build(told.model).eval().requires_grad_(False)
    card = {"model": to_yaml(told.model), "tracking": to_yaml(told.tracking)}
    weights = save_weights(folder / f"{recipe}.safetensors", network.state_dict(), card)
    ways: dict[str, tuple[SparseTracker, str]] = {
        AS_IT_READS: (SparseTracker(LiteralNetwork(network), told.model, told.tracking), "fp32"),
        "eager": (create(weights, device="cpu"), "fp32"),
        "eager, bf16": (create(weights, device="cpu", precision="bf16"), "bf16"),
    }
    if compiled:
        ways["compiled"] = create(weights, device="cpu", backend="compile"), "fp32"
    export_tracker(build(told.model).eval(), told.tracking, folder / recipe)
    for backend, precision in (("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")):
        ways[f"{backend}, {precision}"] = create(folder / recipe, backend=backend, precision=precision), precision
    return ways


def frames(options: Options, folder: Path) -> list[Figure]:
    """One update() in a 720p frame, everything included."""
    from sparse_track.profile import measure_size
    from sparse_track.recipes import get_recipe

    frame = np.random.default_rng(0).integers(0, 256, (*FRAME, 3)).astype(np.uint8)
    figures = []
    for recipe in options.recipes:
        gflop = 2e-9 * measure_size(get_recipe(recipe).model).total
        ways = trackers(recipe, folder, options.compiled)
        functions = {}
        for name, (tracker, _) in ways.items():
            tracker.init(frame, np.array(BOX))

            def update(tracker: SparseTracker = tracker) -> None:
                tracker.set_box(np.array(BOX))
                tracker.update(frame)

            functions[name] = update
        seconds = take_turns(functions, options.repeats)
        for name, median in seconds.items():
            note = f"{seconds[AS_IT_READS] / median:.2f} x {AS_IT_READS}, {seconds['eager'] / median:.2f} x eager"
            figures.append(Figure(f"{recipe}, {name}", median, gflop=gflop, precision=ways[name][1], note=note))
    return figures


@dataclass(frozen=True)
class Options:
    """Time SparseTT."""

    recipes: tuple[str, ...] = ("sparsett_swin_train_got10k",)
    """networks"""
    counts: tuple[int, ...] = (32, 4, 128)
    """keys per query; the first one is also computed as it reads"""
    repeats: int = 20
    """timed updates, and a fifth of the timed calls of attention; the median counts"""
    compiled: bool = True
    """include torch.compile, which needs a C++ compiler"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine()
    figures = cores(options)
    with tempfile.TemporaryDirectory() as folder:
        figures += frames(options, Path(folder))
    report("sparse", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
