"""``onestream-track recipes``: what can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class Recipes:
    """List the recipes."""


def run(words: Sequence[str]) -> int:
    """Print the list; returns 0."""
    tyro.cli(Recipes, args=list(words), prog="onestream-track recipes")

    from onestream_track.recipes import recipe_names

    print("\n".join(recipe_names()))
    return 0
