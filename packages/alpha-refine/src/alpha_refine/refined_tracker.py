"""A base tracker and a refiner, together a tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from alpha_refine.confidence import Confidence
from alpha_refine.crops import Border, Coordinates, CropError
from alpha_refine.geometry import box_of_mask, clip_to_border
from alpha_refine.loading import Backend, Precision, load_refiner
from alpha_refine.refiner import Refined, Refiner, Template
from alpha_refine.rules import Rules, get_rules
from trackcore.tracker import Prediction, Tracker, check_box, check_correction, check_frame, create_tracker


class RefinedTracker:
    """Lets a base tracker find the target and a refiner say exactly where it is (Alpha-Refine, CVPR 2021).

    Args:
        base: anything with ``init(frame, box)`` and ``update(frame)``, which returns a
            :class:`~trackcore.tracker.Prediction` or four numbers x, y, w, h. With ``set_box(box)`` it is told the
            refined box, and goes on from it.
        refiner: see :class:`alpha_refine.refiner.Refiner`.
        rules: how the two work together.
    """

    def __init__(self, base: Tracker, refiner: Refiner, rules: Rules | None = None):
        self.base, self.refiner, self.rules = base, refiner, rules or Rules()
        self._template: Template | None = None

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start on an RGB uint8 ``frame`` with the target at ``box`` (x, y, w, h in pixels).

        Raises:
            ValueError: the frame or the box cannot be used.
        """
        shift = self.rules.first_shift
        box = check_box(box, check_frame(frame).shape[:2]) + np.array([shift, shift, 0, 0])
        self._template = self.refiner.init(frame, box)
        self.base.init(frame, box)

    def set_box(self, box: np.ndarray) -> None:
        """Hand a corrected box (x, y, w, h in pixels of the last frame) on to the base tracker.

        Raises:
            ValueError: the box has NaN or no area.
            TypeError: the base tracker takes no corrections.
        """
        if not hasattr(self.base, "set_box"):
            raise TypeError(f"the base tracker {type(self.base).__name__} has no set_box, so it takes no corrections")
        self.base.set_box(check_correction(box))

    def update(self, frame: np.ndarray) -> Prediction:
        """Locate the target in the next RGB uint8 frame.

        Returns:
            Box in pixels; the base tracker's ``score``, or the refiner's confidence where it has none; a mask where the
            rules ask for one; the base tracker's ``extras`` and, among them, ``base_box``, ``confidence`` (None where
            there is none) and ``kept``, why the base tracker's box was kept, or None.

        Raises:
            ValueError: the frame is no RGB uint8 image.
            CropError: refining failed, and the rules have no fallback.
            RuntimeError: :meth:`init` was not called.
        """
        if self._template is None:
            raise RuntimeError("the tracker has no target yet: call init(frame, box) first")
        rules, size = self.rules, check_frame(frame).shape[:2]
        found = as_prediction(self.base.update(frame))
        reported = box = found.box if rules.source != "base" else clip_to_border(found.box, size, rules.margin)
        kept: str | None = None
        for number in range(rules.passes):
            refined = self._refine(frame, box)
            proposed = self._proposal(refined, box)
            why = self._objection(refined, proposed, found.box)
            if why is not None:
                kept = why if number == 0 else None
                break
            reported, box = proposed, clip_to_border(proposed, size, rules.margin)
        near = clip_to_border(reported, size, rules.margin)
        if rules.feedback and hasattr(self.base, "set_box"):
            self.base.set_box(near + np.array([rules.feedback_shift, rules.feedback_shift, 0, 0]))
        sure = _number(refined.confidence[0]) if rules.source == "corners" else None
        return Prediction(
            box=near if rules.report == "clipped" else reported,
            score=found.score if found.score is not None else sure,
            mask=refined.masks[0] > rules.mask_threshold if rules.mask else found.mask,
            extras={**found.extras, "base_box": found.box, "confidence": sure, "kept": kept},
        )

    def _refine(self, frame: np.ndarray, box: np.ndarray) -> Refined:
        wants_mask = self.rules.mask or self.rules.source == "mask"
        refined = self.refiner.refine(frame, self._template, box, box=self.rules.source == "corners", mask=wants_mask)
        if refined.refused[0] is not None and not self.rules.fallback:
            raise CropError(refined.refused[0])
        return refined

    def _proposal(self, refined: Refined, box: np.ndarray) -> np.ndarray:
        """The box in place of ``box``."""
        if self.rules.source == "mask":
            return box_of_mask(refined.masks[0], fallback=box)
        return refined.boxes[0]

    def _objection(self, refined: Refined, proposed: np.ndarray, base: np.ndarray) -> str | None:
        """Why a proposed box should not replace the base tracker's, or None."""
        rules = self.rules
        if not rules.fallback:
            return None
        if refined.refused[0] is not None:
            return refined.refused[0]
        if min(proposed[2:]) <= 0:
            return f"the corners of the refined box {proposed.tolist()} cross"
        if refined.confidence[0] < rules.min_confidence and rules.source == "corners":
            return f"confidence {refined.confidence[0]:.3f} is below {rules.min_confidence}"
        if rules.min_overlap and (overlap := _overlap(proposed, base)) < rules.min_overlap:
            return f"the refined box overlaps the base tracker's by {overlap:.3f}, less than {rules.min_overlap}"
        return None


def as_prediction(result: Any) -> Prediction:
    """What a tracker returned, a :class:`~trackcore.tracker.Prediction` or a box of four numbers, as the former.

    Raises:
        TypeError: it is neither.
    """
    if hasattr(result, "box"):
        return result
    try:
        box = np.array(result, np.float64).reshape(-1)
    except (TypeError, ValueError):
        box = np.empty(0)
    if box.shape != (4,):
        raise TypeError(f"a base tracker's update returns a Prediction or four numbers x, y, w, h; got {result!r}")
    return Prediction(box)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _overlap(box: np.ndarray, other: np.ndarray) -> float:
    """IoU of two boxes x, y, w, h with positive sides; 0 when one holds NaN."""
    first, last = np.maximum(box[:2], other[:2]), np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    shared = np.clip(last - first, 0, None).prod()
    overlap = shared / (box[2:].prod() + other[2:].prod() - shared)
    return float(overlap) if np.isfinite(overlap) else 0.0


def create(
    base: str | Tracker = "opencv:mil",
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    rules: str | Rules = "default",
    base_options: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: Backend = "torch",
    border: Border | None = None,
    coordinates: Coordinates | None = None,
    confidence: Confidence = "peak",
    **changes: Any,
) -> RefinedTracker:
    """Build a refined tracker (registered as ``alpha-refine``).

    Args:
        base: name of a registered tracker, or a tracker.
        weights, recipe, device, precision, backend, border, coordinates, confidence: of the refiner; see
            :func:`alpha_refine.loading.load_refiner`.
        rules: see :func:`alpha_refine.rules.get_rules`, or rules.
        base_options: for the base tracker's factory, such as its weights.
        changes: fields of the rules that shall differ, such as ``mask=True``.

    Raises:
        UnknownTrackerError: no tracker has this name.
        CheckpointError: the weights cannot be read, or fit another network.
        ValueError: unknown rules or a wrong option.
    """
    chosen = get_rules(rules) if isinstance(rules, str) else rules
    try:
        chosen = replace(chosen, **changes)
    except TypeError as error:
        known = ", ".join(field.name for field in fields(Rules))
        raise ValueError(f"unknown option: {error} (rules have: {known})") from error
    refiner = load_refiner(
        weights,
        recipe,
        device=device,
        precision=precision,
        backend=backend,
        border=border,
        coordinates=coordinates,
        confidence=confidence,
    )
    if isinstance(base, str):
        base = create_tracker(base, **(base_options or {}))
    return RefinedTracker(base, refiner, chosen)
