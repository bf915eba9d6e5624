"""The convention ``pysot``: one-pass evaluation as the PySOT toolkit computes it.

Like ``pytracking`` except:

- predictions are taken as they are: nothing is replaced, the first row included, and every length but the
  annotation's is refused;
- a frame is valid when x, y, w and h of its annotation are all positive; overlaps of valid frames lie in [0, 1];
- a centre error counts where both coordinates of the annotated centre are positive, and is -1, a hit, elsewhere; NaN
  annotations are among these, and are misses in success;
- ``pysot/lasot`` takes absent frames out of the hits but not out of the denominator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from trackdata.evaluation.conventions.onepass import FrameErrors, one_pass_scores
from trackdata.evaluation.curves import PIXELS, RELATIVE, steps
from trackdata.evaluation.overlap import centers, inclusive_overlap, length
from trackdata.evaluation.records import PredictionError, Track, Truth, check_prediction
from trackdata.evaluation.sequence_scores import SequenceScores

_TINY = 1e-16  # added to the size that centres are divided by


@dataclass(frozen=True)
class Pysot:
    """PySOT's reports for OTB-like sets (``otb``) and for sets with flags of absence (``lasot``)."""

    kind: Literal["otb", "lasot"] = "otb"

    counts_missing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.kind not in ("otb", "lasot"):
            raise ValueError(f"PySOT reports 'otb' or 'lasot', got {self.kind!r}")

    @property
    def name(self) -> str:
        return f"pysot/{self.kind}"

    @property
    def description(self) -> str:
        absent = "; absent frames count as missed" if self.kind == "lasot" else ""
        return f"One-pass evaluation as PySOT computes it; the first frame counts as it was reported{absent}."

    @cached_property
    def thresholds(self) -> Mapping[str, np.ndarray]:
        return {"success": steps(0.05), "precision": PIXELS, "norm_precision": RELATIVE}

    def errors(self, track: Track, truth: Truth) -> FrameErrors:
        """Errors of every frame; for ``lasot`` of those that are not absent.

        Raises:
            PredictionError: the result has another length than the annotation, or boxes that cannot be scored.
        """
        boxes = check_prediction(track.boxes, truth)
        if len(boxes) != len(truth):
            raise PredictionError(f"{truth.name}: {len(boxes)} predicted boxes for {len(truth)} frames, track it again")
        kept = ~truth.away if self.kind == "lasot" else np.ones(len(truth), dtype=bool)
        predicted, annotated = boxes[kept], truth.boxes[kept]
        valid = (annotated > 0).all(axis=1)
        sizes = annotated[:, 2:] + _TINY
        return FrameErrors(
            overlap=np.where(valid, np.clip(inclusive_overlap(predicted, annotated), 0.0, 1.0), -1.0),
            center=_error(centers(predicted), centers(annotated)),
            relative=_error(centers(predicted) / sizes, centers(annotated) / sizes),
            valid=valid,
        )

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one sequence; several runs are averaged."""
        errors = [self.errors(track, truth) for track in runs]
        return one_pass_scores(runs, errors, truth, len(truth), self.thresholds)


def _error(predicted: np.ndarray, annotated: np.ndarray) -> np.ndarray:
    """Distances of points ``(F, 2)``, -1 where an annotated coordinate is not positive."""
    return np.where((annotated > 0).all(axis=1), length(*(predicted - annotated).T), -1.0)
