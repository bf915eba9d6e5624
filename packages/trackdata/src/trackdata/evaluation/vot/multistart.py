"""Accuracy, robustness and expected average overlap of multi-start experiments.

A run fails at the ``grace``-th frame in a row that shows the target and whose overlap does not exceed the threshold;
its progress is the number of frames before the first of these. Kristan et al., "The eighth visual object tracking
VOT2020 challenge results", ECCV workshops 2020; numbers as in the Python toolkit:

- accuracy: sum of the overlaps up to the failures, over the sum of progress;
- robustness of a sequence: sum of progress over the sum of run lengths; the dataset's weighs sequences by their length;
- expected average overlap of length l: mean over runs of the mean overlap of frames 1 to l. Failed runs continue with
  zeros, others count while they are longer than l. Where a failed run has ended its sum is divided by l - 1, not l.

The start of a run reports no region, so its overlap is 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trackdata.evaluation.records import PredictionError
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.sequence_scores import SequenceScores, mean_value
from trackdata.evaluation.vot.experiments import MultiStart
from trackdata.evaluation.vot.overlaps import region_overlaps
from trackdata.evaluation.vot.supervised import check_length
from trackdata.evaluation.vot.trajectories import Trajectory
from trackdata.evaluation.vot.truth import VotTruth


@dataclass(frozen=True)
class MultiStartRun:
    """One run: overlaps ``(n,)``, zero from the failure on, and how many frames it got on with."""

    overlaps: np.ndarray
    progress: int

    @property
    def failed(self) -> bool:
        return self.progress < len(self.overlaps)


def measure_run(
    trajectory: Trajectory, truth: VotTruth, start: int, backward: bool, rules: MultiStart
) -> MultiStartRun:
    """The run that began at frame ``start``.

    Raises:
        PredictionError: the run has another length than the frames from its start to the end.
    """
    frames = truth.run_frames(start, backward)
    check_length(trajectory, len(frames), f"{truth.name}, run from frame {start}")
    overlaps = region_overlaps(trajectory.regions, [truth.regions[frame] for frame in frames], truth.size)
    bad = (overlaps <= rules.threshold) & ~truth.empty[frames]
    progress = first_streak(bad, rules.grace)
    overlaps[progress:] = 0.0
    return MultiStartRun(overlaps, progress)


def first_streak(bad: np.ndarray, length: int) -> int:
    """Where the first ``length`` true values in a row begin; the number of values when there are none such."""
    if len(bad) < length:
        return len(bad)
    counts = np.concatenate([[0], np.cumsum(bad)])
    found = np.flatnonzero(counts[length:] - counts[:-length] == length)
    return int(found[0]) if len(found) else len(bad)


def expected_overlap(runs: Sequence[MultiStartRun], length: int) -> np.ndarray:
    """The curve of expected average overlap ``(length,)`` by length; index 0 and lengths that no run has are 0."""
    total, active = np.zeros(length), np.zeros(length)
    at = np.arange(1, length)
    for run in runs:
        sums = np.cumsum(run.overlaps[1:length])
        reached = len(sums)  # lengths that the run's own frames cover
        total[1 : reached + 1] += sums / at[:reached]
        active[1 : reached + 1] += 1
        if run.failed:
            beyond = at[reached:]
            total[reached + 1 :] += run.overlaps[1:].sum() / (beyond - 1)
            active[reached + 1 :] += 1
    return np.divide(total, active, out=np.zeros(length), where=active > 0)


def score_multistart(
    results: Mapping[str, Sequence[Trajectory]],
    truths: Sequence[VotTruth],
    rules: MultiStart | None = None,
    tracker: str = "tracker",
    dataset: str = "dataset",
    failures: Mapping[str, str] | None = None,
) -> Scores:
    """Measures of a tracker: ``EAO``, ``A`` and ``R``.

    Args:
        results: for every sequence the runs of ``truth.starts``, in that order.
        failures: reasons for sequences without results, which are left out of everything.

    Raises:
        PredictionError: runs are missing or of the wrong length.
        TruthError: a sequence has no anchors.
    """
    rules = rules or MultiStart()
    rows, all_runs = [], []
    for truth in truths:
        if truth.name not in results:
            continue
        trajectories = results[truth.name]
        if len(trajectories) != len(truth.starts):
            raise PredictionError(f"{truth.name}: {len(trajectories)} runs for {len(truth.starts)} anchors")
        runs = [
            measure_run(trajectory, truth, start, backward, rules)
            for trajectory, (start, backward) in zip(trajectories, truth.starts, strict=True)
        ]
        all_runs += runs
        progress, visited = sum(run.progress for run in runs), sum(len(run.overlaps) for run in runs)
        overlap = sum(float(run.overlaps.sum()) for run in runs)
        rows.append(
            SequenceScores(
                name=truth.name,
                frames=len(truth),
                scored=visited,
                absent=int(truth.empty.sum()),
                unannotated=0,
                values={
                    "A": overlap / progress if progress else math.nan,
                    "R": progress / visited if visited else math.nan,
                },
                curves={},
                weights={"A": progress, "R": len(truth)},
                runs=len(runs),
            )
        )
    low, high = rules.interval
    curve = expected_overlap(all_runs, high)
    return Scores(
        tracker=tracker,
        dataset=dataset,
        convention=f"vot/{rules.kind}",
        values={
            "EAO": float(curve[low:high].mean()) if rows else math.nan,
            "A": mean_value(rows, "A"),
            "R": mean_value(rows, "R"),
        },
        curves={"expected_overlap": curve},
        thresholds={"expected_overlap": np.arange(high, dtype=np.float64)},
        sequences=tuple(rows),
        failures=dict(failures or {}),
    )
