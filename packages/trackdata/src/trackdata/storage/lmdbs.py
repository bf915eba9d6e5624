"""LMDB environments whose keys are relative paths: the scheme in which tracking datasets are published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lmdb

from trackdata.errors import AnnotationError
from trackdata.storage.folders import FolderStore
from trackdata.storage.processes import PerProcess
from trackdata.storage.store import join

DATA_FILE = "data.mdb"
MANIFEST = ".trackdata-manifest"  # key of the description that `trackdata pack` leaves; no file of the dataset


def _open(path: Path) -> lmdb.Environment:
    try:
        return lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise AnnotationError(f"{path}: cannot be opened as LMDB ({error})") from error


# An inherited environment has to be closed before its path can be opened again. As there is no lock file, that touches
# nothing of the parent's.
_ENVIRONMENTS: PerProcess[lmdb.Environment] = PerProcess(_open, forget=lambda environment: environment.close())


@dataclass(frozen=True)
class LmdbStore:
    """The files in the LMDB folder ``path``, which holds ``data.mdb``.

    Raises:
        AnnotationError: on first use, when the folder holds no LMDB.
    """

    path: Path

    def read(self, key: str) -> bytes:
        with _ENVIRONMENTS.get(self.path).begin() as transaction:
            value = transaction.get(key.encode()) if key else None
        if value is None:
            raise FileNotFoundError(f"{self.where(key)}: there is no such key")
        return value

    def is_file(self, key: str) -> bool:
        with _ENVIRONMENTS.get(self.path).begin(buffers=True) as transaction:
            return bool(key) and transaction.get(key.encode()) is not None

    def files(self, folder: str = "") -> list[str]:
        return sorted(name for name, is_folder in self._entries(folder) if not is_folder and name != MANIFEST)

    def folders(self, folder: str = "") -> list[str]:
        return sorted(name for name, is_folder in self._entries(folder) if is_folder)

    def _entries(self, folder: str) -> Iterator[tuple[str, bool]]:
        """(name, whether it is a folder) of what lies directly in ``folder``.

        Keys are sorted, so everything below a folder is one run, and the cursor jumps over the runs of its folders.
        """
        prefix = join(folder, "").encode() if folder else b""
        with _ENVIRONMENTS.get(self.path).begin() as transaction, transaction.cursor() as cursor:
            found = cursor.set_range(prefix) if prefix else cursor.first()
            while found:
                key = cursor.key()
                if not key.startswith(prefix):
                    return
                name, slash, _ = key[len(prefix) :].partition(b"/")
                yield name.decode(), bool(slash)
                found = cursor.set_range(prefix + name + b"0") if slash else cursor.next()  # "0" follows "/"

    def where(self, key: str) -> str:
        return f"{self.path}/{key}" if key else str(self.path)

    def close(self) -> None:
        """Close what this process has open; the store may be used again. No thread may be reading from it."""
        if (environment := _ENVIRONMENTS.drop(self.path)) is not None:
            environment.close()

    def stamp(self, key: str) -> str:
        return FolderStore(self.path).stamp(DATA_FILE)
