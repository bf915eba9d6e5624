"""Conformance cases: arrays computed by the published implementations on deterministic weights and inputs."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "conformance"


def load_module(name: str) -> ModuleType:
    """The module ``conformance/<name>.py`` beside this file."""
    spec = importlib.util.spec_from_file_location(f"conformance_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Case:
    """One ``.npz`` of stored outputs with its description."""

    def __init__(self, name: str):
        with np.load(FOLDER / f"{name}.npz") as stored:
            self.arrays = {key.removeprefix("out/"): stored[key] for key in stored.files if key != "meta"}
            self.meta = json.loads(str(stored["meta"]))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def stored_part(self, name: str, full) -> np.ndarray:
        """The slice of ``full`` that was stored as ``name``."""
        full = np.asarray(full.detach() if hasattr(full, "detach") else full)
        described = self.meta["outputs"][name]
        assert list(full.shape) == described["full_shape"], f"{name}: {full.shape} is not {described['full_shape']}"
        return full[_index(described["slice"])]

    def check(self, name: str, full, atol: float = 0.0, rtol: float = 0.0) -> None:
        """Compare the whole output of this implementation with the stored part of the published one."""
        np.testing.assert_allclose(
            self.stored_part(name, full), self.arrays[name], atol=atol, rtol=rtol, err_msg=f"output {name}"
        )


def _index(text: str) -> tuple | slice:
    """``"all"`` or NumPy notation such as ``"[:, ::5, 3]"`` as an index."""
    if text == "all":
        return (Ellipsis,)

    def part(item: str) -> slice | int | type(Ellipsis):
        if item == "...":
            return Ellipsis
        if ":" not in item:
            return int(item)
        return slice(*(int(number) if number else None for number in item.split(":")))

    return tuple(part(item) for item in re.sub(r"[\[\]\s]", "", text).split(","))


@pytest.fixture(scope="session")
def load_case():
    return Case


@pytest.fixture(scope="session")
def conformance_folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def fill() -> ModuleType:
    return load_module("fill")


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    return load_module("synthetic")
