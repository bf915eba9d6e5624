"""Stores made of other stores: a folder of one as a store, and archives in the place of folders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from trackdata.storage.store import Store, join


@dataclass(frozen=True)
class Below:
    """The folder ``folder`` of ``store`` as a store of its own."""

    store: Store
    folder: str

    def read(self, key: str) -> bytes:
        return self.store.read(self._key(key))

    def is_file(self, key: str) -> bool:
        return self.store.is_file(self._key(key))

    def files(self, folder: str = "") -> list[str]:
        return self.store.files(self._key(folder))

    def folders(self, folder: str = "") -> list[str]:
        return self.store.folders(self._key(folder))

    def where(self, key: str) -> str:
        return self.store.where(self._key(key))

    def stamp(self, key: str) -> str:
        return self.store.stamp(self._key(key))

    def _key(self, key: str) -> str:
        return join(self.folder, key) if key else self.folder


@dataclass(frozen=True)
class MountedStore:
    """``base``, with stores in the place of folders of its root.

    Attributes:
        base: a folder.
        mounts: (name, store): what stands for the folder ``name``.
        containers: names of the files and folders of the root that hold these stores. They are not listed, because what
            is in them is.
    """

    base: Store
    mounts: tuple[tuple[str, Store], ...]
    containers: tuple[str, ...] = ()

    def _find(self, key: str) -> tuple[Store, str]:
        top, _, rest = key.partition("/")
        for name, store in self.mounts:
            if name == top:
                return store, rest
        return self.base, key

    def read(self, key: str) -> bytes:
        store, rest = self._find(key)
        return store.read(rest)

    def is_file(self, key: str) -> bool:
        store, rest = self._find(key)
        return store.is_file(rest)

    def files(self, folder: str = "") -> list[str]:
        store, rest = self._find(folder)
        names = store.files(rest)
        return names if folder else [name for name in names if name not in self.containers]

    def folders(self, folder: str = "") -> list[str]:
        store, rest = self._find(folder)
        names = store.folders(rest)
        return names if folder else sorted({*names, *(name for name, _ in self.mounts)} - {*self.containers})

    def where(self, key: str) -> str:
        store, rest = self._find(key)
        return store.where(rest)

    def stamp(self, key: str) -> str:
        store, rest = self._find(key)
        return store.stamp(rest)


@dataclass(frozen=True)
class OwnFolder:
    """An archive without the one folder that bears its name: ``airplane.zip`` may hold ``airplane/airplane-1/...``.

    Whether it does is seen when a file is asked for, so that nothing needs to be opened before.
    """

    archive: Store
    name: str

    @property
    def _inner(self) -> Store:
        return Below(self.archive, self.name) if _holds_only(self.archive, self.name) else self.archive

    def read(self, key: str) -> bytes:
        return self._inner.read(key)

    def is_file(self, key: str) -> bool:
        return self._inner.is_file(key)

    def files(self, folder: str = "") -> list[str]:
        return self._inner.files(folder)

    def folders(self, folder: str = "") -> list[str]:
        return self._inner.folders(folder)

    def where(self, key: str) -> str:
        return self._inner.where(key)

    def stamp(self, key: str) -> str:
        return self._inner.stamp(key)


@lru_cache
def _holds_only(archive: Store, folder: str) -> bool:
    return archive.folders() == [folder] and not archive.files()
