"""Refine boxes that some tracker has written, without running it. Needs ``pip install alpha-refine[train]``.

Nothing is fed back, so this gives less than refining while the tracker runs; but it takes results of any program, in
any layout that :mod:`trackdata.evaluation.results` reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from alpha_refine.loading import load_refiner
from alpha_refine.refined_tracker import RefinedTracker
from alpha_refine.refiner import Refiner
from alpha_refine.replay import ReplayTracker
from alpha_refine.rules import Rules
from trackdata.errors import AnnotationError
from trackdata.evaluation import Progress, RunResult, tracker_identity
from trackdata.evaluation.passes import Failure, Pass, sequence_name, track_sequence
from trackdata.evaluation.result_folder import Outcome, ResultFolder
from trackdata.evaluation.results import ResultError, read_tracks
from trackdata.evaluation.runner import tracker_folder
from trackdata.evaluation.scoring import has_result, recorded_name, results_folder
from trackdata.process_map import Died, map_in_processes
from trackdata.sequences import Dataset


@dataclass(frozen=True)
class _Refining:
    """Refines sequence number ``index`` of a dataset when called; picklable."""

    dataset: Dataset
    source: Path
    refiner: tuple[tuple[str, Any], ...]
    rules: Rules

    def __call__(self, index: int) -> Pass | Failure:
        try:
            sequence = self.dataset[index]
            track = read_tracks(self.source, sequence.name)[0]
            if len(track.boxes) != len(sequence):
                raise ResultError(f"{len(track.boxes)} boxes for {len(sequence)} frames")
            tracker = RefinedTracker(ReplayTracker(track.boxes), _refiner(self.refiner), self.rules)
            return track_sequence(tracker, sequence)
        except (AnnotationError, ResultError, OSError, ValueError, RuntimeError) as error:
            return Failure.of(error)


@cache
def _refiner(options: tuple[tuple[str, Any], ...]) -> Refiner:
    """One for each process."""
    return load_refiner(**dict(options))


def refine_results(
    results: str | Path,
    dataset: Dataset,
    output: str | Path,
    *,
    refiner: Mapping[str, Any],
    rules: Rules | None = None,
    name: str | None = None,
    workers: int = 1,
    limit: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Refine the results of a tracker; started again it goes on where it was.

    Args:
        results: folder of result files, ``<results>/<tracker>`` or ``<results>/<tracker>/<dataset>``. Of several runs
            of a sequence the first is refined.
        dataset: what they are results of.
        output: refined results go to ``<output>/<name>/<dataset>``.
        refiner: arguments of :func:`alpha_refine.loading.load_refiner`, such as ``weights``.
        rules: which boxes are replaced; the default ones when None.
        name: what the result is called; by default the tracker's name and ``+refined``.
        workers: processes.
        limit: only the first so many sequences.
        on_progress: called after each sequence.

    Returns:
        What ``trackdata.evaluation.score`` and ``write_report`` take. Sequences without a result, or with one of
        another length, are among its failures.

    Raises:
        ResultError: the folder holds no result of the dataset.
        CheckpointError, ValueError: the refiner cannot be loaded.
    """
    source = results_folder(Path(results), dataset.name)
    indices = range(len(dataset) if limit is None else min(limit, len(dataset)))
    if not any(has_result(source, sequence_name(dataset, index)) for index in indices):
        raise ResultError(f"{source} holds no result for any of the {len(indices)} sequences of {dataset.name}")
    name = name or f"{recorded_name(source) or source.name}+refined"
    rules, options = rules or Rules(), tuple(sorted(refiner.items()))
    _refiner(options)  # what is wrong with it is told before anything is written
    described = {**refiner, "rules": asdict(rules), "results": _digest(source, dataset)}
    folder = ResultFolder(
        Path(output) / tracker_folder(name) / dataset.name, tracker_identity("alpha-refine offline", described)
    )
    outcomes: dict[int, Outcome] = {}

    def finish(index: int, outcome: Outcome) -> None:
        outcomes[index] = outcome
        if on_progress is not None:
            on_progress(Progress(len(outcomes), len(indices), outcome))

    waiting = []
    for index in indices:
        try:
            stored = folder.stored(dataset[index])
        except (AnnotationError, OSError) as error:
            stored = Outcome(sequence_name(dataset, index), error=Failure.of(error).reason)
        if stored is None:
            waiting.append(index)
        else:
            finish(index, stored)
    if waiting:
        folder.describe(name, dataset.name)
    refining = _Refining(dataset, source, options, rules)
    for index, result in map_in_processes(refining, waiting, min(workers, max(1, len(waiting)))):
        result = Failure("the process died") if isinstance(result, Died) else result
        finish(index, folder.add(dataset[index], result))
    ordered = tuple(outcomes[index] for index in indices)
    return RunResult(name, dataset.name, folder.path, tuple(indices), ordered)


def _digest(source: Path, dataset: Dataset) -> str:
    """Of all boxes that are refined, so that results of other boxes are not mistaken for these."""
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        name = sequence_name(dataset, index)
        if has_result(source, name):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(read_tracks(source, name)[0].boxes).tobytes())
    return digest.hexdigest()
