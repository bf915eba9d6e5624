"""A tracker that repeats boxes which another one has written, so that they can be refined offline."""

from __future__ import annotations

import numpy as np

from trackcore.tracker import Prediction, check_box, check_frame


class ReplayTracker:
    """Reports given boxes, one a frame.

    Args:
        boxes: ``(N, 4)`` x, y, w, h in pixels; row 0 is the first frame's, which :meth:`init` replaces.

    Raises:
        ValueError: another shape.
    """

    def __init__(self, boxes: np.ndarray):
        self.boxes = np.asarray(boxes, np.float64)
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or len(self.boxes) == 0:
            raise ValueError(f"boxes to replay are (N, 4) x, y, w, h, got shape {np.shape(boxes)}")
        self._next = 0

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Start before the second box. Raises ValueError for a frame or box no tracker can start from."""
        check_box(box, check_frame(frame).shape[:2])
        self._next = 1

    def update(self, frame: np.ndarray) -> Prediction:
        """The next box.

        Raises:
            RuntimeError: :meth:`init` was not called, or there are more frames than boxes.
        """
        check_frame(frame)
        if self._next == 0:
            raise RuntimeError("call init(frame, box) before update(frame)")
        if self._next >= len(self.boxes):
            raise RuntimeError(f"there are {len(self.boxes)} boxes to replay, but more frames")
        self._next += 1
        return Prediction(self.boxes[self._next - 1].copy())
