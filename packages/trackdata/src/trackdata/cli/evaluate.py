"""``trackdata evaluate`` and ``trackdata report``: run trackers, score results, write reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trackdata.cli.common import Repeated, Source, UsageError, error_console, open_source, open_sources, tell_failures
from trackdata.cli.placement import Placement, make_engine, parse_shard

if TYPE_CHECKING:
    from trackdata.evaluation import RunResult, Shard
    from trackdata.sequences import Dataset


@dataclass(frozen=True)
class Evaluate:
    """Run trackers over datasets, print their scores and write reports. Finished sequences are not run again."""

    dataset: Annotated[tuple[str, ...], Repeated]
    """name of a dataset (see `trackdata datasets`), or NAME:SPLIT; may be repeated"""
    root: Annotated[tuple[Path, ...], Repeated]
    """folder of the dataset; one for all, or one for each dataset in the same order"""
    tracker: Annotated[tuple[str, ...], Repeated]
    """name of a registered tracker; may be repeated"""
    output: Path
    """results go to OUTPUT/TRACKER/DATASET, the report to OUTPUT/report, or OUTPUT/report/DATASET for several"""
    placement: tyro.conf.OmitArgPrefixes[Placement]
    split: str | None = None
    """split of the datasets that name none"""
    limit: int | None = None
    """only the first so many sequences of each dataset"""
    tracker_option: Annotated[tuple[str, ...], Repeated] = ()
    """KEY=VALUE for every tracker, or TRACKER.KEY=VALUE for one; may be repeated"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, lasot_official, trackingnet, pysot/KIND, ..."""
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
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, lasot_official, trackingnet, pysot/KIND, ..."""
    title: str | None = None
    """heading of the report"""

    def __call__(self) -> int:
        return _report(self)


def _evaluate(command: Evaluate) -> int:
    from functools import partial

    from trackcore.tracker import create_tracker
    from trackdata.evaluation import RunProgress, run_all, tracker_identity

    options = {name: tracker_options(command.tracker_option, name, command.tracker) for name in command.tracker}
    check_trackers(command.tracker)
    _check_convention(command.convention)
    shard = parse_shard(command.placement)
    if command.placement.devices and any("device" in given for given in options.values()):
        raise UsageError("give --devices or --tracker-option device=..., not both")
    engines = {name: make_engine(command.placement, name) for name in command.tracker}
    opened = open_sources(command.dataset, command.root, command.split, command.limit)
    datasets = [dataset for _, dataset in opened]
    results = {}
    with RunProgress(error_console()) as bars:
        for name in command.tracker:
            results[name] = run_all(
                name,
                partial(create_tracker, name, **options[name]),
                datasets,
                command.output,
                identity=tracker_identity(name, options[name]),
                engine=engines[name],
                overwrite=command.overwrite,
                limit=command.limit,
                shard=shard,
                on_progress=bars.of(name),
            )
    if command.placement.shard is not None:
        return _tell_shard(shard, [result for given in results.values() for result in given])
    codes = []
    for place, dataset in enumerate(datasets):
        output = command.output / "report" if len(datasets) == 1 else command.output / "report" / dataset.name
        named = [(name, given[place]) for name, given in results.items()]
        if _is_annotated(dataset):
            codes.append(_finish(named, dataset, output, command.convention, None, command.limit))
        else:
            print(f"{dataset.name} publishes first boxes only, so it is not scored here; see `trackdata submit`")
            codes.append(tell_failures([(name, result.failures) for name, result in named]))
    return max(codes)


def _is_annotated(dataset: Dataset) -> bool:
    """Whether the dataset has a box for every frame, going by the first sequence that can be read."""
    from trackdata.sequences import AnnotationError

    for index in range(len(dataset)):
        try:
            return len(dataset[index].boxes) == len(dataset[index])
        except AnnotationError:
            continue  # told as a failure
    return True


def _tell_shard(shard: Shard, results: Sequence[RunResult]) -> int:
    """A part is no dataset, so it has no scores: say what was done; 1 when any sequence failed."""
    for result in results:
        print(f"{result.tracker}, {result.dataset}: {len(result.outcomes)} sequences of shard {shard}: {result.folder}")
    print("when all shards are done, put their results into one folder and use `trackdata report`")
    return tell_failures([(result.tracker, result.failures) for result in results])


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
    from trackdata.evaluation import comparison_table, table_console, write_report

    report = write_report(results, dataset, output, title=title, convention=convention, limit=limit)
    table_console().print(comparison_table(report.scores))
    if report.comparison is not None and report.comparison.differences:
        table_console().print(report.comparison)
    print(f"report: {report.html}")
    return tell_failures([(entry.tracker, entry.failures) for entry in report.scores])


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


def check_trackers(names: Sequence[str]) -> None:
    """Raise UsageError unless these are registered trackers, one or more, each once."""
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
