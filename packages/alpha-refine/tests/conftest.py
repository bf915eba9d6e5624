"""Conformance cases: arrays computed by the published implementation on deterministic weights and inputs."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parent / "conformance"


def load_module(name: str) -> ModuleType:
    """The module ``conformance/<name>.py`` beside this file."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Case:
    """One ``.npz`` of stored outputs with its description."""

    fill: ModuleType

    def __init__(self, name: str):
        with np.load(FOLDER / f"{name}.npz") as stored:
            self.arrays = {key.removeprefix("out/"): stored[key] for key in stored.files if key != "meta"}
            self.meta = json.loads(str(stored["meta"]))
        self.seed, self.config = self.meta["seed"], self.meta["config"]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def input(self, name: str, uniform: bool = False) -> torch.Tensor:
        """The input ``name``: standard normal (or uniform) numbers, before the arithmetic that the case states."""
        shape = next(tuple(entry["shape"]) for entry in self.meta["inputs"] if entry["name"] == name)
        draw = self.fill.uniform if uniform else self.fill.normal
        return torch.from_numpy(draw(f"input:{name}", shape, self.seed))

    def tolerance(self, name: str) -> dict[str, float]:
        """``atol`` and ``rtol`` stated for an output."""
        stated = self.meta["tolerance"]
        stated = stated.get(name, stated.get("default", "exact"))
        return {key: 0.0 if stated == "exact" else stated.get(key, 0.0) for key in ("atol", "rtol")}

    def check(self, name: str, full, **tolerance: float) -> None:
        """Compare the whole output of this implementation with the stored part of the published one."""
        full = np.asarray(full.detach() if hasattr(full, "detach") else full)
        found = re.search(r"[:,\d ]*:[:,\d ]*", self.meta["outputs"][name]["slice"])
        part = full if found is None else full[_index(found[0])]
        expected = self.arrays[name]
        assert part.shape == expected.shape, f"{name}: {part.shape} is not {expected.shape}"
        np.testing.assert_allclose(part, expected, err_msg=f"output {name}", **(tolerance or self.tolerance(name)))


def _index(text: str) -> tuple[slice, ...]:
    """NumPy notation such as ``":, ::5"`` as an index."""
    parts = re.sub(r"\s", "", text).split(",")
    return tuple(slice(*(int(number) if number else None for number in part.split(":"))) for part in parts)


@pytest.fixture(scope="session")
def fill() -> ModuleType:
    return load_module("fill")


@pytest.fixture(scope="session")
def synthetic(fill: ModuleType) -> ModuleType:
    with mock.patch.dict(sys.modules, {"fill": fill}):  # which it imports
        return load_module("synthetic")


@pytest.fixture(scope="session")
def load_case(fill: ModuleType) -> type[Case]:
    Case.fill = fill
    return Case


@pytest.fixture(scope="session")
def conformance_folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def plain_network(fill: ModuleType):
    """The released network with the plain deterministic weights."""
    from alpha_refine.config import ModelConfig
    from alpha_refine.network import build

    network = build(ModelConfig()).eval().requires_grad_(False)
    fill.fill_(network.state_dict())
    return network


@pytest.fixture(scope="session")
def toy_network(synthetic: ModuleType):
    """The released network with weights whose heads react to the picture."""
    from alpha_refine.config import ModelConfig
    from alpha_refine.network import build

    network = build(ModelConfig()).eval().requires_grad_(False)
    synthetic.adjust_(network.state_dict())
    return network


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> Path:
    """Weights of a small network whose untrained boxes are usable: untrained corners cross, untrained deltas do not."""
    from alpha_refine.network import build
    from alpha_refine.recipes import get_recipe
    from trackcore.checkpoints import save_weights
    from trackcore.recipes import to_yaml

    torch.manual_seed(0)
    model = replace(get_recipe("debug").model, box_head="deltas")
    path = tmp_path_factory.mktemp("weights") / "refiner.safetensors"
    return save_weights(path, build(model).state_dict(), {"model": to_yaml(model)})
