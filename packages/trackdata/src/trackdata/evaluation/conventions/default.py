"""The convention ``default``: every figure in one table, with the faults of the published ones left out.

AO and SR are those of GOT-10k. AUC, precision and normalised precision are one-pass evaluation as ``ostrack`` has
it, except:

- frames whose annotation is NaN are left out of all curves and reported (published: hits in precision for ``uav``);
- a frame whose target is not visible, or has an empty box, is a miss in all three curves (published: a hit in
  normalised precision for every tag but ``lasot``); ``visible_only`` leaves such frames out instead;
- a result of the wrong length, and NaN or negative sizes in it, are refused unless ``lengths`` and ``invalid`` say
  otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from trackdata.evaluation.conventions.got10k import average_overlap
from trackdata.evaluation.curves import PIXELS, RELATIVE, count_above, count_within, share, steps
from trackdata.evaluation.overlap import (
    center_distance,
    continuous_overlap,
    inclusive_overlap,
    relative_center_distance,
)
from trackdata.evaluation.records import PredictionError, Track, Truth, check_prediction, shaped_prediction
from trackdata.evaluation.sequence_scores import Repairs, SequenceScores, frame_rate

_MISS = np.array([-1e9, -1e9, 0.0, 0.0])  # a box that hits nothing under any threshold


@dataclass(frozen=True)
class Default:
    """All figures of one-pass evaluation, without published faults.

    Attributes:
        visible_only: divide by the frames whose target is visible and has a box, instead of all annotated frames.
        lengths: what to do with a result of the wrong length: ``error``; ``pad`` it with misses, or cut what is too
            much; ``truncate`` result and annotation to the shorter of the two.
        invalid: what to do with predicted rows that hold NaN or infinity or have a negative size: ``error``, or count
            the frame as a ``miss``.
    """

    visible_only: bool = False
    lengths: Literal["error", "pad", "truncate"] = "error"
    invalid: Literal["error", "miss"] = "error"

    counts_missing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.lengths not in ("error", "pad", "truncate"):
            raise ValueError(f"lengths is 'error', 'pad' or 'truncate', got {self.lengths!r}")
        if self.invalid not in ("error", "miss"):
            raise ValueError(f"invalid is 'error' or 'miss', got {self.invalid!r}")

    @property
    def name(self) -> str:
        options = (("visible-only", self.visible_only), (self.lengths, self.lengths != "error"), ("miss", self.misses))
        return "/".join(["default", *(option for option, given in options if given)])

    @property
    def misses(self) -> bool:
        """Whether rows that cannot be scored count as misses instead of being refused."""
        return self.invalid == "miss"

    @property
    def description(self) -> str:
        return (
            "AO and SR as on GOT-10k (first frame left out, frames pooled); AUC and both precisions as one-pass "
            "evaluation (first frame counts, sequences weigh the same). Frames without annotation are left out; frames "
            "whose target is not visible " + ("are left out too." if self.visible_only else "count as missed.")
        )

    @cached_property
    def thresholds(self) -> Mapping[str, np.ndarray]:
        return {"success": steps(0.05), "precision": PIXELS, "norm_precision": RELATIVE}

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one sequence; several runs are averaged."""
        check = shaped_prediction if self.misses else check_prediction
        reported = [check(track.boxes, truth) for track in runs]
        if self.lengths == "truncate":
            truth = _shortened(truth, min(len(truth), *map(len, reported)))
        fitted = [self._fit(boxes, truth) for boxes in reported]
        predictions = [boxes for boxes, _ in fitted]
        found = truth.annotated & truth.sized
        if truth.visible is not None:
            found = found & np.asarray(truth.visible, dtype=bool)
        total = int(found.sum() if self.visible_only else truth.annotated.sum())
        each = [self._curves(boxes, truth, found, total) for boxes in predictions]
        curves = {name: np.mean([run[name] for run in each], axis=0) for name in self.thresholds}
        overlaps, weights = average_overlap(np.concatenate([_covered_overlaps(boxes, truth) for boxes in predictions]))
        rate, seconds = frame_rate(runs)
        return SequenceScores.of(
            truth,
            scored=total,
            values=overlaps
            | {
                "AUC": float(curves["success"].mean()),
                "P": float(curves["precision"][20]),
                "P_norm": float(curves["norm_precision"][20]),
                "fps": rate,
            },
            curves=curves,
            weights=weights | {"fps": seconds},
            runs=len(runs),
            repairs=sum((repairs for _, repairs in fitted), Repairs()),
        )

    def _curves(self, boxes: np.ndarray, truth: Truth, found: np.ndarray, total: int) -> dict[str, np.ndarray]:
        predicted, annotated = boxes[found], truth.boxes[found]
        return {
            "success": share(count_above(inclusive_overlap(predicted, annotated), self.thresholds["success"]), total),
            "precision": share(count_within(center_distance(predicted, annotated), PIXELS), total),
            "norm_precision": share(count_within(relative_center_distance(predicted, annotated), RELATIVE), total),
        }

    def _fit(self, boxes: np.ndarray, truth: Truth) -> tuple[np.ndarray, Repairs]:
        """Predicted boxes with as many rows as the annotation, the first box the annotated one."""
        excess = len(boxes) - len(truth)
        if excess and self.lengths == "error":
            raise PredictionError(
                f"{truth.name}: {len(boxes)} predicted boxes for {len(truth)} frames; track it again, "
                "or score with lengths='pad' or lengths='truncate'"
            )
        fitted = np.tile(_MISS, (len(truth), 1))
        kept = min(len(boxes), len(truth))
        fitted[:kept] = boxes[:kept]
        bad = ~np.isfinite(fitted).all(axis=1) | (fitted[:, 2:] < 0).any(axis=1)
        fitted[bad] = _MISS
        if truth.annotated[0]:
            fitted[0] = truth.boxes[0]
        return fitted, Repairs(replaced=int(bad.sum()), padded=max(-excess, 0), cut=max(excess, 0))


def _covered_overlaps(boxes: np.ndarray, truth: Truth) -> np.ndarray:
    """GOT-10k overlaps of the frames that show some of an annotated target, the first frame left out."""
    overlaps = continuous_overlap(boxes, truth.boxes, truth.frame_size)
    return overlaps[1:][(truth.covered & truth.annotated)[1:]]


def _shortened(truth: Truth, length: int) -> Truth:
    flags = {
        label: None if getattr(truth, label) is None else getattr(truth, label)[:length]
        for label in ("visible", "absent", "cover")
    }
    return replace(truth, boxes=truth.boxes[:length], **flags)
