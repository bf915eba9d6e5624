"""``dropseg-vos convert``: weights of published files as .safetensors, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Convert:
    """Write the weights of a network to another kind of file. Nothing in the source is executed."""

    source: tyro.conf.Positional[Path]
    """own .safetensors or a published .pth"""
    output: tyro.conf.Positional[Path]
    """.safetensors file, which gets a card beside it, or .pth or .pt file with all names of a published one"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell"""


def run(words: Sequence[str]) -> int:
    """Convert and print the card; returns 0."""
    asked = tyro.cli(Convert, args=list(words), prog="dropseg-vos convert")

    from dropseg_vos.conversion import convert

    card = convert(asked.source, asked.output, recipe=asked.recipe)
    for name, value in card.items():
        print(f"{name}: {str(value).strip()}")
    print(f"wrote {asked.output}")
    return 0
