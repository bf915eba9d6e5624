"""From a path to the store that lies there."""

from __future__ import annotations

from pathlib import Path

from trackdata.errors import AnnotationError
from trackdata.storage.folders import FolderStore
from trackdata.storage.lmdbs import DATA_FILE, LmdbStore
from trackdata.storage.mounts import Below, MountedStore, OwnFolder
from trackdata.storage.store import Store
from trackdata.storage.tars import TarStore
from trackdata.storage.zips import ZipStore

_ARCHIVES = {".zip": ZipStore, ".tar": TarStore}
_LMDB_ENDINGS = ("_lmdb", ".lmdb")


def open_store(root: str | Path | Store) -> Store:
    """The store at ``root``.

    Args:
        root: a folder, a ``.zip`` or uncompressed ``.tar`` archive, a folder inside such an archive
            (``DAVIS-2017.zip/DAVIS``), a folder of LMDB, or a store, which is returned as it is. In a folder, an
            archive ``X.zip`` or ``X.tar`` or an LMDB ``X_lmdb`` stands for the folder ``X`` where that does not exist:
            datasets that come in several archives need not be unpacked. Links are followed.

    Raises:
        AnnotationError: there is nothing of that kind.
    """
    if not isinstance(root, str | Path):
        return root
    path = Path(root).expanduser().absolute()
    if path.is_dir():
        return _open_folder(path)
    archive = next((place for place in (path, *path.parents) if place.suffix in _ARCHIVES and place.is_file()), None)
    if archive is None:
        what = "is no folder, zip or tar archive" if path.exists() else "there is no such folder"
        raise AnnotationError(f"{path}: {what}")
    store = _ARCHIVES[archive.suffix](archive)
    inner = path.relative_to(archive).as_posix()
    if inner == ".":
        return store
    if not store.files(inner) and not store.folders(inner):
        raise AnnotationError(f"{path}: there is no folder {inner!r} in the archive {archive}")
    return Below(store, inner)


def _open_folder(path: Path) -> Store:
    if (path / DATA_FILE).is_file():
        return LmdbStore(path)
    base = FolderStore(path)
    mounts: dict[str, Store] = {}
    containers: list[str] = []
    for name in base.files():
        stem, suffix = Path(name).stem, Path(name).suffix
        if suffix in _ARCHIVES and stem not in mounts and not (path / stem).exists():
            mounts[stem] = OwnFolder(_ARCHIVES[suffix](path / name), stem)
            containers.append(name)
    for name in base.folders():
        stem = next((name.removesuffix(ending) for ending in _LMDB_ENDINGS if name.endswith(ending)), "")
        if stem and stem not in mounts and not (path / stem).exists() and (path / name / DATA_FILE).is_file():
            mounts[stem] = LmdbStore(path / name)
            containers.append(name)
    return MountedStore(base, tuple(sorted(mounts.items())), tuple(containers)) if mounts else base
