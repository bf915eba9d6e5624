"""The miniature datasets, unpacked, and a tree of awkward files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

ARCHIVE = Path(__file__).parents[1] / "conformance" / "mini_datasets.zip"


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the miniature datasets. Copy what you change."""
    root = tmp_path_factory.mktemp("mini")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(root)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files that try the containers: empty, named alike, beyond ASCII, archives, deep, repetitive, random."""
    random = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.writestr("a/b.txt", b"a member that begins like one of the archive around it")
    files = {
        "list.txt": b"a\nb\n",
        "a/empty.txt": b"",
        "a/groundtruth.txt": b"1,2,3,4\n" * 50,
        "a/img/00000001.jpg": b"\xff\xd8\xff" + random.bytes(3000),
        "a/img/00000002.jpg": b"",
        "a-b/x": b"-",
        "a0/x": b"0",
        "b/inner.zip": (tmp_path / "inner.zip").read_bytes(),
        "b/c/d/e/deep.bin": bytes(range(256)) * 8,
        "größe/日本.txt": "ä".encode(),
        "z.txt": b"PK\3\4" * 9,
    }
    root = tmp_path / "tree"
    for key, data in files.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root
