"""DropMAE: training passes with and without spatial-attention dropout, and the dropout against its literal formulation.

    python benchmarks/speed/dropmae.py

What is compared is timed in turn, the matrix product that stands for the machine too, and the fastest of several rounds
counts, so that load that comes and goes does not favour one side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from machine import measure_machine, waiting
from reporting import Figure, report

if TYPE_CHECKING:
    from torch import Tensor

GFLOP_PER_MAC = 2e-9
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
SLOW_BF16 = 0.5  # of the float32 rate; below it the processor has no instructions for it


def fastest(functions: Mapping[str, Callable[[], object]], repeats: int, device: str) -> dict[str, float]:
    """Seconds of the fastest of ``repeats`` calls of each function, one after the other in each round."""
    finish = waiting(device) or (lambda: None)
    best = dict.fromkeys(functions, float("inf"))
    for number in range(repeats + 1):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            finish()
            if number:  # the first round warms up
                best[name] = min(best[name], time.perf_counter() - began)
    return best


def passes(options: Options, precision: str) -> tuple[list[Figure], float]:
    """Forward and backward pass of a batch of pairs, without and with dropout; and the machine's rate in GFLOP/s."""
    import torch

    from dropmae_pretrain.config import ObjectiveConfig
    from dropmae_pretrain.network import build
    from dropmae_pretrain.objective import reconstruction_loss, target
    from dropmae_pretrain.profile import macs
    from dropmae_pretrain.recipes import NETWORKS

    config = NETWORKS[options.network]
    shape = (options.batch, 3, config.image_size, config.image_size)
    first, second = (torch.randn(shape, device=options.device) for _ in range(2))

    def training_pass(drop: float) -> Callable[[], object]:
        network = build(config, ObjectiveConfig(drop=drop)).train().to(options.device)

        def run() -> None:
            network.zero_grad(set_to_none=True)
            with torch.autocast(options.device, torch.bfloat16, enabled=precision == "bf16"):
                output = network(first, second)
            reconstruction_loss(output.prediction, target(first, second, config.patch), output.hidden).backward()

        return run

    side = 2048 if options.device == "cpu" else 8192
    matrix = torch.randn(side, side, device=options.device, dtype=getattr(torch, DTYPES[precision]))

    def product() -> None:
        with torch.inference_mode():
            matrix @ matrix

    shares = (0.0, *options.drops)
    functions = {"product": product, **{str(drop): training_pass(drop) for drop in shares}}
    seconds = fastest(functions, options.repeats, options.device)
    # The gradients with respect to inputs and to weights cost one forward pass each.
    gflop = 3 * GFLOP_PER_MAC * macs(config).total
    figures = []
    for drop in shares:
        note = f"batch {options.batch}"
        if drop:
            note += f", {100 * (seconds[str(drop)] / seconds['0.0'] - 1):+.1f} % of P = 0"
        name = f"{options.network}, forward and backward, P = {drop:g}, {precision}"
        figures.append(Figure(name, seconds[str(drop)] / options.batch, "pair", gflop, precision, note))
    return figures, 2e-9 * side**3 / seconds["product"]


def literal_drop(logits: Tensor, count: int) -> Tensor:
    """Pairs to drop as it is written down: softmax, weights, sample without replacement, scatter."""
    import torch

    rows, tokens, _ = logits.shape
    half = tokens // 2
    attention = logits.softmax(-1)
    weights = []
    for own, other in ((slice(half), slice(half, None)), (slice(half, None), slice(half))):
        temporal = attention[:, own, other].amax(-1, keepdim=True) + 1e-6
        spatial = attention[:, own, own] + 1e-6
        spatial = spatial * ~torch.eye(half, dtype=torch.bool, device=logits.device)
        weights.append(temporal * spatial / spatial.sum(-1, keepdim=True))
    weights = torch.cat(weights, dim=1).flatten(1)
    chosen = torch.multinomial(weights, count, replacement=False)
    return torch.zeros_like(weights, dtype=torch.bool).scatter_(1, chosen, True).view(rows, tokens, half)


def sorted_drop(logits: Tensor, count: int) -> Tensor:
    """The same with clocks and a full sort in place of torch's sampler."""
    import torch

    from trackcore.ops.ranked_dropout import sampling_weights

    weights = sampling_weights(logits)
    scores = (weights / torch.empty_like(weights).exponential_()).flatten(1)
    chosen = scores.sort(dim=1, descending=True).indices[:, :count]
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, chosen, True).view_as(weights)


def dropouts(options: Options) -> list[Figure]:
    """Dropping pairs from given logits: those of one pair of frames, all heads and layers of ViT-B's decoder."""
    import torch

    from dropmae_pretrain.config import ModelConfig, ObjectiveConfig
    from trackcore.ops.ranked_dropout import drop_pairs

    config, drop = ModelConfig(), options.drops[0]
    rows, block = config.decoder_heads * config.decoder_depth, config.decoder_heads
    count = ObjectiveConfig(drop=drop).dropped_pairs(config.frame_tokens)
    logits = torch.randn(block, config.tokens, config.tokens, device=options.device)

    functions = {
        "as trackcore computes it": lambda: drop_pairs(logits, count),
        "literally, torch.multinomial": lambda: literal_drop(logits, count),
        "literally, full sort": lambda: sorted_drop(logits, count),
    }
    with torch.inference_mode():
        seconds = fastest(functions, options.repeats, options.device)
    figures = []
    for name, found in seconds.items():
        times = found / seconds["as trackcore computes it"]
        note = f"{rows} rows of {config.tokens} tokens, {count} pairs each" + (
            f", {times:.1f} times" if times > 1 else ""
        )
        figures.append(Figure(f"dropout of one pair, {name}", found * rows / block, "pair", note=note))
    return figures


@dataclass(frozen=True)
class Options:
    """Time pre-training passes and the dropout in them."""

    network: str = "mae_vit_base_patch16"
    """network of the published command line"""
    batch: int = 4
    """pairs of a pass"""
    drops: tuple[float, ...] = (0.1,)
    """shares of spatial attention that are dropped"""
    repeats: int = 5
    """timed passes, of which the fastest counts"""
    device: str = "cpu"
    """cpu or cuda"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine(options.device)
    figures, rate = passes(options, "fp32")
    machine = replace(machine, fp32=rate)
    if machine.bf16 >= SLOW_BF16 * machine.fp32:
        more, rate = passes(options, "bf16")
        figures, machine = figures + more, replace(machine, bf16=rate)
    else:
        print(f"bf16 is left out: this processor multiplies it at {machine.bf16:.1f} GFLOP/s")
    figures += dropouts(options)
    report("dropmae", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
