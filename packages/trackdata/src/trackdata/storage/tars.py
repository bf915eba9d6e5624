"""Tar archives without compression, read in place."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from trackdata.errors import AnnotationError
from trackdata.storage.folders import FolderStore
from trackdata.storage.processes import PerProcess
from trackdata.storage.tree import Tree, clean_key


class _Archive:
    """An open archive: (offset, size) of the members by key, and their tree."""

    def __init__(self, path: Path) -> None:
        try:
            with tarfile.open(path, "r:") as archive:
                members = ((clean_key(info.name), info) for info in archive if info.isfile())
                self.members = {key: (info.offset_data, info.size) for key, info in members if key is not None}
        except (tarfile.TarError, OSError) as error:
            raise AnnotationError(
                f"{path}: cannot be opened as an uncompressed tar archive ({error}); "
                "compressed ones cannot be read in place: unpack it, or pack it as zip"
            ) from error
        self.descriptor = os.open(path, os.O_RDONLY)
        self.tree = Tree(self.members)


_ARCHIVES: PerProcess[_Archive] = PerProcess(_Archive)


@dataclass(frozen=True)
class TarStore:
    """The files in the uncompressed tar archive ``path``. Its headers are read once per process.

    Raises:
        AnnotationError: on first use, when the file is no such archive.
    """

    path: Path

    @property
    def _archive(self) -> _Archive:
        return _ARCHIVES.get(self.path)

    def read(self, key: str) -> bytes:
        archive = self._archive
        if key not in archive.members:
            raise FileNotFoundError(f"{self.where(key)}: there is no such file")
        offset, size = archive.members[key]
        data = os.pread(archive.descriptor, size, offset)
        if len(data) != size:
            raise OSError(f"{self.where(key)}: the archive ends after {len(data)} of {size} bytes")
        return data

    def is_file(self, key: str) -> bool:
        return key in self._archive.members

    def files(self, folder: str = "") -> list[str]:
        return self._archive.tree.files(folder)

    def folders(self, folder: str = "") -> list[str]:
        return self._archive.tree.folders(folder)

    def where(self, key: str) -> str:
        return f"{self.path}/{key}" if key else str(self.path)

    def stamp(self, key: str) -> str:
        return FolderStore(self.path.parent).stamp(self.path.name)
