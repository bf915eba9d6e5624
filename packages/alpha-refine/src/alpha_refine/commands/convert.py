"""``alpha-refine convert``: weights of published files as .safetensors, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Convert:
    """Write the weights of a refiner to another kind of file. Nothing in the source is executed."""

    source: tyro.conf.Positional[Path]
    """own .safetensors or a published .pth.tar"""
    output: tyro.conf.Positional[Path]
    """.safetensors file, which gets a card beside it, or .pth, .pth.tar or .pt file with the weights under `net`"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell"""
    unused: bool = True
    """keep what takes no part in refining: last stage and classifier, more than half of the published numbers"""


def run(words: Sequence[str]) -> int:
    """Convert and print the card; returns 0."""
    asked = tyro.cli(Convert, args=list(words), prog="alpha-refine convert")

    from alpha_refine.conversion import convert

    card = convert(asked.source, asked.output, recipe=asked.recipe, unused=asked.unused)
    for name, value in card.items():
        if value is not None:
            print(f"{name}: {str(value).strip()}")
    print(f"wrote {asked.output}")
    return 0
