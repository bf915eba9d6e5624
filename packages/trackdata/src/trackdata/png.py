"""The usual label map read quickly: an 8-bit PNG of palette indices or grey levels whose rows are not filtered.

That is what Pillow, OpenCV and MATLAB write for palette images. Pillow inflates a PNG row by row and copies the result
twice; here it is inflated at once. Everything else, damaged files included, is left to Pillow.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3  # colour types
_CHECKSUM = 4  # bytes at the end of a zlib stream
_LARGEST = 1 << 27  # pixels; more may be a decompression bomb, about which Pillow warns


def decode_plain_png(data: bytes) -> np.ndarray | None:
    """``(H, W)`` uint8 values of the pixels, or None for a file of another kind, or one that is damaged."""
    chunks = _chunks(data)
    if chunks is None or len(chunks[0][1]) != 13:
        return None
    width, height, depth, color, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    kinds = [kind for kind, _ in chunks]
    usual = color == _GREY or (color == _PALETTE and b"PLTE" in kinds)
    if not usual or depth != 8 or any(rest) or not 0 < width * height <= _LARGEST:
        return None
    rows = _inflate(b"".join(content for kind, content in chunks if kind == b"IDAT"), height * (width + 1))
    if rows is None:
        return None
    rows = np.frombuffer(rows, dtype=np.uint8).reshape(height, width + 1)
    return None if rows[:, 0].any() else rows[:, 1:].copy()  # the first byte of a row is its filter


def _chunks(data: bytes) -> list[tuple[bytes, memoryview]] | None:
    """(kind, content) of every chunk from IHDR to IEND, each with the right checksum; None when that is not so."""
    if not data.startswith(_SIGNATURE):
        return None
    view, position, chunks = memoryview(data), len(_SIGNATURE), []
    while position + 12 <= len(data):
        [length] = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        kind = data[position + 4 : position + 8]
        if end + 4 > len(data) or zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return None
        chunks.append((kind, view[position + 8 : end]))
        if kind == b"IEND":
            return chunks if chunks[0][0] == b"IHDR" else None
        position = end + 4
    return None


def _inflate(stream: bytes, size: int) -> bytes | None:
    """The ``size`` bytes a zlib stream holds; None when it holds something else.

    Its own checksum, over the inflated bytes, is not computed: those of the chunks have told that it is undamaged.
    """
    if len(stream) < 6 or stream[0] & 0x0F != 8 or stream[1] & 0x20 or int.from_bytes(stream[:2], "big") % 31:
        return None
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(stream[2:], size + 1)
    except zlib.error:
        return None
    complete = len(content) == size and inflater.eof and len(inflater.unused_data) == _CHECKSUM
    return content if complete else None
