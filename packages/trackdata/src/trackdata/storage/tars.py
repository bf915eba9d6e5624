"""Tar archives without compression, read in place."""

from __future__ import annotations

import os
import tarfile
from array import array
from dataclasses import dataclass
from pathlib import Path

from trackdata.errors import AnnotationError
from trackdata.storage.folders import FolderStore
from trackdata.storage.names import Names, clean_key
from trackdata.storage.positions import read_at
from trackdata.storage.processes import PerProcess


class _Archive:
    """An open archive: its members' names, and where each begins and how long it is, in their order."""

    def __init__(self, path: Path) -> None:
        try:
            with tarfile.open(path, "r:") as archive:
                named = ((clean_key(info.name), info) for info in archive if info.isfile())
                members = [(_encode(key), info.offset_data, info.size) for key, info in named if key is not None]
        except (tarfile.TarError, OSError) as error:
            raise AnnotationError(
                f"{path}: cannot be opened as an uncompressed tar archive ({error}); "
                "compressed ones cannot be read in place: unpack it, or pack it as zip"
            ) from error
        members.sort(key=lambda member: member[0])  # of two that are called the same the last stays last
        self.names = Names([name for name, _, _ in members])
        self.offsets = array("Q", (offset for _, offset, _ in members))
        self.sizes = array("Q", (size for _, _, size in members))
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))


def _encode(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


# A forked child reads on from its parent's descriptor: reading at a place does not move it.
_ARCHIVES: PerProcess[_Archive] = PerProcess(_Archive, inherit=True)


@dataclass(frozen=True)
class TarStore:
    """The files in the uncompressed tar archive ``path``. Its headers are read once per process, and not again in
    forked ones.

    Raises:
        AnnotationError: on first use, when the file is no such archive.
    """

    path: Path

    @property
    def _archive(self) -> _Archive:
        return _ARCHIVES.get(self.path)

    def read(self, key: str) -> bytes:
        archive = self._archive
        place = archive.names.find(key)
        if place is None:
            raise FileNotFoundError(f"{self.where(key)}: there is no such file")
        size = archive.sizes[place]
        data = read_at(archive.descriptor, size, archive.offsets[place])
        if len(data) != size:
            raise OSError(f"{self.where(key)}: the archive ends after {len(data)} of {size} bytes")
        return data

    def is_file(self, key: str) -> bool:
        return self._archive.names.find(key) is not None

    def files(self, folder: str = "") -> list[str]:
        return self._archive.names.files(folder)

    def folders(self, folder: str = "") -> list[str]:
        return self._archive.names.folders(folder)

    def where(self, key: str) -> str:
        return f"{self.path}/{key}" if key else str(self.path)

    def stamp(self, key: str) -> str:
        return FolderStore(self.path.parent).stamp(self.path.name)
