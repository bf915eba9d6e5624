"""The conventions ``ostrack`` and ``pytracking``: what the published numbers of these trackers were computed with.

Described in words, in the order in which things happen:

1. Predicted rows without width or height repeat the row before them, unless the annotation there is NaN.
2. Longer results are cut; shorter ones are padded with empty boxes, except for LaSOT, where they are refused.
3. The first predicted box is replaced by the annotation, so the first frame always counts as found.
4. A frame is valid when its annotation has positive width and height (``ostrack``), or positive x, y, width and height
   (``pytracking``), and, where visibility is given, the target is visible.
5. Invalid frames have overlap -1 and stay in the denominator. Their normalised error is -1, which counts as a hit,
   and so does their centre error for ``uav``; otherwise the centre error is infinite. For ``lasot`` both errors of
   invisible frames are infinite.

A perfect result therefore has an AUC of 20/21, because no overlap exceeds the last threshold, 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from trackdata.evaluation.conventions.onepass import FrameErrors, one_pass_scores, replaced_by_previous
from trackdata.evaluation.curves import PIXELS, RELATIVE, steps
from trackdata.evaluation.overlap import center_distance, inclusive_overlap, relative_center_distance
from trackdata.evaluation.records import PredictionError, Track, Truth, TruthError, check_prediction
from trackdata.evaluation.sequence_scores import Repairs, SequenceScores


@dataclass(frozen=True)
class Pytracking:
    """``ostrack`` or ``pytracking`` scoring of one dataset.

    Attributes:
        rule: ``ostrack`` asks for positive width and height, ``pytracking`` also for positive x and y.
        tag: the dataset's tag; ``uav``, ``lasot`` behave differently from all others (``otb``, ``got10k``, ...).
        exclude_invalid: divide by the number of valid frames instead of all frames.
        gap: distance of the success thresholds.
        use_visibility: whether frames that are not visible are invalid. None follows the published readers, which
            supply visibility for ``lasot`` and ``lasot_extension_subset`` alone, and there by the flags of absence: an
            empty box that no flag explains (tiger-6, frame 118) is an invalid box of a visible target.
    """

    rule: Literal["ostrack", "pytracking"] = "ostrack"
    tag: str = "otb"
    exclude_invalid: bool = False
    gap: float = 0.05
    use_visibility: bool | None = None

    counts_missing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.rule not in ("ostrack", "pytracking"):
            raise ValueError(f"the rule is 'ostrack' or 'pytracking', got {self.rule!r}")

    @property
    def name(self) -> str:
        return f"{self.rule}/{self.tag}" + ("/valid-only" if self.exclude_invalid else "")

    @property
    def description(self) -> str:
        return f"One-pass evaluation as {self.rule} computes it for {self.tag} datasets; the first frame counts, " + (
            "only valid frames count." if self.exclude_invalid else "frames without a valid annotation count as missed."
        )

    @cached_property
    def thresholds(self) -> Mapping[str, np.ndarray]:
        return {"success": steps(self.gap), "precision": PIXELS, "norm_precision": RELATIVE}

    def errors(self, track: Track, truth: Truth) -> FrameErrors:
        """Per-frame errors of one run.

        Raises:
            TruthError: NaN in the annotation, unless the tag is ``uav``.
            PredictionError: boxes that cannot be scored, or a result too short for ``lasot``.
        """
        if self.tag != "uav" and not truth.annotated.all():
            frame = int(np.flatnonzero(~truth.annotated)[0])
            raise TruthError(
                f"{truth.name}: the annotation of frame {frame} is NaN, which {self.rule} accepts only for the tag uav"
            )
        boxes, repairs = self._fit(check_prediction(track.boxes, truth), truth)
        visible = self._visible(truth)
        box_is_valid = truth.sized if self.rule == "ostrack" else (truth.boxes > 0).all(axis=1)
        valid = box_is_valid if visible is None else box_is_valid & visible
        overlap = np.where(valid, inclusive_overlap(boxes, truth.boxes), -1.0)
        center = np.where(valid, center_distance(boxes, truth.boxes), -1.0 if self.tag == "uav" else np.inf)
        relative = np.where(valid, relative_center_distance(boxes, truth.boxes), -1.0)
        if self.tag == "lasot" and visible is not None:
            center[~visible] = np.inf
            relative[~visible] = np.inf
        return FrameErrors(overlap, center, relative, valid, repairs)

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one sequence; several runs are averaged."""
        errors = [self.errors(track, truth) for track in runs]
        total = int(errors[0].valid.sum()) if self.exclude_invalid else len(truth)
        return one_pass_scores(runs, errors, truth, total, self.thresholds)

    def _fit(self, boxes: np.ndarray, truth: Truth) -> tuple[np.ndarray, Repairs]:
        """Predictions with as many rows as the annotation, empty ones carried over, first row the annotation."""
        short = len(truth) - len(boxes)
        if short > 0 and self.tag == "lasot":
            raise PredictionError(f"{truth.name}: {len(boxes)} predicted boxes for {len(truth)} frames, track it again")
        boxes = boxes[: len(truth)]
        empty = (boxes[:, 2:] == 0).any(axis=1) & truth.annotated[: len(boxes)]
        empty[0] = False
        fitted = np.zeros_like(truth.boxes)
        fitted[: len(boxes)] = replaced_by_previous(boxes, empty)
        fitted[0] = truth.boxes[0]
        return fitted, Repairs(replaced=int(empty.sum()), padded=max(short, 0), cut=max(-short, 0))

    def _visible(self, truth: Truth) -> np.ndarray | None:
        wanted = self.use_visibility
        if wanted is None:
            wanted = self.tag in ("lasot", "lasot_extension_subset")
            if wanted and truth.absent is not None:
                return ~np.asarray(truth.absent, dtype=bool)
        return np.asarray(truth.visible, dtype=bool) if wanted and truth.visible is not None else None
