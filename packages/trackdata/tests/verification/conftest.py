"""The miniature datasets, and copies to damage."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

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
def copy(mini: Path, tmp_path: Path) -> Callable[[str], Path]:
    """``copy("lasot")``: a miniature dataset to change."""
    return lambda name: Path(shutil.copytree(mini / name, tmp_path / name, ignore=shutil.ignore_patterns(".trackdata")))
