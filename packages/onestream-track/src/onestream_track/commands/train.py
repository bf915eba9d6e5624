"""``onestream-track train RECIPE``: train a tracker."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from onestream_track.cli import FINISHED, INTERRUPTED, UsageError
from onestream_track.commands.options import flag_value
from onestream_track.config import Recipe


@dataclass(frozen=True)
class Train:
    """Train a recipe. Started again with the same output, it goes on where it was."""

    root: Path
    """folder below which the recipe's datasets lie"""
    output: Path
    """run folder: recipe, checkpoints, logs, weights"""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    start_weights: Path | None = None
    """MAE or DropMAE encoder, or a tracker, to start from; for a timm backbone its weights, or `timm` to fetch them"""
    config: Path | None = None
    """recipe.yaml of an earlier run to take instead of the recipe; flags still change it"""
    resume: bool = True
    """go on from the run folder's newest checkpoint"""


def run(words: Sequence[str]) -> int:
    """Train and print what it came to; 130 when it was interrupted."""
    from onestream_track.recipes import get_recipe, recipe_names
    from trackcore.recipes import from_yaml

    names = ", ".join(recipe_names())
    if not words or words[0].startswith("-"):
        if words and words[0] in ("-h", "--help"):
            print(f"usage: onestream-track train RECIPE --root DIR --output DIR\n\nrecipes: {names}")
            return FINISHED
        raise UsageError(f"train needs a recipe: {names}")
    name, *flags = words
    recipe = get_recipe(name)
    if (file := flag_value(flags, "--config")) is not None:
        recipe = from_yaml(Recipe, Path(file).read_text())
    defaults = Train(root=tyro.MISSING, output=tyro.MISSING, recipe=recipe)
    asked = tyro.cli(Train, default=defaults, args=flags, prog=f"onestream-track train {name}")

    from rich.console import Console

    from onestream_track.training import train

    summary = train(
        asked.recipe, asked.root, asked.output, name=name, start_weights=asked.start_weights, resume=asked.resume
    )
    if os.environ.get("RANK", "0") == "0":  # under torchrun every process gets here
        Console().print(summary)
    return INTERRUPTED if summary.interrupted else FINISHED
