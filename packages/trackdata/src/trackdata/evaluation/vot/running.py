"""Running an experiment over a dataset: resumable, in several processes, never stopped by one bad sequence."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trackcore.tracker import Tracker
from trackdata.evaluation.engines import TrackerFactory, TrackerStartError
from trackdata.evaluation.identity import fingerprint, tracker_identity
from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.results import ResultError, check_names
from trackdata.evaluation.runner import Outcome, Progress, RunResult, tracker_folder
from trackdata.evaluation.vot.experiments import Experiment, MultiStart
from trackdata.evaluation.vot.runs import Runner, expected_runs, perform
from trackdata.evaluation.vot.trajectories import read_trajectory, write_trajectory
from trackdata.evaluation.vot.truth import VotTruth
from trackdata.process_map import Died, map_in_processes
from trackdata.sequences import Dataset, Sequence
from trackdata.writing import write_atomically


def run_experiment(
    name: str,
    factory: TrackerFactory,
    dataset: Dataset,
    experiment: Experiment,
    output: Path,
    *,
    identity: Mapping[str, Any] | None = None,
    masks: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    limit: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Run ``experiment`` over every sequence and write the toolkit's files below ``output``.

    A sequence whose files are complete, and were made by the same tracker with the same options, is not run again.

    Args:
        name: what the tracker is called.
        factory: builds the tracker, without arguments; called once per process.
        output: results go to ``<output>/<tracker_folder(name)>/<experiment.folder>/<sequence>/``.
        identity: what makes results of this tracker its own; see ``trackdata.evaluation.tracker_identity``.
        masks: report the tracker's masks where it gives them.
        workers: processes; with several, factory and dataset must be picklable.
        limit: only the first so many sequences.

    Raises:
        ValueError: workers or limit below 1.
        ResultError: a sequence's name cannot be a file name.
        TrackerStartError: the tracker cannot be built.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    count = len(dataset) if limit is None else min(limit, len(dataset))
    check_names(sequence_name(dataset, index) for index in range(count))
    folder = Path(output) / tracker_folder(name) / experiment.folder
    who = dict(identity) if identity is not None else tracker_identity(name)
    whole = who | {"experiment": experiment.kind, "parameters": asdict(experiment), "masks": masks}
    job = _Job(folder, factory, dataset, experiment, whole, masks, overwrite)
    write_atomically(folder / "run.json", json.dumps({"tracker": name, "dataset": dataset.name, "identity": whole}))
    outcomes: dict[int, Outcome] = {}
    try:
        for index, outcome in map_in_processes(job, range(count), workers):
            if isinstance(outcome, Died):
                reason = "its process died, often for lack of memory; use fewer workers"
                outcome = Outcome(sequence_name(dataset, index), error=reason)
            outcomes[index] = outcome
            if on_progress is not None:
                on_progress(Progress(len(outcomes), count, outcome))
    finally:
        _TRACKERS.pop(job.key, None)
    indices = tuple(range(count))
    return RunResult(name, dataset.name, folder, indices, tuple(outcomes[index] for index in indices))


def experiment_truth(sequence: Sequence, experiment: Experiment) -> VotTruth:
    """The annotation of ``sequence``, with anchors where the experiment needs them and the dataset gives none."""
    truth = VotTruth.of(sequence)
    needs_anchors = isinstance(experiment, MultiStart) and truth.anchors is None
    return truth.with_anchors(experiment.spacing) if needs_anchors else truth


# One tracker per run and process: building one can take long, and a process runs many sequences.
_TRACKERS: dict[str, Tracker] = {}


@dataclass(frozen=True)
class _Job:
    """Everything a process needs to run one sequence after the other."""

    folder: Path
    factory: TrackerFactory
    dataset: Dataset
    experiment: Experiment
    identity: Mapping[str, Any]
    masks: bool
    overwrite: bool
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __call__(self, index: int) -> Outcome:
        name = sequence_name(self.dataset, index)
        try:
            sequence = self.dataset[index]
            truth = experiment_truth(sequence, self.experiment)
            stored = None if self.overwrite else self._stored(sequence, truth)
            return stored or self._run(sequence, truth)
        except TrackerStartError:
            raise
        except Exception as error:  # a tracker may raise anything; the reason is kept and reported
            return Outcome(name, error=f"{type(error).__name__}: {error}")

    def _run(self, sequence: Sequence, truth: VotTruth) -> Outcome:
        runs = perform(Runner(self._tracker(), sequence, truth, self.masks), self.experiment)
        record = self._record(sequence.name)
        record.unlink(missing_ok=True)  # first, so that no crash leaves it beside results it does not describe
        for run, trajectory in runs.items():
            write_trajectory(record.parent, run, trajectory)
        frames = sum(len(trajectory) for trajectory in runs.values())
        seconds = sum(float(trajectory.times.sum()) for trajectory in runs.values())
        outcome = Outcome(sequence.name, frames, round(seconds, 6))
        content = {"fingerprint": fingerprint(self.identity, sequence), "frames": frames, "seconds": outcome.seconds}
        write_atomically(record, json.dumps(content) + "\n")
        return outcome

    def _stored(self, sequence: Sequence, truth: VotTruth) -> Outcome | None:
        """The outcome of an earlier, complete run of the same tracker, or None."""
        try:
            record = json.loads(self._record(sequence.name).read_text(encoding="utf-8"))
            fits = record["fingerprint"] == fingerprint(self.identity, sequence)
            for run, length in expected_runs(truth, self.experiment).items():
                fits = fits and len(read_trajectory(self.folder / sequence.name, run)) == length
            return Outcome(sequence.name, record["frames"], record["seconds"], reused=True) if fits else None
        except (OSError, json.JSONDecodeError, KeyError, TypeError, ResultError):
            return None

    def _record(self, sequence: str) -> Path:
        return self.folder / sequence / "record.json"

    def _tracker(self) -> Tracker:
        if self.key not in _TRACKERS:
            try:
                _TRACKERS[self.key] = self.factory()
            except Exception as error:
                raise TrackerStartError(f"the tracker could not be built: {type(error).__name__}: {error}") from error
        return _TRACKERS[self.key]
