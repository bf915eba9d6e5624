"""Imaginary sequences and trackers for the evaluation tests."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from trackdata.evaluation.records import Track, Truth

CONFORMANCE = Path(__file__).parents[1] / "conformance"


class World:
    """The sequences of ``conformance/synth.py`` as this package's records."""

    def __init__(self, synth: ModuleType):
        self.synth = synth
        self.names: tuple[str, ...] = synth.SCENARIOS

    def truth(self, name: str, k: int = 0, visible: bool = False) -> Truth:
        boxes, seen, size = self.synth.scenario(name, k)
        return Truth(name, boxes, visible=seen if visible else None, frame_size=size)

    def boxes(self, name: str, j: int, k: int = 0) -> np.ndarray:
        return self.synth.prediction(name, self.synth.scenario(name, k)[0], j, k)

    def track(self, name: str, j: int, k: int = 0) -> Track:
        return Track(self.boxes(name, j, k))


@pytest.fixture(scope="session")
def world() -> World:
    spec = importlib.util.spec_from_file_location("conformance_synth", CONFORMANCE / "synth.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return World(module)


@pytest.fixture(scope="session")
def stored():
    """Load a stored case: (arrays by name, description)."""

    def load(name: str) -> tuple[dict[str, np.ndarray], dict]:
        with np.load(CONFORMANCE / f"{name}.npz") as case:
            arrays = {key.removeprefix("out/"): case[key] for key in case.files if key != "meta"}
            return arrays, json.loads(str(case["meta"]))

    return load


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Iterator[ModuleType]:
    """``trackers.py`` as a module that worker processes can import too: they inherit the module path."""
    folder = tmp_path_factory.mktemp("modules")
    name = "evaluation_test_trackers"
    (folder / f"{name}.py").write_text((Path(__file__).parent / "trackers.py").read_text())
    sys.path.insert(0, str(folder))
    yield importlib.import_module(name)
    sys.path.remove(str(folder))
    sys.modules.pop(name)


@pytest.fixture(scope="session")
def conformance_folder() -> Path:
    return CONFORMANCE
