"""Trackers to compare with: one that never moves, and OpenCV's MIL."""

from __future__ import annotations

import numpy as np

from trackcore.opencv_trackers import OpenCvTracker
from trackcore.tracker import Prediction, check_box, check_correction, check_frame


class StaticTracker:
    """The target stays where it was: what a score is worth when nothing is tracked (``static``)."""

    def __init__(self) -> None:
        self._box: np.ndarray | None = None

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Keep ``box`` (x, y, w, h in pixels). Raises ValueError for a frame or box no tracker can start from."""
        self._box = check_box(box, check_frame(frame).shape[:2]).copy()

    def update(self, frame: np.ndarray) -> Prediction:
        """The same box again, without a score. Raises RuntimeError before :meth:`init`."""
        check_frame(frame)
        if self._box is None:
            raise RuntimeError("call init(frame, box) before update(frame)")
        return Prediction(self._box.copy())

    def set_box(self, box: np.ndarray) -> None:
        """Stay at another box (x, y, w, h in pixels). Raises ValueError when it has NaN or no area."""
        self._box = check_correction(box)


class MilTracker(OpenCvTracker):
    """OpenCV's multiple-instance-learning tracker (``opencv:mil``), which needs neither weights nor another wheel.

    It follows the position only: predicted boxes keep the first box's width and height.

    Args:
        seed: of the random features and samples.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__("mil", seed=seed)
