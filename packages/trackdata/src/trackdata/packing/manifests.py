"""What a finished pack says about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import lmdb

from trackdata.errors import AnnotationError
from trackdata.storage.lmdbs import MANIFEST, LmdbStore
from trackdata.storage.zip_directory import DirectoryError, archive_comment

FORMAT = "trackdata pack 1"
Newlines = Literal["as_is", "published"]


@dataclass(frozen=True)
class Manifest:
    """Description of one LMDB or zip: in LMDB the value of the key ``storage.lmdbs.MANIFEST``, in zip the comment.

    Attributes:
        dataset: the dataset's name, None for any tree of files.
        keys: number of files.
        bytes: the sum of their sizes.
        names: sha256 of all keys that should be in it, each followed by a newline, sorted by their bytes.
        content: sha256 of lines ``<sha256 of the file> <two blanks> <key>`` sorted by key: what
            ``find -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum`` prints in the folder.
        newlines: whether text files were changed for published readers.
        left_out: number of files that could not be packed.
    """

    dataset: str | None
    keys: int
    bytes: int
    names: str
    content: str
    newlines: Newlines = "as_is"
    left_out: int = 0

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Manifest | None:
        """None when the text is something else."""
        try:
            fields = json.loads(text)
            return cls(**fields) if fields.pop("format") == FORMAT else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def read_manifest(path: str | Path) -> Manifest | None:
    """The manifest of the LMDB or zip at ``path``; None when there is none, as in one that trackdata has not packed."""
    path = Path(path)
    try:
        if path.is_dir():
            text = _read_lmdb(path)
        else:
            with path.open("rb") as file:
                text = archive_comment(file.fileno())
    except (AnnotationError, DirectoryError, OSError):
        return None
    return Manifest.from_json(text)


def _read_lmdb(path: Path) -> bytes:
    try:
        with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
            return transaction.get(MANIFEST.encode()) or b""
    except lmdb.Error:  # a process opens it only once, and may have done so
        return LmdbStore(path).read(MANIFEST)


def digest_names(keys: Iterable[str]) -> str:
    """:attr:`Manifest.names` of sorted keys."""
    digest = hashlib.sha256()
    for key in keys:
        digest.update(key.encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()
