"""The convention ``trackingnet``: the figures of the TrackingNet server.

In the order in which things happen:

1. All boxes are rounded to integers, halves to the even one. The first predicted box is replaced by the annotation.
2. Rows that are missing fail every test; what is too long is cut. A sequence without a result counts as one of empty
   boxes, so leaving sequences out does not pay.
3. Success is the area under the share of frames whose overlap reaches (``>=``) 21 thresholds from 0 to 1; precision
   and normalised precision are areas as well, of the share of frames whose centre error stays within 21 thresholds
   from 0 to 50 pixels, and from 0 to 0.5 of the target's size. Areas are trapezoidal and scaled to the unit interval:
   precision is **not** the value at 20 pixels.
4. Sequences weigh the same; coverage, the share of frames with a box, pools all frames.

Müller et al., "TrackingNet: a large-scale dataset and benchmark for object tracking in the wild", ECCV 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from trackdata.evaluation.curves import count_from, count_within, share
from trackdata.evaluation.overlap import inclusive_overlap, length
from trackdata.evaluation.records import Track, Truth, check_prediction
from trackdata.evaluation.sequence_scores import Repairs, SequenceScores, frame_rate

_AREAS = {"success": "S_area", "precision": "P_area", "norm_precision": "P_norm_area"}


@dataclass(frozen=True)
class TrackingNet:
    """The TrackingNet server's success, precision and normalised precision."""

    name: ClassVar[str] = "trackingnet"
    counts_missing: ClassVar[bool] = True
    description: ClassVar[str] = (
        "Areas under the curves as the TrackingNet server computes them, from boxes rounded to integers; the first "
        "frame counts, and sequences without a result count as empty."
    )

    @cached_property
    def thresholds(self) -> Mapping[str, np.ndarray]:
        return {
            "success": np.linspace(0.0, 1.0, 21),
            "precision": np.linspace(0.0, 50.0, 21),
            "norm_precision": np.linspace(0.0, 0.5, 21),
        }

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one sequence; several runs are averaged, and no run at all is one of empty boxes.

        Raises:
            PredictionError: boxes that cannot be scored.
        """
        each = [self._run(check_prediction(track.boxes, truth), truth) for track in runs] or [
            self._run(np.zeros_like(truth.boxes), truth)
        ]
        curves = {name: np.mean([curve[name] for curve, _ in each], axis=0) for name in self.thresholds}
        values = {figure: _area(curves[name], self.thresholds[name]) for name, figure in _AREAS.items()}
        rate, seconds = frame_rate(runs)
        repairs = [Repairs(0, max(len(truth) - len(t.boxes), 0), max(len(t.boxes) - len(truth), 0)) for t in runs]
        return SequenceScores.of(
            truth,
            scored=len(truth),
            values=values | {"coverage": float(np.mean([covered for _, covered in each])), "fps": rate},
            curves=curves,
            weights={"coverage": len(truth), "fps": seconds},
            runs=max(len(runs), 1),
            repairs=sum(repairs, Repairs()) if runs else Repairs(padded=len(truth)),
        )

    def _run(self, boxes: np.ndarray, truth: Truth) -> tuple[dict[str, np.ndarray], float]:
        """(curves, share of frames with a box) of one run."""
        annotated = np.rint(truth.boxes)
        predicted = np.full_like(annotated, np.nan)
        predicted[: len(boxes)] = np.rint(boxes[: len(truth)])
        predicted[0] = annotated[0]
        offsets = _centers(predicted) - _centers(annotated)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = length(*(offsets / annotated[:, 2:]).T)
        hits = {
            "success": count_from(inclusive_overlap(predicted, annotated), self.thresholds["success"]),
            "precision": count_within(length(*offsets.T), self.thresholds["precision"]),
            "norm_precision": count_within(relative, self.thresholds["norm_precision"]),
        }
        covered = float((predicted.sum(axis=1) > 0).mean())
        return {name: share(counts, len(truth)) for name, counts in hits.items()}, covered


def _centers(boxes: np.ndarray) -> np.ndarray:
    """Centres ``(N, 2)`` as the server has them, a pixel to the right of and below :func:`overlap.centers`."""
    return boxes[:, :2] + (boxes[:, 2:] + 1.0) / 2.0


def _area(curve: np.ndarray, thresholds: np.ndarray) -> float:
    """Trapezoidal area under ``curve``, its axis scaled to the unit interval."""
    heights = (curve[1:] + curve[:-1]) / 2.0
    return float((heights * np.diff(thresholds)).sum() / thresholds[-1])
