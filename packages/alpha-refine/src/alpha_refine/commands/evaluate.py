"""``alpha-refine evaluate``: score a base tracker over a dataset, with and without refinement."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from alpha_refine.cli import FAILED, FINISHED, PROGRAM
from alpha_refine.commands.options import BaseChoice, RefinerChoice, Repeated, asked_rules
from alpha_refine.rules import Rules


@dataclass(frozen=True)
class Evaluate:
    """Track every sequence of a dataset, print the scores, write a report. Finished sequences are kept."""

    dataset: str
    """name of the dataset: see `trackdata datasets`"""
    root: Path
    """folder of the dataset"""
    refiner: tyro.conf.OmitArgPrefixes[RefinerChoice]
    base: tyro.conf.OmitArgPrefixes[BaseChoice]
    how: tyro.conf.OmitArgPrefixes[Rules]
    rules: str = "default"
    """how base tracker and refiner work together: default, or as a published script, such as pytracking or siamrpn"""
    output: Path = Path("results")
    """results go to OUTPUT/TRACKER/DATASET, the report to OUTPUT/report"""
    split: str | None = None
    """split of the dataset"""
    name: str | None = None
    """what the refined tracker is called in the report; BASE+refined by default"""
    alone: bool = True
    """also run the base tracker without refinement"""
    compare: Annotated[tuple[str, ...], Repeated] = ()
    """another registered tracker to run as well, such as static; may be repeated"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, ..."""
    workers: int = 1
    """processes"""
    limit: int | None = None
    """only the first so many sequences"""


def run(words: Sequence[str]) -> int:
    """Track, print the table; 1 when a sequence failed."""
    defaults = Evaluate(tyro.MISSING, tyro.MISSING, RefinerChoice(), BaseChoice(), asked_rules(words))
    asked = tyro.cli(Evaluate, default=defaults, args=list(words), prog="alpha-refine evaluate")
    options, base_options = asked.refiner.options(), asked.base.options()

    from alpha_refine.evaluation import evaluate
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
            base=asked.base.base,
            refiner=options,
            rules=asked.how,
            base_options=base_options,
            name=asked.name,
            alone=asked.alone,
            compare=asked.compare,
            convention=asked.convention,
            workers=asked.workers,
            limit=asked.limit,
            on_progress=on_progress,
        )
    table_console().print(comparison_table(scores))
    print(f"report: {asked.output / 'report' / 'report.html'}")
    failures = [(entry.tracker, name, why) for entry in scores for name, why in entry.failures.items()]
    for tracker, name, why in failures:
        print(f"{PROGRAM}: {tracker}: {name} failed: {why}", file=sys.stderr)
    return FAILED if failures else FINISHED
