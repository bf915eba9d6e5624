"""A first mask from a box: by alpha-refine's mask head, by OpenCV's GrabCut, or the box itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np

from dropseg_vos.first_mask import MaskError
from trackcore.tracker import check_box, check_frame, create_tracker, list_trackers

FirstMask = Literal["alpha-refine", "grabcut", "box"]
BoxToMask = Callable[[np.ndarray, np.ndarray], np.ndarray]

_REFINER = "alpha-refine"
_ROUNDS = 5  # of GrabCut


def box_to_mask(how: FirstMask = _REFINER, refiner: str | None = None, device: str = "auto") -> BoxToMask:
    """A function from an RGB uint8 frame and a box x, y, w, h in pixels to a mask ``(H, W)`` bool.

    Args:
        how: ``alpha-refine`` lets the mask head of that package decide, if it is installed; ``grabcut`` needs no
            weights (Rother et al., 2004); ``box`` takes all of the box.
        refiner: weights of the refiner.
        device: where the refiner computes.

    Raises:
        ValueError: an unknown way, alpha-refine is not installed, or no weights are given for it.
        CheckpointError: the refiner's weights cannot be used.
    """
    if how not in get_args(FirstMask):
        raise ValueError(f"a box becomes a mask by {', '.join(get_args(FirstMask))}, got {how!r}")
    if how == "box":
        return _fill
    if how == "grabcut":
        return _grabcut
    if _REFINER not in list_trackers():
        raise ValueError(
            "a box becomes a mask by the mask head of alpha-refine, which is not installed: pip install alpha-refine, "
            "or choose 'grabcut' or 'box', or give a mask"
        )
    if refiner is None:
        raise ValueError(
            "a box becomes a mask by the mask head of alpha-refine, which needs weights: give the refiner's, or choose "
            "'grabcut' or 'box', or give a mask"
        )
    tracker = create_tracker(_REFINER, base="static", weights=refiner, mask=True, device=device)

    def refine(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        tracker.init(frame, box)
        mask = tracker.update(frame).mask
        if mask is None or not mask.any():
            raise MaskError(f"alpha-refine finds no object in the box {np.asarray(box).tolist()}")
        return mask

    return refine


def _pixels(box: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a box in a frame of ``size``, at least one of each."""
    x, y, w, h = check_box(box, size)
    height, width = size
    left, top = min(max(round(x), 0), width - 1), min(max(round(y), 0), height - 1)
    return slice(top, max(top + 1, min(round(y + h), height))), slice(left, max(left + 1, min(round(x + w), width)))


def _fill(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    mask = np.zeros(check_frame(frame).shape[:2], bool)
    mask[_pixels(box, mask.shape)] = True
    return mask


def _grabcut(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    inside = _fill(frame, box)
    if inside.all():  # no background to learn from
        return inside
    guess = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(
        cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), guess, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS,
        cv2.GC_INIT_WITH_MASK,
    )  # fmt: skip
    found = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return found if found.any() else inside
