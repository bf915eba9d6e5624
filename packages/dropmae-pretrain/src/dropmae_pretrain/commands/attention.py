"""``dropmae-pretrain attention``: draw how attention between frames developed in runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Attention:
    """Plot, for each layer, attention to the other frame over attention to the own one, as logged during training.

    Several runs, for instance one with dropout and one without, are drawn one below the other on the same scale.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """run folders"""
    output: Path | None = None
    """PNG, SVG or PDF to write; attention.png in the first run folder when left out"""


def run(words: Sequence[str]) -> int:
    """Write the plot and print the last ratios; returns 0."""
    asked = tyro.cli(Attention, args=list(words), prog="dropmae-pretrain attention")

    from dropmae_pretrain.attention_plot import plot_ratios, read_ratios
    from dropmae_pretrain.cli import UsageError

    if not asked.runs:
        raise UsageError("give one or more run folders")
    runs = [read_ratios(folder) for folder in asked.runs]
    path = plot_ratios(runs, asked.output or asked.runs[0] / "attention.png")
    for ratios in runs:
        for part in ("encoder", "decoder"):
            last = ", ".join(f"{value:.2f}" for value in getattr(ratios, part)[-1])
            print(f"{ratios.name}, {part}, step {ratios.steps[-1]}: {last}")
    print(f"wrote {path}")
    return 0
