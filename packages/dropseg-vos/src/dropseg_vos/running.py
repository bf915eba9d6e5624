"""Segment a video from a source of frames and keep what comes out: label maps, an overlay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dropseg_vos.baselines import Follower
from dropseg_vos.overlays import draw_labels
from trackcore.sinks import DEFAULT_FPS, open_sink
from trackcore.tracker import Prediction
from trackcore.video import Frame, FrameReadError, FrameSource, list_images, open_video
from trackdata.labels import write_labels

GivenMask = np.ndarray | Callable[[np.ndarray], np.ndarray]
"""A label map ``(H, W)``, or a function that makes one of its frame (RGB uint8)."""


@dataclass(frozen=True)
class Segmented:
    """What a run over a video came to.

    Attributes:
        frames: frames segmented, those with given masks included.
        skipped: frames that could not be decoded and were left out.
        seconds: time spent in the segmenter after the first frame.
        interrupted: True when Ctrl-C ended it; everything up to then is kept.
    """

    frames: int
    skipped: int
    seconds: float
    interrupted: bool = False

    @property
    def rate(self) -> float:
        """Frames per second, decoding, writing and drawing not counted; 0 when there was one frame."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 and self.frames > 1 else 0.0


def follow(
    segmenter: Follower,
    frames: Iterable[Frame],
    masks: Mapping[int, GivenMask],
    *,
    batch: int = 1,
    on_time: Callable[[float], None] = lambda seconds: None,
) -> Iterator[tuple[Frame, Prediction]]:
    """Yield every frame from the first one with a mask on, with what is found in it.

    Args:
        segmenter: a :class:`~dropseg_vos.segmenter.Segmenter` or a baseline; what it followed before is forgotten.
        frames: any iterator of frames, read as they are needed.
        masks: label maps of objects by the index of the frame in which they are given.
        batch: frames without a mask that are segmented in one pass.
        on_time: told the seconds that each call of the segmenter took.

    Raises:
        ValueError: a frame or mask cannot be used, or the frame of a mask never came (MaskError, FrameReadError).
    """
    segmenter.reset()
    waiting: list[Frame] = []
    awaited = set(masks)

    def timed(function, *arguments):
        began = time.perf_counter()
        result = function(*arguments)
        on_time(time.perf_counter() - began)
        return result

    def flush() -> Iterator[tuple[Frame, Prediction]]:
        if waiting:
            found = timed(segmenter.update_many, [frame.image for frame in waiting])
            yield from zip(waiting, found, strict=True)
            waiting.clear()

    for frame in frames:
        if frame.index in masks:
            awaited.discard(frame.index)
            yield from flush()
            given = masks[frame.index]
            mask = given(frame.image) if callable(given) else given
            yield frame, timed(segmenter.update, frame.image, mask)
        elif segmenter.objects:
            waiting.append(frame)
            if len(waiting) >= batch:
                yield from flush()
    yield from flush()
    if awaited:
        raise FrameReadError(f"frame {min(awaited)}, for which a mask is given, is not there or cannot be read")


def segment_video(
    segmenter: Follower,
    source: str | Path | int | FrameSource,
    masks: Mapping[int, GivenMask],
    *,
    output: str | Path | None = None,
    overlay: str | Path | None = None,
    batch: int = 1,
    on_frame: Callable[[Frame, Prediction], None] | None = None,
) -> Segmented:
    """Segment a video; memory does not grow with its length.

    Args:
        segmenter: as for :func:`follow`.
        source: see :func:`trackcore.video.open_video`; a name is opened so that unreadable frames are left out.
        masks: label maps of objects by the index of the frame in which they are given, the first frame being 0.
        output: folder for label maps as PNG files, palette images while all numbers are below 256, else 16-bit: called
            as the images of a folder are, else ``00000.png`` and on.
        overlay: video (by suffix) or folder of frames to write.
        batch: frames that are segmented in one pass.
        on_frame: called after each frame.

    Raises:
        FrameReadError: the source cannot be read, or a frame with a mask.
        ValueError: no mask, or one that cannot be used (MaskError).
        OSError: an output cannot be written.
    """
    if not masks:
        raise ValueError("a video needs a mask in one of its frames")
    count, seconds, interrupted = 0, [], False
    with ExitStack() as stack:
        frames = source if isinstance(source, FrameSource) else stack.enter_context(open_video(source, on_error="skip"))
        names = _names(frames)
        fps = frames.fps or DEFAULT_FPS
        sink = stack.enter_context(open_sink(overlay, fps)) if overlay is not None else None
        try:
            for frame, prediction in follow(segmenter, frames, masks, batch=batch, on_time=seconds.append):
                count += 1
                labels = prediction.extras["labels"]
                if output is not None:
                    write_labels(Path(output) / f"{names(frame.index)}.png", labels)
                if sink is not None:
                    sink.write(draw_labels(frame.image, labels))
                if on_frame is not None:
                    on_frame(frame, prediction)
        except KeyboardInterrupt:
            interrupted = True
        skipped = frames.skipped
    return Segmented(count, skipped, sum(seconds[1:]), interrupted)


def _names(frames: FrameSource) -> Callable[[int], str]:
    """What the label map of a frame is called, without ending."""
    folder = Path(frames.name)
    if not folder.is_dir():
        return lambda index: f"{index:05d}"
    stems = [file.stem for file in list_images(folder)]
    return stems.__getitem__
