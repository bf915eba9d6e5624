"""Frames of a sequence that are image files in a store, read when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trackdata.storage.store import Store, join, read_frame


class Frames(Protocol):
    """Frames of one sequence, read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame ``index`` as RGB uint8 ``(H, W, 3)``; negative indices count from the end.

        Raises:
            IndexError: there is no such frame.
            FrameError: it is missing or cannot be decoded.
        """


@dataclass(frozen=True)
class StoredFrames:
    """Frames that are the images ``keys`` of ``store``, in this order."""

    store: Store
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> np.ndarray:
        return read_frame(self.store, self.keys[index])


@dataclass(frozen=True)
class NumberedFrames:
    """Frames that are images with consecutive numbers; holds no list of names, so large datasets stay small.

    Attributes:
        store: where the images lie.
        folder: key of their folder.
        count: how many frames there are.
        pattern: file name with one place for the number, as in ``"{:08d}.jpg"``.
        first: number of frame 0.
    """

    store: Store
    folder: str
    count: int
    pattern: str = "{:08d}.jpg"
    first: int = 1

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of all frames."""
        return tuple(self._key(index) for index in range(self.count))

    def _key(self, index: int) -> str:
        return join(self.folder, self.pattern.format(self.first + index))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        # range: negative indices, and IndexError beyond
        return read_frame(self.store, self._key(range(self.count)[index]))
