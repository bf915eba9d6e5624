"""The network alone: forward pass of every published configuration and training steps.

python benchmarks/speed/network.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from machine import measure_machine, median_seconds, waiting
from reporting import Figure, report

GFLOP_PER_MAC = 2e-9


def configurations(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Recipes by network: one name for each different forward pass, and the other recipes that share it."""
    from onestream_track.recipes import get_recipe, recipe_names

    networks: dict[object, list[str]] = {}
    for name in names or recipe_names():
        model = get_recipe(name).model
        schedule_free = replace(model, elimination=replace(model.elimination, start_epoch=0, warm_epochs=0))
        networks.setdefault(schedule_free, []).append(name)
    return {same[0]: same[1:] for same in networks.values()}


def forward(names: tuple[str, ...], device: str, repeats: int) -> list[Figure]:
    """One template and one search crop, eager, in float32 and with the backbone in bfloat16."""
    import torch

    from onestream_track.network import build
    from onestream_track.profile import macs
    from onestream_track.recipes import get_recipe

    figures = []
    for name, others in configurations(names).items():
        config = get_recipe(name).model
        model = build(config).eval().requires_grad_(False).to(device)
        template = torch.randn(1, 3, config.template_size, config.template_size, device=device)
        search = torch.randn(1, 3, config.search_size, config.search_size, device=device)
        for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            model.backbone.to(dtype)
            with torch.inference_mode():
                seconds = median_seconds(lambda m=model, z=template, x=search: m(z, x), repeats, finish=waiting(device))
            note = "also " + ", ".join(others) if others else ""
            gflop = GFLOP_PER_MAC * macs(config).total
            figures.append(Figure(f"{name}, forward, {precision}", seconds, "frame", gflop, precision, note))
    return figures


def training(names: tuple[str, ...], precision: str, options: Options) -> list[Figure]:
    """Forward, losses, backward, clipping and AdamW step, elimination at its final rate."""
    import torch

    from onestream_track.losses import losses
    from onestream_track.profile import macs
    from onestream_track.recipes import get_recipe
    from onestream_track.training import OneStreamTask

    device, batch = options.device, options.train_batch
    autocast = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
    figures = []
    for name in names:
        recipe = get_recipe(name)
        config = recipe.model
        task = OneStreamTask(recipe)
        model = task.model.train().to(device)
        called = torch.compile(model) if options.train_compiled else model
        optimizer = task.build_optimizer(task.parameter_groups())
        template = torch.randn(batch, 3, config.template_size, config.template_size, device=device)
        search = torch.randn(batch, 3, config.search_size, config.search_size, device=device)
        boxes = torch.tensor([[0.4, 0.4, 0.25, 0.2]], device=device).expand(batch, 4)

        def step(
            model=model, called=called, optimizer=optimizer, template=template, search=search, boxes=boxes
        ) -> None:
            optimizer.zero_grad(set_to_none=True)
            with autocast:
                maps = called(template, search).maps
            losses(maps, boxes)["total"].backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()

        seconds = median_seconds(step, options.train_repeats, warmup=2, finish=waiting(device)) / batch
        # The gradients with respect to inputs and to weights cost one forward pass each.
        gflop = 3 * GFLOP_PER_MAC * macs(config).total
        how = f"{precision}, compiled" if options.train_compiled else precision
        figures.append(Figure(f"{name}, training step, {how}", seconds, "pair", gflop, precision, f"batch {batch}"))
    return figures


@dataclass(frozen=True)
class Options:
    """Time the networks of the published recipes."""

    recipes: tuple[str, ...] = ()
    """recipes whose forward pass is timed; all, one for each different network, when left out"""
    train_recipes: tuple[str, ...] = ("onestream/tiny", "ostrack/vitb_256_mae_ce_32x4_ep300")
    """recipes whose training step is timed"""
    train_batch: int = 4
    """pairs of a training step"""
    repeats: int = 10
    """timed forward passes; the median counts"""
    train_precisions: tuple[str, ...] = ("fp32",)
    """of training steps: fp32, bf16 (mixed)"""
    train_compiled: bool = False
    """training steps through torch.compile"""
    train_repeats: int = 3
    """timed training steps"""
    device: str = "cpu"
    """cpu or cuda"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine(options.device)
    figures = forward(options.recipes, options.device, options.repeats)
    for precision in options.train_precisions:
        figures += training(options.train_recipes, precision, options)
    report("network", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
