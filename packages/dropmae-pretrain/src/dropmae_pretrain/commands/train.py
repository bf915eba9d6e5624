"""``dropmae-pretrain train RECIPE``: pre-train."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from dropmae_pretrain.cli import INTERRUPTED, UsageError
from dropmae_pretrain.config import Recipe


@dataclass(frozen=True)
class Train:
    """Pre-train a recipe. Started again with the same output, it goes on where it was."""

    root: Path
    """folder of the videos; see `dropmae-pretrain manifest --help` for how they lie in it"""
    output: Path
    """run folder: recipe, checkpoints, logs, weights"""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    network: str | None = None
    """a network of the published command line in place of the recipe's, such as mae_vit_huge_patch14"""
    start_weights: Path | None = None
    """auto-encoder to start from, such as a published DropMAE"""
    config: Path | None = None
    """recipe.yaml of an earlier run to take instead of the recipe; flags still change it"""
    resume: bool = True
    """go on from the run folder's newest checkpoint"""


def run(words: Sequence[str]) -> int:
    """Train and print what it came to; 130 when it was interrupted."""
    from dropmae_pretrain.recipes import recipe_names

    names = ", ".join(recipe_names())
    if not words or words[0].startswith("-"):
        if words and words[0] in ("-h", "--help"):
            print(f"usage: dropmae-pretrain train RECIPE --root DIR --output DIR\n\nrecipes: {names}")
            return 0
        raise UsageError(f"train needs a recipe: {names}")
    name, *flags = words
    defaults = Train(root=tyro.MISSING, output=tyro.MISSING, recipe=_recipe(name, flags))
    asked = tyro.cli(Train, default=defaults, args=flags, prog=f"dropmae-pretrain train {name}")

    from rich.console import Console

    from dropmae_pretrain.training import train

    summary = train(
        asked.recipe, asked.root, asked.output, name=name, start_weights=asked.start_weights, resume=asked.resume
    )
    if os.environ.get("RANK", "0") == "0":  # under torchrun every process gets here
        Console().print(summary)
    return INTERRUPTED if summary.interrupted else 0


def _recipe(name: str, flags: Sequence[str]) -> Recipe:
    """The recipe that flags then change."""
    from dropmae_pretrain.recipes import NETWORKS, get_recipe
    from trackcore.recipes import from_yaml

    recipe = get_recipe(name)
    if (file := _value(flags, "--config")) is not None:
        recipe = from_yaml(Recipe, Path(file).read_text())
    if (network := _value(flags, "--network")) is not None:
        if network not in NETWORKS:
            raise UsageError(f"no network {network!r} (known: {', '.join(NETWORKS)})")
        recipe = replace(recipe, model=NETWORKS[network])
    return recipe


def _value(words: Sequence[str], name: str) -> str | None:
    """The value of a flag, looked up before the flags that depend on it are parsed."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None
