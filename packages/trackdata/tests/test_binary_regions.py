"""Binary trajectories, on bytes that the VOT toolkit wrote for known regions."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from trackdata.binary_regions import parse_binary_regions
from trackdata.errors import AnnotationError
from trackdata.regions import Code, Mask, Polygon, Rectangle

HEAD = "0100"
# As a tracker reported them through TraX on frames of 160 x 120, after the code of the first frame.
MASKS = (
    "00010000000314000a0003000200040000000400010001000300000000030001000200000003000300000000000000000100000003000005"
    "00a0005f0004000000231c01003c1f0300000000a000780002000000004b0305000500010001000200000001000304000500030003000600"
    "0100010001000100040001000300000000a0007800040000000100fe4a0100"
)
FULL = "03000000008002e0010a00000001fe000001fe000001fe000001fe0000fcb7"  # all of 640 x 480
CORNERS = "03000000008002e0010c000000010001fe000001fe000001fe000001fe0000fab70100"  # its first and last pixel
RECTANGLE = "010000964200006c420000b8410000b841"
POLYGON = "0204000000b041000030410000a041000030410000a041000020410000b04100002041"


def parse(*regions: str, count: int | None = None) -> list:
    data = bytes.fromhex(HEAD) + struct.pack("<I", len(regions) if count is None else count)
    return parse_binary_regions(data + bytes.fromhex("".join(regions)), "a.bin")


def drawn(mask: Mask, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    canvas = np.zeros(size, bool)
    height, width = mask.pixels.shape
    canvas[mask.y : mask.y + height, mask.x : mask.x + width] = mask.pixels
    return canvas


def test_rectangles_polygons_and_codes():
    assert parse(RECTANGLE, POLYGON, "0002000000") == [
        Rectangle(75, 59, 23, 23),
        Polygon(((22, 11), (20, 11), (20, 10), (22, 10))),
        Code(2),
    ]
    assert parse() == []


def test_masks():
    expected = np.zeros((8, 120, 160), bool)
    expected[0, 10:12, 20:23] = True
    expected[0, 11, 21] = False
    expected[1, 0, :3] = True
    expected[3, 5:100] = True
    expected[3, 50, 3] = False
    expected[4] = True
    expected[5, 5, 5] = True
    expected[6, [5, 6, 7], [5, 4, 6]] = True
    expected[7, [0, 119], [0, 159]] = True
    first, *masks = parse(MASKS, count=9)
    assert first == Code(1)
    np.testing.assert_array_equal([drawn(mask) for mask in masks], expected)


def test_runs_that_are_split():
    full, corners = parse(FULL, CORNERS)
    assert full.pixels.shape == (480, 640)
    assert full.pixels.all()
    assert corners.pixels.sum() == 2
    assert corners.pixels[0, 0]
    assert corners.pixels[-1, -1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no binary trajectory, or a damaged one"),
        (b"1,2,3,4\n", "version 11313 of binary trajectories"),
        (bytes.fromhex(HEAD + "01000000" + RECTANGLE[:-2]), "a damaged one"),
        (bytes.fromhex(HEAD + "01000000" + RECTANGLE + "00"), "1 bytes after the 1 regions"),
        (bytes.fromhex(HEAD + "ffffffff" + RECTANGLE), "a damaged one"),
        (bytes.fromhex(HEAD + "01000000" + "07"), "a region of kind 7"),
        (
            bytes.fromhex(HEAD + "01000000" + "0300000000010001000200" + "05000500"),
            "the runs cover 10 pixels of a mask of 1 x 1",
        ),
    ],
)
def test_damaged_files_are_named(data, message):
    with pytest.raises(AnnotationError, match=rf"^a\.bin: .*{message}"):
        parse_binary_regions(data, "a.bin")


@given(some.binary(max_size=200), some.booleans())
def test_any_bytes_are_regions_or_refused(data, with_head):
    head = bytes.fromhex(HEAD) + struct.pack("<I", 3) if with_head else b""
    with suppress(AnnotationError):
        parse_binary_regions(head + data, "a.bin")
