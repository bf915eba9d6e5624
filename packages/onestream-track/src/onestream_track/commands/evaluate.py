"""``onestream-track evaluate``: score a tracker over a dataset, beside others if wanted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from onestream_track.cli import FAILED, FINISHED, PROGRAM
from onestream_track.commands.options import Many, TrackerChoice


@dataclass(frozen=True)
class Evaluate:
    """Track every sequence of a dataset once, print the scores, write a report. Finished sequences are kept."""

    dataset: str
    """name of the dataset: see `trackdata datasets`"""
    root: Path
    """folder of the dataset"""
    tracker: tyro.conf.OmitArgPrefixes[TrackerChoice]
    output: Path = Path("results")
    """results go to OUTPUT/TRACKER/DATASET, the report to OUTPUT/report"""
    split: str | None = None
    """split of the dataset"""
    name: str = "onestream"
    """what the tracker is called in the report"""
    compare: Many = ()
    """another registered tracker to run as well, such as static or opencv:mil; may be repeated"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, ..."""
    workers: int = 1
    """processes"""
    limit: int | None = None
    """only the first so many sequences"""


def run(words: Sequence[str]) -> int:
    """Track, print the table; 1 when a sequence failed."""
    asked = tyro.cli(Evaluate, args=list(words), prog="onestream-track evaluate")
    options = asked.tracker.options()

    from onestream_track.evaluation import evaluate
    from trackdata.datasets import open_dataset
    from trackdata.evaluation import RunProgress, comparison_table, table_console

    dataset = open_dataset(asked.dataset, asked.root, asked.split)
    with RunProgress() as progress:
        shown: dict[str, Callable[..., None]] = {}

        def on_progress(tracker: str, state: Any) -> None:
            if tracker not in shown:
                shown[tracker] = progress.of(tracker)
            shown[tracker](state)

        scores = evaluate(
            dataset,
            asked.output,
            name=asked.name,
            options=options,
            compare=asked.compare,
            convention=asked.convention,
            workers=asked.workers,
            limit=asked.limit,
            on_progress=on_progress,
        )
    table_console().print(comparison_table(scores))
    print(f"report: {asked.output / 'report' / 'report.html'}")
    failures = {f"{entry.tracker}: {name}": why for entry in scores for name, why in entry.failures.items()}
    for name, why in failures.items():
        print(f"{PROGRAM}: {name} failed: {why}", file=sys.stderr)
    return FAILED if failures else FINISHED
