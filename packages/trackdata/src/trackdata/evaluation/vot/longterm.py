"""Precision, recall and F of long-term experiments.

Lukezic et al., "Performance evaluation methodology for long-term single-object tracking", Transactions on Cybernetics
2020; numbers as in the Python toolkit. At a threshold t of the confidence, in one sequence:

- precision is the mean overlap of the frames whose confidence is at least t, 1 where there are none;
- recall is the sum of these overlaps over the number of frames that show the target. Reporting no region where there
  is no target is an overlap of 1 that is not counted below, so recall can exceed precision, and even 1.

Both are averaged over sequences; the scores are those at the threshold where F is highest. Thresholds are common to all
sequences: the infinite ones and, between them, confidences evenly spread over all that were reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from trackdata.evaluation.records import PredictionError
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.sequence_scores import SequenceScores, mean_value
from trackdata.evaluation.vot.experiments import LongTerm
from trackdata.evaluation.vot.overlaps import region_overlaps
from trackdata.evaluation.vot.supervised import check_length
from trackdata.evaluation.vot.trajectories import Trajectory
from trackdata.evaluation.vot.truth import VotTruth
from trackdata.regions import Code


def confidence_thresholds(confidences: np.ndarray, resolution: int) -> np.ndarray:
    """At most ``resolution`` thresholds, descending: infinity, confidences spread evenly by rank, minus infinity.

    Args:
        confidences: all that were reported; NaN is left out.
    """
    ordered = np.sort(confidences[~np.isnan(confidences)])[::-1]
    inner = resolution - 2
    if len(ordered) > inner:
        step = len(ordered) // inner
        ranks = np.rint(np.linspace(step, len(ordered) - step, inner)).astype(int)
        ordered = ordered[ranks]
    return np.concatenate([[np.inf], ordered, [-np.inf]])


def precision_recall(
    overlaps: np.ndarray, confidence: np.ndarray, visible: int, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of one sequence at every threshold, ``(T,)`` each.

    Args:
        overlaps, confidence: ``(N,)``; frames of NaN confidence are above no threshold.
        visible: frames that show the target.
        thresholds: descending.
    """
    reported = ~np.isnan(confidence)
    order = np.argsort(-confidence[reported], kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(overlaps[reported][order])])
    above = np.searchsorted(-confidence[reported][order], -thresholds, side="right")
    precision = np.where(above > 0, sums[above] / np.maximum(above, 1), 1.0)
    recall = sums[above] / visible if visible else np.full(len(thresholds), np.nan)
    return precision, recall


def score_longterm(
    results: Mapping[str, Sequence[Trajectory]],
    truths: Sequence[VotTruth],
    rules: LongTerm | None = None,
    tracker: str = "tracker",
    dataset: str = "dataset",
    failures: Mapping[str, str] | None = None,
) -> Scores:
    """Measures of a tracker: ``precision``, ``recall`` and ``F`` at its best threshold, and ``A``.

    ``A`` is the mean overlap of frames that show the target and that the tracker reported a region for, the first one
    left out; sequences weigh by their length.

    Args:
        results: one run per sequence; of several the first counts.
        failures: reasons for sequences without results, which are left out of everything.

    Raises:
        PredictionError: a run of the wrong length, or without confidences.
    """
    rules = rules or LongTerm()
    scored = [truth for truth in truths if truth.name in results]
    runs = [_checked(results[truth.name][0], truth) for truth in scored]
    thresholds = confidence_thresholds(
        np.concatenate([run.confidence for run in runs]) if runs else np.empty(0), rules.resolution
    )
    overlaps = [
        region_overlaps(run.regions, truth.regions, truth.size) for run, truth in zip(runs, scored, strict=True)
    ]
    each = [
        precision_recall(values, run.confidence, int((~truth.empty).sum()), thresholds)
        for values, run, truth in zip(overlaps, runs, scored, strict=True)
    ]
    precision = _mean([pair[0] for pair in each], len(thresholds))
    recall = _mean([pair[1] for pair in each], len(thresholds))
    measure = _f_measure(precision, recall)
    best = int(np.nanargmax(measure)) if not np.isnan(measure).all() else 0
    rows = []
    for truth, run, values, (p, r) in zip(scored, runs, overlaps, each, strict=True):
        counts = np.array([not isinstance(region, Code) for region in run.regions]) & ~truth.empty
        counts[0] = False
        rows.append(
            SequenceScores(
                name=truth.name,
                frames=len(truth),
                scored=int(counts.sum()),
                absent=int(truth.empty.sum()),
                unannotated=0,
                values={
                    "F": float(_f_measure(p, r)[best]),
                    "precision": float(p[best]),
                    "recall": float(r[best]),
                    "A": float(values[counts].mean()) if counts.any() else math.nan,
                },
                curves={"precision_by_confidence": p, "recall_by_confidence": r},
                weights={"A": len(truth)},
            )
        )
    steps = np.arange(len(thresholds), dtype=np.float64)
    return Scores(
        tracker=tracker,
        dataset=dataset,
        convention=f"vot/{rules.kind}",
        values={
            "F": float(measure[best]),
            "precision": float(precision[best]),
            "recall": float(recall[best]),
            "A": mean_value(rows, "A"),
        },
        curves={"precision_by_confidence": precision, "recall_by_confidence": recall, "F_by_confidence": measure},
        thresholds=dict.fromkeys(("precision_by_confidence", "recall_by_confidence", "F_by_confidence"), steps),
        sequences=tuple(rows),
        failures=dict(failures or {}),
    )


def _checked(run: Trajectory, truth: VotTruth) -> Trajectory:
    check_length(run, len(truth), truth.name)
    if run.confidence is None:
        raise PredictionError(f"{truth.name}: the run has no confidences, which long-term measures are made from")
    return run


def _mean(curves: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Mean over sequences; those without any visible target have no recall and are left out of it."""
    usable = [curve for curve in curves if not np.isnan(curve).any()]
    return np.mean(usable, axis=0) if usable else np.full(length, np.nan)


def _f_measure(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    total = precision + recall
    return np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total != 0)
