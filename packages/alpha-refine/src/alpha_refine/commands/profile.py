"""``alpha-refine profile``: how large a refiner is and how fast it runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import tyro

from alpha_refine.cli import UsageError


@dataclass(frozen=True)
class Profile:
    """Count parameters and multiply-adds of a network, and time one call for a box in a 720p frame."""

    recipe: tyro.conf.Positional[str] = "SEcm_r34"
    """name of a recipe"""
    repeats: int = 20
    """timed calls, of which the median counts; 0 does not time"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """of the backbone"""


def run(words: Sequence[str]) -> int:
    """Print the figures; returns 0."""
    asked = tyro.cli(Profile, args=list(words), prog="alpha-refine profile")
    if asked.repeats < 0:
        raise UsageError(f"--repeats must not be negative, got {asked.repeats}")

    from alpha_refine.loading import load_refiner
    from alpha_refine.profile import measure_size, measure_time
    from alpha_refine.recipes import get_recipe

    config = get_recipe(asked.recipe).model
    size = measure_size(config)
    print(f"parameters: {size.parameters} ({size.used} used)")
    parts = ", ".join(f"{part} {2e-9 * count:.2f}" for part, count in size.macs.items() if count)
    print(f"one search crop: {1e-9 * size.flops(mask=True):.2f} GFLOP ({parts})")
    if asked.repeats:
        refiner = load_refiner(recipe=asked.recipe, device=asked.device, precision=asked.precision)
        for wanted, mask in (("box", False), ("box and mask", True)):
            if config.mask_head == "none" if mask else config.box_head == "none":
                continue
            seconds = measure_time(refiner, mask=mask, repeats=asked.repeats)
            rate = 1e-9 * size.flops(mask=mask) / seconds
            print(f"{wanted} on {refiner.device}, {asked.precision}: {1e3 * seconds:.1f} ms, {rate:.0f} GFLOP/s")
    return 0
