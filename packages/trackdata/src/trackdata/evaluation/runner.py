"""One-pass evaluation of a tracker over datasets: resumable, in parallel, and never stopped by one bad sequence.

A sequence is skipped when its stored result still fits (see :mod:`trackdata.evaluation.result_folder`); anything else,
results of other weights and half-written ones included, is tracked again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackdata.evaluation.engines import (
    Engine,
    InProcess,
    LocalEngine,
    Task,
    TrackerFactory,
    TrackerStartError,
    Work,
)
from trackdata.evaluation.identity import tracker_identity
from trackdata.evaluation.passes import Failure, sequence_name
from trackdata.evaluation.result_folder import Outcome, ResultFolder
from trackdata.evaluation.results import check_names
from trackdata.evaluation.shards import WHOLE, Shard
from trackdata.sequences import AnnotationError, Dataset

__all__ = ["Outcome", "Progress", "RunResult", "TrackerStartError", "run", "run_all", "tracker_folder"]


@dataclass(frozen=True)
class Progress:
    """How far a run is: ``done`` of ``total`` sequences, the last one being ``outcome``."""

    done: int
    total: int
    outcome: Outcome


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        tracker: its name.
        dataset: the dataset's name.
        folder: where the results are: ``<output>/<tracker>/<dataset>``.
        indices: positions in the dataset of the sequences that were asked for.
        outcomes: one for each of them.
    """

    tracker: str
    dataset: str
    folder: Path
    indices: tuple[int, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def failures(self) -> dict[str, str]:
        """Reasons by sequence, for those that failed."""
        return {outcome.sequence: outcome.error for outcome in self.outcomes if outcome.error is not None}


def run(
    name: str,
    factory: TrackerFactory,
    dataset: Dataset,
    output: Path,
    *,
    identity: Mapping[str, Any] | None = None,
    workers: int = 1,
    engine: Engine | None = None,
    overwrite: bool = False,
    limit: int | None = None,
    shard: Shard = WHOLE,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Track every sequence of ``dataset`` once and write the results below ``output``.

    Args:
        name: what the tracker is called in folders and reports.
        factory: builds the tracker, without arguments (or with ``device``, where the engine has devices); called once
            per worker. For other processes it and the dataset must be picklable (a module-level function or
            ``functools.partial`` of one).
        output: results go to ``<output>/<tracker_folder(name)>/<dataset.name>``.
        identity: what makes results of this tracker its own (options, hash of the weights), JSON-able; results recorded
            under another identity are tracked again. ``trackdata.evaluation.tracker_identity`` makes one from options.
        workers: processes of this machine, each with one tracker; 1 tracks in the calling process.
        engine: where to track instead, see :mod:`trackdata.evaluation.engines`.
        overwrite: track again what is already there.
        limit: only the first so many sequences.
        shard: only this part of them.
        on_progress: called in this process after each sequence.

    Raises:
        ValueError: workers or limit below 1, or both workers and engine.
        ResultError: the dataset's or a sequence's name cannot be a file name.
        TrackerStartError: the tracker cannot be built or sent to workers.
    """
    [result] = run_all(
        name,
        factory,
        [dataset],
        output,
        identity=identity,
        workers=workers,
        engine=engine,
        overwrite=overwrite,
        limit=limit,
        shard=shard,
        on_progress=on_progress,
    )
    return result


def run_all(
    name: str,
    factory: TrackerFactory,
    datasets: SequenceABC[Dataset],
    output: Path,
    *,
    identity: Mapping[str, Any] | None = None,
    workers: int = 1,
    engine: Engine | None = None,
    overwrite: bool = False,
    limit: int | None = None,
    shard: Shard = WHOLE,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[RunResult]:
    """:func:`run` over several datasets, whose trackers are built once for all of them; one result per dataset.

    ``limit`` and ``shard`` count in each dataset.

    Raises:
        ValueError: as ``run``, or two datasets of one name.
        ResultError, TrackerStartError: as ``run``.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    if engine is not None and workers != 1:
        raise ValueError(f"give workers or an engine, not both (workers is {workers})")
    if engine is None:
        engine = InProcess() if workers == 1 else LocalEngine(workers)
    names = [dataset.name for dataset in datasets]
    if len(set(names)) != len(names):
        raise ValueError(f"datasets of one run need different names, got {', '.join(names)}")
    check_names(names)
    identity = dict(identity) if identity is not None else tracker_identity(name)
    folders = [ResultFolder(Path(output) / tracker_folder(name) / dataset, identity) for dataset in names]
    tasks = [
        Task(place, index)
        for place, dataset in enumerate(datasets)
        for index in shard.of(len(dataset) if limit is None else min(limit, len(dataset)))
    ]
    outcomes: dict[Task, Outcome] = {}

    def finish(task: Task, outcome: Outcome) -> None:
        outcomes[task] = outcome
        if on_progress is not None:
            on_progress(Progress(len(outcomes), len(tasks), outcome))

    waiting = []
    for task in tasks:
        stored = None if overwrite else _stored(folders[task.dataset], datasets[task.dataset], task.sequence)
        if stored is None:
            waiting.append(task)
        else:
            finish(task, stored)
    for place in sorted({task.dataset for task in waiting}):
        folders[place].describe(name, names[place])
    if waiting:
        for task, result in engine.track(Work(factory, tuple(datasets)), waiting):
            finish(task, folders[task.dataset].add(datasets[task.dataset][task.sequence], result))
    return [
        RunResult(
            name,
            dataset,
            folders[place].path,
            tuple(task.sequence for task in tasks if task.dataset == place),
            tuple(outcomes[task] for task in tasks if task.dataset == place),
        )
        for place, dataset in enumerate(names)
    ]


def _stored(folder: ResultFolder, dataset: Dataset, index: int) -> Outcome | None:
    """What needs no tracking: a stored result, or an annotation that cannot be read."""
    name = sequence_name(dataset, index)
    check_names([name])
    try:
        return folder.stored(dataset[index])
    except (AnnotationError, OSError) as error:
        return Outcome(name, error=Failure.of(error).reason)


def tracker_folder(name: str) -> str:
    """A tracker's name as a folder name for any file system: ``opencv:mil`` becomes ``opencv-mil``."""
    return re.sub(r"[^\w.+-]", "-", name).lstrip(".") or "tracker"
