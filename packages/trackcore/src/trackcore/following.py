"""Run a tracker over a stream of frames, and keep what it says: overlay video, text file of boxes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackcore.overlay import draw_box, draw_mask
from trackcore.tracker import Prediction, Tracker
from trackcore.video import DEFAULT_FPS, Frame, FrameReadError, FrameSource, open_sink, open_video


@dataclass(frozen=True)
class Followed:
    """What a run over a video came to.

    Attributes:
        frames: frames seen, the first included.
        skipped: frames that could not be decoded and were left out.
        seconds: time spent in the tracker's updates alone.
        score: mean score over the tracked frames, None for trackers without scores.
        interrupted: True when Ctrl-C ended it; everything up to then is kept.
    """

    frames: int
    skipped: int
    seconds: float
    score: float | None
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
    for number, frame in enumerate(frames):
        if number == 0:
            tracker.init(frame.image, box)
            yield frame, Prediction(box=np.asarray(box, np.float64), score=1.0)
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
    count, total_score, scored, interrupted = 0, 0.0, 0, False
    line, last_index = "", 0  # of the frame before
    with ExitStack() as stack:
        frames = source if isinstance(source, FrameSource) else stack.enter_context(open_video(source, on_error="skip"))
        if frames.skipped:
            raise FrameReadError(f"{frames.name}: the first frame, in which the box lies, cannot be read")
        sink = stack.enter_context(open_sink(output, frames.fps or DEFAULT_FPS)) if output is not None else None
        lines = None
        timed = _Timed(tracker)
        try:
            for frame, prediction in follow(timed, frames, box):
                count += 1
                if count > 1 and prediction.score is not None:
                    total_score, scored = total_score + prediction.score, scored + 1
                if boxes is not None:
                    if lines is None:  # only now: a box that cannot be tracked must not empty an earlier file
                        Path(boxes).parent.mkdir(parents=True, exist_ok=True)
                        lines = stack.enter_context(Path(boxes).open("w", buffering=1))
                    else:
                        lines.write(line * (frame.index - last_index - 1))
                    line, last_index = _text(prediction.box), frame.index
                    lines.write(line)
                if sink is not None:
                    label = None if prediction.score is None else f"{prediction.score:.2f}"
                    image = frame.image if prediction.mask is None else draw_mask(frame.image, prediction.mask)
                    sink.write(draw_box(image, prediction.box, label=label))
                if on_frame is not None:
                    on_frame(frame, prediction)
        except KeyboardInterrupt:
            interrupted = True
        skipped = frames.skipped
    score = total_score / scored if scored else None
    return Followed(count, skipped, timed.seconds, score, interrupted)


def _text(box: np.ndarray) -> str:
    """A line of a box file, without needless zeros."""
    return ",".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in box) + "\n"


class _Timed:
    """A tracker whose updates are timed."""

    def __init__(self, tracker: Tracker):
        self._tracker, self.seconds = tracker, 0.0

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        self._tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> Prediction:
        began = time.perf_counter()
        prediction = self._tracker.update(frame)
        self.seconds += time.perf_counter() - began
        return prediction
