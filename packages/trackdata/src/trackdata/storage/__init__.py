"""Where the files of a dataset lie: in folders, zip or tar archives, or LMDB, all read the same way.

A *store* is a tree of files. Keys are paths relative to the dataset's root with forward slashes
(``train/GOT-10k_Train_000001/00000001.jpg``), values are the bytes of the file, the same from every kind of storage.
Readers of datasets see nothing else, so each of them reads every kind.

Stores are small values: they can be pickled, compared and sent to worker processes. File handles and LMDB environments
belong to a process and are opened on first use in it, so a store may be used before and after a fork.
"""

from trackdata.storage.folders import FolderStore
from trackdata.storage.lmdbs import LmdbStore
from trackdata.storage.mounts import Below, MountedStore, OwnFolder
from trackdata.storage.opening import open_store
from trackdata.storage.store import Store, read_annotation, read_frame, read_text, walk
from trackdata.storage.tars import TarStore
from trackdata.storage.zips import ZipStore

__all__ = [
    "Below",
    "FolderStore",
    "LmdbStore",
    "MountedStore",
    "OwnFolder",
    "Store",
    "TarStore",
    "ZipStore",
    "open_store",
    "read_annotation",
    "read_frame",
    "read_text",
    "walk",
]
