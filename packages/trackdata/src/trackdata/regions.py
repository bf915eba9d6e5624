"""Regions as the VOT challenges write them: rectangles, polygons, masks and codes, one a line.

==============================  ========================================================================
``x,y,w,h``                     a rectangle
``x1,y1,x2,y2,x3,y3,...``       a polygon of three or more corners
``mX,Y,W,H,n0,n1,n2,...``       a mask: W x H pixels with the top-left one at X, Y, as lengths of runs, row by row:
                                ``n0`` pixels outside, ``n1`` inside, and so on; a trailing run outside may be missing
``0``, ``1``, ``2``             a code: in annotations 0 is no target; in results 1 starts a run, 2 is a failure and
                                0 a frame that was skipped
``nan,nan,nan,nan``             no target, in annotations of long-term challenges; read as code 0
==============================  ========================================================================

Coordinates are pixels; masks are anchored at whole pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from trackdata.errors import AnnotationError
from trackdata.parsing import TextFile


@dataclass(frozen=True)
class Rectangle:
    """An axis-aligned rectangle, top-left corner and size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Polygon:
    """A polygon by its corners (x, y), in order; it closes itself."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask: ``pixels`` ``(H, W)`` bool, the first of which is the image's pixel ``x``, ``y``."""

    pixels: np.ndarray
    x: int = 0
    y: int = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return (self.x, self.y) == (other.x, other.y) and np.array_equal(self.pixels, other.pixels)

    __hash__ = None


@dataclass(frozen=True)
class Code:
    """No region but a code: see the head of this module."""

    number: int


Region = Rectangle | Polygon | Mask | Code

NOTHING, START, FAILURE = Code(0), Code(1), Code(2)

_LARGEST = 1 << 16  # pixels on a side; more is a damaged file


def parse_region(text: str) -> Region:
    """The region one line describes; numbers may be separated by commas, tabs or blanks.

    Raises:
        ValueError: the line is none of the forms above; the message quotes its beginning.
    """
    stripped = text.strip()
    is_mask = stripped[:1] in ("m", "M")
    fields = stripped[is_mask:].replace(",", " ").split()
    try:
        if is_mask:
            return _decode_mask(np.array(fields, dtype=np.int64))
        numbers = [float(field) for field in fields]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_quoted(stripped)} is no region: {error}") from None
    if len(numbers) == 1 and numbers[0] in (0, 1, 2):
        return Code(int(numbers[0]))
    if len(numbers) in (4, 8) and np.isnan(numbers).all():
        return NOTHING
    if not np.isfinite(numbers).all():
        raise ValueError(f"{_quoted(stripped)} is no region: it holds NaN or infinity")
    if len(numbers) == 4:
        return Rectangle(*numbers)
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        return Polygon(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    raise ValueError(
        f"{_quoted(stripped)} is no region: expected a code 0 to 2, x,y,w,h, the corners of a polygon or a mask "
        f"beginning with m, got {len(numbers)} numbers"
    )


def format_region(region: Region, decimals: int = 4) -> str:
    """The line that describes ``region``, as the Python toolkit writes it; the inverse of :func:`parse_region`."""
    if isinstance(region, Code):
        return str(region.number)
    if isinstance(region, Mask):
        height, width = region.pixels.shape
        return "m" + ",".join(map(str, [region.x, region.y, width, height, *_runs(region.pixels)]))
    if isinstance(region, Rectangle):
        numbers = [region.x, region.y, region.width, region.height]
    else:
        numbers = [coordinate for point in region.points for coordinate in point]
    return ",".join(f"{number:.{decimals}f}" for number in numbers)


def region_box(region: Region) -> np.ndarray:
    """``(4,)`` float64 x, y, w, h around a region; NaN for a code, zeros for an empty mask.

    The box of a mask goes from its outermost pixels' outer edges: a single pixel has a box of size 1.
    """
    if isinstance(region, Rectangle):
        return np.array([region.x, region.y, region.width, region.height])
    if isinstance(region, Polygon):
        points = np.array(region.points)
        low, high = points.min(axis=0), points.max(axis=0)
        return np.concatenate([low, high - low])
    if isinstance(region, Mask):
        columns, rows = np.flatnonzero(region.pixels.any(axis=0)), np.flatnonzero(region.pixels.any(axis=1))
        if len(columns) == 0:
            return np.zeros(4)
        corner = np.array([region.x + columns[0], region.y + rows[0]], dtype=np.float64)
        return np.concatenate([corner, [columns[-1] - columns[0] + 1.0, rows[-1] - rows[0] + 1.0]])
    return np.full(4, np.nan)


def region_mask(region: Region, size: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """A region drawn into a window of ``size`` (width, height) whose top-left pixel is ``corner`` (x, y).

    As the Python toolkit draws: rectangles have corner and size rounded each, halves to the even number, and fill
    exactly that many pixels. Polygons have their corners rounded, and every row of pixels is filled between the places
    where it meets the edges, rounded down, these included. Masks are taken as they are. What lies outside is cut off.

    Returns:
        ``(height, width)`` bool; nothing is drawn for a code.
    """
    width, height = size
    left, top = corner
    canvas = np.zeros((height, width), dtype=np.uint8)
    if isinstance(region, Rectangle):
        x, y, w, h = np.rint([region.x, region.y, region.width, region.height]).tolist()
        canvas[_span(y - top, h, height), _span(x - left, w, width)] = 1
    elif isinstance(region, Polygon):
        _fill_polygon(canvas, np.rint(region.points) - corner)
    elif isinstance(region, Mask):
        y, x = region.y - top, region.x - left
        rows, columns = _span(y, region.pixels.shape[0], height), _span(x, region.pixels.shape[1], width)
        canvas[rows, columns] = region.pixels[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    return canvas.view(np.bool_)


class RegionFile(Sequence[Region]):
    """The regions of a text file, one a line, parsed when asked for: masks of long videos are many numbers."""

    def __init__(self, file: TextFile) -> None:
        self._lines = file.lines
        self._source = file.source

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Region: ...

    @overload
    def __getitem__(self, index: slice) -> list[Region]: ...

    def __getitem__(self, index: int | slice) -> Region | list[Region]:
        """Region ``index``. Raises AnnotationError naming file and line."""
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        try:
            return parse_region(self._lines[index])
        except ValueError as error:
            raise AnnotationError(f"{self._source}: line {range(len(self))[index] + 1}: {error}") from None


def _fill_polygon(canvas: np.ndarray, corners: np.ndarray) -> None:
    """Fill a polygon of whole ``corners`` ``(n, 2)`` x, y by the even-odd rule, row by row."""
    height, width = canvas.shape
    (x, y), (last_x, last_y) = corners.T, np.roll(corners, 1, axis=0).T
    rows = np.arange(max(y.min(), 0), min(y.max(), height - 1) + 1)[:, None]
    meets = (np.minimum(y, last_y) <= rows) & (rows <= np.maximum(y, last_y))
    level = np.where(y == last_y, 1.0, last_y - y)  # edges along a row meet it at their end
    places = np.where(meets, np.trunc(x + (rows - y) / level * (last_x - x)), np.inf)
    places.sort(axis=1)
    counts = meets.sum(axis=1)
    columns = np.arange(width)
    simple = counts == 2
    spans = places[simple, :2]
    filled = (columns >= spans[:, :1]) & (columns <= spans[:, 1:])
    canvas[rows[simple, 0].astype(int)] |= filled.view(np.uint8)
    for row, found, count in zip(rows[~simple, 0], places[~simple], counts[~simple], strict=True):
        for start, end in _spans(found[:count].tolist()):
            canvas[int(row), max(int(start), 0) : max(int(end) + 1, 0)] = 1


def _spans(places: list[float]) -> Iterator[tuple[float, float]]:
    """Pairs of places between which a row is filled. Of two equal ones, a corner that edges meet in, the first one
    does not count, unless they are the last.
    """
    at = 0
    while at < len(places) - 1:
        if places[at] == places[at + 1] and at < len(places) - 2:
            at += 1
        else:
            yield places[at], places[at + 1]
            at += 2


def _decode_mask(numbers: np.ndarray) -> Mask:
    if len(numbers) < 4:
        raise ValueError(f"a mask begins with x, y, w, h, got {len(numbers)} numbers")
    x, y, width, height = numbers[:4].tolist()
    runs = numbers[4:]
    if not (0 <= width <= _LARGEST and 0 <= height <= _LARGEST):
        raise ValueError(f"a mask of {width} x {height} pixels is outside 0 to {_LARGEST}")
    if (runs < 0).any():
        raise ValueError("run lengths must not be negative")
    total = int(runs.sum())
    if total > width * height:
        raise ValueError(f"the runs cover {total} pixels of a mask of {width} x {height}")
    pixels = np.zeros(width * height, dtype=bool)
    pixels[:total] = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return Mask(pixels.reshape(height, width), x, y)


def _runs(pixels: np.ndarray) -> list[int]:
    """Lengths of runs of ``pixels`` row by row, the first one outside (0 when the first pixel is inside)."""
    flat = np.concatenate([[False], np.asarray(pixels, dtype=bool).ravel()])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], changes, [flat.size - 1]])).tolist()


def _span(start: float, length: float, limit: int) -> slice:
    """The part of ``length`` pixels from ``start`` that lies in ``[0, limit)``."""
    first = int(min(max(start, 0), limit))
    return slice(first, max(first, int(min(start + length, limit))))


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
