"""Frames of a video file for trackers and samplers alike: in order at the decoder's speed, and any frame on its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackcore.video import FrameReadError, FrameSource, open_video
from trackdata.clips import ClipFrames, inspect_clip, read_clip
from trackdata.errors import AnnotationError
from trackdata.storage.processes import PerProcess

_SKIPPED = 32  # frames that are decoded and passed over rather than sought


@dataclass(frozen=True)
class VideoFrames(ClipFrames):
    """Frames of a video file. Whoever asks for frame 0 and then for the next ones is served by one decoder that runs
    on; other frames are decoded from the key frame before them, which takes as long as up to hundreds of frames.

    One decoder is open in a process, that of the video which was last begun.
    """

    def __getitem__(self, index: int) -> np.ndarray:
        index = range(self.count)[index]  # negative indices, IndexError beyond
        image = _RUNNING.get(None).read(self.path, index, last=index == self.count - 1)
        return read_clip(self.path, [index])[0] if image is None else image


def open_frames(path: str | Path) -> VideoFrames:
    """The frames of a video file, which is read through once to count them.

    Raises:
        AnnotationError: the file is missing, no video, or holds no frame.
    """
    path = Path(path).absolute()
    try:
        return VideoFrames(path, inspect_clip(path).frames)
    except FrameReadError as error:
        raise AnnotationError(str(error)) from error


class _Running:
    """The open decoder of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: FrameSource | None = None
        self._path = Path()
        self._next = 0

    def read(self, path: Path, index: int, *, last: bool) -> np.ndarray | None:
        """Frame ``index``, or None when it is not among the next ones, or has no picture. After the ``last`` one of a
        video its decoder is closed."""
        with self._lock:
            follows = self._source is not None and path == self._path and 0 <= index - self._next <= _SKIPPED
            if not follows and index != 0:
                return None
            try:
                if not follows:
                    self._close()
                    self._source, self._path, self._next = open_video(path), path, 0
                frame = next((frame for frame in self._source if frame.index >= index), None)
            except FrameReadError:  # told by whoever reads this frame on its own
                frame = None
            if frame is None or last:
                self._close()
            if frame is None or frame.index != index:
                return None
            self._next = index + 1
            return frame.image

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None


_RUNNING: PerProcess[_Running] = PerProcess(lambda _: _Running())
