"""Trackers to compare with: one that never moves, and OpenCV's MIL."""

from __future__ import annotations

import ctypes
import os

import cv2
import numpy as np

from trackcore.tracker import Prediction, check_box, check_frame


class StaticTracker:
    """The target stays where it was: what a score is worth when nothing is tracked (``static``)."""

    def __init__(self) -> None:
        self._box: np.ndarray | None = None

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Keep ``box`` (x, y, w, h in pixels). Raises ValueError for a frame or box no tracker can start from."""
        self._box = check_box(box, check_frame(frame).shape[:2]).copy()

    def update(self, frame: np.ndarray) -> Prediction:
        """The first box again, without a score. Raises RuntimeError before :meth:`init`."""
        check_frame(frame)
        if self._box is None:
            raise RuntimeError("call init(frame, box) before update(frame)")
        return Prediction(self._box.copy())


class MilTracker:
    """OpenCV's multiple-instance-learning tracker (``opencv:mil``).

    Babenko, Yang and Belongie, "Visual Tracking with Online Multiple Instance Learning", CVPR 2009. It follows the
    position only: predicted boxes keep the first box's width and height.

    OpenCV takes rectangles of whole pixels, fails on boxes that leave the frame or fill it, and never returns from
    boxes of a few pixels. It is therefore given the nearest rectangle that it can handle (inside the frame, at least 8
    pixels and at most the frame's side less 8), and its movement is applied to the true box.

    Equal seeds give equal boxes on Linux and macOS, also when several trackers take turns. On Windows the C library's
    generator, from which MIL draws its features, is out of reach.

    Args:
        seed: of the random features and samples.
    """

    _SMALLEST = 8  # sides of 4 make the random choice of features loop for ever
    _ROOM = 8  # how far the box must be able to move for OpenCV to find samples of the background

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._tracker: cv2.TrackerMIL | None = None

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Learn the target at ``box`` (x, y, w, h in pixels).

        Raises:
            ValueError: a frame or box no tracker can start from, or a frame below 16 pixels.
        """
        height, width = check_frame(frame).shape[:2]
        self._box = check_box(box, (height, width)).copy()
        if min(height, width) < self._SMALLEST + self._ROOM:
            smallest = self._SMALLEST + self._ROOM
            raise ValueError(f"MIL needs frames of at least {smallest} pixels a side, got {width} x {height}")
        left, columns = self._segment(self._box[0], self._box[2], width)
        top, rows = self._segment(self._box[1], self._box[3], height)
        self._offset = self._box[:2] - (left, top)
        self._count = 0
        self._tracker = cv2.TrackerMIL.create()
        self._sow()
        self._tracker.init(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), (left, top, columns, rows))

    def update(self, frame: np.ndarray) -> Prediction:
        """Follow the target.

        Where MIL finds it the score is None, for it has no confidence; where not, the last box comes with score 0.

        Raises:
            RuntimeError: :meth:`init` was not called.
        """
        check_frame(frame)
        if self._tracker is None:
            raise RuntimeError("call init(frame, box) before update(frame)")
        self._count += 1
        self._sow()
        found, rectangle = self._tracker.update(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if not found:
            return Prediction(self._box.copy(), score=0.0)
        self._box = np.concatenate([rectangle[:2] + self._offset, self._box[2:]])
        return Prediction(self._box.copy())

    def _segment(self, start: float, length: float, limit: int) -> tuple[int, int]:
        """First pixel and length of the nearest side MIL can handle within ``limit`` pixels."""
        inside = max(0.0, start), min(float(limit), start + length)
        pixels = int(np.clip(round(inside[1] - inside[0]), self._SMALLEST, limit - self._ROOM))
        first = round((inside[0] + inside[1] - pixels) / 2)
        return int(np.clip(first, 0, limit - pixels)), pixels

    def _sow(self) -> None:
        """Seed both generators MIL draws from; per frame, because they are shared by the whole process."""
        seed = (self._seed + self._count) % 2**31
        cv2.setRNGSeed(seed)
        if os.name == "posix":
            ctypes.CDLL(None).srand(ctypes.c_uint(seed))
