"""A tracker of one box, with masks: what the segmenter is to programs that know boxes alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dropseg_vos.box_masks import BoxToMask, FirstMask, box_to_mask
from dropseg_vos.loading import BackendName, Precision, load_segmenter
from dropseg_vos.segmenter import Segmenter
from dropseg_vos.sizes import Sizing
from trackcore.tracker import Prediction, check_box, check_frame


class BoxTracker:
    """Follows one target by segmenting it; its boxes are those around the masks.

    Args:
        segmenter: what finds the target.
        first_mask: turns the first frame and box into a mask.
    """

    def __init__(self, segmenter: Segmenter, first_mask: BoxToMask):
        self.segmenter, self._first_mask = segmenter, first_mask
        self._box: np.ndarray | None = None

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start on an RGB uint8 ``frame`` with the target at ``box`` (x, y, w, h in pixels).

        Raises:
            ValueError: the frame or the box cannot be used, or no object is found in it (MaskError).
        """
        box = check_box(box, check_frame(frame).shape[:2])
        self.segmenter.init(frame, self._first_mask(frame, box))
        self._box = box

    def update(self, frame: np.ndarray) -> Prediction:
        """Locate the target in the next frame: see :meth:`~dropseg_vos.segmenter.Segmenter.update`.

        Where nothing is found, the box is the one before and the score 0.

        Raises:
            RuntimeError: :meth:`init` was not called.
            ValueError: the frame cannot be used or has another size.
        """
        found = self.segmenter.update(frame)
        if found.mask.any():
            self._box = found.box
        return replace(found, box=self._box.copy())


def create(
    weights: str | Path | None = None,
    recipe: str | None = None,
    *,
    first_mask: FirstMask = "alpha-refine",
    refiner: str | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    backend: BackendName = "torch",
    short_side: int | None = None,
    **options: Any,
) -> BoxTracker:
    """Build a tracker (registered as ``dropseg``).

    Args:
        weights, recipe, device, precision, backend: see :func:`dropseg_vos.loading.load_segmenter`.
        first_mask, refiner: see :func:`dropseg_vos.box_masks.box_to_mask`.
        short_side: frames are made smaller for the network when their short side is above this many pixels; None takes
            what suits the network.
        options: of :class:`~dropseg_vos.segmenter.Segmenter`.

    Raises:
        CheckpointError, UnknownRecipeError, ValueError: as those functions.
    """
    to_mask = box_to_mask(first_mask, refiner, device)
    sizing = None if short_side is None else Sizing("limit", short_side)
    segmenter = load_segmenter(
        weights, recipe, device=device, precision=precision, backend=backend, sizing=sizing, **options
    )
    return BoxTracker(segmenter, to_mask)
