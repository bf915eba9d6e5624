"""Conformance cases (arrays computed by the published implementation on deterministic weights and inputs), and a
tracker that was trained for a few steps on generated video."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

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
        self.config, self.tolerance, self.seed = (self.meta[key] for key in ("config", "tolerance", "seed"))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def inputs(self, fill) -> dict[str, torch.Tensor]:
        """The case's random inputs by name, without ``input:``."""
        return {
            entry["name"].removeprefix("input:"): torch.from_numpy(
                getattr(fill, entry["distribution"])(entry["name"], tuple(entry["shape"]), entry["seed"])
            )
            for entry in self.meta["inputs"]
        }

    def check(self, name: str, full, tolerance=None, *, rtol: float = 0.0) -> None:
        """Compare a whole output of this implementation with the stored part of the published one.

        Args:
            tolerance: a largest difference, or ``{atol, fraction, max}``; that of the case when None.
        """
        full = np.asarray(full.detach() if hasattr(full, "detach") else full)
        part = full[_index(self.meta["outputs"][name]["slice"])]
        wanted = self.arrays[name]
        assert part.shape == wanted.shape, f"{name}: {part.shape}, stored {wanted.shape}"
        tolerance = self.tolerance[name] if tolerance is None else tolerance
        if not isinstance(tolerance, dict):
            np.testing.assert_allclose(part, wanted, atol=float(tolerance), rtol=rtol, err_msg=name)
            return
        error = np.abs(part.astype(np.float64) - wanted)
        assert error.max() <= tolerance["max"], f"{name}: off by {error.max()}"
        share = (error <= tolerance["atol"]).mean()
        assert share >= tolerance["fraction"], f"{name}: only {share:.4f} are within {tolerance['atol']}"

    def check_boxes(self, name: str, boxes) -> None:
        """Corners within 0.02 pixels and 1e-4 of the side, or as the case says."""
        if isinstance(self.tolerance[name], dict):
            return self.check(name, boxes)
        wanted = self.arrays[name]
        allowed = 0.02 + 1e-4 * np.abs(wanted[..., 2:] - wanted[..., :2]).max(-1, keepdims=True)
        error = np.abs(np.asarray(boxes.detach()) - wanted)
        assert (error <= allowed).all(), f"{name}: off by {(error - allowed).max()} more than allowed"


def _index(text: str) -> tuple:
    """``"whole"`` or NumPy notation such as ``"[:, ::5, 3]"`` as an index."""
    if text == "whole":
        return (Ellipsis,)

    def part(item: str) -> slice | int:
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


@pytest.fixture(scope="session")
def fill_module(fill):
    """Fills a module's parameters and buffers under published names; cell centres keep their values."""

    def filled(module: torch.nn.Module, seed: int, prefix: str = "") -> torch.nn.Module:
        state = {name: tensor for name, tensor in module.state_dict().items() if not name.endswith("fm_ctr")}
        fill.fill_(state, seed, rename=lambda name: prefix + name)
        return module.eval()

    return filled


@pytest.fixture(scope="session")
def video(tmp_path_factory) -> Path:
    """A folder in GOT-10k's layout: three sequences to train on and two to validate on, 96 x 72 pixels."""
    from trackdata.synth import preset, write_got10k

    root = tmp_path_factory.mktemp("video")
    config = preset("easy", frames=12, size=(96, 72))
    write_got10k(root, "train", 3, config, seed=0)
    write_got10k(root, "val", 2, config, seed=1)
    return root


@pytest.fixture(scope="session")
def cpu_debug():
    """The debug recipe on the CPU."""
    from sparse_track.recipes import get_recipe

    recipe = get_recipe("debug")
    return replace(recipe, loop=replace(recipe.loop, device="cpu", log_to="none"))


@pytest.fixture(scope="session")
def debug_run(cpu_debug, video, tmp_path_factory):
    """Summary and folder of a training with the debug recipe."""
    from sparse_track.training import train

    output = tmp_path_factory.mktemp("run")
    return train(cpu_debug, video, output, name="debug"), output


@pytest.fixture(scope="session")
def weights(debug_run) -> Path:
    return debug_run[1] / "weights.safetensors"
