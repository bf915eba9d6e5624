"""The conventions of the GOT-10k toolkit: its own benchmark and its OTB, UAV123 and LaSOT style reports.

Both replace nothing in the predictions; speeds are means of ``1 / seconds`` over positive times, the first frame
included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from trackdata.evaluation.curves import PIXELS, count_above, count_within, share
from trackdata.evaluation.overlap import center_distance, continuous_overlap, toolkit_relative_center_distance
from trackdata.evaluation.records import PredictionError, Track, Truth, TruthError, check_prediction
from trackdata.evaluation.sequence_scores import Repairs, SequenceScores


@dataclass(frozen=True)
class Got10k:
    """AO and SR as on GOT-10k.

    The first frame is left out, boxes are limited to the frame, frames without any visible part of the target are
    left out, and all remaining frames of all sequences and runs are pooled, so long sequences weigh more.
    """

    name: ClassVar[str] = "got10k"
    description: ClassVar[str] = (
        "GOT-10k: overlaps inside the frame, first frame and frames without visible target left out, "
        "all frames of all sequences pooled."
    )

    counts_missing: ClassVar[bool] = False

    @cached_property
    def thresholds(self) -> Mapping[str, np.ndarray]:
        return {"success": np.linspace(0.0, 1.0, 101)}

    def overlaps(self, track: Track, truth: Truth) -> np.ndarray:
        """Overlaps of the frames that count: ``(F,)``.

        Raises:
            TruthError: the frame size is not known, or a frame that counts has no annotation.
            PredictionError: the result has another length than the annotation, or boxes that cannot be scored.
        """
        boxes = check_prediction(track.boxes, truth)
        if len(boxes) != len(truth):
            raise PredictionError(f"{truth.name}: {len(boxes)} predicted boxes for {len(truth)} frames, track it again")
        if truth.frame_size is None:
            raise TruthError(
                f"{truth.name}: GOT-10k overlaps need the frame size; give Truth(frame_size=(width, height))"
            )
        if not truth.annotated[1:][truth.covered[1:]].all():
            raise TruthError(f"{truth.name}: a frame marked as visible has a NaN annotation")
        return continuous_overlap(boxes[1:], truth.boxes[1:], truth.frame_size)[truth.covered[1:]]

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one sequence, the frames of all runs pooled; NaN when no frame counts."""
        overlaps = np.concatenate([self.overlaps(track, truth) for track in runs])
        values, weights = average_overlap(overlaps)
        rate, timed = mean_rate(runs)
        return SequenceScores.of(
            truth,
            scored=len(overlaps) // len(runs),
            values=values | {"fps": rate},
            curves={"success": share(count_above(overlaps, self.thresholds["success"]), len(overlaps))},
            weights=weights | {"success": len(overlaps), "fps": timed},
            runs=len(runs),
        )


@dataclass(frozen=True)
class Toolkit:
    """The toolkit's reports for OTB-like sets (``otb``), UAV123 (``uav123``) and LaSOT (``lasot``).

    The first predicted box is replaced by the annotation, both are cut to the shorter, and sequences weigh the same.
    ``uav123`` and ``lasot`` leave out frames whose annotation is NaN. For ``lasot`` the normalised precision score
    is the mean of its curve, not a value at one threshold.
    """

    kind: Literal["otb", "uav123", "lasot"] = "otb"

    counts_missing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.kind not in ("otb", "uav123", "lasot"):
            raise ValueError(f"the toolkit reports 'otb', 'uav123' or 'lasot', got {self.kind!r}")

    @property
    def name(self) -> str:
        return f"{self.kind}_toolkit"

    @property
    def description(self) -> str:
        return f"One-pass evaluation as the GOT-10k toolkit reports {self.kind}; the first frame counts."

    @cached_property
    def thresholds(self) -> Mapping[str, np.ndarray]:
        both = {"success": np.linspace(0.0, 1.0, 21), "precision": PIXELS}
        return both | {"norm_precision": np.linspace(0.0, 0.5, 51)} if self.kind == "lasot" else both

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one sequence.

        Raises:
            PredictionError: more than one run, which these reports do not know, or boxes that cannot be scored.
        """
        if len(runs) != 1:
            raise PredictionError(f"{truth.name}: {self.name} scores one run, got {len(runs)}")
        boxes = check_prediction(runs[0].boxes, truth).copy()
        boxes[0] = truth.boxes[0]
        length = min(len(boxes), len(truth))
        counts = np.ones(length, dtype=bool) if self.kind == "otb" else truth.annotated[:length]
        predicted, annotated = boxes[:length][counts], truth.boxes[:length][counts]
        values = {
            "success": count_above(continuous_overlap(predicted, annotated), self.thresholds["success"]),
            "precision": count_within(center_distance(predicted, annotated), PIXELS),
        }
        if self.kind == "lasot":
            relative = toolkit_relative_center_distance(predicted, annotated)
            values["norm_precision"] = count_within(relative, self.thresholds["norm_precision"])
        curves = {name: share(counted, len(predicted)) for name, counted in values.items()}
        rate, timed = mean_rate(runs)
        figures = {
            "AUC": float(curves["success"].mean()),
            "OP50": float(curves["success"][10]),
            "P": float(curves["precision"][20]),
        }
        if self.kind == "lasot":
            figures["P_norm_mean"] = float(curves["norm_precision"].mean())
        return SequenceScores.of(
            truth,
            scored=len(predicted),
            values=figures | {"fps": rate},
            curves=curves,
            weights={"fps": float(timed > 0)},
            repairs=Repairs(cut=max(len(boxes) - length, 0)),
        )


def average_overlap(overlaps: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """AO, SR0.5, SR0.75 and mAO of the frames of one sequence, and the weights that pool them over a dataset."""
    count = len(overlaps)
    sr50, sr75 = share(count_above(overlaps, np.array([0.5, 0.75])), count)
    average = float(overlaps.mean()) if count else np.nan
    values = {"AO": average, "SR0.5": float(sr50), "SR0.75": float(sr75), "mAO": average}
    return values, {"AO": count, "SR0.5": count, "SR0.75": count}


def mean_rate(runs: Sequence[Track]) -> tuple[float, int]:
    """(mean of ``1 / seconds``, number of usable times) over all runs; (NaN, 0) when no time was recorded."""
    times = [np.asarray(track.times).ravel() for track in runs if track.times is not None]
    usable = np.concatenate([seconds[seconds > 0] for seconds in times]) if times else np.empty(0)
    return (float((1.0 / usable).mean()), usable.size) if usable.size else (np.nan, 0)
