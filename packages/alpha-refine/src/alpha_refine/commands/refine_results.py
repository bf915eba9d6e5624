"""``alpha-refine refine-results DIR``: refine results that any tracker has written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from alpha_refine.cli import FAILED, FINISHED, PROGRAM
from alpha_refine.commands.options import RefinerChoice, asked_rules
from alpha_refine.rules import Rules


@dataclass(frozen=True)
class RefineResults:
    """Refine the boxes in result files, write new ones beside a report of both. Finished sequences are kept."""

    results: tyro.conf.Positional[Path]
    """folder of a tracker's result files, in the layout of any known program"""
    dataset: str
    """name of the dataset they are results of: see `trackdata datasets`"""
    root: Path
    """folder of the dataset"""
    refiner: tyro.conf.OmitArgPrefixes[RefinerChoice]
    how: tyro.conf.OmitArgPrefixes[Rules]
    rules: str = "default"
    """which boxes are replaced: default, or as a published script, such as pytracking or siamrpn"""
    output: Path = Path("results")
    """refined results go to OUTPUT/NAME/DATASET, the report to OUTPUT/report"""
    split: str | None = None
    """split of the dataset"""
    name: str | None = None
    """what the refined results are called; TRACKER+refined by default"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, ..."""
    workers: int = 1
    """processes"""
    limit: int | None = None
    """only the first so many sequences"""


def run(words: Sequence[str]) -> int:
    """Refine, print the table; 1 when a sequence failed."""
    defaults = RefineResults(tyro.MISSING, tyro.MISSING, tyro.MISSING, RefinerChoice(), asked_rules(words))
    asked = tyro.cli(RefineResults, default=defaults, args=list(words), prog="alpha-refine refine-results")
    options = asked.refiner.options()

    from alpha_refine.offline import refine_results
    from trackdata.datasets import open_dataset
    from trackdata.evaluation import RunProgress, comparison_table, table_console, write_report
    from trackdata.evaluation.scoring import recorded_name, results_folder

    dataset = open_dataset(asked.dataset, asked.root, asked.split)
    source = results_folder(asked.results, dataset.name)
    with RunProgress() as progress:
        refined = refine_results(
            source,
            dataset,
            asked.output,
            refiner=options,
            rules=asked.how,
            name=asked.name,
            workers=asked.workers,
            limit=asked.limit,
            on_progress=progress.of("refining"),
        )
    compared = [(refined.tracker, refined), (recorded_name(source) or source.name, source)]
    report = write_report(compared, dataset, asked.output / "report", convention=asked.convention, limit=asked.limit)
    table_console().print(comparison_table(report.scores))
    print(f"refined results: {refined.folder}\nreport: {report.html}")
    for name, why in refined.failures.items():
        print(f"{PROGRAM}: {name} was not refined: {why}", file=sys.stderr)
    return FAILED if refined.failures else FINISHED
