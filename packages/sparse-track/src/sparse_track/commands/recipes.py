"""``sparse-track recipes``: list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class Recipes:
    """List the recipes and the published test configurations."""


def run(words: Sequence[str]) -> int:
    """Print the lists; returns 0."""
    tyro.cli(Recipes, args=list(words), prog="sparse-track recipes")

    from sparse_track.configurations import CONFIGURATIONS
    from sparse_track.recipes import recipe_names

    print("\n".join(recipe_names()))
    print("\ntest configurations (test_lr, window_influence, penalty_k):")
    for name, config in CONFIGURATIONS.items():
        print(f"  {name:<12} {config.test_lr:<7} {config.window_influence:<7} {config.penalty_k}")
    return 0
