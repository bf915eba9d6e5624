"""The miniature datasets, unpacked and in their archive, and what published readers return for them."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import pytest

from trackdata.sequences import Dataset, Sequence, iterate

CONFORMANCE = Path(__file__).parents[1] / "conformance"
ARCHIVE = CONFORMANCE / "mini_datasets.zip"


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the miniature datasets, unpacked. Copy what you change."""
    root = tmp_path_factory.mktemp("mini")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(root)
    return root


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature datasets in a zip archive; a copy, because readers may leave an index beside it."""
    return Path(shutil.copy(ARCHIVE, tmp_path_factory.mktemp("archive")))


@pytest.fixture(params=["folder", "zip"])
def stored(request: pytest.FixtureRequest, mini: Path, archive: Path) -> Path:
    """The miniature datasets once as folders and once inside the zip archive: ``stored / "lasot"`` is a root."""
    return mini if request.param == "folder" else archive


@pytest.fixture(scope="session")
def packed(mini: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature datasets each in an LMDB of its own, whose keys are paths."""
    root = tmp_path_factory.mktemp("packed")
    for folder in (folder for folder in mini.iterdir() if not folder.name.endswith("_lmdb")):
        with lmdb.open(str(root / folder.name), map_size=1 << 24) as environment, environment.begin(write=True) as keys:
            for path in (path for path in folder.rglob("*") if path.is_file()):
                keys.put(path.relative_to(folder).as_posix().encode(), path.read_bytes())
    return root


@pytest.fixture(params=["folder", "zip", "lmdb"])
def anywhere(request: pytest.FixtureRequest, mini: Path, archive: Path, packed: Path) -> Path:
    """As ``stored``, and once in LMDB."""
    return {"folder": mini, "zip": archive, "lmdb": packed}[request.param]


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    """What the published readers return, by case."""
    return json.loads((CONFORMANCE / "readers_expected.json").read_text())["expected"]


def _check_frames(sequence: Sequence, indices: tuple[int, ...], frames: list[dict[str, Any]]) -> None:
    for index, frame in zip(indices, frames, strict=True):
        image = sequence.frames[index]
        assert list(image.shape) == frame["shape"]
        np.testing.assert_allclose(image.mean((0, 1)), frame["mean"], atol=1.5)


@pytest.fixture(scope="session")
def check_training(expected: dict[str, Any]) -> Callable[..., None]:
    """``check(dataset, case)``: boxes, flags, classes and frames 0, 2, 5 are those of the published training reader.

    A list of sequences does for a dataset, where the miniature one holds a part of what the reader lists.
    """

    def check(dataset: Dataset | list[Sequence], case: str, indices: tuple[int, ...] = (0, 2, 5)) -> None:
        assert isinstance(dataset, Dataset | list)
        assert len(dataset) == expected[case]["num_sequences"]
        for entry in expected[case]["sequences"]:
            sequence = dataset[entry["index"]]
            np.testing.assert_allclose(sequence.boxes, entry["bbox"], atol=1e-4, rtol=0)
            assert sequence.valid.astype(int).tolist() == entry["valid"]
            visible = sequence.valid if sequence.visible is None else sequence.visible
            assert visible.astype(int).tolist() == entry["visible"]
            assert sequence.object_class == entry["meta"].get("object_class_name", entry["meta"].get("object_class"))
            _check_frames(sequence, indices, entry["frames"])

    return check


@pytest.fixture(scope="session")
def check_evaluation(expected: dict[str, Any]) -> Callable[..., None]:
    """``check(dataset, case, root)``: names, frame files and boxes are those of the published evaluation reader.

    ``dataset`` may hold more sequences than the miniature one; those of the case are found by name. ``root`` is the
    folder in which the miniature datasets lie.
    """

    def check(dataset: Dataset, case: str, root: Path) -> None:
        assert isinstance(dataset, Dataset)
        names = [sequence["name"] for sequence in expected[case]]
        known = list(getattr(dataset, "sequence_names", None) or (sequence.name for sequence in iterate(dataset)))
        assert [name for name in known if name in names] == names
        for entry in expected[case]:
            sequence = dataset[known.index(entry["name"])]
            assert (sequence.name, len(sequence)) == (entry["name"], entry["length"])
            keys = (sequence.frames.keys[0], sequence.frames.keys[-1])
            places = [Path(sequence.frames.store.where(key)).relative_to(root).as_posix() for key in keys]
            assert places == entry["first_frame"] + entry["last_frame"]
            assert len(sequence.boxes) == len(sequence.valid) == entry["gt_rows"]
            assert int(np.isnan(sequence.boxes).any(axis=1).sum()) == entry["gt_nan"]
            assert sequence.boxes[: len(entry["gt_first"])].tolist() == entry["gt_first"]
            if entry["object_class"] is not None:
                assert sequence.object_class == entry["object_class"]
            if entry["visible"] is not None:
                assert sequence.visible.astype(int).tolist() == entry["visible"]

    return check


@pytest.fixture(scope="session")
def write_image() -> Callable[..., None]:
    """``write(path, grey=0, size=(32, 24))``: an image of one grey level; folders are made."""

    def write(path: Path, grey: int = 0, size: tuple[int, int] = (32, 24)) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((size[1], size[0], 3), grey, np.uint8))

    return write
