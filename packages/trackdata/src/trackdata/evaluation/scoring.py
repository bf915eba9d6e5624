"""From a folder of results and a dataset to scores."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from trackdata.evaluation.conventions import convention as convention_named
from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.records import Track, Truth
from trackdata.evaluation.result_folder import recorded_faults
from trackdata.evaluation.results import ResultError, read_tracks
from trackdata.evaluation.runner import RunResult
from trackdata.evaluation.scores import Convention, Scores, evaluate
from trackdata.memory import keep_freed_memory
from trackdata.sequences import AnnotationError, Dataset


def score(
    results: RunResult | Path | str,
    dataset: Dataset,
    convention: str | Convention = "default",
    name: str | None = None,
    limit: int | None = None,
) -> Scores:
    """Score stored results.

    A sequence without a result becomes a failure of the scores, with the reason where one is recorded, and does not
    enter the means unless the convention counts it as one without a hit.

    Args:
        results: what :func:`~trackdata.evaluation.runner.run` returned, or a folder of result files in any known
            layout: ``<results>/<tracker>`` or ``<results>/<tracker>/<dataset>``.
        convention: a name (see ``trackdata.evaluation.conventions``) or a convention.
        name: what to call the tracker; by default what the run was called, or the folder.
        limit: score only the first so many sequences. For a RunResult: those that were run.

    Raises:
        ResultError: the folder holds no result of the dataset at all, or a malformed one.
        PredictionError: boxes that cannot be scored.
        TruthError: the dataset's annotation does not allow scoring.
    """
    keep_freed_memory()
    rules = convention_named(convention) if isinstance(convention, str) else convention
    if isinstance(results, RunResult):
        folder, indices, recorded = results.folder, results.indices, results.tracker
    else:
        folder = results_folder(Path(results), dataset.name)
        recorded = recorded_name(folder) or folder.name
        indices = range(len(dataset) if limit is None else min(limit, len(dataset)))
    tracks, failures = read_results(folder, dataset, indices)
    if not tracks and not isinstance(results, RunResult):
        raise ResultError(f"{folder} holds no result for any of the {len(indices)} sequences of {dataset.name}")
    truths = []
    for index in indices:
        if sequence_name(dataset, index) in tracks:
            truths.append(Truth.of(dataset[index]))
        elif rules.counts_missing:
            with suppress(AnnotationError, OSError):  # said among the failures already
                truths.append(Truth.of(dataset[index]))
    return evaluate(rules, tracks, truths, name or recorded, dataset.name, failures)


def read_results(
    folder: Path, dataset: Dataset, indices: Iterable[int]
) -> tuple[dict[str, list[Track]], dict[str, str]]:
    """(runs by sequence, reasons by sequence that has none). Raises ResultError for a malformed file."""
    tracks: dict[str, list[Track]] = {}
    failures: dict[str, str] = {}
    names = {index: sequence_name(dataset, index) for index in indices}
    faults = recorded_faults(folder, names.values())
    for index, name in names.items():
        error = faults.get(name)
        if error is None and not has_result(folder, name):
            error = "no result"
        if error is None:
            try:
                dataset[index]
            except (AnnotationError, OSError) as fault:
                error = str(fault)
        if error is None:
            tracks[name] = read_tracks(folder, name)
        else:
            failures[name] = error
    return tracks, failures


def has_result(folder: Path, sequence: str) -> bool:
    """Whether ``folder`` holds a result of ``sequence`` in any known layout."""
    return (folder / f"{sequence}.txt").is_file() or (folder / sequence / f"{sequence}_001.txt").is_file()


def results_folder(path: Path, dataset: str) -> Path:
    """The folder with the result files: ``path`` or, for a tracker's folder, the dataset's folder in it.

    Raises:
        ResultError: there is no such folder.
    """
    if (path / dataset).is_dir():
        return path / dataset
    if not path.is_dir():
        raise ResultError(f"{path} is not a folder of results")
    return path


def recorded_name(folder: Path) -> str | None:
    """What the tracker was called when ``folder`` was written by ``run``; None for other result folders."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))["tracker"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return None
