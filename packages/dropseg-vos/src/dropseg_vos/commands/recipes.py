"""``dropseg-vos recipes``: list the recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class Recipes:
    """List the recipes."""


def run(words: Sequence[str]) -> int:
    """Print one name a line; returns 0."""
    tyro.cli(Recipes, args=list(words), prog="dropseg-vos recipes")

    from dropseg_vos.recipes import recipe_names

    print("\n".join(recipe_names()))
    return 0
