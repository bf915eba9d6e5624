"""Temporal over spatial attention during training, read from run folders and drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from dropmae_pretrain.temporal_attention import METRIC

_NAME = re.compile(METRIC.format(part=r"(encoder|decoder)", layer=0).replace("00", r"(\d+)"))
_PARTS = ("encoder", "decoder")


@dataclass(frozen=True)
class Ratios:
    """What a run logged.

    Attributes:
        name: of the run.
        steps: ``(S,)`` int64, optimiser steps after which was measured.
        encoder, decoder: ``(S, layers)`` float64.
    """

    name: str
    steps: np.ndarray
    encoder: np.ndarray
    decoder: np.ndarray


def read_ratios(run: str | Path) -> Ratios:
    """The ratios in a run folder's ``metrics.jsonl``.

    Raises:
        ValueError: the folder holds no training, or one that measured no attention.
    """
    path = Path(run) / "metrics.jsonl"
    if not path.is_file():
        raise ValueError(f"{run} is no run folder: it holds no {path.name}")
    steps: list[int] = []
    values: dict[str, list[dict[int, float]]] = {part: [] for part in _PARTS}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found = {name: match for name in record if (match := _NAME.fullmatch(name)) is not None}
        if not found:
            continue
        steps.append(record["step"])
        for part in _PARTS:
            values[part].append({int(match[2]): record[name] for name, match in found.items() if match[1] == part})
    if not steps:
        raise ValueError(f"{path} holds no measurement of attention: train with validation_samples above 0")
    table = {part: np.array([[row[layer] for layer in sorted(row)] for row in rows]) for part, rows in values.items()}
    return Ratios(Path(run).resolve().name, np.array(steps), table["encoder"], table["decoder"])


def plot_ratios(runs: Sequence[Ratios], path: str | Path) -> Path:
    """Draw one row of two panels (encoder, decoder) for each run, a line for each layer; writes ``path``."""
    path = Path(path)
    figure = Figure(figsize=(10, 3.4 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), 2, squeeze=False, sharey="col", sharex=True)
    for row, run in zip(axes, runs, strict=True):
        for axis, part in zip(row, _PARTS, strict=True):
            ratios = getattr(run, part)
            for layer, curve in enumerate(ratios.T):
                colour = colormaps["viridis"](0.9 * layer / max(1, ratios.shape[1] - 1))
                marker = "o" if len(run.steps) == 1 else None
                axis.plot(run.steps, curve, color=colour, label=str(layer), marker=marker, linewidth=1.4)
            axis.axhline(1.0, color="0.6", linestyle="--", linewidth=0.8)
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("{x:g}")
            axis.tick_params(which="both", labelsize=8)
            axis.set_title(f"{run.name}: {part}", fontsize=10)
            axis.legend(title="layer", fontsize=7, title_fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
        row[0].set_ylabel("attention to the other frame\nover attention to the own", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("optimiser step", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path
