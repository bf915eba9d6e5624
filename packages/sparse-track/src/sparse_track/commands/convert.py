"""``sparse-track convert``: published weights to own ones and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Convert:
    """Write a tracker's weights in the other format.

    `.safetensors` gets a card beside it that names the network; `.pkl` is what the published program reads.
    """

    source: tyro.conf.Positional[Path]
    """own .safetensors or a published .pkl"""
    output: Path
    """.safetensors or .pkl file to write"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell"""


def run(words: Sequence[str]) -> int:
    """Convert and say what was written; returns 0."""
    asked = tyro.cli(Convert, args=list(words), prog="sparse-track convert")

    from sparse_track.conversion import convert

    convert(asked.source, asked.output, recipe=asked.recipe)
    print(f"wrote {asked.output}")
    return 0
