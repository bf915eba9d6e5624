"""Tables of decimal numbers that all have the same number of decimals, as result files and annotations do.

Without its point such a number is an integer, which is read several times faster than a float, and to be divided by a
power of ten. Both are exact in float64 while there are at most 15 digits, and IEEE division rounds correctly, so the
quotient is the very number that ``float`` gives (Clinger, "How to read floating point numbers accurately", PLDI 1990).
"""

from __future__ import annotations

import numpy as np

_LONGEST = 15  # digits and sign of a number, which then is below 2**53
_PLAIN = b"0123456789.-,; \t\r\n"
_TO_COMMAS = bytes.maketrans(b"; \t", b",,,")
_MINUS, _POINT, _ZERO = b"-.0"  # and before these in ASCII: comma and line feed


def parse_decimals(text: str) -> np.ndarray | None:
    """The numbers of ``text`` as ``(rows, columns)`` float64, one row per line.

    Numbers are separated by one comma, semicolon, blank or tab, lines end in LF or CRLF.

    Returns:
        None when the text is anything but such a table of numbers with the same number of decimals: the general parser
        says what it is, or what is wrong with it.
    """
    try:
        data = text.encode("ascii")
    except UnicodeEncodeError:
        return None
    if not data or data.translate(None, _PLAIN) or b"-0" in data:  # -0 would lose its sign
        return None
    data = data.replace(b"\r\n", b"\n").translate(_TO_COMMAS)
    if not data.endswith(b"\n"):
        data += b"\n"
    characters = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(characters < _MINUS)  # of the numbers: commas and line feeds
    lengths = np.diff(ends, prepend=-1) - 1
    decimals = len(data[: ends[0]].partition(b".")[2])  # of the first number, to be those of all
    points = decimals > 0
    shortest = decimals + 1 + points
    columns = _columns(characters[ends] < ord(","))
    regular = (
        columns
        and b"\r" not in data
        and lengths.min() >= shortest
        and lengths.max() <= _LONGEST + points
        and data.count(b".") == points * len(ends)
        and (not points or (characters[ends - decimals - 1] == _POINT).all())
        and _signs_come_first(data, characters)
    )
    if not regular:
        return None
    integers = np.fromstring(data.replace(b".", b"").replace(b"\n", b",")[:-1], dtype=np.int64, sep=",")
    return (integers / 10.0**decimals).reshape(-1, columns)


def _columns(ends_line: np.ndarray) -> int:
    """How many numbers every line has; 0 when they differ. ``ends_line`` says so of every number."""
    columns = int(ends_line.argmax()) + 1
    regular = len(ends_line) % columns == 0 and ends_line[columns - 1 :: columns].all()
    return columns if regular and np.count_nonzero(ends_line) * columns == len(ends_line) else 0


def _signs_come_first(data: bytes, characters: np.ndarray) -> bool:
    """Whether every minus begins a number and has a digit behind it."""
    if b"-" not in data:
        return True
    minuses = np.flatnonzero(characters == _MINUS)
    begins = (minuses == 0) | (characters[minuses - 1] < _MINUS)
    return bool((begins & (characters[minuses + 1] >= _ZERO)).all())
