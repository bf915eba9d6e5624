"""Zip archives, read in place."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from trackdata.errors import AnnotationError
from trackdata.storage.folders import FolderStore
from trackdata.storage.processes import PerProcess
from trackdata.storage.tree import Tree, clean_key


class _Archive:
    """An open archive: members by key, and their tree."""

    def __init__(self, path: Path) -> None:
        try:
            self.file = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise AnnotationError(f"{path}: cannot be opened as a zip archive ({error})") from error
        members = ((clean_key(info.filename), info) for info in self.file.infolist() if not info.is_dir())
        self.members = {key: info for key, info in members if key is not None}
        self.tree = Tree(self.members)


_ARCHIVES: PerProcess[_Archive] = PerProcess(_Archive)


@dataclass(frozen=True)
class ZipStore:
    """The files in the zip archive ``path``. Its directory is read once per process.

    Raises:
        AnnotationError: on first use, when the file is no zip archive.
    """

    path: Path

    @property
    def _archive(self) -> _Archive:
        return _ARCHIVES.get(self.path)

    def read(self, key: str) -> bytes:
        archive = self._archive
        if key not in archive.members:
            raise FileNotFoundError(f"{self.where(key)}: there is no such file")
        try:
            return archive.file.read(archive.members[key])
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise OSError(f"{self.where(key)}: cannot be unpacked ({error})") from error

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
