"""Regions of the VOT challenges: what a line means, writing it, and drawing it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trackdata.errors import AnnotationError
from trackdata.parsing import TextFile
from trackdata.regions import (
    FAILURE,
    NOTHING,
    START,
    Mask,
    Polygon,
    Rectangle,
    RegionFile,
    format_region,
    parse_region,
    region_box,
    region_mask,
)

CONFORMANCE = Path(__file__).parent / "conformance"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("0", NOTHING),
        (" 1 \n", START),
        ("2", FAILURE),
        ("1,2,3,4", Rectangle(1, 2, 3, 4)),
        ("-1.5\t2e1 3.25 0", Rectangle(-1.5, 20, 3.25, 0)),
        ("nan,nan,nan,nan", NOTHING),
        ("0,0,4,0,4,3", Polygon(((0, 0), (4, 0), (4, 3)))),
        ("m2,1,3,2,1,2", Mask(np.array([[0, 1, 1], [0, 0, 0]], bool), 2, 1)),  # the last run is missing
        ("m 2,1,3,2,0,1,4,1", Mask(np.array([[1, 0, 0], [0, 0, 1]], bool), 2, 1)),
        ("m0,0,0,0", Mask(np.zeros((0, 0), bool))),
    ],
)
def test_reading(text, region):
    assert parse_region(text) == region
    assert parse_region(format_region(region)) == region


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "got 0 numbers"),
        ("3", "expected a code 0 to 2"),
        ("1,2,3", "got 3 numbers"),
        ("1,2,3,4,5,6,7", "got 7 numbers"),
        ("1,x,3,4", "could not convert"),
        ("nan,1,2,3", "NaN or infinity"),
        ("m1,2", "a mask begins with x, y, w, h"),
        ("m0,0,2,2,3,4", "cover 7 pixels of a mask of 2 x 2"),
        ("m0,0,2,2,-1,2", "must not be negative"),
        ("m0,0,-2,2", "a mask of -2 x 2 pixels"),
        ("m0,0,999999999,999999999", "a mask of 999999999 x 999999999 pixels"),
        ("m0,0,2.5,2", "invalid literal"),
        ("m0,0,99999999999999999999,2", "too large"),
    ],
)
def test_what_is_no_region(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_region(text)


def test_a_file_of_regions_names_the_line():
    regions = RegionFile(TextFile("0\r\n1,2,3,4\r\n\r\n1,2\r\n", "there/groundtruth.txt"))
    assert len(regions) == 3
    assert regions[:2] == [NOTHING, Rectangle(1, 2, 3, 4)]
    with pytest.raises(AnnotationError, match=r"there/groundtruth\.txt: line 3: '1,2' is no region"):
        regions[-1]
    with pytest.raises(IndexError):
        regions[3]


@given(arrays(bool, st.tuples(st.integers(0, 5), st.integers(0, 5))), st.integers(-9, 9), st.integers(-9, 9))
def test_masks_survive_writing_and_reading(pixels, x, y):
    mask = Mask(pixels, x, y)
    assert parse_region(format_region(mask)) == mask


@given(
    st.one_of(
        st.builds(Rectangle, *[st.floats(-9, 9)] * 4),
        st.builds(
            Mask,
            arrays(bool, st.tuples(st.integers(0, 9), st.integers(0, 9))),
            st.integers(-9, 9),
            st.integers(-9, 9),
        ),
    )
)
def test_drawing_is_cut_at_the_edges(region):
    """Drawn into a small image as a window of a large one."""
    shifted = (
        Mask(region.pixels, region.x + 20, region.y + 20)
        if isinstance(region, Mask)
        else Rectangle(round(region.x) + 20, round(region.y) + 20, region.width, region.height)
    )
    np.testing.assert_array_equal(region_mask(region, (7, 5)), region_mask(shifted, (60, 60))[20:25, 20:27])


@pytest.mark.parametrize(
    ("region", "rows", "columns"),
    [
        (Rectangle(2, 1, 3, 2), (1, 3), (2, 5)),
        (Rectangle(1.5, 0.5, 2.5, 1.5), (0, 2), (2, 4)),  # halves go to the even number
        (Rectangle(3, 1, 0.4, 2), (1, 1), (3, 3)),  # nothing is left of it
        (Rectangle(-2, -1, 4, 3), (0, 2), (0, 2)),
        (Polygon(((1, 1), (4, 1), (4, 3), (1, 3))), (1, 4), (1, 5)),  # edges included
    ],
)
def test_drawing(region, rows, columns):
    expected = np.zeros((6, 8), bool)
    expected[slice(*rows), slice(*columns)] = True
    np.testing.assert_array_equal(region_mask(region, (8, 6)), expected)


@pytest.mark.parametrize(
    ("region", "box"),
    [
        (Rectangle(1, 2, 3, 4), [1, 2, 3, 4]),
        (Polygon(((1, 5), (4, 2), (6, 9))), [1, 2, 5, 7]),
        (Mask(np.array([[0, 0, 0], [0, 1, 0]], bool), 10, 20), [11, 21, 1, 1]),
        (Mask(np.zeros((2, 2), bool)), [0, 0, 0, 0]),
        (NOTHING, [np.nan] * 4),
    ],
)
def test_boxes(region, box):
    np.testing.assert_array_equal(region_box(region), box)


def test_masks_of_the_miniature_dataset():
    expected = json.loads((CONFORMANCE / "readers_expected.json").read_text())["expected"]["test/vot2020_masks"]
    with zipfile.ZipFile(CONFORMANCE / "mini_datasets.zip") as archive:
        lines = archive.read("vot2020/agility/groundtruth.txt").decode().splitlines()
    for line, described in zip(lines, expected, strict=True):
        mask = parse_region(line)
        assert [mask.x, mask.y] == described["offset"]
        np.testing.assert_array_equal(mask.pixels, np.array(described["mask"], bool))
