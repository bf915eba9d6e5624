"""The convention ``lasot_official``: the LaSOT evaluation toolkit, which ranks the benchmark's published trackers.

In the order in which things happen:

1. Longer results are cut, shorter ones refused.
2. From the second frame on, predicted rows that are not finite, or have no positive width and height, repeat the row
   before them. The first predicted box is replaced by the annotation.
3. Absent frames are taken out of the hits, but stay in the denominator.
4. Where any of x, y, w, h of the annotation is not positive, overlap and both errors are -1: a miss in success, a hit
   in both precisions.
5. Curves are averaged over the sequences whose curve is not zero throughout.

Evaluated by its authors in MATLAB; see Fan et al., "LaSOT: a high-quality benchmark for large-scale single object
tracking", CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from trackdata.evaluation.conventions.onepass import FrameErrors, one_pass_scores, replaced_by_previous
from trackdata.evaluation.curves import PIXELS, RELATIVE, steps
from trackdata.evaluation.overlap import center_distance, inclusive_overlap, relative_center_distance
from trackdata.evaluation.records import PredictionError, Track, Truth, shaped_prediction
from trackdata.evaluation.sequence_scores import Repairs, SequenceScores

_FIGURES = {"success": ("AUC", "OP50", "OP75"), "precision": ("P",), "norm_precision": ("P_norm",)}


@dataclass(frozen=True)
class LasotOfficial:
    """LaSOT as its own toolkit scores it; absent frames are those the dataset flags."""

    name: ClassVar[str] = "lasot_official"
    counts_missing: ClassVar[bool] = False
    description: ClassVar[str] = (
        "One-pass evaluation as LaSOT's own toolkit computes it; the first frame counts and absent frames are misses; "
        "sequences whose whole curve is zero are left out of its mean."
    )

    @cached_property
    def thresholds(self) -> Mapping[str, np.ndarray]:
        return {"success": steps(0.05), "precision": PIXELS, "norm_precision": RELATIVE}

    def errors(self, track: Track, truth: Truth) -> FrameErrors:
        """Errors of the frames that are not absent.

        Raises:
            PredictionError: the result is shorter than the annotation, or no table of boxes.
        """
        reported = shaped_prediction(track.boxes, truth)
        if len(reported) < len(truth):
            raise PredictionError(
                f"{truth.name}: {len(reported)} predicted boxes for {len(truth)} frames, track it again"
            )
        boxes = reported[: len(truth)]
        bad = ~np.isfinite(boxes).all(axis=1) | ~(boxes[:, 2:] > 0).all(axis=1)
        bad[0] = False
        boxes = replaced_by_previous(boxes, bad)
        boxes[0] = truth.boxes[0]
        present = ~truth.away
        predicted, annotated = boxes[present], truth.boxes[present]
        valid = (annotated > 0).all(axis=1)
        return FrameErrors(
            overlap=np.where(valid, inclusive_overlap(predicted, annotated), -1.0),
            center=np.where(valid, center_distance(predicted, annotated), -1.0),
            relative=np.where(valid, relative_center_distance(predicted, annotated), -1.0),
            valid=valid,
            repairs=Repairs(replaced=int(bad.sum()), cut=len(reported) - len(truth)),
        )

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one sequence; several runs are averaged."""
        errors = [self.errors(track, truth) for track in runs]
        scores = one_pass_scores(runs, errors, truth, len(truth), self.thresholds)
        left_out = [kind for kind, curve in scores.curves.items() if not curve.any()]
        weightless = {name: 0.0 for kind in left_out for name in (kind, *_FIGURES[kind])}
        return replace(scores, weights={**scores.weights, **weightless})
