"""Zip archives, read in place."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from trackdata.errors import AnnotationError
from trackdata.storage.folders import FolderStore
from trackdata.storage.positions import read_at
from trackdata.storage.processes import PerProcess
from trackdata.storage.zip_directory import ENCRYPTED, Directory, DirectoryError, data_offset

_HEADER = 512  # bytes read in front of a member's data, hoping that its header is no longer
_STORED, _DEFLATED = 0, 8
_MOST_PER_BYTE = 1032  # that a deflated byte can stand for, whatever size a damaged directory claims


class _Archive:
    """An open archive and its directory."""

    def __init__(self, path: Path) -> None:
        try:
            self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise AnnotationError(f"{path}: cannot be opened ({error.strerror})") from error
        try:
            self.directory = Directory(self.descriptor)
        except DirectoryError as error:
            os.close(self.descriptor)
            raise AnnotationError(f"{path}: cannot be opened as a zip archive: {error}") from error

    def read(self, place: int) -> bytes:
        """The bytes of a member. Raises OSError saying what is wrong with it."""
        directory = self.directory
        method, packed, start = directory.methods[place], directory.packed[place], directory.offsets[place]
        if method not in (_STORED, _DEFLATED):
            how = "is encrypted" if method == ENCRYPTED else f"is compressed by method {method}"
            raise OSError(f"it {how}; pack it again, stored or deflated")
        read = read_at(self.descriptor, _HEADER + packed, start)
        try:
            offset = data_offset(read)
        except DirectoryError as error:
            raise OSError(str(error)) from error
        data = read[offset : offset + packed]
        if len(data) < packed:
            data = read_at(self.descriptor, packed, start + offset)
        if method == _DEFLATED:
            room = max(1, min(directory.sizes[place], _MOST_PER_BYTE * len(data)))
            try:
                data = zlib.decompress(data, wbits=-zlib.MAX_WBITS, bufsize=room)
            except zlib.error as error:
                raise OSError(str(error)) from error
        if len(data) != directory.sizes[place]:
            raise OSError(f"it has {len(data)} of {directory.sizes[place]} bytes")
        if zlib.crc32(data) != directory.checks[place]:
            raise OSError("its CRC-32 is not that of the directory")
        return data


# A forked child reads on from its parent's descriptor: reading at a place does not move it.
_ARCHIVES: PerProcess[_Archive] = PerProcess(_Archive, inherit=True)


@dataclass(frozen=True)
class ZipStore:
    """The files in the zip archive ``path``. Its directory is read once per process, and not again in forked ones.

    Raises:
        AnnotationError: on first use, when the file is no zip archive.
    """

    path: Path

    @property
    def _archive(self) -> _Archive:
        return _ARCHIVES.get(self.path)

    def read(self, key: str) -> bytes:
        archive = self._archive
        place = archive.directory.names.find(key)
        if place is None:
            raise FileNotFoundError(f"{self.where(key)}: there is no such file")
        try:
            return archive.read(place)
        except OSError as error:
            raise OSError(f"{self.where(key)}: cannot be unpacked ({error})") from error

    def is_file(self, key: str) -> bool:
        return self._archive.directory.names.find(key) is not None

    def files(self, folder: str = "") -> list[str]:
        return self._archive.directory.names.files(folder)

    def folders(self, folder: str = "") -> list[str]:
        return self._archive.directory.names.folders(folder)

    def where(self, key: str) -> str:
        return f"{self.path}/{key}" if key else str(self.path)

    def close(self) -> None:
        """Close what this process has open; the store may be used again. No thread may be reading from it."""
        if (archive := _ARCHIVES.drop(self.path)) is not None:
            os.close(archive.descriptor)

    def stamp(self, key: str) -> str:
        return FolderStore(self.path.parent).stamp(self.path.name)
