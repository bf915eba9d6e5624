"""Frames out: a video file or a folder of numbered images. Nothing half-written stands under a final name."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import av
import cv2
import numpy as np

from trackcore.images import IMAGE_SUFFIXES
from trackcore.tracker import check_frame

DEFAULT_FPS = 30.0

# suffix -> FFmpeg's name of the container
_VIDEO_FORMATS = {".avi": "avi", ".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}


class FrameSink(Protocol):
    """Takes RGB uint8 frames. As a context manager it closes at the end, or discards what it can after an exception."""

    def write(self, image: np.ndarray) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_sink(path: str | Path, fps: float | None = None) -> FrameSink:
    """A sink for ``path``: a video file for ``.mp4 .mkv .mov .avi``, a folder of JPEG images for a name without suffix.

    Args:
        path: what to write. Missing parent folders are made.
        fps: frames per second of the video; None (a source that does not state its rate) means ``DEFAULT_FPS``.

    Raises:
        ValueError: another suffix, or a rate that is not positive.
        FileExistsError: the folder already holds images.
    """
    path = Path(path)
    if path.is_dir() or not path.suffix:
        return FolderWriter(path)
    return VideoWriter(path, DEFAULT_FPS if fps is None else fps)


class VideoWriter:
    """Writes an H.264 video (MPEG-4 part 2 where FFmpeg was built without x264), 4:2:0.

    The encoder opens at the first frame and takes its size; 4:2:0 needs even sizes, so an odd width or height grows by
    one repeated column or row. Frames go to a hidden file beside ``path``, which takes the final name in :meth:`close`;
    leaving a ``with`` block by an exception, or writing no frame at all, leaves no file.

    Args:
        path: the file; its suffix, one of ``.mp4 .mkv .mov .avi``, selects the container. An existing file is replaced.
        fps: frames per second.
        key_frame_every: most frames from one key frame to the next, None for the encoder's choice (250). A single frame
            can only be decoded from the key frame before it, so small numbers make reading single frames cheap.

    Raises:
        ValueError: an unknown suffix, a rate that is not positive, or a distance of key frames below 1.
    """

    def __init__(self, path: str | Path, fps: float, *, key_frame_every: int | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in _VIDEO_FORMATS:
            raise ValueError(f"{path}: a video's suffix is one of {', '.join(_VIDEO_FORMATS)}; a folder has none")
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"{path}: frames per second must be positive, got {fps}")
        if key_frame_every is not None and key_frame_every < 1:
            raise ValueError(f"{path}: key frames are at least 1 frame apart, got {key_frame_every}")
        self._rate = Fraction(fps).limit_denominator(1001)  # 29.97 becomes 30000/1001
        self._key_frame_every = key_frame_every
        self._partial = self.path.with_name(f".{self.path.stem}.partial{self.path.suffix}")
        self._size: tuple[int, int] | None = None
        self._closed = False

    def write(self, image: np.ndarray) -> None:
        """Append an RGB uint8 frame ``(H, W, 3)``.

        Raises:
            ValueError: the frame is no RGB image, its size differs from the first one's, or the writer is closed.
            OSError: the file cannot be written (a full disk); nothing is left of it.
        """
        if self._closed:
            raise ValueError(f"{self.path}: the video is closed")
        size = check_frame(image).shape[:2]
        if self._size is None:
            self._open(size)
        elif size != self._size:
            raise ValueError(
                f"{self.path}: all frames of a video have one size; it began with {self._size[1]} x {self._size[0]} "
                f"and now gets {size[1]} x {size[0]}. Resize the frames, or write a folder of images"
            )
        if size[0] % 2 or size[1] % 2:
            image = np.pad(image, ((0, size[0] % 2), (0, size[1] % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.FFmpegError) as error:
            self.discard()
            raise self._failure(error) from error

    def close(self) -> None:
        """Finish the video and give it its name. Closing twice is harmless. Raises OSError as :meth:`write` does."""
        if self._closed:
            return
        if self._size is not None:
            try:
                self._container.mux(self._stream.encode())
                self._container.close()
                self._file.close()
                self._partial.replace(self.path)
            except (OSError, av.FFmpegError) as error:
                self.discard()
                raise self._failure(error) from error
        self._closed = True

    def discard(self) -> None:
        """Stop without leaving a file."""
        if self._size is not None and not self._closed:
            with contextlib.suppress(OSError, av.FFmpegError):  # closing flushes once more into a file that goes anyway
                self._container.close()
            with contextlib.suppress(OSError):
                self._file.close()
            self._partial.unlink(missing_ok=True)
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _open(self, size: tuple[int, int]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # FFmpeg writes through this file object, because its own input and output report a full disk too late.
            self._file = self._partial.open("wb")
        except OSError as error:
            self._closed = True
            raise self._failure(error) from error
        self._container = av.open(self._file, "w", format=_VIDEO_FORMATS[self.path.suffix.lower()])
        if "libx264" in av.codecs_available:
            self._stream = self._container.add_stream(
                "libx264", rate=self._rate, options={"crf": "18", "preset": "veryfast"}
            )
        else:
            self._stream = self._container.add_stream("mpeg4", rate=self._rate, options={"qmin": "2", "qmax": "4"})
        self._stream.height, self._stream.width = size[0] + size[0] % 2, size[1] + size[1] % 2
        self._stream.pix_fmt = "yuv420p"
        if self._key_frame_every is not None:
            self._stream.codec_context.gop_size = self._key_frame_every
        self._size = size

    def _failure(self, error: OSError | av.FFmpegError) -> OSError:
        return OSError(error.errno, f"the video cannot be written: {error.strerror}", str(self.path))


class FolderWriter:
    """Writes frames as ``00000001.jpg``, ``00000002.jpg`` ... into a folder. Frames may differ in size.

    Args:
        path: the folder, made when missing.
        suffix: format of the images; ``.png`` keeps every pixel, ``.jpg`` is written at quality 95.

    Raises:
        FileExistsError: the folder already holds images, which would mix with the new ones.
        ValueError: an unknown suffix.
    """

    def __init__(self, path: str | Path, suffix: str = ".jpg") -> None:
        self.path = Path(path)
        if suffix not in IMAGE_SUFFIXES:
            raise ValueError(f"{suffix!r} is no image suffix; choose one of {', '.join(sorted(IMAGE_SUFFIXES))}")
        self.path.mkdir(parents=True, exist_ok=True)
        if any(file.suffix.lower() in IMAGE_SUFFIXES for file in self.path.iterdir()):
            raise FileExistsError(f"{self.path}: the folder already holds images; choose another or empty it")
        self._suffix = suffix
        self._count = 0

    def write(self, image: np.ndarray) -> None:
        """Write the next RGB uint8 frame ``(H, W, 3)``.

        Raises:
            ValueError: the frame is no RGB image.
            OSError: the image cannot be written (a full disk); the frames before it stay.
        """
        _, data = cv2.imencode(self._suffix, cv2.cvtColor(check_frame(image), cv2.COLOR_RGB2BGR))
        target = self.path / f"{self._count + 1:08d}{self._suffix}"
        partial = target.with_suffix(".partial")
        try:
            partial.write_bytes(data.tobytes())
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OSError(error.errno, f"the frame cannot be written: {error.strerror}", str(target)) from error
        self._count += 1

    def close(self) -> None:
        """Nothing is pending: every frame is on disk when :meth:`write` returns."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
