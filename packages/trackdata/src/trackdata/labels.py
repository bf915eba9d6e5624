"""Label maps and masks: PNG files whose pixels are numbers of objects, 0 where there is none.

Published sets keep them as palette images (the index is the object, the colour only decoration), as grey images (the
grey level is the object, or 255 for the only one) and, for more than 255 objects, as 16-bit grey images.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from trackdata.errors import AnnotationError
from trackdata.png import decode_plain_png
from trackdata.storage import Store, read_annotation
from trackdata.writing import write_atomically

_LARGEST = 65535
_GREY_STEPS = {"L;2": 85, "L;4": 17}  # Pillow stretches grey levels of less than 8 bits to 0..255


def _make_palette() -> np.ndarray:
    numbers = np.arange(256)
    palette = np.zeros((256, 3), np.int64)
    for place in range(8):
        for channel in range(3):
            palette[:, channel] |= ((numbers >> (3 * place + channel)) & 1) << (7 - place)
    palette = palette.astype(np.uint8)
    palette.flags.writeable = False
    return palette


DAVIS_PALETTE = _make_palette()
"""``(256, 3)`` uint8 RGB, the colours of PASCAL VOC and DAVIS 2017: from the lowest on, the bits of an object's number
are the highest bit of red, green and blue, then the second highest of each, and so on."""


def _decode(data: bytes, source: str | Path) -> tuple[Image.Image, str]:
    """The image, and how its pixels are packed in the file."""
    try:
        image = Image.open(io.BytesIO(data))
        packed = next((tile[3] for tile in image.tile), "")  # gone once the pixels are loaded
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise AnnotationError(f"{source}: the file is damaged or no image ({error})") from error
    return image, packed if isinstance(packed, str) else ""


def decode_labels(data: bytes, source: str | Path) -> np.ndarray:
    """A label map from the bytes of an image file.

    Args:
        data: the whole file: a palette, grey, black-and-white or 16-bit grey image.
        source: what to call it in errors.

    Returns:
        ``(H, W)`` object numbers, uint8, or uint16 for 16-bit files. Black and white are 0 and 1.

    Raises:
        AnnotationError: the file is damaged, or holds colours, which say nothing about numbers.
    """
    plain = decode_plain_png(data)
    if plain is not None:
        return plain
    image, packed = _decode(data, source)
    if image.mode in ("P", "L", "1"):
        labels = np.array(image, np.uint8)
        return labels // np.uint8(_GREY_STEPS[packed]) if packed in _GREY_STEPS else labels
    if image.mode.startswith("I"):
        labels = np.array(image)
        if labels.min() < 0 or labels.max() > _LARGEST:
            raise AnnotationError(f"{source}: numbers of objects must lie in 0..{_LARGEST}")
        return labels.astype(np.uint16)
    raise AnnotationError(
        f"{source}: the image is {image.mode}, but a label map has one number a pixel (palette or grey); "
        "convert its colours to numbers first"
    )


def decode_mask(data: bytes, source: str | Path) -> np.ndarray:
    """``(H, W)`` bool, True where a label map or an image of one object is not 0 (in colour images: not black).

    Raises:
        AnnotationError: the file is damaged.
    """
    image, _ = _decode(data, source)
    pixels = np.asarray(image.convert("RGB") if image.mode in ("RGBA", "LA") else image)
    return pixels.any(axis=2) if pixels.ndim == 3 else pixels != 0


def decode_grey(data: bytes, source: str | Path) -> np.ndarray:
    """``(H, W)`` uint8 grey levels of an image; palette and colour images become grey by their luminance.

    Raises:
        AnnotationError: the file is damaged.
    """
    return np.array(_decode(data, source)[0].convert("L"))


def decode_palette(data: bytes, source: str | Path) -> np.ndarray | None:
    """``(N, 3)`` uint8 RGB colours of a palette image, N at most 256; None for other images.

    Raises:
        AnnotationError: the file is damaged.
    """
    image, _ = _decode(data, source)
    colours = image.getpalette("RGB") if image.mode == "P" else None
    return None if colours is None else np.array(colours, np.uint8).reshape(-1, 3)


def read_labels(store: Store, key: str) -> np.ndarray:
    """A label map of a store; see :func:`decode_labels`. Raises AnnotationError naming the file."""
    return decode_labels(read_annotation(store, key), store.where(key))


def read_size(store: Store, key: str) -> tuple[int, int]:
    """(height, width) of an image in pixels, from its header alone. Raises AnnotationError naming the file."""
    try:
        with Image.open(io.BytesIO(read_annotation(store, key))) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise AnnotationError(f"{store.where(key)}: the file is damaged or no image ({error})") from error


def encode_labels(labels: np.ndarray, palette: np.ndarray | None = DAVIS_PALETTE) -> bytes:
    """A label map as a PNG file: 8-bit while all numbers fit, else 16-bit grey.

    Args:
        labels: ``(H, W)`` bool or integers from 0 to 65535.
        palette: ``(N, 3)`` uint8 colours of the numbers 0 to N - 1, N at most 256; others become black. None writes
            a grey image. 16-bit images have no palette.

    Raises:
        ValueError: another shape or type, or a number out of range.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or 0 in labels.shape or labels.dtype.kind not in "bui":
        raise ValueError(f"a label map is an (H, W) array of integers, got {labels.dtype} {labels.shape}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > _LARGEST:
        raise ValueError(f"numbers of objects must lie in 0..{_LARGEST}, got {low}..{high}")
    image = Image.fromarray(labels.astype(np.uint16 if high > 255 else np.uint8))
    if palette is not None and high <= 255:
        colours = np.zeros((max(high + 1, len(palette)), 3), np.uint8)  # Pillow cuts numbers that have no colour
        colours[: len(palette)] = palette
        image.putpalette(colours.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def write_labels(path: str | Path, labels: np.ndarray, palette: np.ndarray | None = DAVIS_PALETTE) -> None:
    """Write a label map as a PNG file; see :func:`encode_labels`. Folders are made when missing.

    Raises:
        ValueError: as :func:`encode_labels`.
        OSError: the file cannot be written.
    """
    write_atomically(Path(path), encode_labels(labels, palette))
