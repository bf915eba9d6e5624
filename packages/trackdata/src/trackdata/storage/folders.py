"""Plain folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

INDEX_FOLDER = ".trackdata"  # what trackdata itself keeps beside the data; no folder of the dataset


@dataclass(frozen=True)
class FolderStore:
    """The files below the folder ``root``."""

    root: Path

    def _path(self, key: str) -> str:
        # Joined as text: pathlib is several times slower, and this runs for every frame.
        return f"{self.root}/{key}" if key else str(self.root)

    def read(self, key: str) -> bytes:
        with open(self._path(key), "rb") as file:  # noqa: PTH123
            return file.read()

    def is_file(self, key: str) -> bool:
        return os.path.isfile(self._path(key))  # noqa: PTH113

    def files(self, folder: str = "") -> list[str]:
        return sorted(entry.name for entry in self._entries(folder) if _is_file(entry))

    def folders(self, folder: str = "") -> list[str]:
        return sorted(entry.name for entry in self._entries(folder) if _is_folder(entry) and entry.name != INDEX_FOLDER)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._path(folder)) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def where(self, key: str) -> str:
        return self._path(key)

    def stamp(self, key: str) -> str:
        try:
            status = os.stat(self._path(key))  # noqa: PTH116
        except OSError:
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}"


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Also a link that leads nowhere: reading it tells, where leaving it out would hide it."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads nowhere counts as a file
