"""Reading regular decimals all at once gives exactly what ``float`` gives, or nothing."""

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


def plain(decimals: int) -> st.SearchStrategy[str]:
    """Numbers with so many decimals, zero without a sign."""
    limit = 10 ** (14 - decimals) - 1
    whole = st.integers(-limit, 10 * limit)
    if not decimals:
        return whole.map(str)
    parts = st.tuples(whole, st.integers(0, 10**decimals - 1))
    return parts.map(lambda part: f"{part[0]}.{part[1]:0{decimals}d}")


tables = st.tuples(st.integers(1, 5), st.integers(0, 9)).flatmap(
    lambda form: st.lists(st.lists(plain(form[1]), min_size=form[0], max_size=form[0]), min_size=1)
)


@given(tables, st.sampled_from([",", "\t", " ", ";"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_tables_of_plain_numbers_are_always_read(rows, separator, line_end, final):
    text = line_end.join(separator.join(row) for row in rows) + (line_end if final else "")
    numbers = parse_decimals(text)
    assert numbers is not None
    check(text, numbers)


@settings(max_examples=300)
@given(st.lists(st.floats(0, 9999).map(lambda value: f"{value:.4f}"), min_size=1))
def test_numbers_as_result_files_have_them(column):
    check("\n".join(column), parse_decimals("\n".join(column)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan,1",
        "1e5",
        "+1",
        "1_0",
        "0x10",
        "inf",
        "-0",
        "-0.50",  # read, but slower: a zero before the point would lose the sign
        "1.5,2",
        "1.50,2.5",
        ".5",
        "5.",
        "-",
        "1-2",
        "1.2.3",
        "1,,2",
        "1, 2",
        "1,2\n3",
        "1\n\n2",
        "1\r2",
        "1234567890123456",  # sixteen digits
        "\u0661",
        "1\x0b2",
    ],
)
def test_other_numbers_are_left_to_the_general_parser(text):
    assert parse_decimals(text) is None


@pytest.mark.parametrize("odd", ["nan", "1e2", "123456789012", "-inf"])
def test_files_of_both_kinds(odd):
    """A long file is read at once; with one other number in it the general parser gives the same and more."""
    lines = [f"{i}.25,-{i + 1}.00,{i / 7:.2f},0.00" for i in range(100)]
    at_once = parse_numbers(TextFile("\n".join(lines), "s.txt"))
    assert at_once.shape == (100, 4)
    mixed = parse_numbers(TextFile("\n".join([*lines, f"{odd},1,2,3"]), "s.txt"))
    np.testing.assert_array_equal(mixed[:-1], at_once)
    np.testing.assert_array_equal(mixed[-1], [float(odd), 1, 2, 3])
