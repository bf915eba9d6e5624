"""Conformance cases: arrays computed by the published implementation on deterministic weights and inputs."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "conformance"
_SLICE = re.compile(r"\[[:,\d ]*:[:,\d ]*\]")


def load_module(name: str) -> ModuleType:
    """The module ``conformance/<name>.py`` beside this file."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Case:
    """One ``.npz`` of stored outputs with its description."""

    def __init__(self, name: str):
        with np.load(FOLDER / f"{name}.npz") as stored:
            self.arrays = {key.removeprefix("out/"): stored[key] for key in stored.files if key != "meta"}
            self.meta = json.loads(str(stored["meta"]))
        self.seed, self.config = self.meta["seed"], self.meta["config"]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def check(self, name: str, full, atol: float = 0.0, rtol: float = 0.0, described_as: str | None = None) -> None:
        """Compare the whole output of this implementation with the stored part of the published one.

        ``described_as`` is the output's name in the description where that differs.
        """
        full = np.asarray(full.detach() if hasattr(full, "detach") else full)
        description = self.meta["outputs"].get(described_as or name, "")
        found = _SLICE.search(description)
        part = full if found is None else full[_index(found[0])]
        np.testing.assert_allclose(part, self.arrays[name], atol=atol, rtol=rtol, err_msg=f"output {name}")


def _index(text: str) -> tuple[slice, ...]:
    """NumPy notation such as ``"[:, ::5]"`` as an index."""
    parts = re.sub(r"[\[\]\s]", "", text).split(",")
    return tuple(slice(*(int(number) if number else None for number in part.split(":"))) for part in parts)


@pytest.fixture(scope="session")
def load_case() -> type[Case]:
    return Case


@pytest.fixture(scope="session")
def conformance_folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def fill() -> ModuleType:
    return load_module("fill")


@pytest.fixture(scope="session")
def inputs(fill: ModuleType) -> ModuleType:
    with mock.patch.dict(sys.modules, {"fill": fill}):  # which it imports
        module = load_module("inputs")
    return module


@pytest.fixture(scope="session")
def video_root(tmp_path_factory) -> Path:
    """Generated videos in the layout of Kinetics: two classes, four videos of 5 to 20 frames of 96 x 72 pixels."""
    from trackcore.sinks import open_sink
    from trackdata.synth import generate_sequence, preset

    root = tmp_path_factory.mktemp("videos")
    for number, frames in enumerate((20, 12, 9, 5)):
        path = root / ("moving", "turning")[number % 2] / f"{number}.mp4"
        path.parent.mkdir(exist_ok=True)
        with open_sink(path, 10) as sink:
            for image in generate_sequence(0, "train", number, preset("easy", frames=frames, size=(96, 72))).frames():
                sink.write(image)
    return root
