"""``trackdata vot``: run the experiments of the VOT challenges, and score the toolkit's result folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from trackdata.cli.common import Repeated, Source, UsageError, error_console, open_source, tell_failures

if TYPE_CHECKING:
    from trackdata.evaluation.scores import Scores
    from trackdata.evaluation.vot import Challenge


@dataclass(frozen=True)
class VotRun:
    """Run trackers as a challenge's main experiment says and score them. Finished sequences are not run again."""

    source: tyro.conf.OmitArgPrefixes[Source]
    tracker: Annotated[tuple[str, ...], Repeated]
    """name of a registered tracker; may be repeated"""
    output: Path
    """results go to OUTPUT/TRACKER/EXPERIMENT/SEQUENCE, as the toolkit has them"""
    challenge: str | None = None
    """whose experiment to run, such as vot2020; the dataset's name when left out"""
    tracker_option: Annotated[tuple[str, ...], Repeated] = ()
    """KEY=VALUE for every tracker, or TRACKER.KEY=VALUE for one; may be repeated"""
    masks: bool | None = None
    """report masks where a tracker gives them; as the challenge wants when left out"""
    workers: int = 1
    """processes"""
    overwrite: bool = False
    """run finished sequences again"""

    def __call__(self) -> int:
        return _run(self)


@dataclass(frozen=True)
class VotAnalyse:
    """Score result folders in the toolkit's layout."""

    results: tyro.conf.Positional[tuple[Path, ...]]
    """folders RESULTS/TRACKER or RESULTS/TRACKER/EXPERIMENT, one per tracker"""
    source: tyro.conf.OmitArgPrefixes[Source]
    challenge: str | None = None
    """whose measures to compute, such as vot2020; the dataset's name when left out"""
    json: Path | None = None
    """file for all figures and curves"""
    csv: Path | None = None
    """file for figures per tracker and sequence"""

    def __call__(self) -> int:
        return _analyse(self)


@dataclass(frozen=True)
class Vot:
    """The VOT challenges: run their experiments, score the toolkit's results."""

    action: tyro.conf.OmitSubcommandPrefixes[
        Annotated[VotRun, tyro.conf.subcommand("run", prefix_name=False)]
        | Annotated[VotAnalyse, tyro.conf.subcommand("analyse", prefix_name=False)]
    ]

    def __call__(self) -> int:
        return self.action()


def _run(command: VotRun) -> int:
    from functools import partial

    from trackcore.tracker import create_tracker
    from trackdata.cli.evaluate import check_trackers, tracker_options
    from trackdata.evaluation import RunProgress, tracker_identity
    from trackdata.evaluation.vot import run_experiment, score_experiment

    options = {name: tracker_options(command.tracker_option, name, command.tracker) for name in command.tracker}
    check_trackers(command.tracker)
    challenge = _challenge(command.challenge, command.source)
    dataset = open_source(command.source)
    runs = []
    with RunProgress(error_console()) as bars:
        for name in command.tracker:
            run = run_experiment(
                name,
                partial(create_tracker, name, **options[name]),
                dataset,
                challenge.experiment,
                command.output,
                identity=tracker_identity(name, options[name]),
                masks=challenge.masks if command.masks is None else command.masks,
                workers=command.workers,
                overwrite=command.overwrite,
                limit=command.source.limit,
                on_progress=bars.of(name),
            )
            runs.append(run)
    limit = command.source.limit
    return _tell([score_experiment(run, dataset, challenge.experiment, run.tracker, limit) for run in runs])


def _analyse(command: VotAnalyse) -> int:
    import json

    from trackdata.evaluation.tables import csv_text, sequence_table
    from trackdata.evaluation.vot import score_experiment
    from trackdata.writing import write_atomically

    if not command.results:
        raise UsageError("give one or more folders of results")
    challenge = _challenge(command.challenge, command.source)
    dataset = open_source(command.source)
    limit = command.source.limit
    scores = [score_experiment(path, dataset, challenge.experiment, limit=limit) for path in command.results]
    if command.json is not None:
        content = {"trackers": [entry.to_json() for entry in scores]}
        write_atomically(command.json, json.dumps(content, indent=1, allow_nan=False) + "\n")
    if command.csv is not None:
        write_atomically(command.csv, csv_text(sequence_table(scores, list(scores[0].sequences[0].values))))
    return _tell(scores)


def _challenge(name: str | None, source: Source) -> Challenge:
    from trackdata.evaluation.vot import CHALLENGES, challenge

    if name is None and source.dataset not in CHALLENGES:
        raise UsageError(f"--challenge names the experiment for {source.dataset}: one of {', '.join(CHALLENGES)}")
    try:
        return challenge(name or source.dataset)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _tell(scores: Sequence[Scores]) -> int:
    from trackdata.evaluation import comparison_table, table_console

    table_console().print(comparison_table(scores))
    return tell_failures([(entry.tracker, entry.failures) for entry in scores])
