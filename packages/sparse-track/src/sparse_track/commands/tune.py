"""``sparse-track tune``: search for post-processing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from sparse_track.cli import UsageError
from sparse_track.commands.options import TrackerChoice


@dataclass(frozen=True)
class Ranges:
    """Lowest and highest value of what is searched; the defaults are published."""

    test_lr: tuple[float, float] = (0.50, 0.98)
    window_influence: tuple[float, float] = (0.20, 0.26)
    penalty_k: tuple[float, float] = (0.04, 0.08)


@dataclass(frozen=True)
class Tune:
    """Search for the post-processing that scores best on a dataset.

    Started again with the same output, the search goes on.
    """

    dataset: str
    """name of the dataset: see `trackdata datasets`"""
    root: Path
    """folder of the dataset"""
    tracker: tyro.conf.OmitArgPrefixes[TrackerChoice]
    space: Ranges
    output: Path = Path("tuning")
    """gets study.journal and the results of each trial"""
    split: str | None = None
    """split of the dataset"""
    trials: int = 50
    """finished trials in all, those of earlier searches included"""
    metric: str | None = None
    """what is maximised; the convention's first score by default"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, ..."""
    limit: int | None = None
    """only the first so many sequences"""
    workers: int = 1
    """processes, each with trials of its own"""
    sampler: Literal["tpe", "random"] = "tpe"
    """tpe learns from earlier trials, random is the published search"""
    seed: int | None = None
    """of the sampler"""


def run(words: Sequence[str]) -> int:
    """Search and print the best trials; returns 0."""
    defaults = Tune(tyro.MISSING, tyro.MISSING, TrackerChoice(), Ranges())
    asked = tyro.cli(Tune, default=defaults, args=list(words), prog="sparse-track tune")
    if asked.trials < 1 or asked.workers < 1:
        raise UsageError("--trials and --workers must be at least 1")
    if any(getattr(asked.tracker, name) is not None for name in vars(asked.space)):
        raise UsageError("test_lr, window_influence and penalty_k are what is searched; give --space.test-lr LOW HIGH")
    options = asked.tracker.options()

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from sparse_track.tuning import SearchSpace, tune

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        job = bar.add_task("trials", total=asked.trials)
        found = tune(
            asked.dataset,
            asked.root,
            asked.output,
            options=options,
            split=asked.split,
            trials=asked.trials,
            space=SearchSpace(**vars(asked.space)),
            metric=asked.metric,
            convention=asked.convention,
            limit=asked.limit,
            workers=asked.workers,
            sampler=asked.sampler,
            seed=asked.seed,
            on_trial=lambda finished: bar.update(job, completed=finished),
        )
    table = Table(*found.best, found.metric, title=f"the best of {found.trials} trials")
    for changes, value in found.table[:10]:
        table.add_row(*(f"{number:.4f}" for number in changes.values()), f"{value:.4f}")
    Console().print(table)
    flags = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in found.best.items())
    print(f"take it with: {flags}")
    return 0
