"""Reading plain decimals all at once gives exactly what ``float`` gives, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trackdata.decimals import parse_decimals
from trackdata.parsing import TextFile, parse_numbers


def slow(text: str) -> list[list[float]] | None:
    """One number after the other; None for lines of different lengths and for what is no number."""
    rows = [line.replace(",", " ").replace(";", " ").split() for line in text.splitlines()]
    rows = [row for row in rows if row]
    if len({len(row) for row in rows}) > 1:
        return None
    try:
        return [[float(field) for field in row] for row in rows]
    except ValueError:
        return None


def check(text: str, numbers: np.ndarray) -> None:
    expected = slow(text)
    assert expected is not None
    assert numbers.tolist() == expected
    assert numbers.dtype == np.float64
    assert np.signbit(numbers).tolist() == [[np.signbit(value) for value in row] for row in expected]
    assert numbers.shape == ((len(expected), len(expected[0])) if expected else (0, 0))


@settings(max_examples=500)
@given(st.text(alphabet="0123456789019.,- \n\r\t;e+_nax\x0b\u0663", max_size=60))
@example("1.2.3")
@example("1-2")
@example("--1\n.")
@example(" 1 ; 2\t3 \r\n4,5,6")
@example("00012.50,-0,.5,5.")
def test_whatever_the_text(text):
    numbers = parse_decimals(text)
    if numbers is not None:
        check(text, numbers)


plain = st.builds(
    lambda sign, whole, part: f"{sign}{whole}{part}",
    st.sampled_from(["", "-"]),
    st.integers(0, 99_999_999),
    st.one_of(
        st.just(""),
        st.just("."),
        st.integers(0, 9_999_999).map(lambda n: f".{n:07d}"),
        st.integers(0, 99).map(lambda n: f".{n}"),
    ),
)


@given(
    st.integers(1, 5).flatmap(lambda columns: st.lists(st.lists(plain, min_size=columns, max_size=columns))),
    st.sampled_from([",", "\t", " ", " , ", ";"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.booleans(),
)
def test_tables_of_plain_numbers_are_always_read(rows, separator, line_end, final):
    text = line_end.join(separator.join(row) for row in rows) + (line_end if final else "")
    numbers = parse_decimals(text)
    assert numbers is not None
    check(text, numbers)


@settings(max_examples=300)
@given(st.floats(0, 9999).map(lambda value: f"{value:.4f}"), st.floats(-99, 99).map(lambda value: f"{value:.8f}"))
def test_numbers_as_result_files_have_them(box, time):
    check(f"{box},{time}", parse_decimals(f"{box},{time}"))


@pytest.mark.parametrize(
    "text",
    [
        "nan,1",
        "1e5",
        "+1",
        "1_0",
        "0x10",
        "inf",
        "123456789",  # nine digits before the point
        "1.123456789",
        "99999999.99999999",  # sixteen digits
        "1,2\n3",
        "\u0661",
        "1\x0b2",
    ],
)
def test_other_numbers_are_left_to_the_general_parser(text):
    assert parse_decimals(text) is None


@pytest.mark.parametrize("odd", ["nan", "1e2", "123456789012", "-inf"])
def test_files_of_both_kinds(odd):
    """A long file is read at once; with one other number in it the general parser gives the same and more."""
    lines = [f"{i}.25,-{i},{i / 7:.6f},0" for i in range(100)]
    at_once = parse_numbers(TextFile("\n".join(lines), "s.txt"))
    assert at_once.shape == (100, 4)
    mixed = parse_numbers(TextFile("\n".join([*lines, f"{odd},1,2,3"]), "s.txt"))
    np.testing.assert_array_equal(mixed[:-1], at_once)
    np.testing.assert_array_equal(mixed[-1], [float(odd), 1, 2, 3])
