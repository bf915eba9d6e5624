"""Accuracy, robustness and expected average overlap of supervised experiments.

A fragment is the part of a run from a start to the failure that ends it, or to the end. Kristan et al., "A novel
performance evaluation methodology for single-target trackers", TPAMI 2016; numbers as in the Python toolkit:

- accuracy of a sequence: mean overlap of tracked frames, without ``burn_in`` frames from every start on; frames without
  a target count, with overlap 0; a sequence of which nothing is left has accuracy 0;
- the dataset's accuracy and number of failures weigh sequences by their length; robustness is
  ``exp(-S failures / mean length)``;
- expected average overlap of length l: mean over all fragments of the mean overlap of frames 1 to l after the start.
  Failed fragments continue with zeros, others count up to their length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trackdata.evaluation.records import PredictionError
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.sequence_scores import SequenceScores, mean_value
from trackdata.evaluation.vot.experiments import Supervised
from trackdata.evaluation.vot.overlaps import region_overlaps
from trackdata.evaluation.vot.trajectories import Trajectory
from trackdata.evaluation.vot.truth import VotTruth
from trackdata.regions import FAILURE, START, Code


@dataclass(frozen=True)
class Fragment:
    """Overlaps from a start to a failure or the end: ``(n,)``, the first one of the start; the failure left out."""

    overlaps: np.ndarray
    failed: bool


@dataclass(frozen=True)
class SupervisedRun:
    """Measures of one run over one sequence."""

    accuracy: float
    failures: int
    fragments: tuple[Fragment, ...]
    counted: int


def measure_run(trajectory: Trajectory, truth: VotTruth, rules: Supervised) -> SupervisedRun:
    """Measures of one run.

    Raises:
        PredictionError: the run has another length than the annotation.
    """
    check_length(trajectory, len(truth), truth.name)
    regions = trajectory.regions
    overlaps = region_overlaps(regions, truth.regions, truth.size)
    starts = np.array([region == START for region in regions])
    failed = np.array([region == FAILURE for region in regions])
    counts = np.array([not isinstance(region, Code) for region in regions])
    for start in np.flatnonzero(starts):
        counts[start : start + rules.burn_in] = False
    fragments = []
    for start in np.flatnonzero(starts):
        failures = np.flatnonzero(failed[start:])
        end = start + failures[0] if len(failures) else len(regions)
        fragments.append(Fragment(overlaps[start:end], bool(len(failures))))
    accuracy = float(overlaps[counts].mean()) if counts.any() else 0.0
    return SupervisedRun(accuracy, int(failed.sum()), tuple(fragments), int(counts.sum()))


def expected_overlap(fragments: Sequence[Fragment]) -> np.ndarray:
    """The curve of expected average overlap: ``(L,)``, L being the longest fragment's length.

    Index 0 is the mean overlap of the starts themselves, index l the expected average overlap of length l.
    """
    longest = max((len(fragment.overlaps) for fragment in fragments), default=0)
    total, active = np.zeros(longest), np.zeros(longest)
    for fragment in fragments:
        after = fragment.overlaps[1:]
        length = longest if fragment.failed else len(fragment.overlaps)
        sums = np.zeros(length)
        sums[1 : len(after) + 1] = np.cumsum(after)
        sums[len(after) + 1 :] = after.sum()
        sums[1:] /= np.arange(1, length)
        sums[:1] = fragment.overlaps[:1]
        total[:length] += sums
        active[:length] += 1
    with np.errstate(invalid="ignore"):
        return total / active


def score_supervised(
    results: Mapping[str, Sequence[Trajectory]],
    truths: Sequence[VotTruth],
    rules: Supervised | None = None,
    tracker: str = "tracker",
    dataset: str = "dataset",
    failures: Mapping[str, str] | None = None,
) -> Scores:
    """Measures of a tracker: ``EAO``, ``A`` and ``R`` (robustness), and ``failures`` per sequence.

    Args:
        results: the runs of every sequence; several repetitions are averaged.
        failures: reasons for sequences without results, which are left out of everything.

    Raises:
        PredictionError: a run of the wrong length.
    """
    rules = rules or Supervised()
    rows, fragments = [], []
    for truth in truths:
        if truth.name not in results:
            continue
        runs = [measure_run(trajectory, truth, rules) for trajectory in results[truth.name]]
        fragments += [fragment for run in runs for fragment in run.fragments]
        rows.append(
            SequenceScores(
                name=truth.name,
                frames=len(truth),
                scored=round(np.mean([run.counted for run in runs])),
                absent=int(truth.empty.sum()),
                unannotated=0,
                values={
                    "A": float(np.mean([run.accuracy for run in runs])),
                    "failures": float(np.mean([run.failures for run in runs])),
                },
                curves={},
                weights={"A": len(truth), "failures": len(truth)},
                runs=len(runs),
            )
        )
    curve = expected_overlap(fragments)
    low, high = rules.interval
    means = {name: mean_value(rows, name) for name in ("A", "failures")}
    length = float(np.mean([row.frames for row in rows])) if rows else math.nan
    values = {
        "EAO": float(curve[low : high + 1].mean()) if len(curve) > low else math.nan,
        "A": means["A"],
        "R": math.exp(-rules.sensitivity * means["failures"] / length) if rows else math.nan,
        "failures": means["failures"],
    }
    return Scores(
        tracker=tracker,
        dataset=dataset,
        convention=f"vot/{rules.kind}",
        values=values,
        curves={"expected_overlap": curve},
        thresholds={"expected_overlap": np.arange(len(curve), dtype=np.float64)},
        sequences=tuple(rows),
        failures=dict(failures or {}),
    )


def check_length(trajectory: Trajectory, frames: int, name: str) -> None:
    """Raise PredictionError for a run over ``name`` that does not have ``frames`` regions."""
    if len(trajectory) != frames:
        raise PredictionError(f"{name}: {len(trajectory)} regions for {frames} frames, run it again")
