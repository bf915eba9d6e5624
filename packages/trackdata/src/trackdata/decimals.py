"""Tables of plain decimal numbers, read all at once.

Result files and annotations are lines such as ``123.4567,20,31.5,-4``: digits, one point at most, a sign. Such a number
is an integer divided by a power of ten. Both are exact in float64 while there are at most 15 digits, and IEEE division
rounds correctly, so the quotient is the very number that ``float`` gives (Clinger, "How to read floating point numbers
accurately", PLDI 1990). Everything else is left to the general parser.

Arrays stay small on purpose: memory that is asked for in large pieces costs more than the arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_POINT, _MINUS, _SEPARATOR, _LINE, _OTHER = 10, 11, 12, 13, 14
_PART = 8  # digits before or after the point, a byte each
_DIGITS = 15  # of a number, so that it stays below 2**53
_POWERS = 10 ** np.arange(_PART + 1, dtype=np.uint64)
_LAST_BYTES = np.array([(1 << 64) - (1 << 8 * (_PART - count)) for count in range(_PART + 1)], dtype=np.uint64)
_DIVISORS = 10.0 ** np.arange(_PART + 1)
_MARGIN = b"\n" * _PART


def _kinds() -> bytes:
    """What each byte is: a digit's value, or one of the kinds above."""
    kinds = np.full(256, _OTHER, dtype=np.uint8)
    kinds[ord("0") : ord("9") + 1] = np.arange(10)
    for characters, kind in ((b".", _POINT), (b"-", _MINUS), (b",; \t", _SEPARATOR), (b"\r\n", _LINE)):
        kinds[list(characters)] = kind
    return kinds.tobytes()


_KINDS = _kinds()


def parse_decimals(text: str) -> np.ndarray | None:
    """The numbers of ``text`` as ``(rows, columns)`` float64, one row per line that is not blank; ``(0, 0)`` for none.

    Numbers are separated by commas, semicolons, blanks and tabs, lines by LF, CRLF or CR.

    Returns:
        None when some number is not plain (``1e5``, ``nan``, ``+1``, more than 8 digits on one side of the point or 15
        in all), or when the lines differ in length or something is no number.
    """
    try:
        data = b"".join((_MARGIN, text.encode("ascii"), b"\n"))
    except UnicodeEncodeError:
        return None
    kinds = np.frombuffer(data.translate(_KINDS), dtype=np.uint8)
    if kinds.max() == _OTHER:
        return None
    inside = kinds < _SEPARATOR
    borders = np.flatnonzero(inside[1:] != inside[:-1])
    before, last = borders[::2], borders[1::2]  # the character before each number, and its last one
    if not len(before):
        return np.empty((0, 0))
    points, minuses = np.flatnonzero(kinds == _POINT), np.flatnonzero(kinds == _MINUS)
    with_point, negative = _owners(before, last, points), _owners(before, last, minuses)
    point = last + 1  # where numbers without a point would have it
    point[with_point] = points
    first = before + 1
    first[negative] += 1
    fraction, whole = np.maximum(last - point, 0), point - first
    columns = _columns(kinds, before)
    plain = (
        columns
        and (with_point[1:] > with_point[:-1]).all()  # one point each
        and (kinds[minuses - 1] >= _SEPARATOR).all()  # signs come first
        and fraction.max() <= _PART
        and whole.max() <= _PART
        and (whole + fraction).max() <= _DIGITS
        and (whole + fraction).min() > 0
    )
    if not plain:
        return None
    eights = sliding_window_view(kinds, _PART)
    integers = _digits(eights[point - _PART], whole) * _POWERS[fraction]
    integers += _digits(eights[last + (1 - _PART)], fraction)
    numbers = integers / _DIVISORS[fraction]
    numbers[negative] = -numbers[negative]
    return numbers.reshape(-1, columns)


def _owners(before: np.ndarray, last: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Which number each of the ascending ``places`` is in; they are in some."""
    if len(places) == len(before) and (before < places).all() and (places <= last).all():
        return np.arange(len(places))  # one in each, as usual, and no search
    return np.searchsorted(before, places) - 1


def _digits(eights: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The integers that the last ``count`` of eight digits make: ``(n,)`` uint64.

    Eight digits are the bytes of one integer, the first digit the lowest; digits, then pairs, then fours are put
    together by multiplications (Lemire, "Quickly parsing eight digits", 2022).

    Args:
        eights: ``(n, 8)`` uint8, whatever stands before the last ``count``.
    """
    numbers = eights.view("<u8")[:, 0] & _LAST_BYTES[count]
    numbers = (numbers * 10 + (numbers >> 8)) & 0x00FF00FF00FF00FF
    numbers = (numbers * 100 + (numbers >> 16)) & 0x0000FFFF0000FFFF
    return (numbers * 10000 + (numbers >> 32)) & 0xFFFFFFFF


def _columns(kinds: np.ndarray, before: np.ndarray) -> int:
    """How many numbers every line has that has any; 0 when they differ. ``before`` are the places before numbers."""
    counts = np.diff(np.searchsorted(before, np.flatnonzero(kinds == _LINE)))
    counts = counts[counts > 0]
    return int(counts[0]) if (counts == counts[0]).all() else 0
