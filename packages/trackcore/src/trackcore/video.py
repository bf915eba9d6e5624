"""Frames in: videos, folders of images, cameras and network streams, all read the same way.

:func:`open_video` gives an iterator of :class:`Frame` that holds one frame at a time. Images are RGB ``uint8``
``(H, W, 3)``. Reading single image files lives in :mod:`trackcore.images` and writing in :mod:`trackcore.sinks`; their
names are repeated here, so that one import serves input and output.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from trackcore.images import IMAGE_SUFFIXES, FrameReadError, read_image, to_rgb
from trackcore.sinks import DEFAULT_FPS, FolderWriter, FrameSink, VideoWriter, open_sink

__all__ = [
    "DEFAULT_FPS",
    "FolderWriter",
    "Frame",
    "FrameReadError",
    "FrameSink",
    "FrameSource",
    "VideoWriter",
    "frame_image",
    "open_container",
    "open_sink",
    "open_video",
    "read_image",
    "to_rgb",
    "video_stream",
]

URL_SCHEMES = ("http", "https", "rtsp", "rtsps")
NETWORK_TIMEOUT_SECONDS = 10.0

OnError = Literal["raise", "skip"]

# One position of a source: its time in seconds, and a function that gives the image or raises FrameReadError. Positions
# that are not wanted are passed over without converting (or, in folders, reading) anything.
_Position = tuple[float, Callable[[], np.ndarray]]


@dataclass(frozen=True)
class Frame:
    """One frame of a source.

    Attributes:
        index: position in the source, counted from 0; a frame that cannot be read keeps its number.
        time: seconds since frame 0, from the container's time stamps or the camera's clock; folders have no clock and
            count ``index / DEFAULT_FPS``.
        image: RGB uint8 ``(H, W, 3)``.
    """

    index: int
    time: float
    image: np.ndarray


class FrameSource:
    """Frames from ``start`` to ``stop``, in order, one at a time; made by :func:`open_video`.

    A source is an iterator and is read once: open it again to start over. Use it as a context manager, or call
    :meth:`close`.

    Attributes:
        name: what is read, without credentials.
        fps: frames per second as the file or camera states it, or None.
        size: (height, width) of the first frame. Later images of a folder may differ in size.
        length: number of frames from ``start`` to ``stop`` as the folder or the file's header states it, None when
            unknown (cameras, streams, some containers). A header may be wrong; the end of the iteration decides.
        skipped: how many unreadable frames were left out so far (``on_error="skip"``).
    """

    def __init__(self, reader: _Reader, *, start: int, stop: int | None, on_error: OnError) -> None:
        self.name = reader.name
        self.fps = reader.fps
        self.length = None if reader.length is None else max(0, min(reader.length, stop or reader.length) - start)
        self.skipped = 0
        self._reader = reader
        self._positions = reader.positions()
        self._start, self._stop, self._on_error = start, stop, on_error
        self._next = 0
        try:
            self._first: Frame | None = self._advance()
        except BaseException:
            self.close()
            raise
        if self._first is None:
            self.close()
            raise FrameReadError(self._why_empty())
        self.size = self._first.image.shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame, self._first = self._first, None
        if frame is None:
            frame = self._advance()
        if frame is None:
            raise StopIteration
        return frame

    def __enter__(self) -> FrameSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file, camera or connection. Closing twice is harmless."""
        self._reader.close()

    def _advance(self) -> Frame | None:
        while self._stop is None or self._next < self._stop:
            position = next(self._positions, None)
            if position is None:
                break
            index, self._next = self._next, self._next + 1
            if index < self._start:
                continue
            seconds, load = position
            try:
                return Frame(index, seconds, load())
            except FrameReadError:
                if self._on_error == "raise":
                    raise
                self.skipped += 1
        return None

    def _why_empty(self) -> str:
        if self.skipped:
            return f"{self.name}: none of the {self.skipped} frames can be read"
        if self._next:
            return f"{self.name}: start={self._start} lies behind the last of its {self._next} frames"
        return f"{self.name}: holds no frames"


def open_video(
    source: str | Path | int, *, start: int = 0, stop: int | None = None, on_error: OnError = "raise"
) -> FrameSource:
    """Open a source of frames and read the first one.

    Args:
        source: a video file (anything FFmpeg reads; rotation metadata is applied), an image file, a folder of images
            (in the numeric order of their names, so that ``9.jpg`` comes before ``10.jpg``), a camera's number (``0``
            or ``"0"``), or an ``http``, ``https``, ``rtsp`` or ``rtsps`` address.
        start: first frame wanted. Videos are decoded up to it, which is exact where seeking by time is not.
        stop: the frame after the last one wanted, or None for all.
        on_error: what to do with a frame that cannot be decoded: ``"raise"``, or ``"skip"`` it and count it in
            ``FrameSource.skipped``. Live streams that lose packets want ``"skip"``.

    Raises:
        FrameReadError: the source does not exist, cannot be opened, or holds no frame in the range.
        ValueError: an empty range, an unknown ``on_error``, or an address of another scheme.
    """
    if start < 0 or (stop is not None and stop <= start):
        raise ValueError(f"a range of frames needs 0 <= start < stop, got start={start}, stop={stop}")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is 'raise' or 'skip', got {on_error!r}")
    return FrameSource(_reader(source), start=start, stop=stop, on_error=on_error)


class _Reader(Protocol):
    name: str
    fps: float | None
    length: int | None

    def positions(self) -> Iterator[_Position]: ...

    def close(self) -> None: ...


def _reader(source: str | Path | int) -> _Reader:
    if isinstance(source, int):
        return _Camera(source)
    text = str(source)
    if isinstance(source, str) and "://" in text:
        return _Container.of_address(text)
    path = Path(source)
    if path.is_dir():
        return _Images(path, list_images(path))
    if path.is_file():
        return _Images(path, [path]) if path.suffix.lower() in IMAGE_SUFFIXES else _Container.of_file(path)
    if text.isdecimal():
        return _Camera(int(text))
    raise FrameReadError(f"{source}: there is no such video file or folder of images")


def list_images(folder: Path) -> list[Path]:
    """The image files of a folder in the numeric order of their names. Raises FrameReadError when there are none."""

    def natural(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]

    found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != ".")
    if images := sorted(found, key=natural):
        return images
    raise FrameReadError(f"{folder}: the folder holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")


class _Images:
    """Image files, read one by one."""

    fps = None

    def __init__(self, path: Path, files: list[Path]) -> None:
        self.name = str(path)
        self.length = len(files)
        self._files = files

    def positions(self) -> Iterator[_Position]:
        for index, file in enumerate(self._files):
            yield index / DEFAULT_FPS, partial(read_image, file)

    def close(self) -> None:
        pass  # no file stays open between frames


def open_container(path: Path) -> av.container.InputContainer:
    """Open a video file with PyAV. Raises FrameReadError: FFmpeg does not read it."""
    try:  # an absolute path, because FFmpeg takes what stands before a colon for a protocol
        return av.open(str(path.absolute()), metadata_errors="replace")  # tags need not be UTF-8
    except (av.FFmpegError, OSError) as error:
        raise FrameReadError(f"{path}: is no video that FFmpeg reads ({error.strerror})") from error


def video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The first video stream of ``container``, which is closed when there is none. Raises FrameReadError."""
    # FFmpeg renders text files as videos of a terminal; a list of boxes is not what anyone wants to track in.
    if not container.streams.video or container.format.name == "tty":
        container.close()
        raise FrameReadError(f"{name}: holds no video stream")
    return container.streams.video[0]


def frame_image(frame: av.VideoFrame) -> np.ndarray:
    """A decoded frame as RGB uint8 ``(H, W, 3)``, turned upright as the file's rotation says."""
    image = frame.to_ndarray(format="rgb24")
    # The rotation is counter-clockwise, as is np.rot90's.
    return np.ascontiguousarray(np.rot90(image, frame.rotation // 90)) if frame.rotation % 360 else image


class _Container:
    """A video file or stream, decoded by FFmpeg (PyAV)."""

    def __init__(self, container: av.container.InputContainer, name: str) -> None:
        self.name = name
        self._container = container
        self._stream = video_stream(container, name)
        # Frame threads drop the errors of the last frames; slices report every one, at the same speed for small videos.
        self._stream.thread_type = "SLICE"
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate else None
        self.length = self._stream.frames or None

    @classmethod
    def of_file(cls, path: Path) -> _Container:
        return cls(open_container(path), str(path))

    @classmethod
    def of_address(cls, url: str) -> _Container:
        parts = urlsplit(url)
        name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if parts.scheme.lower() not in URL_SCHEMES:
            raise ValueError(f"{name}: addresses start with one of {', '.join(URL_SCHEMES)}")
        # UDP, the default of RTSP, loses packets on busy networks and is often blocked.
        options = {"rtsp_transport": "tcp"} if parts.scheme.lower().startswith("rtsp") else {}
        try:
            container = av.open(url, options=options, timeout=NETWORK_TIMEOUT_SECONDS)
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror
        else:
            return cls(container, name)
        # Raised outside the handler: FFmpeg's own error repeats the address with its password.
        raise FrameReadError(f"{name}: cannot be opened ({reason})")

    def positions(self) -> Iterator[_Position]:
        began = None
        for count, item in enumerate(self._decoded()):
            if isinstance(item, str):
                seconds = count / (self.fps or DEFAULT_FPS)
                load = partial(self._fail, count, item)
            else:
                stamp = count / (self.fps or DEFAULT_FPS) if item.time is None else item.time
                began = stamp if began is None else began
                seconds, load = stamp - began, partial(self._image, count, item)
            yield seconds, load

    def _decoded(self) -> Iterator[av.VideoFrame | str]:
        """Frames, and where one is lost the reason."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:  # the connection broke, or the file cannot be read on
                yield str(error.strerror)
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                yield str(error.strerror)
                continue
            yield from frames
            if packet.is_corrupt:  # the file ends in the middle of this packet
                yield "the data end in the middle of a frame"

    def _image(self, index: int, frame: av.VideoFrame) -> np.ndarray:
        if frame.is_corrupt:
            self._fail(index, "the decoder had to invent a part of it")
        return frame_image(frame)

    def _fail(self, index: int, reason: str) -> np.ndarray:
        raise FrameReadError(f"{self.name}: frame {index} cannot be decoded ({reason})")

    def close(self) -> None:
        self._container.close()


class _Camera:
    """A camera of this machine, read by OpenCV."""

    length = None

    def __init__(self, number: int) -> None:
        self.name = f"camera {number}"
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            self._capture.release()
            raise FrameReadError(f"{self.name}: cannot be opened; is it connected, and not used by another program?")
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or None

    def positions(self) -> Iterator[_Position]:
        began = None
        while self._capture.grab():
            now = time.monotonic()
            began = now if began is None else began
            yield now - began, self._retrieve
        if self._capture.isOpened():  # not closed by us: unplugged, or taken away
            yield 0.0 if began is None else time.monotonic() - began, self._fail

    def _retrieve(self) -> np.ndarray:
        ok, image = self._capture.retrieve()
        return to_rgb(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)) if ok else self._fail()

    def _fail(self) -> np.ndarray:
        raise FrameReadError(f"{self.name}: stopped giving frames")

    def close(self) -> None:
        self._capture.release()
