"""One-pass evaluation of a tracker over a dataset: resumable, in parallel, and never stopped by one bad sequence.

Every sequence leaves a result (see :mod:`trackdata.evaluation.results`) and, written last, a record in
``records/<sequence>.json`` that says which tracker made it from what. A sequence is skipped on the next run when its
record still fits; anything else, results of other weights included, is tracked again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trackcore.tracker import Tracker
from trackdata.evaluation.identity import fingerprint, tracker_identity
from trackdata.evaluation.passes import sequence_name, track_sequence
from trackdata.evaluation.results import ResultError, check_names, read_boxes, write_atomically, write_track
from trackdata.sequences import AnnotationError, Dataset, Sequence

TrackerFactory = Callable[[], Tracker]


class TrackerStartError(RuntimeError):
    """The tracker could not be built, so nothing was run."""


@dataclass(frozen=True)
class Outcome:
    """What became of one sequence.

    Attributes:
        sequence: its name.
        frames: frames tracked; 0 when it failed.
        seconds: time spent in the tracker.
        decode_seconds: time spent reading frames.
        error: why it failed, or None.
        reused: the result was there already.
    """

    sequence: str
    frames: int = 0
    seconds: float = 0.0
    decode_seconds: float = 0.0
    error: str | None = None
    reused: bool = False


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
        outcomes: one per sequence, in the dataset's order.
    """

    tracker: str
    dataset: str
    folder: Path
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
    overwrite: bool = False,
    limit: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Track every sequence of ``dataset`` once and write the results below ``output``.

    Args:
        name: what the tracker is called in folders and reports.
        factory: builds the tracker, without arguments; called once per worker. With several workers it and the dataset
            must be picklable (a module-level function or ``functools.partial`` of one).
        output: results go to ``<output>/<tracker_folder(name)>/<dataset.name>``.
        identity: what makes results of this tracker its own (options, hash of the weights), JSON-able; results recorded
            under another identity are tracked again. ``trackdata.evaluation.tracker_identity`` makes one from options.
        workers: processes; each holds one tracker.
        overwrite: track again what is already there.
        limit: only the first so many sequences.
        on_progress: called in this process after each sequence.

    Raises:
        ValueError: workers or limit below 1.
        ResultError: the dataset's or a sequence's name cannot be a file name.
        TrackerStartError: the tracker cannot be built or sent to workers.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    check_names([dataset.name])
    folder = Path(output) / tracker_folder(name) / dataset.name
    job = _Job(folder, dict(identity) if identity is not None else tracker_identity(name))
    count = len(dataset) if limit is None else min(limit, len(dataset))
    outcomes: dict[int, Outcome] = {}

    def finish(index: int, outcome: Outcome) -> None:
        outcomes[index] = outcome
        if on_progress is not None:
            on_progress(Progress(len(outcomes), count, outcome))

    waiting = []
    for index in range(count):
        name_of_sequence = sequence_name(dataset, index)
        check_names([name_of_sequence])
        try:
            sequence = dataset[index]
            outcome = None if overwrite else job.stored(sequence)
        except (AnnotationError, OSError) as error:
            outcome = Outcome(name_of_sequence, error=f"{type(error).__name__}: {error}")
        if outcome is None:
            waiting.append(index)
        else:
            finish(index, outcome)
    if waiting:
        describe = {"tracker": name, "dataset": dataset.name, "sequences": count, "identity": job.identity}
        write_atomically(folder / "run.json", json.dumps(describe, indent=1) + "\n")
    if waiting and workers == 1:
        tracker = _build(factory)
        for index in waiting:
            finish(index, job.track(tracker, dataset[index]))
    elif waiting:
        for index, outcome in _in_parallel(job, factory, dataset, waiting, min(workers, len(waiting))):
            finish(index, outcome)
    return RunResult(name, dataset.name, folder, tuple(outcomes[index] for index in range(count)))


def tracker_folder(name: str) -> str:
    """A tracker's name as a folder name for any file system: ``opencv:mil`` becomes ``opencv-mil``."""
    return re.sub(r"[^\w.+-]", "-", name).lstrip(".") or "tracker"


@dataclass(frozen=True)
class _Job:
    """Where results of one tracker go and what they must have been made with."""

    folder: Path
    identity: Mapping[str, Any]

    def stored(self, sequence: Sequence) -> Outcome | None:
        """The outcome of an earlier, complete run of the same tracker over the same frames, or None."""
        record = read_record(self.folder, sequence.name)
        if record is None or record.get("fingerprint") != fingerprint(self.identity, sequence):
            return None
        try:
            complete = len(read_boxes(self.folder / f"{sequence.name}.txt")) == len(sequence)
            outcome = Outcome(**record["outcome"])
        except (ResultError, KeyError, TypeError):
            return None
        return Outcome(**{**asdict(outcome), "reused": True}) if complete and outcome.error is None else None

    def track(self, tracker: Tracker, sequence: Sequence) -> Outcome:
        """Track one sequence and write what came of it; errors of tracker and frames become part of the outcome."""
        record = _record_path(self.folder, sequence.name)
        record.unlink(missing_ok=True)  # first, so that no crash leaves it beside a result it does not describe
        (self.folder / f"{sequence.name}.txt").unlink(missing_ok=True)
        try:
            done = track_sequence(tracker, sequence)
        except Exception as error:  # a tracker may raise anything; the reason is kept and reported
            outcome = Outcome(sequence.name, error=f"{type(error).__name__}: {error}")
        else:
            write_track(self.folder, sequence.name, done.track)
            seconds = float(done.track.times.sum())
            outcome = Outcome(sequence.name, len(sequence), round(seconds, 6), round(done.decode_seconds, 6))
        content = {"fingerprint": fingerprint(self.identity, sequence), "outcome": asdict(outcome)}
        write_atomically(record, json.dumps(content, indent=1) + "\n")
        return outcome


def read_record(folder: Path, sequence: str) -> dict[str, Any] | None:
    """The record of a sequence, or None when there is none or it is damaged."""
    try:
        content = json.loads(_record_path(folder, sequence).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) else None


def _record_path(folder: Path, sequence: str) -> Path:
    return folder / "records" / f"{sequence}.json"


def _build(factory: TrackerFactory) -> Tracker:
    try:
        return factory()
    except Exception as error:
        raise TrackerStartError(f"the tracker could not be built: {type(error).__name__}: {error}") from error


def _in_parallel(
    job: _Job, factory: TrackerFactory, dataset: Dataset, waiting: list[int], workers: int
) -> Iterator[tuple[int, Outcome]]:
    try:
        payload = pickle.dumps((job, factory, dataset))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TrackerStartError(
            f"tracker factory and dataset must be picklable to run in {workers} processes ({error}); "
            "use a module-level function, or workers=1"
        ) from error
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(payload, threads))
    try:
        futures = {pool.submit(_track_in_worker, index): index for index in waiting}
        for future in as_completed(futures):
            index = futures[future]
            try:
                yield index, future.result()
            except BrokenProcessPool:
                reason = "a worker process died, often for lack of memory; use fewer workers"
                yield index, Outcome(sequence_name(dataset, index), error=reason)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """State of a worker process: unpickled once, the tracker built with the first sequence."""

    payload: bytes = b""
    job: _Job
    dataset: Dataset
    tracker: Tracker | None = None


def _start_worker(payload: bytes, threads: int) -> None:
    # Set before anything unpickled imports a numeric library, which reads it once.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    _Worker.payload = payload


def _track_in_worker(index: int) -> Outcome:
    if _Worker.tracker is None:
        _Worker.job, factory, _Worker.dataset = pickle.loads(_Worker.payload)
        _Worker.tracker = _build(factory)
    return _Worker.job.track(_Worker.tracker, _Worker.dataset[index])
