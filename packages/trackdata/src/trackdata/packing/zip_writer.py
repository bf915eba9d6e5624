"""Writing zip archives that can be continued after the process was killed.

An archive's directory comes last, so a killed process leaves none. But every member is preceded by a header of its own:
the headers are walked from the start, what follows the last complete member is cut off, and writing goes on there.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Set
from contextlib import suppress
from pathlib import Path, PurePath
from types import TracebackType
from typing import BinaryIO

from trackdata.packing.manifests import Manifest
from trackdata.storage.names import clean_key

_STORED = frozenset({".gz", ".jpeg", ".jpg", ".mkv", ".mov", ".mp4", ".npz", ".png", ".webm", ".webp", ".zip"})
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest there is: the same files make the same archive
_HEADER = struct.Struct("<4s5H3I2H")  # APPNOTE.TXT 4.3.7: local file header
_IN_DOUBT = 1 << 27  # bytes at the end that may not have reached the disk: more than are added at once
_IN_EXTRA = 0xFFFFFFFF  # a size that stands in the field "zip64" of the header's extra part


class ZipWriter:
    """A zip archive at ``path`` to add files to. A context manager; the archive has its directory when it ends.

    Images, videos and archives are stored, everything else is deflated.

    Raises:
        OSError: it cannot be written to, for example because the disk is full.
    """

    def __init__(self, path: Path, expected: Iterable[str]) -> None:
        """``expected``: keys that may be there already, in the order in which they were added."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("r+b" if path.exists() else "w+b")
        members, end = _recover(self._file, set(expected))
        self._file.truncate(end)
        self._file.seek(end)
        self._archive = zipfile.ZipFile(self._file, "w")  # starts at the file's position
        self._archive.infolist().extend(members)
        self._there = {member.filename for member in members}

    def unfit(self, key: str, data: bytes) -> str | None:
        """Why a file cannot be in the archive, or None."""
        return None if clean_key(key) == key else "a zip archive cannot have this name"

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Those of ``keys`` that are not there yet."""
        return [key for key in keys if key not in self._there]

    def add(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Append files: all of them, on the disk, or, when the process is killed, the first few."""
        for key, data in items:
            member = zipfile.ZipInfo(key, _TIME)
            packed_already = PurePath(key).suffix.lower() in _STORED
            member.compress_type = zipfile.ZIP_STORED if packed_already else zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            self._archive.writestr(member, data)
        self._flush()

    @staticmethod
    def seal(path: Path, manifest: Manifest) -> None:
        """Say in the archive's comment that it is complete."""
        comment = manifest.to_json()
        with path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)  # of a record that ends in the comment's length, 0 so far
            file.write(comment)
            file.seek(end - 2)
            file.write(struct.pack("<H", len(comment)))
            file.flush()
            os.fsync(file.fileno())

    def __enter__(self) -> ZipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is not None:
                with suppress(OSError):  # the error under way is the one to tell
                    self._archive.close()
                return
            self._archive.close()
            self._flush()

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def _recover(file: BinaryIO, expected: Set[str]) -> tuple[list[zipfile.ZipInfo], int]:
    """The complete members at the start of an archive of which anything may be missing, and where they end."""
    size = file.seek(0, os.SEEK_END)
    members: list[zipfile.ZipInfo] = []
    ends = [0]
    while (found := _read_header(file, ends[-1])) is not None:
        member, end = found
        in_order = not members or members[-1].filename < member.filename
        if end > size or member.filename not in expected or not in_order:
            break
        members.append(member)
        ends.append(end)
    # The file may be as long as it should be without all of it having reached the disk.
    kept = bisect_right(ends, ends[-1] - _IN_DOUBT) - 1 if ends[-1] > _IN_DOUBT else 0
    while kept < len(members) and _is_intact(file, members[kept], ends[kept + 1]):
        kept += 1
    if kept and members[kept - 1].file_size == 0:
        kept -= 1  # a header is written before the sizes in it are known: this may be the start of any file
    return members[:kept], ends[kept]


def _is_intact(file: BinaryIO, member: zipfile.ZipInfo, end: int) -> bool:
    file.seek(end - member.compress_size)
    data = file.read(member.compress_size)
    if member.compress_type == zipfile.ZIP_DEFLATED:
        try:
            data = zlib.decompress(data, wbits=-zlib.MAX_WBITS)
        except zlib.error:
            return False
    return len(data) == member.file_size and zlib.crc32(data) == member.CRC


def _read_header(file: BinaryIO, start: int) -> tuple[zipfile.ZipInfo, int] | None:
    """The member whose header begins at ``start``, and where it ends; None when there is none."""
    file.seek(start)
    fixed = file.read(_HEADER.size)
    if len(fixed) < _HEADER.size:
        return None
    mark, version, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _HEADER.unpack(fixed)
    rest = file.read(name_length + extra_length)
    if mark != b"PK\3\4" or len(rest) < name_length + extra_length:
        return None
    if packed == _IN_EXTRA or unpacked == _IN_EXTRA:
        kind, length = struct.unpack_from("<HH", rest.ljust(name_length + 20, b"\0"), name_length)
        if kind != 1 or length < 16 or extra_length < 20:
            return None
        unpacked, packed = struct.unpack_from("<QQ", rest, name_length + 4)
    try:
        name = rest[:name_length].decode("utf-8" if flags & 0x800 else "ascii")
    except UnicodeDecodeError:
        return None
    member = zipfile.ZipInfo(name, _TIME)
    member.header_offset, member.CRC, member.flag_bits = start, crc, flags
    member.compress_type, member.compress_size, member.file_size = method, packed, unpacked
    member.create_version = member.extract_version = version
    member.external_attr = 0o644 << 16
    return member, start + _HEADER.size + name_length + extra_length + packed
