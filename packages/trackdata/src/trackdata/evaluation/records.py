"""What is scored against what: the annotation of a sequence and a tracker's run over it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trackdata.sequences import Sequence


class PredictionError(ValueError):
    """Predicted boxes cannot be scored; the message names the sequence and the frame."""


class TruthError(ValueError):
    """Annotations do not allow scoring under the chosen convention; the message names the sequence."""


@dataclass(frozen=True)
class Truth:
    """The annotation of one sequence.

    Attributes:
        name: the sequence.
        boxes: ``(N, 4)`` float64 x, y, w, h in pixels; NaN or no area where there is no box.
        visible: ``(N,)`` bool or None when the dataset does not say.
        absent: ``(N,)`` bool, the dataset marks the target as gone; None when it does not say.
        cover: ``(N,)`` numbers, how much of the target shows, 0 for nothing (GOT-10k); None when the dataset does not
            say.
        frame_size: (width, height) in pixels, or None when not known.
    """

    name: str
    boxes: np.ndarray
    visible: np.ndarray | None = None
    absent: np.ndarray | None = None
    cover: np.ndarray | None = None
    frame_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, dtype=np.float64)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0:
            raise TruthError(f"{self.name}: annotations must be (N, 4) boxes with N > 0, got shape {boxes.shape}")
        object.__setattr__(self, "boxes", boxes)
        for label in ("visible", "absent", "cover"):
            flags = getattr(self, label)
            if flags is not None and np.shape(flags) != (len(boxes),):
                raise TruthError(f"{self.name}: {label} has shape {np.shape(flags)} for {len(boxes)} boxes")

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of(cls, sequence: Sequence) -> Truth:
        """The annotation of ``sequence``. Reads one frame when the dataset does not record the frame size.

        Raises:
            TruthError: not every frame is annotated, as in test sets that publish the first box only.
        """
        if len(sequence.boxes) != len(sequence.frames):
            raise TruthError(
                f"{sequence.name}: {len(sequence.boxes)} of {len(sequence.frames)} frames are annotated, "
                "so it cannot be scored here; pack the results for the benchmark's server instead"
            )
        return cls(
            name=sequence.name,
            boxes=sequence.boxes,
            visible=sequence.visible,
            absent=sequence.absent,
            cover=sequence.attributes.get("visible_ratio"),
            frame_size=frame_size(sequence),
        )

    @cached_property
    def annotated(self) -> np.ndarray:
        """``(N,)`` bool: the row holds no NaN."""
        return ~np.isnan(self.boxes).any(axis=1)

    @cached_property
    def sized(self) -> np.ndarray:
        """``(N,)`` bool: width and height are positive."""
        return (self.boxes[:, 2] > 0) & (self.boxes[:, 3] > 0)

    @cached_property
    def covered(self) -> np.ndarray:
        """``(N,)`` bool: some of the target shows, by the cover labels, else by the absence flags, else always."""
        if self.cover is not None:
            return np.asarray(self.cover) > 0
        if self.absent is not None:
            return ~np.asarray(self.absent, dtype=bool)
        return np.ones(len(self), dtype=bool)

    @cached_property
    def away(self) -> np.ndarray:
        """``(N,)`` bool: frames the dataset flags as absent or, without such flags, as not visible; else none."""
        if self.absent is not None:
            return np.asarray(self.absent, dtype=bool)
        if self.visible is not None:
            return ~np.asarray(self.visible, dtype=bool)
        return np.zeros(len(self), dtype=bool)

    @cached_property
    def gone(self) -> np.ndarray:
        """``(N,)`` bool: frames without the target, by flag or by an empty or missing box."""
        missing = ~self.sized
        if self.absent is not None:
            missing = missing | np.asarray(self.absent, dtype=bool)
        return missing


@dataclass(frozen=True)
class Track:
    """One run of a tracker over one sequence.

    Attributes:
        boxes: ``(M, 4)`` float64 x, y, w, h in pixels; row 0 is the box the tracker started from.
        times: ``(M,)`` seconds spent in ``init`` (row 0) and ``update``, without decoding frames; None when not
            recorded. Toolkits with several runs per file give ``(M, R)``.
        scores: ``(M,)`` the tracker's confidence, NaN where it gave none; None when not recorded.
    """

    boxes: np.ndarray
    times: np.ndarray | None = None
    scores: np.ndarray | None = None


def shaped_prediction(boxes: Any, truth: Truth) -> np.ndarray:
    """Predicted boxes as ``(M, 4)`` float64, whatever they hold.

    Raises:
        PredictionError: wrong shape or no rows.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0:
        raise PredictionError(f"{truth.name}: predictions must be (M, 4) boxes with M > 0, got shape {boxes.shape}")
    return boxes


def check_prediction(boxes: Any, truth: Truth) -> np.ndarray:
    """Predicted boxes as ``(M, 4)`` float64.

    Raises:
        PredictionError: wrong shape, no rows, NaN or infinity, or a negative size; the message names the frame.
    """
    boxes = shaped_prediction(boxes, truth)
    if not np.isfinite(boxes).all():
        bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
        raise PredictionError(
            f"{truth.name}: the box predicted for frame {bad[0]} holds NaN or infinity ({len(bad)} such frames); "
            "track the sequence again"
        )
    if (boxes[:, 2:] < 0).any():
        frame = int(np.flatnonzero((boxes[:, 2:] < 0).any(axis=1))[0])
        raise PredictionError(
            f"{truth.name}: the box predicted for frame {frame} has a negative size {boxes[frame].tolist()}; "
            "boxes are x, y, w, h, not corners"
        )
    return boxes


def frame_size(sequence: Sequence) -> tuple[int, int]:
    """(width, height) of the frames of ``sequence``; reads one of them when the dataset does not record it."""
    recorded = re.findall(r"\d+", str(sequence.attributes.get("resolution", "")))  # "(1920, 1080)" in meta_info.ini
    if len(recorded) == 2:
        return int(recorded[0]), int(recorded[1])
    height, width = sequence.frames[0].shape[:2]
    return int(width), int(height)
