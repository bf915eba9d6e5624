"""Reading the text files trackers live on: boxes, flags and lists.

Separators may be commas, semicolons, tabs or blanks, mixed; line ends LF or CRLF, the last one may be missing; empty
lines are ignored; ``nan`` in any spelling is a number. Anything else is an error that names the file and the line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackdata.decimals import parse_decimals
from trackdata.errors import AnnotationError

_LONG = 500  # characters from which reading all numbers at once pays
_BLANKS = str.maketrans(",;", "  ")


@dataclass(frozen=True)
class TextFile:
    """The text of a file, and what to call the file in errors."""

    text: str
    source: str

    @classmethod
    def decode(cls, data: bytes, source: str | Path) -> TextFile:
        """UTF-8 with or without a byte order mark. Raises AnnotationError when ``data`` are something else."""
        try:
            return cls(data.decode("utf-8-sig"), str(source))
        except UnicodeDecodeError as error:
            raise AnnotationError(f"{source}: not a text file (byte {error.start} is no UTF-8)") from None

    @classmethod
    def read(cls, path: str | Path) -> TextFile:
        """The file at ``path``. Raises AnnotationError naming it when it is missing, unreadable or no text."""
        try:
            return cls.decode(Path(path).read_bytes(), path)
        except FileNotFoundError:
            raise AnnotationError(f"{path}: there is no such file") from None
        except OSError as error:
            raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error

    @property
    def lines(self) -> list[str]:
        """The lines that are not blank, without surrounding blanks."""
        return [stripped for line in self.text.splitlines() if (stripped := line.strip())]


def parse_numbers(file: TextFile) -> np.ndarray:
    """A table of numbers as ``(rows, columns)`` float64; ``(0, 0)`` when there are none.

    Raises:
        AnnotationError: something is not a number, or the lines differ in length.
    """
    if len(file.text) >= _LONG and (numbers := parse_decimals(file.text)) is not None:
        return numbers
    rows = [fields for line in file.text.translate(_BLANKS).splitlines() if (fields := line.split())]
    if not rows:
        return np.empty((0, 0))
    try:
        return np.array(rows, dtype=np.float64)  # also refuses rows of different length
    except ValueError:
        raise AnnotationError(f"{file.source}: {_first_fault(file.text)}") from None


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


def parse_boxes(file: TextFile) -> np.ndarray:
    """One box a line as ``(N, 4)`` float64 x, y, w, h.

    Lines hold x, y, w, h, or the corners x1, y1, ..., x4, y4 of a quadrilateral, which become its axis-aligned bounds.

    Raises:
        AnnotationError: as :func:`parse_numbers`, or lines with another number of columns, or no line at all.
    """
    numbers = parse_numbers(file)
    if len(numbers) == 0:
        raise AnnotationError(f"{file.source}: the file holds no boxes")
    if numbers.shape[1] == 8:
        corners = numbers.reshape(-1, 4, 2)
        low, high = corners.min(axis=1), corners.max(axis=1)
        return np.concatenate([low, high - low], axis=1)
    if numbers.shape[1] != 4:
        raise AnnotationError(f"{file.source}: a box has 4 numbers (x, y, w, h) or 8 (corners), not {numbers.shape[1]}")
    return numbers


def parse_column(file: TextFile, length: int) -> np.ndarray:
    """One number per frame as ``(length,)`` float64, from one number a line or all of them on one line.

    Raises:
        AnnotationError: as :func:`parse_numbers`, or there are not ``length`` numbers.
    """
    numbers = parse_numbers(file)
    if 1 not in numbers.shape and numbers.size:
        raise AnnotationError(f"{file.source}: expected one number per frame, found lines of {numbers.shape[1]}")
    if numbers.size != length:
        raise AnnotationError(f"{file.source}: {numbers.size} numbers for {length} frames")
    return numbers.reshape(-1)


def valid_boxes(boxes: np.ndarray) -> np.ndarray:
    """``(N,)`` bool: boxes ``(N, 4)`` that are finite and have positive width and height."""
    return np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
