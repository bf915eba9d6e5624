"""Run a tracker over a stream of frames, and keep what it says: overlay video, text file of boxes."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from trackcore.overlay import PALETTE, draw_boxes, draw_mask
from trackcore.tracker import MultiTracker, Prediction, Tracker
from trackcore.video import DEFAULT_FPS, Frame, FrameReadError, FrameSource, open_sink, open_video


@dataclass(frozen=True)
class Followed:
    """What a run over a video came to.

    Attributes:
        frames: frames seen, the first included.
        skipped: frames that could not be decoded and were left out.
        seconds: time spent in the tracker's updates alone.
        score: mean score over the tracked frames, None for trackers without scores.
        lost: tracked frames in which the target (of several, each) was taken for lost.
        interrupted: True when Ctrl-C ended it; everything up to then is kept.
    """

    frames: int
    skipped: int
    seconds: float
    score: float | None
    lost: int = 0
    interrupted: bool = False

    @property
    def rate(self) -> float:
        """Tracked frames per second, decoding and drawing not counted; 0 when nothing was tracked."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 and self.frames > 1 else 0.0


def follow(tracker: Tracker, frames: Iterator[Frame], box: np.ndarray) -> Iterator[tuple[Frame, Prediction]]:
    """Yield every frame with the tracker's prediction; the first frame with the box that was given.

    Args:
        tracker: is initialised on the first frame.
        frames: any iterator of frames, read one at a time.
        box: x, y, w, h in pixels of the first frame.

    Raises:
        ValueError: the box cannot be tracked.
    """
    for frame, (prediction,) in follow_all(_Lone(tracker), frames, [box]):
        yield frame, prediction


def follow_all(
    tracker: MultiTracker, frames: Iterator[Frame], boxes: Sequence[np.ndarray]
) -> Iterator[tuple[Frame, list[Prediction]]]:
    """:func:`follow` for several targets: one prediction a box, in the order of the boxes."""
    for number, frame in enumerate(frames):
        if number == 0:
            tracker.init(frame.image, boxes)
            yield frame, [Prediction(box=np.asarray(box, np.float64), score=1.0) for box in boxes]
        else:
            yield frame, tracker.update(frame.image)


def track_video(
    tracker: Tracker,
    source: str | Path | int | FrameSource,
    box: np.ndarray,
    *,
    output: str | Path | None = None,
    boxes: str | Path | None = None,
    on_frame: Callable[[Frame, Prediction], None] | None = None,
) -> Followed:
    """Follow a target through a video; memory does not grow with its length.

    Args:
        tracker: any tracker.
        source: see :func:`trackcore.video.open_video`; a name is opened so that unreadable frames are left out.
        box: x, y, w, h of the target in the first frame.
        output: overlay video (by suffix) or folder of frames to write; shows boxes, scores, and masks where there are
            any.
        boxes: text file to write, one line ``x,y,w,h`` a frame, the first being the given box; a frame that was left
            out repeats the line before it. Lines appear as frames are tracked.
        on_frame: called after each frame, for progress.

    Raises:
        FrameReadError: the source or its first frame cannot be read.
        ValueError: the box cannot be tracked.
        OSError: an output cannot be written.
    """
    told = None if on_frame is None else lambda frame, predictions: on_frame(frame, predictions[0])
    lines = None if boxes is None else _BoxLines(Path(boxes))
    return _track(_Lone(tracker), source, [box], output, lines, told)


def track_targets(
    tracker: MultiTracker,
    source: str | Path | int | FrameSource,
    targets: Sequence[np.ndarray],
    *,
    output: str | Path | None = None,
    boxes: str | Path | None = None,
    on_frame: Callable[[Frame, list[Prediction]], None] | None = None,
) -> Followed:
    """Follow several targets through a video, as :func:`track_video` does one.

    Args:
        targets: boxes x, y, w, h in the first frame.
        boxes: text file to write, in the layout of MOT Challenge: ``frame,target,x,y,w,h,score,-1,-1,-1``, frames and
            targets counted from 1; a frame that was left out has no lines.

    Other arguments, and errors, are those of :func:`track_video`. ``Followed.score`` is the mean over all targets.
    """
    lines = None if boxes is None else _MotLines(Path(boxes))
    return _track(tracker, source, targets, output, lines, on_frame)


def _track(
    tracker: MultiTracker,
    source: str | Path | int | FrameSource,
    targets: Sequence[np.ndarray],
    output: str | Path | None,
    lines: _Lines | None,
    on_frame: Callable[[Frame, list[Prediction]], None] | None,
) -> Followed:
    count, total_score, scored, lost, interrupted = 0, 0.0, 0, 0, False
    with ExitStack() as stack:
        frames = source if isinstance(source, FrameSource) else stack.enter_context(open_video(source, on_error="skip"))
        if frames.skipped:
            raise FrameReadError(f"{frames.name}: the first frame, in which the target's box lies, cannot be read")
        sink = stack.enter_context(open_sink(output, frames.fps or DEFAULT_FPS)) if output is not None else None
        if lines is not None:
            stack.callback(lines.close)
        timed = _Timed(tracker)
        try:
            for frame, predictions in follow_all(timed, frames, targets):
                count += 1
                if count > 1:
                    scores = [prediction.score for prediction in predictions if prediction.score is not None]
                    total_score, scored = total_score + sum(scores), scored + len(scores)
                    lost += sum(bool(prediction.lost) for prediction in predictions)
                if lines is not None:
                    lines.write(frame.index, predictions)
                if sink is not None:
                    sink.write(_drawn(frame.image, predictions))
                if on_frame is not None:
                    on_frame(frame, predictions)
        except KeyboardInterrupt:
            interrupted = True
        skipped = frames.skipped
    score = total_score / scored if scored else None
    return Followed(count, skipped, timed.seconds, score, lost, interrupted)


def _drawn(image: np.ndarray, predictions: Sequence[Prediction]) -> np.ndarray:
    """The frame with masks, boxes and scores; targets have numbers when there are several."""
    labels = []
    for number, prediction in enumerate(predictions):
        if prediction.mask is not None:
            image = draw_mask(image, prediction.mask, PALETTE[number % len(PALETTE)])
        words = [str(number + 1)] if len(predictions) > 1 else []
        words += ["lost"] if prediction.lost else []
        words += [] if prediction.score is None else [f"{prediction.score:.2f}"]
        labels.append(" ".join(words))
    colors = [PALETTE[number % len(PALETTE)] for number in range(len(predictions))]
    return draw_boxes(image, [prediction.box for prediction in predictions], colors, labels)


def _text(values: Sequence[float]) -> str:
    """Numbers with commas between them, without needless zeros."""
    return ",".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in values)


class _Lines(ABC):
    """A text file that is written as frames are tracked; it is opened with the first of them, since a box that cannot
    be tracked must not empty an earlier file."""

    def __init__(self, path: Path):
        self._path = path
        self._file: TextIO | None = None

    def write(self, index: int, predictions: Sequence[Prediction]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", buffering=1)
        self._file.write(self.lines(index, predictions))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @abstractmethod
    def lines(self, index: int, predictions: Sequence[Prediction]) -> str:
        """Text for the frame of this number, counted from 0."""


class _BoxLines(_Lines):
    """One line ``x,y,w,h`` a frame of the video; frames that were left out repeat the line before."""

    _line, _next = "", 0

    def lines(self, index: int, predictions: Sequence[Prediction]) -> str:
        left_out = self._line * (index - self._next)
        self._line, self._next = _text(predictions[0].box) + "\n", index + 1
        return left_out + self._line


class _MotLines(_Lines):
    """The layout of MOT Challenge."""

    def lines(self, index: int, predictions: Sequence[Prediction]) -> str:
        return "".join(
            f"{index + 1},{number},{_text(entry.box)},{_text([1.0 if entry.score is None else entry.score])},-1,-1,-1\n"
            for number, entry in enumerate(predictions, start=1)
        )


class _Lone:
    """A tracker of one target where one of several is expected."""

    def __init__(self, tracker: Tracker):
        self._tracker = tracker

    def init(self, frame: np.ndarray, boxes: Sequence[np.ndarray]) -> None:
        (box,) = boxes
        self._tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> list[Prediction]:
        return [self._tracker.update(frame)]


class _Timed:
    """A tracker whose updates are timed."""

    def __init__(self, tracker: MultiTracker):
        self._tracker, self.seconds = tracker, 0.0

    def init(self, frame: np.ndarray, boxes: Sequence[np.ndarray]) -> None:
        self._tracker.init(frame, boxes)

    def update(self, frame: np.ndarray) -> list[Prediction]:
        began = time.perf_counter()
        predictions = self._tracker.update(frame)
        self.seconds += time.perf_counter() - began
        return predictions
