"""What the one-pass conventions share: errors of every frame, the three curves counted from them, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trackdata.evaluation.curves import PIXELS, RELATIVE, count_above, count_within, share
from trackdata.evaluation.records import Track, Truth
from trackdata.evaluation.sequence_scores import Repairs, SequenceScores, frame_rate

Counter = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FrameErrors:
    """Errors of the frames of one sequence that enter the curves.

    Attributes:
        overlap, center, relative: ``(F,)`` overlaps, centre distances in pixels and in target sizes.
        valid: ``(F,)`` bool, the annotation could be compared with; the values of other frames are the convention's.
        repairs: predicted rows that had to be changed.
    """

    overlap: np.ndarray
    center: np.ndarray
    relative: np.ndarray
    valid: np.ndarray
    repairs: Repairs = field(default_factory=Repairs)


def one_pass_scores(
    runs: Sequence[Track],
    errors: Sequence[FrameErrors],
    truth: Truth,
    total: int,
    thresholds: Mapping[str, np.ndarray],
) -> SequenceScores:
    """Success, precision and normalised precision of one sequence; several runs are averaged.

    Args:
        errors: of each of ``runs``.
        total: frames that hits are divided by.
        thresholds: of the success curve under ``"success"``; the other two are ``PIXELS`` and ``RELATIVE``.
    """

    def averaged(count: Counter, kind: str, at: np.ndarray) -> np.ndarray:
        return np.mean([share(count(getattr(error, kind), at), total) for error in errors], axis=0)

    success = thresholds["success"]
    overlap = averaged(count_above, "overlap", np.concatenate([success, [0.5, 0.75]]))  # sorted once for all
    curves = {
        "success": overlap[: len(success)],
        "precision": averaged(count_within, "center", PIXELS),
        "norm_precision": averaged(count_within, "relative", RELATIVE),
    }
    op50, op75 = overlap[len(success) :]
    valid = errors[0].valid
    rate, seconds = frame_rate(runs)
    return SequenceScores.of(
        truth,
        scored=total,
        values={
            "AUC": float(curves["success"].mean()),
            "OP50": float(op50),
            "OP75": float(op75),
            "P": float(curves["precision"][20]),
            "P_norm": float(curves["norm_precision"][20]),
            "overlap": float(np.mean([e.overlap[e.valid].mean() for e in errors])) if valid.any() else np.nan,
            "fps": rate,
        },
        curves=curves,
        weights={"fps": seconds},
        runs=len(runs),
        repairs=sum((e.repairs for e in errors), Repairs()),
    )


def replaced_by_previous(boxes: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """``boxes`` ``(N, 4)`` with every ``bad`` row replaced by the nearest good row before it; row 0 stays."""
    source = np.where(bad, 0, np.arange(len(boxes)))
    return boxes[np.maximum.accumulate(source)]
