"""Text files of every shape: numbers, boxes, columns, lists, attributes, regions."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import strategies as st

from trackdata import parsing
from trackdata.datasets.challenges import parse_challenges
from trackdata.datasets.got10k import read_meta, select
from trackdata.parsing import TextFile, parse_boxes, parse_column, parse_numbers, valid_boxes
from trackdata.regions import RegionFile, format_region, parse_region, region_box, region_mask
from trackdata.sequences import AnnotationError

ODD = [
    "nan",
    "NaN",
    "-nan",
    "inf",
    "-Infinity",
    "1e400",
    "1e-400",
    "1_0",
    "\uff11",
    "0x1",
    "--1",
    "1e",
    "",
    "-",
    "+1",
    ".5",
]
ODD += ["5.", ".", "1d0", "1.2.3", "00012", "123456789012345678901234567890", "12345678.12345678", "\u22121", "e", "m1"]
NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.floats(width=64).map(repr),
    st.floats(-1e4, 1e4).map(lambda value: f"{value:.4f}"),
    st.sampled_from(ODD),
)
SEPARATORS = st.sampled_from([",", ";", "\t", " ", ", ", " ,, ", "\x0b", "\xa0", "|"])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n \n", "\x0c", "\x1c", "\x85", "\u2028"])


@st.composite
def tables(draw) -> str:
    """Mostly numbers in lines, of mostly the same length."""
    plain = st.one_of(st.integers(0, 9), st.integers(-999, 9999), st.integers(0, 99).map(lambda value: value / 10)).map(
        str
    )
    tokens = draw(st.sampled_from([plain, plain, NUMBERS]))
    columns = draw(st.sampled_from([1, 1, 4, 4, 8, 3]))
    lines = draw(st.lists(st.lists(tokens, min_size=columns, max_size=columns), max_size=8))
    if lines and draw(st.booleans()):
        lines[draw(st.integers(0, len(lines) - 1))] = draw(st.lists(tokens, max_size=9))
    separator, end = draw(SEPARATORS), draw(LINE_ENDS)
    text = end.join(separator.join(line) for line in lines)
    return draw(st.sampled_from(["", " ", "\ufeff"])) + text + draw(st.sampled_from(["", end, end * 2]))


TEXTS = st.one_of(tables(), st.text(max_size=60), st.text("0123456789.,-e \n", max_size=60))


def reference(text: str) -> list[list[float]] | None:
    """What a table of numbers holds; None when it is none."""
    rows = [line.replace(",", " ").replace(";", " ").split() for line in text.splitlines()]
    rows = [row for row in rows if row]
    if len({len(row) for row in rows}) > 1:
        return None
    try:
        return [[float(field) for field in row] for row in rows]
    except ValueError:
        return None


def result_of(function, *arguments):
    """The result, or None after the error that is documented. Its message names the file."""
    try:
        return function(*arguments)
    except AnnotationError as error:
        message = str(error)
    assert "the file" in message
    return None


@pytest.mark.parametrize("at_once", [True, False])
def test_numbers(fuzz, at_once):
    def check(text):
        with mock.patch.object(parsing, "_LONG", 0 if at_once else math.inf):
            numbers = result_of(parse_numbers, TextFile(text, "the file"))
        expected = reference(text)
        if expected is None:
            assert numbers is None
        else:
            assert numbers.dtype == np.float64
            np.testing.assert_array_equal(numbers, np.array(expected, np.float64).reshape(numbers.shape))

    fuzz(check, TEXTS)


def test_boxes(fuzz):
    def check(text):
        boxes = result_of(parse_boxes, TextFile(text, "the file"))
        if boxes is not None:
            assert boxes.ndim == 2
            assert boxes.shape[1] == 4
            assert len(boxes) > 0
            assert valid_boxes(boxes).shape == (len(boxes),)
            assert (boxes[valid_boxes(boxes)][:, 2:] > 0).all()

    fuzz(check, TEXTS)


def test_columns(fuzz):
    def check(text, length):
        column = result_of(parse_column, TextFile(text, "the file"), length)
        if column is not None:
            assert column.shape == (length,)
            np.testing.assert_array_equal(column, np.ravel(reference(text)))

    fuzz(check, TEXTS, st.integers(0, 9))


def test_bytes(fuzz):
    def check(data):
        file = result_of(TextFile.decode, data, "the file")
        if file is not None:
            assert all(line == line.strip() != "" for line in file.lines)

    fuzz(
        check, st.one_of(st.binary(max_size=40), st.text().map(str.encode), st.text().map(lambda t: t.encode("utf-16")))
    )


def test_lists_of_sequences(fuzz):
    def check(text, split):
        names = result_of(select, TextFile(text, "the file"), split)
        if names is not None:
            assert names
            assert all(names)

    lines = st.lists(st.text(max_size=8), max_size=6).map("\n".join)
    fuzz(check, lines, st.sampled_from([None, "train", "val", "vottrain", "train_full"]))


def test_meta_info(fuzz, memory):
    def check(data):
        meta = result_of(read_meta, memory({"the file": data}), "the file")
        if meta is not None:
            assert all(key == key.strip() and value == value.strip() for key, value in meta.items())

    lines = st.lists(
        st.sampled_from(["[METAINFO]", "url: http://x", "cover:", ":", "a:b:c", "object_class: dog", "\x00"])
    )
    fuzz(check, st.one_of(st.binary(max_size=60), lines.map(lambda found: "\n".join(found).encode())))


NAMES = {"IV": "Illumination Variation", "OV": "Out-of-View", "FM": "Fast Motion"}


def test_attributes(fuzz):
    def check(text):
        held = result_of(parse_challenges, TextFile(text, "the file"), NAMES)
        assert held is None or set(held) <= set(NAMES.values())

    words = st.lists(st.sampled_from(["IV", "ov", "fast motion", "Out of view", "0", "1", "1.0", "2", "x"]), max_size=5)
    separated = st.tuples(words, st.sampled_from([",", "\n", " ", ", ", "\t"])).map(lambda pair: pair[1].join(pair[0]))
    fuzz(check, st.one_of(separated, TEXTS))


COORDINATES = st.floats(-1e3, 1e3).map(lambda value: round(value, 4) + 0.0)
MASKS = st.tuples(
    st.integers(-20, 20),
    st.integers(-20, 20),
    st.integers(0, 9),
    st.integers(0, 9),
    st.lists(st.integers(0, 12), max_size=9),
)
REGIONS = st.one_of(
    st.lists(COORDINATES, min_size=1, max_size=12).map(lambda numbers: ",".join(map(str, numbers))),
    MASKS.map(lambda mask: "m" + ",".join(map(str, [*mask[:4], *mask[4]]))),
    st.sampled_from(
        ["0", "1", "2", "3", "nan,nan,nan,nan", "m", "m0,0,70000,2", "m0,0,2,2,9", "m0,0,2,2,-1", "m0,0,2"]
    ),
    st.lists(st.integers(-(2**63), 2**64), max_size=8).map(lambda numbers: "m" + ",".join(map(str, numbers))),
    TEXTS,
)


def test_regions(fuzz):
    def check(text, width, height):
        try:
            region = parse_region(text)
        except ValueError as error:
            region, message = None, str(error)
        if region is None:
            assert "is no region" in message
            return
        again = parse_region(format_region(region))
        box = region_box(region)
        assert box.shape == (4,)
        assert type(again) is type(region)
        np.testing.assert_allclose(region_box(again), box, atol=2e-4, rtol=1e-9)
        drawn = region_mask(region, (width, height))
        assert (drawn.shape, drawn.dtype) == ((height, width), bool)

    fuzz(check, REGIONS, st.integers(0, 40), st.integers(0, 40))


def test_files_of_regions(fuzz):
    def check(lines):
        file = RegionFile(TextFile("\n".join(lines), "the file"))
        for index in range(len(file)):
            result_of(file.__getitem__, index)

    fuzz(check, st.lists(REGIONS, max_size=4))
