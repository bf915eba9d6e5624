"""One pass of a tracker over one sequence: the protocol behind every number."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trackcore.tracker import Tracker, check_box
from trackdata.evaluation.records import Track
from trackdata.sequences import Dataset, Sequence


class TrackingError(RuntimeError):
    """A tracker gave something that is no box; the message names the frame."""


@dataclass(frozen=True)
class Pass:
    """What one pass gave: the track, and the seconds spent reading frames, which are not the tracker's."""

    track: Track
    decode_seconds: float


@dataclass(frozen=True)
class Failure:
    """In the place of a pass: why there is none, in one line."""

    reason: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that ``error`` means."""
        return cls(f"{type(error).__name__}: {error}")


def sequence_name(dataset: Dataset, index: int) -> str:
    """The name of sequence ``index``, without reading its annotation where the dataset knows it."""
    names = getattr(dataset, "sequence_names", None)
    return dataset[index].name if names is None else names[index]


def track_sequence(tracker: Tracker, sequence: Sequence, clock: Callable[[], float] = time.perf_counter) -> Pass:
    """Start ``tracker`` on the first frame with the annotated box and follow the target to the end, without restarts.

    Row 0 of the track is the given box, its time the one of ``init`` and its confidence NaN; row i has the box, time
    and confidence of ``update`` on frame i.

    Raises:
        ValueError: the first box is not one a tracker can start from.
        TrackingError: a prediction is no finite box with a size of at least zero.
        OSError: a frame is missing or cannot be decoded.
    """
    if len(sequence) == 0:
        raise ValueError(f"{sequence.name} has no frames")
    frames = len(sequence)
    boxes, times, scores = np.empty((frames, 4)), np.empty(frames), np.full(frames, np.nan)
    decoding = 0.0
    for index in range(frames):
        start = clock()
        frame = sequence.frames[index]
        decoded = clock()
        decoding += decoded - start
        if index == 0:
            boxes[0] = check_box(sequence.boxes[0], frame.shape[:2])
            start = clock()
            tracker.init(frame, boxes[0].copy())
            times[0] = clock() - start
            continue
        start = clock()
        prediction = tracker.update(frame)
        times[index] = clock() - start
        boxes[index] = _checked(prediction.box, index)
        if prediction.score is not None:
            scores[index] = prediction.score
    return Pass(Track(boxes, times, None if np.isnan(scores).all() else scores), decoding)


def _checked(box: np.ndarray, index: int) -> np.ndarray:
    values = np.asarray(box, dtype=np.float64).reshape(-1)
    if values.shape != (4,):
        raise TrackingError(f"frame {index}: the tracker's box has {values.size} numbers, expected x, y, w, h")
    if not all(math.isfinite(value) for value in values):
        raise TrackingError(f"frame {index}: the tracker's box {values.tolist()} holds NaN or infinity")
    if values[2] < 0 or values[3] < 0:
        raise TrackingError(f"frame {index}: the tracker's box {values.tolist()} has a negative size")
    return values
