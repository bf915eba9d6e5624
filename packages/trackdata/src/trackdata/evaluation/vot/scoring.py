"""From the toolkit's result folders and a dataset to scores."""

from __future__ import annotations

import json
from pathlib import Path

from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.results import ResultError
from trackdata.evaluation.runner import RunResult
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.vot.experiments import Experiment, LongTerm, MultiStart
from trackdata.evaluation.vot.longterm import score_longterm
from trackdata.evaluation.vot.multistart import score_multistart
from trackdata.evaluation.vot.running import experiment_truth
from trackdata.evaluation.vot.runs import expected_runs
from trackdata.evaluation.vot.supervised import score_supervised
from trackdata.evaluation.vot.trajectories import Trajectory, has_trajectory, read_trajectory, run_name
from trackdata.evaluation.vot.truth import VotTruth
from trackdata.sequences import AnnotationError, Dataset


def score_experiment(
    results: RunResult | Path | str,
    dataset: Dataset,
    experiment: Experiment,
    name: str | None = None,
    limit: int | None = None,
) -> Scores:
    """Score stored runs of ``experiment``.

    A sequence without results becomes a failure of the scores and enters no measure.

    Args:
        results: what ``run_experiment`` returned, or a folder in the toolkit's layout:
            ``<results>/<tracker>`` or ``<results>/<tracker>/<experiment>``.
        name: what to call the tracker.
        limit: only the first so many sequences.

    Raises:
        ResultError: there is no such folder, no result at all, or a malformed one.
        PredictionError: a run of the wrong length, or without confidences.
        TruthError: the dataset's annotation does not allow scoring.
    """
    folder = results.folder if isinstance(results, RunResult) else _folder(Path(results), experiment)
    count = len(dataset) if limit is None else min(limit, len(dataset))
    runs: dict[str, list[Trajectory]] = {}
    truths: list[VotTruth] = []
    failures: dict[str, str] = {}
    for index in range(count):
        at = sequence_name(dataset, index)
        try:
            truth = experiment_truth(dataset[index], experiment)
        except (AnnotationError, OSError) as error:
            failures[at] = str(error)
            continue
        names = _run_names(folder / at, truth, experiment)
        if not any(has_trajectory(folder / at, run) for run in names):
            failures[at] = "no result"
            continue
        runs[at] = [read_trajectory(folder / at, run) for run in names]
        truths.append(truth)
    if not runs:
        raise ResultError(f"{folder} holds no result for any of the {count} sequences of {dataset.name}")
    tracker = name or _recorded_name(folder) or folder.parent.name
    if isinstance(experiment, MultiStart):
        return score_multistart(runs, truths, experiment, tracker, dataset.name, failures)
    if isinstance(experiment, LongTerm):
        return score_longterm(runs, truths, experiment, tracker, dataset.name, failures)
    return score_supervised(runs, truths, experiment, tracker, dataset.name, failures)


def _run_names(folder: Path, truth: VotTruth, experiment: Experiment) -> list[str]:
    """The runs to read: those that must be there, and more repetitions where there are any."""
    names = list(expected_runs(truth, experiment))
    if isinstance(experiment, MultiStart):
        return names
    while has_trajectory(folder, run_name(truth.name, len(names) + 1)):
        names.append(run_name(truth.name, len(names) + 1))
    return names


def _folder(path: Path, experiment: Experiment) -> Path:
    folder = path / experiment.folder if (path / experiment.folder).is_dir() else path
    if not folder.is_dir():
        raise ResultError(f"{path} is not a folder of results")
    return folder


def _recorded_name(folder: Path) -> str | None:
    """What the tracker was called when ``run_experiment`` wrote ``folder``; None for other folders."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))["tracker"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return None
