"""Masks that a method reported: ``<video>/<frame>.png`` with object numbers, in a folder or an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackdata.evaluation.results import ResultError
from trackdata.labels import decode_mask, read_labels
from trackdata.storage import Store, open_store, read_annotation
from trackdata.storage.store import join

_FOLDERS = ("", "Annotations", "Annotations/480p")


@dataclass(frozen=True)
class MaskResults:
    """Reported label maps of one method.

    Attributes:
        store: where they lie.
        folder: key of the folder with one folder per video.
        binary: everything that is not 0 is object 1.
    """

    store: Store
    folder: str = ""
    binary: bool = False

    @classmethod
    def open(cls, path: str | Path, videos: Sequence[str], binary: bool = False) -> MaskResults:
        """The results in a folder or archive, at its top, in ``Annotations`` or in its only folder.

        Raises:
            ResultError: none of ``videos`` has a folder there.
        """
        if not Path(path).exists():
            raise ResultError(f"{path}: there is no such folder or archive")
        store = open_store(path)
        top = list(store.folders(""))
        wanted = set(videos)
        for folder in (*_FOLDERS, *(top if len(top) == 1 else ())):
            if wanted.intersection(store.folders(folder)):
                return cls(store, folder, binary)
        raise ResultError(f"{path} holds no folder of masks for any of the {len(wanted)} videos, such as {videos[0]!r}")

    def labels(self, video: str, frame: str, size: tuple[int, int]) -> np.ndarray:
        """The label map ``(H, W)`` of a frame, uint8 or uint16.

        Args:
            size: (height, width) it must have.

        Raises:
            AnnotationError: the file is missing or damaged, or holds colours.
            ResultError: it has another size.
        """
        key = join(join(self.folder, video), f"{frame}.png")
        if self.binary:
            data = read_annotation(self.store, key)
            labels = decode_mask(data, self.store.where(key)).view(np.uint8)
        else:
            labels = read_labels(self.store, key)
        if labels.shape != tuple(size):
            height, width = labels.shape
            raise ResultError(f"{self.store.where(key)} is {width} x {height}, expected {size[1]} x {size[0]}")
        return labels
