"""Single frames of video files, decoded from the key frame before them.

Frame ``k`` is the frame that :func:`trackcore.video.open_video` gives the number ``k``. A file is opened for each call
and closed before it returns, so that nothing is shared with other processes or kept between calls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from trackcore.video import FrameReadError, frame_image, open_container, open_video, video_stream
from trackdata.sequences import Frames

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})


@dataclass(frozen=True)
class ClipInfo:
    """What a video file holds.

    Attributes:
        frames: number of frames, counted and not taken from the header.
        fps: frames per second, None when the file does not say.
        duration: seconds from the first frame to the end of the last one, None when the file has no clock.
        size: (height, width) of the first frame as it is shown, in pixels.
    """

    frames: int
    fps: float | None
    duration: float | None
    size: tuple[int, int]


@dataclass(frozen=True)
class ClipFrames:
    """Frames of a video file. Slicing is not offered; :func:`read_frames` reads several at once.

    Attributes:
        path: the file.
        count: its number of frames, as :func:`inspect_clip` counts them.
    """

    path: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        return read_clip(self.path, [range(self.count)[index]])[0]  # range: negative indices, IndexError beyond


def read_frames(frames: Frames, indices: Sequence[int]) -> list[np.ndarray]:
    """Several frames of one sequence, in the order asked for; a video file is opened once and a frame read once.

    Raises:
        FrameReadError: a frame cannot be read.
        IndexError: there is no such frame.
    """
    if isinstance(frames, ClipFrames):
        return read_clip(frames.path, [range(frames.count)[index] for index in indices])
    images = {index: frames[index] for index in dict.fromkeys(indices)}
    return [images[index] for index in indices]


def read_clip(path: str | Path, indices: Sequence[int]) -> list[np.ndarray]:
    """Frames of a video file as RGB uint8 ``(H, W, 3)``, in the order asked for, rotation applied.

    Only the wanted frames are converted; at most these and the decoder's own few are in memory.

    Args:
        path: anything FFmpeg reads.
        indices: zero-based frame numbers, in any order, possibly repeated.

    Raises:
        FrameReadError: the file is no video, has no such frame, or the frame cannot be decoded.
    """
    path = Path(path)
    wanted = set(indices)
    if min(wanted, default=0) < 0:
        raise ValueError(f"frames are counted from 0, got {min(wanted)}")
    with _Clip(path) as clip:
        if clip.stamps:
            images = clip.read(wanted)
            return [images[index] for index in indices]
    images = {}
    for index in sorted(wanted):  # nothing tells the frames apart but their order
        with open_video(path, start=index, stop=index + 1) as source:
            images[index] = next(source).image
    return [images[index] for index in indices]


def inspect_clip(path: str | Path) -> ClipInfo:
    """Count a video's frames and decode the first one; the others are not decoded.

    Raises:
        FrameReadError: the file is no video, holds no frame, or the first one cannot be decoded.
    """
    path = Path(path)
    with _Clip(path) as clip:
        fps = clip.fps
        if clip.stamps:
            return ClipInfo(len(clip.stamps), fps, clip.duration, clip.read({0})[0].shape[:2])
    with open_video(path, on_error="skip") as source:  # only reading all of it tells
        size, count = source.size, 1 + max(frame.index for frame in source)
    return ClipInfo(count, fps, count / fps if fps else None, size)


class _Clip:
    """An open video file whose packets have been listed.

    Attributes:
        stamps: display times of all frames in units of the stream, ascending; empty when they do not identify frames.
        fps: frames per second or None.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate else None
        try:
            shown = (packet for packet in self._container.demux(self._stream) if _shows_a_frame(packet))
            times = [(packet.pts, packet.is_keyframe) for packet in shown]
        except (av.FFmpegError, OSError) as error:
            self._container.close()
            raise FrameReadError(f"{path}: cannot be read to its end ({error.strerror})") from error
        stamps = {stamp for stamp, _ in times}
        known = None not in stamps and len(stamps) == len(times) and any(is_key for _, is_key in times)
        self.stamps: list[int] = sorted(stamps) if known else []
        self._keys = sorted(stamp for stamp, is_key in times if is_key) if known else []

    def _open(self) -> None:
        self._container = open_container(self._path)
        self._stream = video_stream(self._container, str(self._path))
        codec = self._stream.codec_context
        if codec is None:
            self._container.close()
            raise FrameReadError(f"{self._path}: this FFmpeg has no decoder for it")
        codec.thread_count = 1  # loader processes are the parallelism
        try:
            codec.open(strict=False)  # now, because AV1's decoder keeps for good what it is told to skip first
        except av.FFmpegError as error:
            self._container.close()
            raise FrameReadError(f"{self._path}: the decoder cannot be started ({error.strerror})") from error

    @property
    def duration(self) -> float | None:
        """Seconds from the first frame to the end of the last one."""
        if not self.stamps or not self.fps:
            return None
        return float((self.stamps[-1] - self.stamps[0]) * self._stream.time_base) + 1 / self.fps

    def read(self, wanted: Set[int]) -> dict[int, np.ndarray]:
        """The wanted frames by number. Raises FrameReadError."""
        if wanted and max(wanted) >= len(self.stamps):
            raise FrameReadError(f"{self._path}: there is no frame {max(wanted)}, the file has {len(self.stamps)}")
        by_key: dict[int, dict[int, int]] = {}
        for index in wanted:
            stamp = self.stamps[index]
            key = self._keys[max(0, bisect_right(self._keys, stamp) - 1)]
            by_key.setdefault(key, {})[stamp] = index
        images: dict[int, np.ndarray] = {}
        for key, numbers in by_key.items():
            self._container.seek(key, stream=self._stream)
            images |= self._decode(numbers, skip=True)
        if lacking := {self.stamps[index]: index for index in wanted if index not in images}:
            # From the start: not every file can be sought in exactly, not every key frame be started from (gradual
            # refresh), and some decoders err when frames are skipped.
            self._container.close()
            self._open()
            images |= self._decode(lacking, skip=False)
        if lost := sorted(wanted - images.keys()):
            raise FrameReadError(f"{self._path}: frame {lost[0]} cannot be decoded ({self._complaint})")
        return images

    def _decode(self, numbers: Mapping[int, int], *, skip: bool) -> dict[int, np.ndarray]:
        """Decode from here until the frames with the time stamps in ``numbers`` have come; gives them by number.

        With ``skip``, frames that no other frame refers to are not decoded on the way.
        """
        images: dict[int, np.ndarray] = {}
        self._complaint = "the decoder gives no picture for it"
        for packet in self._container.demux(self._stream):
            passed_over = skip and packet.pts is not None and packet.pts not in numbers
            self._stream.codec_context.skip_frame = "NONREF" if passed_over else "DEFAULT"
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                self._complaint = error.strerror
                continue
            for frame in frames:
                if frame.pts in numbers and frame.is_corrupt:
                    self._complaint = "the decoder had to invent a part of it"
                elif frame.pts in numbers:
                    images[numbers[frame.pts]] = frame_image(frame)
            if len(images) == len(numbers):
                break
        return images

    def __enter__(self) -> _Clip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()


def _shows_a_frame(packet: av.Packet) -> bool:
    """Not the end marker, not before the start of an edit list, not cut off by the end of the file."""
    return packet.size > 0 and not packet.is_discard and not packet.is_corrupt
