"""``trackdata evaluate`` and ``trackdata report``: run trackers, score results, write reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trackdata.cli.common import FAILED, Repeated, Source, UsageError, error_console, open_source

if TYPE_CHECKING:
    from trackdata.evaluation import RunResult, Scores
    from trackdata.sequences import Dataset


@dataclass(frozen=True)
class Evaluate:
    """Run trackers over a dataset, print their scores and write a report. Finished sequences are not run again."""

    source: tyro.conf.OmitArgPrefixes[Source]
    tracker: Annotated[tuple[str, ...], Repeated]
    """name of a registered tracker; may be repeated"""
    output: Path
    """results go to OUTPUT/TRACKER/DATASET, the report to OUTPUT/report"""
    tracker_option: Annotated[tuple[str, ...], Repeated] = ()
    """KEY=VALUE for every tracker, or TRACKER.KEY=VALUE for one; may be repeated"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, otb_toolkit, uav123_toolkit, lasot_toolkit"""
    workers: int = 1
    """processes"""
    overwrite: bool = False
    """run finished sequences again"""

    def __call__(self) -> int:
        return _evaluate(self)


@dataclass(frozen=True)
class Report:
    """Score result folders and write a report that compares them."""

    results: tyro.conf.Positional[tuple[Path, ...]]
    """folders of result files, one per tracker"""
    source: tyro.conf.OmitArgPrefixes[Source]
    output: Path
    """folder for report.html, report.md, report.json and CSV files"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, otb_toolkit, uav123_toolkit, lasot_toolkit"""
    title: str | None = None
    """heading of the report"""

    def __call__(self) -> int:
        return _report(self)


def _evaluate(command: Evaluate) -> int:
    from functools import partial

    from trackcore.tracker import create_tracker
    from trackdata.evaluation import RunProgress, run, tracker_identity

    options = {name: tracker_options(command.tracker_option, name, command.tracker) for name in command.tracker}
    _check_trackers(command.tracker)
    _check_convention(command.convention)
    dataset = open_source(command.source)
    results = []
    with RunProgress(error_console()) as bars:
        for name in command.tracker:
            result = run(
                name,
                partial(create_tracker, name, **options[name]),
                dataset,
                command.output,
                identity=tracker_identity(name, options[name]),
                workers=command.workers,
                overwrite=command.overwrite,
                limit=command.source.limit,
                on_progress=bars.of(name),
            )
            results.append((name, result))
    return _finish(results, dataset, command.output / "report", command.convention, None, command.source.limit)


def _report(command: Report) -> int:
    if not command.results:
        raise UsageError("give one or more folders of results")
    _check_convention(command.convention)
    dataset = open_source(command.source)
    named = [(_tracker_name(path, dataset), path) for path in command.results]
    return _finish(named, dataset, command.output, command.convention, command.title, command.source.limit)


def _finish(
    results: Sequence[tuple[str, RunResult | Path]],
    dataset: Dataset,
    output: Path,
    convention: str,
    title: str | None,
    limit: int | None,
) -> int:
    """Write the report, print the table; 1 when any sequence failed."""
    from rich.console import Console

    from trackdata.evaluation import comparison_table, write_report

    report = write_report(results, dataset, output, title=title, convention=convention, limit=limit)
    Console().print(comparison_table(report.scores))
    print(f"report: {report.html}")
    return _tell_failures(report.scores)


def _tell_failures(scores: Sequence[Scores]) -> int:
    failed = [(entry.tracker, name, reason) for entry in scores for name, reason in entry.failures.items()]
    for tracker, name, reason in failed:
        print(f"trackdata: {tracker} has no result for {name}: {reason}", file=sys.stderr)
    return FAILED if failed else 0


def tracker_options(given: Sequence[str], tracker: str, trackers: Sequence[str]) -> dict[str, Any]:
    """The options in ``given`` that are meant for ``tracker``.

    ``KEY=VALUE`` is for all; ``TRACKER.KEY=VALUE`` for one of ``trackers``. Values are read as JSON where they are JSON
    (numbers, true, false, null) and as text otherwise.

    Raises:
        UsageError: no key, or no equals sign.
    """
    options = {}
    for text in given:
        key, equals, value = text.partition("=")
        owner = next((name for name in trackers if key.startswith(f"{name}.")), None)
        key = key if owner is None else key.removeprefix(f"{owner}.")
        if not equals or not key:
            raise UsageError(f"--tracker-option is KEY=VALUE or TRACKER.KEY=VALUE, got {text!r}")
        if owner is None or owner == tracker:
            try:
                options[key] = json.loads(value)
            except json.JSONDecodeError:
                options[key] = value
    return options


def _check_trackers(names: Sequence[str]) -> None:
    from trackcore.tracker import list_trackers

    if not names:
        raise UsageError(f"give --tracker, one or more of: {', '.join(list_trackers())}")
    if len(set(names)) != len(names):
        raise UsageError(f"--tracker {', '.join(names)}: each tracker once")
    for name in names:
        if name not in list_trackers():
            raise UsageError(f"no tracker is registered as {name!r} (known: {', '.join(list_trackers())})")


def _check_convention(name: str) -> None:
    from trackdata.evaluation import convention

    try:
        convention(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _tracker_name(path: Path, dataset: Dataset) -> str:
    from trackdata.evaluation.scoring import recorded_name, results_folder

    return recorded_name(results_folder(path, dataset.name)) or path.resolve().name
