"""Reading the text files trackers live on: boxes, flags and lists.

Separators may be commas, semicolons, tabs or blanks, mixed; line ends LF or CRLF, the last one may be missing; empty
lines are ignored; ``nan`` in any spelling is a number. Anything else is an error that names the file and the line.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trackdata.sequences import AnnotationError

_BLANKS = str.maketrans(",;", "  ")


def _read_text(path: Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AnnotationError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not a text file (byte {error.start} is no UTF-8)") from None
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank, without surrounding blanks.

    Raises:
        AnnotationError: the file is missing or no text.
    """
    return [stripped for line in _read_text(path).splitlines() if (stripped := line.strip())]


def parse_numbers(text: str, source: Path | str) -> np.ndarray:
    """Turn a table of numbers into ``(rows, columns)`` float64; ``(0, 0)`` when there are none.

    Args:
        text: the table, separators as in the module's docstring.
        source: what to call it in errors.

    Raises:
        AnnotationError: something is not a number, or the lines differ in length.
    """
    rows = [fields for line in text.translate(_BLANKS).splitlines() if (fields := line.split())]
    if not rows:
        return np.empty((0, 0))
    try:
        return np.array(rows, dtype=np.float64)  # also refuses rows of different length
    except ValueError:
        raise AnnotationError(f"{source}: {_first_fault(text)}") from None


def _first_fault(text: str) -> str:
    columns = None
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.translate(_BLANKS).split()
        for value in fields:
            try:
                float(value)
            except ValueError:
                return f"line {number}: {value!r} is not a number"
        if fields and len(fields) != (columns := columns or len(fields)):
            return f"line {number}: {len(fields)} numbers where the lines before have {columns}"
    return "the lines cannot be read as numbers"


def read_numbers(path: Path) -> np.ndarray:
    """A text file of numbers as ``(rows, columns)`` float64.

    Raises:
        AnnotationError: the file is missing, no text, or no table of numbers.
    """
    return parse_numbers(_read_text(path), path)


def read_boxes(path: Path) -> np.ndarray:
    """A file with one box a line as ``(N, 4)`` float64 x, y, w, h.

    Lines hold x, y, w, h, or the corners x1, y1, ..., x4, y4 of a quadrilateral, which become its axis-aligned bounds.

    Raises:
        AnnotationError: as :func:`read_numbers`, or lines with another number of columns, or no line at all.
    """
    numbers = read_numbers(path)
    if len(numbers) == 0:
        raise AnnotationError(f"{path}: the file holds no boxes")
    if numbers.shape[1] == 8:
        corners = numbers.reshape(-1, 4, 2)
        low, high = corners.min(axis=1), corners.max(axis=1)
        return np.concatenate([low, high - low], axis=1)
    if numbers.shape[1] != 4:
        raise AnnotationError(f"{path}: a box has 4 numbers (x, y, w, h) or 8 (corners), not {numbers.shape[1]}")
    return numbers


def read_column(path: Path, length: int) -> np.ndarray:
    """One number per frame as ``(length,)`` float64, from one number a line or all of them on one line.

    Raises:
        AnnotationError: as :func:`read_numbers`, or there are not ``length`` numbers.
    """
    numbers = read_numbers(path)
    if 1 not in numbers.shape and numbers.size:
        raise AnnotationError(f"{path}: expected one number per frame, found lines of {numbers.shape[1]}")
    if numbers.size != length:
        raise AnnotationError(f"{path}: {numbers.size} numbers for {length} frames")
    return numbers.reshape(-1)


def valid_boxes(boxes: np.ndarray) -> np.ndarray:
    """``(N,)`` bool: boxes ``(N, 4)`` that are finite and have positive width and height."""
    return np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
