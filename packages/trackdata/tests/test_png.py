"""The quick way to read a PNG gives what Pillow gives, or nothing."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from trackdata.errors import AnnotationError
from trackdata.labels import decode_labels, encode_labels
from trackdata.png import decode_plain_png

maps = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def written(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels: np.ndarray, color: int = 0, depth: int = 8, filters: int = 0, interlaced: int = 0) -> bytes:
    """A PNG put together by hand; ``filters`` is the first byte of every row."""
    height, width = pixels.shape
    rows = b"".join(bytes([filters]) + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    stream = zlib.compress(rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", stream[:9])
        + chunk(b"IDAT", stream[9:])
        + chunk(b"IEND", b"")
    )


@settings(max_examples=60)
@given(maps, st.integers(0, 9))
def test_palette_and_grey_images(labels, level):
    np.testing.assert_array_equal(decode_plain_png(encode_labels(labels)), labels)
    grey = written(Image.fromarray(labels), compress_level=level)
    found = decode_plain_png(grey)  # Pillow may have filtered the rows
    assert found is None or np.array_equal(found, labels)
    np.testing.assert_array_equal(decode_labels(grey, "a.png"), labels)
    np.testing.assert_array_equal(decode_plain_png(png(labels)), labels)


@settings(max_examples=40)
@given(maps, st.data())
def test_damaged_files_are_left_to_pillow(labels, data):
    intact = bytearray(encode_labels(labels))
    damaged = intact.copy()
    place = data.draw(st.integers(0, len(intact) - 1))
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    assert decode_plain_png(bytes(damaged)) is None
    assert decode_plain_png(bytes(intact[:place])) is None
    np.testing.assert_array_equal(decode_plain_png(bytes(intact) + b"more"), labels)


SMALL = np.array([[0, 1, 2], [3, 0, 1]], np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        png(SMALL, filters=1),
        png(SMALL, interlaced=1),
        png(SMALL, color=3),  # no palette
        png(SMALL, depth=4),
        png(SMALL, color=2),
        png(SMALL)[:-12] + chunk(b"IDAT", b"more") + chunk(b"IEND", b""),
        written(Image.new("RGB", (4, 3))),
        written(Image.new("1", (4, 3))),
        written(Image.new("I;16", (4, 3))),
        written(Image.new("P", (4, 3)), bits=4),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 1 << 30, 1 << 30, 8, 0, 0, 0, 0))
        + chunk(b"IEND", b""),
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"12345"))
        + chunk(b"IEND", b""),
    ],
)
def test_other_files(data):
    assert decode_plain_png(data) is None


def test_a_head_of_another_length_is_an_error():
    with pytest.raises(AnnotationError, match=r"a\.png"):
        decode_labels(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"short") + chunk(b"IEND", b""), "a.png")
