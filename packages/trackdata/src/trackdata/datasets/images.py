"""Still images without annotation, for instance ImageNet's: ``<root>/<class>/*.jpg``, or the same without the class."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from types import MappingProxyType

import numpy as np

from trackcore.images import IMAGE_SUFFIXES
from trackdata.datasets.info import DatasetInfo
from trackdata.datasets.kinetics import Video
from trackdata.errors import AnnotationError
from trackdata.frames import StoredFrames
from trackdata.storage import Below, Store, open_store
from trackdata.storage.store import join


class Images:
    """The images in a folder and in the folders in it, sorted by key, each as a video of one frame.

    Nothing is opened: an image that cannot be decoded is found when it is read.

    Attributes:
        name: what reports call it.
        still: True.
        digest: sha256 of the names.
        unreadable: empty, because nothing is opened.
    """

    still = True
    unreadable: Mapping[str, str] = MappingProxyType({})

    def __init__(self, root: str | Path | Store, split: str | None = None, *, name: str | None = None) -> None:
        """
        Args:
            root: the folder, archive or LMDB.
            split: a folder below it.
            name: what reports call it; by default the folder's name.

        Raises:
            AnnotationError: there is no such folder, or it holds no images.
        """
        store = open_store(root)
        store = store if split is None else Below(store, split)
        keys = sorted(
            join(folder, name)
            for folder in ("", *store.folders())
            for name in store.files(folder)
            if PurePath(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
        )
        if not keys:
            raise AnnotationError(f"{store.where('')}: holds no images; expected <class>/<image>.jpg or <image>.jpg")
        self.name = name or PurePath(store.where("")).name
        self._store = store
        self._keys = np.array([os.fsencode(key) for key in keys])  # one array: see Kinetics
        self.digest = hashlib.sha256(b"\n".join(self._keys.tolist())).hexdigest()

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> Video:
        """Image ``index``. Raises IndexError."""
        key = os.fsdecode(self._keys[index])
        folder, slash, _ = key.partition("/")
        name = key.removesuffix(PurePath(key).suffix)
        return Video(name, StoredFrames(self._store, (key,)), folder if slash else None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} images>"


DATASETS = (
    DatasetInfo(
        name="images",
        title="still images",
        open=Images,
        layout="<class>/<image>.jpg, or the same without the class",
        annotation="none",
        boxes=False,
    ),
)
