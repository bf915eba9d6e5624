"""Label maps, masks and the boxes around them."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trackdata.errors import AnnotationError
from trackdata.labels import (
    DAVIS_PALETTE,
    decode_grey,
    decode_labels,
    decode_mask,
    decode_palette,
    encode_labels,
    read_labels,
    read_size,
    write_labels,
)
from trackdata.masks import corner_boxes, label_extents, mask_box
from trackdata.storage import FolderStore

LABELS = np.array([[0, 1, 2], [3, 255, 7]], np.uint8)


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def grey_png(bits, rows):
    """A grey PNG of four columns with ``bits`` per pixel, written by hand: Pillow writes none with 2 or 4."""
    width = 4

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = b"".join(
        b"\0" + sum(value << bits * (width - 1 - place) for place, value in enumerate(row)).to_bytes(width * bits // 8)
        for row in rows
    )
    header = struct.pack(">IIBBBBB", width, len(rows), bits, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(packed)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_davis_palette():
    # The first colours of the VOC map, and two with high bits of the number in low bits of the colour.
    assert DAVIS_PALETTE[:5].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert DAVIS_PALETTE[22].tolist() == [0, 192, 128]
    assert DAVIS_PALETTE[255].tolist() == [224, 224, 192]


@pytest.mark.parametrize("palette", [DAVIS_PALETTE, DAVIS_PALETTE[:9], None])
def test_round_trip(palette):
    data = encode_labels(LABELS, palette)
    np.testing.assert_array_equal(decode_labels(data, "x"), LABELS)
    if palette is None:
        assert decode_palette(data, "x") is None
    else:
        np.testing.assert_array_equal(decode_palette(data, "x")[: len(palette)], palette)


def test_more_than_255_objects():
    labels = np.array([[0, 256], [300, 65535]], np.int64)
    data = encode_labels(labels)
    decoded = decode_labels(data, "x")
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, labels)
    assert decode_mask(data, "x").tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_grey_levels_are_not_stretched(bits):
    np.testing.assert_array_equal(
        decode_labels(grey_png(bits, [[0, 1, 2, 3], [3, 2, 1, 0]]), "x"), [[0, 1, 2, 3], [3, 2, 1, 0]]
    )


def test_kinds_of_masks():
    grey = Image.fromarray(np.array([[0, 255], [1, 0]], np.uint8))
    expected = [[False, True], [True, False]]
    black_and_white = grey.point(lambda level: 255 * (level > 0)).convert("1")
    transparent = grey.convert("LA")  # opaque everywhere: alpha says nothing
    for image in (grey, black_and_white, transparent, grey.convert("RGB"), grey.convert("RGBA")):
        assert decode_mask(png(image), "x").tolist() == expected
    assert decode_labels(png(black_and_white), "x").tolist() == [[0, 1], [1, 0]]
    assert decode_grey(png(grey.convert("RGB")), "x").tolist() == [[0, 255], [1, 0]]
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    palette.putpalette(DAVIS_PALETTE[:3].tobytes())
    assert decode_mask(png(palette), "x").tolist() == [[False, True, True]]
    assert decode_grey(png(palette), "x").tolist() == [[0, 38, 75]]


def test_files_that_are_no_label_maps(tmp_path):
    store = FolderStore(tmp_path)
    whole = encode_labels(np.arange(10_000).reshape(100, 100) % 251)
    (tmp_path / "colours.png").write_bytes(png(Image.new("RGB", (4, 4))))
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_bytes(b"not an image")
    with pytest.raises(AnnotationError, match=r"colours\.png: the image is RGB, but a label map"):
        read_labels(store, "colours.png")
    for name in ("cut.png", "text.png"):
        with pytest.raises(AnnotationError, match=f"{name}: the file is damaged or no image"):
            read_labels(store, name)
    with pytest.raises(AnnotationError, match=r"none\.png: there is no such file"):
        read_labels(store, "none.png")
    with pytest.raises(AnnotationError, match=r"text\.png: the file is damaged or no image"):
        read_size(store, "text.png")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_damaged_files_are_told_or_read(place, value, cut):
    """One byte changed, or the end missing: an AnnotationError, or some label map; nothing else."""
    whole = encode_labels(np.arange(600).reshape(20, 30) % 251)
    place %= len(whole)
    damaged = whole[:place] if cut else whole[:place] + bytes([value]) + whole[place + 1 :]
    for decode in (decode_labels, decode_mask, decode_grey, decode_palette):
        with suppress(AnnotationError):
            decode(damaged, "x.png")


def test_writing_to_a_new_folder(tmp_path):
    write_labels(tmp_path / "a" / "00000.png", LABELS)
    store = FolderStore(tmp_path)
    np.testing.assert_array_equal(read_labels(store, "a/00000.png"), LABELS)
    assert read_size(store, "a/00000.png") == (2, 3)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 2, 3), np.uint8), r"an \(H, W\) array of integers, got uint8 \(2, 2, 3\)"),
        (np.zeros((2, 2)), "got float64"),
        (np.array([[-1, 0]]), r"0\.\.65535, got -1\.\.0"),
        (np.array([[0, 65536]]), r"0\.\.65535, got 0\.\.65536"),
        (np.zeros((0, 3), np.uint8), r"got uint8 \(0, 3\)"),
    ],
)
def test_arrays_that_are_no_label_maps(labels, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(labels)


def slow_box(mask):
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]


def test_extents_of_objects():
    rng = np.random.default_rng(3)
    labels = np.where(rng.random((30, 40)) < 0.02, rng.choice([1, 5, 300], (30, 40)), 0)
    extents = label_extents(labels)
    assert extents.objects.tolist() == [1, 5, 300]
    assert extents.pixels.tolist() == [np.count_nonzero(labels == number) for number in (1, 5, 300)]
    boxes = corner_boxes(extents.corners, extents.pixels)
    assert boxes.tolist() == [slow_box(labels == number) for number in (1, 5, 300)]
    assert boxes[0].tolist() == mask_box(labels == 1).tolist()


def test_an_empty_label_map():
    extents = label_extents(np.zeros((3, 4), np.uint8))
    assert (len(extents.objects), len(extents.pixels), extents.corners.shape) == (0, 0, (0, 4))


@pytest.mark.parametrize(
    ("rule", "block", "pixel", "empty"),
    [
        ("inclusive", [2, 1, 3, 2], [0, 0, 1, 1], [0, 0, 0, 0]),
        ("exclusive", [2, 1, 2, 1], [0, 0, 0, 0], [0, 0, 0, 0]),
        ("pytracking", [2, 1, 3, 2], [0, 0, 1, 1], [0, 0, 1, 1]),
    ],
)
def test_rules_for_boxes(rule, block, pixel, empty):
    mask = np.zeros((6, 8), np.uint8)
    assert mask_box(mask, rule).tolist() == empty
    mask[0, 0] = 255
    assert mask_box(mask, rule).tolist() == pixel
    mask[0, 0], mask[1:3, 2:5] = 0, 1
    assert mask_box(mask, rule).tolist() == block
    with pytest.raises(ValueError, match="a box rule is one of inclusive, exclusive, pytracking, got 'tight'"):
        mask_box(mask, "tight")
