"""Trajectories in the binary form that the Python toolkit of the VOT challenges writes (``.bin``), as regions.

Little endian throughout, found out from files that toolkit 0.7 and 0.9 wrote for known regions::

    uint16 version (1), uint32 number of regions, then each region:
    uint8 0  code        int32
    uint8 1  rectangle   4 float32: x, y, width, height
    uint8 2  polygon     uint16 number of corners, then 2 float32 each
    uint8 3  mask        2 int16: x, y; 2 uint16: width, height; uint16 number of runs, then uint16 each

Runs are those of the text form (outside first, row by row); longer ones are split by runs of length 0.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from trackdata.errors import AnnotationError
from trackdata.regions import Code, Mask, Polygon, Rectangle, Region

_VERSION = 1
_LARGEST = 1 << 28  # pixels of a mask; more is a damaged file


def parse_binary_regions(data: bytes, source: str) -> list[Region]:
    """The regions of a binary trajectory.

    Args:
        data: the whole file.
        source: what to call it in errors.

    Raises:
        AnnotationError: another version, an unknown kind of region, or a file that is too short or too long.
    """
    reader = _Reader(data)
    try:
        version, count = reader.take("HI")
        if version != _VERSION:
            raise AnnotationError(f"{source}: version {version} of binary trajectories, only {_VERSION} is known")
        regions = [_region(reader) for _ in range(count)]
    except (struct.error, ValueError) as error:
        raise AnnotationError(f"{source}: no binary trajectory, or a damaged one ({error})") from None
    if reader.position != len(data):
        raise AnnotationError(f"{source}: {len(data) - reader.position} bytes after the {count} regions")
    return regions


@dataclass
class _Reader:
    data: bytes
    position: int = 0

    def take(self, form: str) -> tuple:
        values = struct.unpack_from(f"<{form}", self.data, self.position)
        self.position += struct.calcsize(f"<{form}")
        return values


def _region(reader: _Reader) -> Region:
    [kind] = reader.take("B")
    if kind == 0:
        return Code(*reader.take("i"))
    if kind == 1:
        return Rectangle(*reader.take("4f"))
    if kind == 2:
        numbers = reader.take(f"{2 * reader.take('H')[0]}f")
        return Polygon(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    if kind == 3:
        x, y, width, height, count = reader.take("2h3H")
        runs = np.array(reader.take(f"{count}H"), dtype=np.int64)
        if width * height > _LARGEST:
            raise ValueError(f"a mask of {width} x {height} pixels")
        if runs.sum() > width * height:
            raise ValueError(f"the runs cover {runs.sum()} pixels of a mask of {width} x {height}")
        pixels = np.zeros(width * height, dtype=bool)
        pixels[: runs.sum()] = np.repeat(np.arange(count) % 2 == 1, runs)
        return Mask(pixels.reshape(height, width), x, y)
    raise ValueError(f"a region of kind {kind}")
