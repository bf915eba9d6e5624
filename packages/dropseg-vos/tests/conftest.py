"""Conformance cases: arrays computed by the published implementations on deterministic weights and inputs."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

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

    def input(self, name: str, shape: tuple[int, ...] | None = None, uniform: bool = False) -> torch.Tensor:
        """The input ``name``: standard normal (or uniform) numbers, before the arithmetic that the case states."""
        shape = shape or next(tuple(entry["shape"]) for entry in self.meta["inputs"] if entry["name"] == name)
        draw = self.fill.uniform if uniform else self.fill.normal
        return torch.from_numpy(draw(f"input:{name}", shape, self.seed))

    def part(self, name: str, full) -> np.ndarray:
        """The stored part of a whole output."""
        full = np.asarray(full.detach() if hasattr(full, "detach") else full)
        text = self.meta["outputs"][name]["slice"]
        return full if text is None else full[_index(text)]

    def check(self, name: str, full) -> None:
        """Compare the whole output of this implementation with the stored part of the published one."""
        part, expected = self.part(name, full), self.arrays[name]
        assert part.shape == expected.shape, f"{name}: {part.shape} is not {expected.shape}"
        atol = self.meta["outputs"][name].get("atol", 0.0)
        np.testing.assert_allclose(part, expected, rtol=0, atol=atol, err_msg=f"output {name}")


def _index(text: str) -> tuple[slice, ...]:
    """NumPy notation such as ``"[:, ::5]"`` as an index."""
    parts = re.sub(r"[\s\[\]]", "", text).split(",")
    return tuple(slice(*(int(number) if number else None for number in part.split(":"))) for part in parts)


@pytest.fixture(scope="session")
def fill() -> ModuleType:
    return load_module("fill")


@pytest.fixture(scope="session")
def vos_synth() -> ModuleType:
    return load_module("vos_synth")


@pytest.fixture(scope="session")
def load_case(fill: ModuleType) -> type[Case]:
    Case.fill = fill
    return Case


@pytest.fixture(scope="session")
def conformance_folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def conformance_keys() -> list[tuple[str, list[int]]]:
    """Names and shapes of the published checkpoint, in its order."""
    return [(name, shape) for name, shape, _ in json.loads((FOLDER / "keys_vitb16_384.json").read_text())]


@pytest.fixture(scope="session")
def published_state(fill: ModuleType):
    """Makes a published state dict by its seed: filled by name, the position tables tied as in real checkpoints."""

    def make(seed: int) -> dict[str, torch.Tensor]:
        keys = json.loads((FOLDER / "keys_vitb16_384.json").read_text())
        state = {name: torch.from_numpy(fill.weight(name, tuple(shape), seed)) for name, shape, _ in keys}
        table = state["pos_embed_two_frame"]
        first, grid = table[:, :1], table[:, 1:577]
        state["pos_embed_two_frame"] = torch.cat([first, grid, grid], dim=1)
        state["pos_embed_three_frame"] = torch.cat([first, grid, grid, grid], dim=1)
        return state

    return make


@pytest.fixture(scope="session")
def published_network(published_state):
    """Makes the published network by the seed of its weights, in eval mode."""
    from dropseg_vos.config import ModelConfig
    from dropseg_vos.network import build
    from dropseg_vos.published import from_published

    network = build(ModelConfig()).eval().requires_grad_(False)

    def make(seed: int):
        network.load_state_dict(from_published(published_state(seed)))
        return network

    return make
