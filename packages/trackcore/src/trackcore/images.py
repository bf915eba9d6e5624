"""Image files as RGB uint8 arrays, and a clear error instead of grey pixels when a file is damaged."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})

_JPEG_START = b"\xff\xd8\xff"
# In entropy-coded data FF is followed by 00 (a stuffed FF), D0..D7 (restart) or FF (fill); anything else is a marker.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_END_OF_IMAGE, _TEMPORARY = 0xD9, 0x01


class FrameReadError(OSError):
    """A frame is missing, truncated or cannot be decoded; the message names the file, camera or address."""


def to_rgb(array: np.ndarray) -> np.ndarray:
    """Return an image as RGB uint8 ``(H, W, 3)``.

    Grey images repeat their channel, an alpha channel is dropped (not blended), bool becomes 0 and 255, and 16-bit
    values become ``round(value / 257)``, which maps 0..65535 onto 0..255 and undoes ``value * 257`` exactly.

    Args:
        array: ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA; uint8, uint16 or bool.

    Raises:
        ValueError: another shape or type. Floats are refused because their range (0..1 or 0..255) is not known.
    """
    image = np.asarray(array)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ValueError(f"an image has shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {np.shape(array)}")
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif image.dtype == bool:
        image = image.astype(np.uint8) * np.uint8(255)
    elif image.dtype != np.uint8:
        raise ValueError(
            f"an image holds uint8, uint16 or bool, got {image.dtype}; scale to 0..255 and convert to uint8"
        )
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[:, :, :3])


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as RGB uint8 ``(H, W, 3)``.

    For 8-bit files the pixels are those of ``cv2.imread(path, cv2.IMREAD_COLOR)`` in RGB order, which is what published
    trackers are trained and tested on: grey and palette images become colour, alpha is dropped, an EXIF orientation is
    applied. 16-bit files keep their range (see :func:`to_rgb`), where OpenCV would drop the low byte.

    Raises:
        FrameReadError: the file is missing, empty, truncated or no image, or holds floating-point pixels.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FrameReadError(f"{path}: there is no such image file") from None
    except OSError as error:
        raise FrameReadError(f"{path}: cannot be read ({error.strerror})") from error
    return decode_image(data, path)


def decode_image(data: bytes, source: str | Path) -> np.ndarray:
    """Decode the bytes of an image file as RGB uint8 ``(H, W, 3)``; pixels as :func:`read_image` has them.

    Args:
        data: the whole file.
        source: what to call it in errors.

    Raises:
        FrameReadError: the data are empty, truncated or no image, or hold floating-point pixels.
    """
    if not data:
        raise FrameReadError(f"{source}: the file is empty")
    # OpenCV may fill the missing part of a truncated JPEG with grey and report success; its other decoders fail.
    if data.startswith(_JPEG_START) and not _jpeg_is_complete(data):
        raise FrameReadError(f"{source}: the JPEG file is truncated (no end-of-image marker in {len(data)} bytes)")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise FrameReadError(f"{source}: OpenCV cannot decode the file ({error.err})") from error
    if image is None:
        raise FrameReadError(f"{source}: the file is damaged or in no image format that OpenCV reads")
    if image.dtype not in (np.uint8, np.uint16):
        raise FrameReadError(f"{source}: pixels are {image.dtype}; convert the file to 8 or 16 bit")
    return to_rgb(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether the end-of-image marker is reached by walking the segments.

    Searching for the marker's bytes would be wrong both ways: an embedded thumbnail has one of its own, and cameras
    append data after it.
    """
    position = 2
    while (found := _MARKER.search(data, position)) is not None:
        marker, position = found.group(1)[0], found.end()
        if marker == _END_OF_IMAGE:
            return True
        if marker == _TEMPORARY:  # the one other marker without a length
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > len(data):
            return False
        position += length  # a scan's data follows its header and is searched for the next marker
    return False
