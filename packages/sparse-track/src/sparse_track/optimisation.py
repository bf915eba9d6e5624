"""How SparseTT is optimised: parameter groups, learning-rate schedule, freezing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from sparse_track.config import Freeze, OptimizerConfig, Phase

BACKBONE = "basemodel"
_NOT_WEIGHTS = re.compile(
    r"(norm|bn)\w*\.(weight|bias)$|bias$|_embed\.weight$|relative_position_bias_table$|head\.[sb]i_"
)


def parameter_groups(network: nn.Module, lr: float, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Groups for AdamW: the backbone at its share of the learning rate, then everything else.

    With ``config.decay == "weights"`` each of them is two: what decays and what does not.
    """
    groups: list[dict[str, Any]] = []
    named = list(network.named_parameters())
    for name, inside, rate in (("backbone", True, lr * config.backbone_multiplier), ("rest", False, lr)):
        own = [(key, parameter) for key, parameter in named if (BACKBONE in key) == inside]
        if config.decay == "all":
            parts = {name: (own, config.weight_decay)}
        else:
            weights = [(key, parameter) for key, parameter in own if not _NOT_WEIGHTS.search(key)]
            others = [(key, parameter) for key, parameter in own if _NOT_WEIGHTS.search(key)]
            parts = {name: (weights, config.weight_decay), f"{name}, no decay": (others, 0.0)}
        for part, (members, decay) in parts.items():
            parameters = [parameter for _, parameter in members]
            groups.append({"name": part, "params": parameters, "lr": rate, "weight_decay": decay})
    return groups


def rate(schedule: Sequence[Phase], position: float) -> float:
    """Share of the base learning rate after ``position`` epochs, fractions included.

    Raises:
        ValueError: no phase reaches so far.
    """
    start = 0
    for phase in schedule:
        if position < phase.until:
            share = (position - start) / (phase.until - start)
            if phase.kind == "exponential":
                return math.exp(math.log(phase.start) + (math.log(phase.end) - math.log(phase.start)) * share)
            if phase.kind == "cosine":
                share = (1 - math.cos(math.pi * share)) / 2
            return phase.start + (phase.end - phase.start) * share
        start = phase.until
    raise ValueError(f"the schedule ends after {start} epochs, there is no learning rate after {position}")


def learns(name: str, schedule: Iterable[Freeze], epoch: int) -> bool:
    """Whether the parameter ``name`` learns in ``epoch``, counted from 0."""
    result = True
    for entry in schedule:
        if re.search(entry.pattern, name):
            result = (epoch >= entry.epoch) != entry.frozen
    return result


def freeze(network: nn.Module, schedule: Sequence[Freeze], epoch: int) -> None:
    """Let the parameters learn that learn in ``epoch``, and no others."""
    if schedule:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(learns(name, schedule, epoch))
