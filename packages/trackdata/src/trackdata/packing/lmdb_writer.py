"""Writing LMDB: what was added stays, whatever happens next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import lmdb

from trackdata.packing.manifests import Manifest
from trackdata.storage.lmdbs import DATA_FILE, MANIFEST

_FIRST_MAP = 1 << 28  # bytes; doubled when full. The file has only what is used.
_LARGEST = (1 << 32) - 1  # bytes of one value


class LmdbWriter:
    """An LMDB in the folder ``path`` to add files to. A context manager.

    Raises:
        OSError: it cannot be written to, for example because the disk is full.
    """

    def __init__(self, path: Path, expected: Iterable[str]) -> None:
        """``expected`` is for writers that need to know what may be in there."""
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        there = path / DATA_FILE
        size = there.stat().st_size if there.exists() else 0
        with _own_errors(path):
            self._environment = lmdb.open(str(path), map_size=max(_FIRST_MAP, 2 * size), meminit=False)

    def unfit(self, key: str, data: bytes) -> str | None:
        """Why a file cannot be in an LMDB, or None."""
        limit = self._environment.max_key_size()
        if len(key.encode()) > limit:
            return f"its name has {len(key.encode())} bytes, and a key of LMDB at most {limit}"
        if len(data) > _LARGEST:
            return "a value of LMDB is smaller than 4 GiB"
        return None

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Those of ``keys`` that are not there yet."""
        with self._environment.begin(buffers=True) as transaction:
            limit = self._environment.max_key_size()
            names = ((key, key.encode(errors="surrogateescape")) for key in keys)
            return [key for key, name in names if len(name) > limit or transaction.get(name) is None]

    def add(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Put files into it: all of them, on the disk, or, when the process is killed, none."""
        items = list(items)
        while True:
            try:
                with _own_errors(self._path), self._environment.begin(write=True) as transaction:
                    for key, data in items:
                        transaction.put(key.encode(), data)
                return
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])

    @staticmethod
    def seal(path: Path, manifest: Manifest) -> None:
        """Say that it is complete."""
        with LmdbWriter(path, ()) as writer:
            writer.add([(MANIFEST, manifest.to_json())])

    def __enter__(self) -> LmdbWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._environment.close()
        (self._path / "lock.mdb").unlink(missing_ok=True)  # readers need none


@contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    """LMDB's errors as OSError, but for a full map, which has a remedy."""
    try:
        yield
    except lmdb.MapFullError:
        raise
    except lmdb.Error as error:
        raise OSError(f"{path}: {error}") from error
