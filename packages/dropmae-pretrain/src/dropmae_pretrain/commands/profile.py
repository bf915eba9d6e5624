"""``dropmae-pretrain profile``: how large a network is and how fast it trains here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import tyro

from dropmae_pretrain.cli import UsageError


@dataclass(frozen=True)
class Profile:
    """Count parameters and multiply-adds of a network, and time its forward and backward pass."""

    network: tyro.conf.Positional[str] = "mae_vit_base_patch16"
    """a network of the published command line, or a recipe"""
    drop: float | None = None
    """share of spatial attention dropped; the recipe's when left out"""
    batch: int = 4
    """pairs a pass"""
    repeats: int = 3
    """timed passes, of which the fastest counts; 0 does not time"""
    precision: Literal["fp32", "bf16"] = "fp32"
    """of the forward pass"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""


def run(words: Sequence[str]) -> int:
    """Print the figures; returns 0."""
    asked = tyro.cli(Profile, args=list(words), prog="dropmae-pretrain profile")

    from dataclasses import replace

    from dropmae_pretrain.config import ObjectiveConfig
    from dropmae_pretrain.profile import macs
    from dropmae_pretrain.recipes import NETWORKS, get_recipe, recipe_names

    if asked.batch < 1 or asked.repeats < 0:
        raise UsageError("batch must be at least 1 and repeats not negative")
    if asked.network in NETWORKS:
        model, objective = NETWORKS[asked.network], ObjectiveConfig()
    elif asked.network.removeprefix("dropmae/") in recipe_names():
        recipe = get_recipe(asked.network)
        model, objective = recipe.model, recipe.objective
    else:
        raise UsageError(f"no network {asked.network!r} (known: {', '.join([*NETWORKS, *recipe_names()])})")
    if asked.drop is not None:
        objective = replace(objective, drop=asked.drop)

    import torch

    from dropmae_pretrain.network import build

    with torch.device("meta"):
        parameters = list(build(model, objective).parameters())
    counted = macs(model, objective)
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    print(f"parameters: {sum(parameter.numel() for parameter in parameters)} ({trainable} trained)")
    print(f"tokens: {model.tokens} of a pair, visible {objective.visible(model.frame_tokens)}")
    print(f"pairs dropped per sample, head and decoder layer: {objective.dropped_pairs(model.frame_tokens)}")
    print(
        f"forward pass of a pair: {2e-9 * counted.total:.2f} GFLOP "
        f"(encoder {2e-9 * counted.encoder:.2f}, decoder {2e-9 * counted.decoder:.2f})"
    )
    if asked.repeats:
        from trackcore.devices import pick_device

        device = pick_device(asked.device)
        seconds = _time(build(model, objective).to(device), asked) / asked.batch
        rate = 3 * 2e-9 * counted.total / seconds  # both gradients cost a forward pass each
        print(f"forward and backward on {device}, {asked.precision}: {1 / seconds:.3g} pairs/s, {rate:.1f} GFLOP/s")
    return 0


def _time(network, asked: Profile) -> float:
    """Seconds of the fastest forward and backward pass of a batch."""
    import torch

    from dropmae_pretrain.objective import reconstruction_loss, target

    config, device = network.config, network.mask_token.device
    shape = (asked.batch, 3, config.image_size, config.image_size)
    first, second = torch.randn(shape, device=device), torch.randn(shape, device=device)
    best = float("inf")
    for _ in range(asked.repeats + 1):
        began = time.perf_counter()
        network.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=asked.precision == "bf16"):
            output = network(first, second)
        wanted = target(first, second, config.patch, normalise=network.objective.normalise_target)
        reconstruction_loss(output.prediction, wanted, output.hidden).backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best
