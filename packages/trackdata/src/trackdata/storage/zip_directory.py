"""The directory at the end of a zip archive, read at once and kept small.

The standard library makes an object of each member: 650 MB for a million of them, in each process. This follows
PKWARE's APPNOTE.TXT, version 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3, for archives in one file.
"""

from __future__ import annotations

import os
import re
import struct
from array import array
from collections.abc import Iterator
from itertools import pairwise

from trackdata.storage.names import Names, clean_key
from trackdata.storage.positions import read_at

_END = struct.Struct("<4s8x2LH")  # end of directory: mark; size and offset of the directory; length of the comment
_LOCATOR = struct.Struct("<4s4xQ4x")  # mark; offset of the following
_END_64 = struct.Struct("<4s36x2Q")  # mark; size and offset of the directory
_ENTRY = struct.Struct("<4s4x2H4x3L3H8xL")  # mark; flags, method; CRC, stored size, size; three lengths; offset
_LOCAL = struct.Struct("<4s22x2H")  # mark; two lengths
_LONGEST_COMMENT = 0xFFFF
_IN_EXTRA = 0xFFFFFFFF  # the number stands in the entry's extra part
_UTF8, _ENCRYPTED = 0x800, 0x1
ENCRYPTED = -1


class DirectoryError(ValueError):
    """The file is no zip archive, or its directory is damaged."""


class Directory:
    """Where the members of an archive are.

    Attributes:
        names: their keys; the others are in their order.
        offsets: where the member's header begins.
        sizes, packed: bytes of the file, and of what is stored of it.
        checks: CRC-32.
        methods: of compression, or :data:`ENCRYPTED`.
    """

    def __init__(self, descriptor: int) -> None:
        """Raises DirectoryError."""
        names: list[bytes] = []
        columns = offsets, sizes, packed, checks, methods = array("Q"), array("Q"), array("Q"), array("I"), array("h")
        try:
            start, size, base, _ = _find(descriptor)
            for member in _read(read_at(descriptor, size, start), base):
                names.append(member[0])
                offsets.append(member[1])
                sizes.append(member[2])
                packed.append(member[3])
                checks.append(member[4])
                methods.append(member[5])
        except (struct.error, UnicodeDecodeError, OverflowError, OSError) as error:
            raise DirectoryError(f"its directory is damaged ({error})") from error
        if any(one > other for one, other in pairwise(names)):
            order = sorted(range(len(names)), key=names.__getitem__)
            names = [names[place] for place in order]
            columns = tuple(array(column.typecode, map(column.__getitem__, order)) for column in columns)
        self.names = Names(names)
        self.offsets, self.sizes, self.packed, self.checks, self.methods = columns


def data_offset(header: bytes) -> int:
    """How far behind the start of its ``header`` a member's data begin. Raises DirectoryError."""
    if len(header) < _LOCAL.size:
        raise DirectoryError("the archive ends where a member should begin")
    mark, name_length, extra_length = _LOCAL.unpack_from(header)
    if mark != b"PK\3\4":
        raise DirectoryError("there is no member where the directory says")
    return _LOCAL.size + name_length + extra_length


def archive_comment(descriptor: int) -> bytes:
    """The comment of an archive. Raises DirectoryError."""
    return _find(descriptor)[3]


def _find(descriptor: int) -> tuple[int, int, int, bytes]:
    """Where the directory begins, its size, what to add to the offsets in it, and the archive's comment."""
    length = os.fstat(descriptor).st_size
    tail_start = max(0, length - _LOCATOR.size - _END.size - _LONGEST_COMMENT)
    tail = read_at(descriptor, length - tail_start, tail_start)
    marks = (match.start() for match in re.finditer(rb"PK\x05\x06", tail))
    records = [place for place in marks if place + _END.size <= len(tail)]
    if not records:
        raise DirectoryError("there is no directory at its end; it is no zip archive, or cut off")
    # The last one, but the archive's comment may hold anything: rather one whose comment reaches to the file's end.
    place = max(records, key=lambda place: (place + _END.size + _END.unpack_from(tail, place)[-1] == len(tail), place))
    _, size, offset, comment_length = _END.unpack_from(tail, place)
    comment = tail[place + _END.size :][:comment_length]
    end = tail_start + place
    if place >= _LOCATOR.size and tail.startswith(b"PK\6\7", place - _LOCATOR.size):
        _, stated = _LOCATOR.unpack_from(tail, place - _LOCATOR.size)
        # The record lies before the locator; where it is longer than usual, where the locator says.
        for candidate in (end - _LOCATOR.size - _END_64.size, stated):
            record = read_at(descriptor, _END_64.size, max(0, candidate))
            if len(record) == _END_64.size and record.startswith(b"PK\6\6"):
                _, size, offset = _END_64.unpack(record)
                end = candidate
                break
        else:
            raise DirectoryError("the end of its directory is damaged")
    start = end - size  # right before its end, whatever precedes the archive
    if start < 0:
        raise DirectoryError("its directory is larger than the file")
    return start, size, start - offset, comment


def _read(directory: bytes, base: int) -> Iterator[tuple[bytes, int, int, int, int, int]]:
    """(key, offset, size, stored size, CRC, method) of the files in a directory."""
    place = 0
    while place < len(directory):
        mark, flags, method, check, packed, size, *lengths, offset = _ENTRY.unpack_from(directory, place)
        name_length, extra_length, comment_length = lengths
        name_end = place + _ENTRY.size + name_length
        name = directory[place + _ENTRY.size : name_end]
        place = name_end + extra_length + comment_length
        if mark != b"PK\1\2" or place > len(directory):
            raise DirectoryError("its directory is damaged")
        if size == _IN_EXTRA or packed == _IN_EXTRA or offset == _IN_EXTRA:
            size, packed, offset = _extended(directory[name_end : name_end + extra_length], size, packed, offset)
        if not name.isascii() or b"\\" in name or b".." in name or name[:1] in b"./" or name[-1:] == b"/":
            key = clean_key(name.decode("utf-8" if flags & _UTF8 else "cp437"))
            if key is None:
                continue
            name = key.encode()
        yield name, base + offset, size, packed, check, ENCRYPTED if flags & _ENCRYPTED else method


def _extended(extra: bytes, *values: int) -> list[int]:
    """``values``, those that do not fit taken from the "zip64" field of the extra part, which has them in order."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            numbers = list(struct.unpack_from(f"<{length // 8}Q", extra, place + 4))
            return [numbers.pop(0) if value == _IN_EXTRA and numbers else value for value in values]
        place += 4 + length
    return list(values)
