"""The figures that conventions report: what each is, and how it is written."""

from __future__ import annotations

import math
from collections.abc import Mapping

# Every figure that a convention may report: shown as a percentage unless listed in PLAIN or FRACTIONS.
METRICS: Mapping[str, str] = {
    "AO": "average overlap over all scored frames, first frame left out (GOT-10k)",
    "SR0.5": "share of scored frames with overlap above 0.5, first frame left out (GOT-10k)",
    "SR0.75": "share of scored frames with overlap above 0.75, first frame left out (GOT-10k)",
    "mAO": "average overlap, each sequence weighing the same",
    "AUC": "mean of the success curve",
    "OP50": "success at overlap 0.5",
    "OP75": "success at overlap 0.75",
    "P": "precision: centre within 20 pixels",
    "P_norm": "normalised precision: centre within 0.2 of the target's size",
    "P_norm_mean": "mean of the normalised precision curve from 0 to 0.5",
    "S_area": "area under the success curve (TrackingNet)",
    "P_area": "area under the precision curve from 0 to 50 pixels (TrackingNet)",
    "P_norm_area": "area under the normalised precision curve from 0 to 0.5 (TrackingNet)",
    "coverage": "share of frames with a predicted box (TrackingNet)",
    "EAO": "expected average overlap, mean over the challenge's interval of lengths (VOT)",
    "F": "F measure of precision and recall at the best confidence (VOT-LT)",
    "precision": "mean overlap of frames of at least that confidence (VOT-LT)",
    "recall": "sum of these overlaps over the frames that show the target (VOT-LT)",
    "A": "accuracy: mean overlap while the target is tracked (VOT)",
    "R": "robustness: how far runs get before they fail (VOT)",
    "failures": "failures per sequence, sequences weighed by length (VOT)",
    "J&F": "mean of J and F",
    "overall": "mean of J and F of seen and unseen classes (YouTube-VOS)",
    "J_mean": "region similarity: intersection over union of masks, mean over objects",
    "J_recall": "share of frames with J above 0.5",
    "J_decay": "J lost from the first to the last quarter of a video",
    "F_mean": "boundary accuracy, mean over objects",
    "F_recall": "share of frames with F above 0.5",
    "F_decay": "F lost from the first to the last quarter of a video",
    "J_seen": "J of objects of classes seen in training",
    "F_seen": "F of objects of classes seen in training",
    "J_unseen": "J of objects of other classes",
    "F_unseen": "F of objects of other classes",
    "overlap": "mean overlap over valid frames",
    "fps": "frames per second spent in the tracker",
}
PLAIN = frozenset({"fps", "failures"})
FRACTIONS = frozenset({"EAO", "F", "precision", "recall", "A", "R"})  # written as the challenge does: 0.321
SECONDARY = frozenset({"mAO", "overlap"})  # in reports, but not in the table on the terminal
PRIMARY = (
    "AO",
    "AUC",
    "S_area",
    "EAO",
    "F",
    "overall",
    "J&F",
)  # what trackers are ranked by: the first one that a convention reports


def show(name: str, value: float) -> str:
    """A figure as reports print it: percent with one decimal, rates plain, VOT's as fractions, a dash for NaN."""
    if math.isnan(value):
        return "-"
    if name in FRACTIONS:
        return f"{value:.3f}"
    if name in PLAIN:
        return f"{value:.1f}" if value < 100 else f"{value:.0f}"
    return f"{100 * value:.1f}"


def primary(values: Mapping[str, float]) -> str:
    """The figure that ranks: the first of ``PRIMARY`` among ``values``, else the first figure there is, else AUC."""
    return next((name for name in (*PRIMARY, *values) if name in values), "AUC")
