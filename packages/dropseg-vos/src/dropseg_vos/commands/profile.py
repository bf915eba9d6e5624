"""``dropseg-vos profile``: how large a network is and how fast it runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import tyro

from dropseg_vos.cli import UsageError


@dataclass(frozen=True)
class Profile:
    """Count parameters and multiply-adds of a network, and time frames with several objects."""

    recipe: tyro.conf.Positional[str] = "retrain_s03"
    """name of a recipe"""
    size: tuple[int, int] = (480, 854)
    """height and width of the frames"""
    objects: tuple[int, ...] = (1, 3)
    """numbers of objects"""
    repeats: int = 3
    """timed frames, of which the median counts; 0 does not time"""
    batch: int = 1
    """frames in one pass"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """of the network"""


def run(words: Sequence[str]) -> int:
    """Print the figures; returns 0."""
    asked = tyro.cli(Profile, args=list(words), prog="dropseg-vos profile")
    if asked.repeats < 0 or asked.batch < 1 or min(asked.objects, default=0) < 1 or min(asked.size) < 1:
        raise UsageError("--repeats must not be negative; --batch, --objects and --size must be at least 1")

    from dropseg_vos.loading import load_segmenter
    from dropseg_vos.profile import measure_cost, measure_time
    from dropseg_vos.recipes import get_recipe
    from dropseg_vos.sizes import Sizing

    config = get_recipe(asked.recipe).model
    height, width = (-(-side // config.patch) * config.patch for side in asked.size)
    cost = measure_cost(config, (height, width))
    print(f"parameters: {cost.parameters}")
    parts = ", ".join(f"{part} {2e-9 * count:.2f}" for part, count in cost.macs.items())
    print(f"an object in a frame of {width} x {height}: {1e-9 * cost.flops():.2f} GFLOP ({parts})")
    print(f"a reference, once for each object: {2e-9 * cost.reference:.2f} GFLOP")
    if asked.repeats:
        segmenter = load_segmenter(
            recipe=asked.recipe, device=asked.device, precision=asked.precision, sizing=Sizing("keep")
        )
        for objects in asked.objects:
            seconds = measure_time(segmenter, objects, asked.size, repeats=asked.repeats, batch=asked.batch)
            rate = 1e-9 * cost.flops(objects) / seconds
            print(
                f"{objects} objects on {segmenter.backend.device}, {asked.precision}: {1 / seconds:.3g} frames/s, "
                f"{rate:.0f} GFLOP/s"
            )
    return 0
