"""What a store is, and reading text and images from one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from trackcore.images import FrameReadError, decode_image
from trackdata.errors import AnnotationError, MissingDataError
from trackdata.parsing import TextFile


@runtime_checkable
class Store(Protocol):
    """A tree of files, read only.

    Keys are relative paths with forward slashes, without ``.`` or ``..``; the root is the empty key.
    """

    def read(self, key: str) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: there is none; the message says where it was looked for.
            OSError: it cannot be read.
        """

    def is_file(self, key: str) -> bool:
        """Whether there is a file of this key."""

    def files(self, folder: str = "") -> list[str]:
        """Names of the files that lie directly in ``folder``, sorted; none when there is no such folder."""

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders that lie directly in ``folder``, sorted; none when there is no such folder."""

    def where(self, key: str) -> str:
        """The place of a key, as errors name it."""

    def stamp(self, key: str) -> str:
        """A text that changes when the file or folder changes (size and time of change); "" when there is none.

        Archives and LMDB answer for the whole archive. A folder's stamp tells of files that came or went, not of
        changes inside them.
        """


def join(folder: str, name: str) -> str:
    """The key of ``name`` in ``folder``, which may be the root."""
    return f"{folder}/{name}" if folder else name


_DEEPEST = 64  # folders in folders; more are links that lead back


def walk(store: Store, folder: str = "") -> Iterator[str]:
    """Keys of all files in ``folder`` and below it, those of a folder before those of the folders in it.

    Raises:
        OSError: folders do not end, as where a link leads back to one above it.
    """
    if folder.count("/") >= _DEEPEST:
        raise OSError(f"{store.where(folder)}: folders do not end here; a link may lead back to one above it")
    yield from (join(folder, name) for name in store.files(folder))
    for name in store.folders(folder):
        yield from walk(store, join(folder, name))


def read_annotation(store: Store, key: str) -> bytes:
    """The bytes of an annotation file.

    Raises:
        MissingDataError: the file is missing; the message names it.
        AnnotationError: it cannot be read; the message names it.
    """
    try:
        return store.read(key)
    except FileNotFoundError:
        raise MissingDataError(f"{store.where(key)}: there is no such file") from None
    except OSError as error:
        raise AnnotationError(f"{store.where(key)}: cannot be read ({error.strerror or error})") from error


def read_text(store: Store, key: str) -> TextFile:
    """A text file (UTF-8, with or without a byte order mark).

    Raises:
        AnnotationError: the file is missing, cannot be read or is no text; the message names it.
    """
    return TextFile.decode(read_annotation(store, key), store.where(key))


def read_frame(store: Store, key: str) -> np.ndarray:
    """An image as RGB uint8 ``(H, W, 3)``; see :func:`trackcore.images.read_image` for the details.

    Raises:
        FrameReadError: the file is missing, truncated or no image; the message names it.
    """
    try:
        data = store.read(key)
    except FileNotFoundError:
        raise FrameReadError(f"{store.where(key)}: there is no such image file") from None
    except OSError as error:
        raise FrameReadError(f"{store.where(key)}: cannot be read ({error.strerror or error})") from error
    return decode_image(data, store.where(key))
