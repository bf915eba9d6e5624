"""Exported refiners against PyTorch, from crops to boxes in the frame."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from alpha_refine.cli import main
from alpha_refine.exporting import export_refiner, open_exported
from alpha_refine.loading import load_refiner
from alpha_refine.network import build
from alpha_refine.recipes import get_recipe
from alpha_refine.refiner import Refiner
from trackcore.checkpoints import save_weights
from trackcore.export import ExportError
from trackcore.recipes import to_yaml

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
pytestmark = pytest.mark.slow  # writing a graph takes seconds

MODEL = get_recipe("debug").model
BOXES = np.array([[20.0, 30, 40, 30], [60, 50, 30, 50], [np.nan, 0, 1, 1], [-10, 40, 50, 50]])


def scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "refiner.safetensors"
    return save_weights(path, build(MODEL).state_dict(), {"model": to_yaml(MODEL)})


@pytest.fixture(scope="module")
def exported(weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    assert main(["export", "--weights", str(weights), "--output", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
class TestBackends:
    def test_boxes_masks_and_confidence_are_the_same(self, weights, exported, backend):
        eager = load_refiner(weights, device="cpu")
        other = load_refiner(exported, backend=backend)
        assert (other.border, other.coordinates, other.config) == (eager.border, eager.coordinates, eager.config)
        template, same = (refiner.init(scene(0), BOXES[0]) for refiner in (eager, other))
        np.testing.assert_allclose(same.kernel, template.kernel, atol=1e-5)
        for options in ({}, {"mask": True}, {"box": False, "mask": True}):
            wanted = eager.refine(scene(1), template, BOXES, **options)
            found = other.refine(scene(1), same, BOXES, **options)
            np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-3)
            np.testing.assert_allclose(found.confidence, wanted.confidence, atol=1e-4)
            if options:
                np.testing.assert_allclose(found.masks, wanted.masks, atol=1e-4)

    def test_as_a_tracker_from_the_command_line(self, weights, exported, backend, tmp_path):
        import cv2

        (tmp_path / "frames").mkdir()
        for number in range(4):
            cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), scene(number))
        words = ["track", str(tmp_path / "frames"), "--init", "20,30,40,30", "--base", "static", "--save"]
        assert main([*words, str(tmp_path / "a.txt"), "--weights", str(weights), "--device", "cpu"]) == 0
        assert main([*words, str(tmp_path / "b.txt"), "--weights", str(exported), "--backend", backend]) == 0
        tracks = [np.loadtxt(tmp_path / name, delimiter=",") for name in ("a.txt", "b.txt")]
        np.testing.assert_allclose(*tracks, atol=0.05)


def test_lower_precision_of_openvino(weights, exported):
    eager, other = load_refiner(weights, device="cpu"), load_refiner(exported, backend="openvino", precision="bf16")
    boxes = [one.refine(scene(1), one.init(scene(0), BOXES[0]), BOXES[0]).boxes for one in (eager, other)]
    np.testing.assert_allclose(*boxes, atol=2)


def test_pooled_templates(tmp_path):
    torch.manual_seed(1)
    model = replace(MODEL, neck="prroi_nonlocal", similarity="product", mask_head="none")
    network = build(model).eval()
    export_refiner(network, tmp_path, ["onnx"])
    assert {file.name for file in tmp_path.iterdir()} == {"template.onnx", "box.onnx", "refiner.json"}
    eager = Refiner(network, model, border="exact", coordinates="exact")
    other = load_refiner(tmp_path, backend="onnx")
    boxes = [one.refine(scene(1), one.init(scene(0), BOXES[1]), BOXES[0]).boxes for one in (eager, other)]
    np.testing.assert_allclose(*boxes, atol=1e-3)


def test_the_card_says_what_was_measured(exported, weights):
    card = json.loads((exported / "refiner.json").read_text())
    assert card["source"] == weights.name
    assert set(card["parity"]) == {
        f"{graph}{suffix}" for graph in ("template", "box", "box_mask") for suffix in (".onnx", ".xml")
    }
    assert "box_mask.bin" in card["sha256"]


def test_compiled(weights):
    eager, compiled = load_refiner(weights, device="cpu"), load_refiner(weights, device="cpu", backend="compile")
    assert compiled.network.search is not eager.network.search
    compiled.network.search = torch.compile(eager.network.search, backend="eager")  # without waiting for a compiler
    boxes = [one.refine(scene(1), one.init(scene(0), BOXES[0]), BOXES[0]).boxes for one in (eager, compiled)]
    np.testing.assert_allclose(*boxes, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"backend": "tensorrt"}, ValueError, "openvino"),
        ({"backend": "onnx", "precision": "bf16"}, ExportError, "OpenVINO"),
        ({"backend": "onnx", "device": "cuda"}, ValueError, "the CPU"),
        ({"backend": "onnx", "recipe": "debug"}, ValueError, "folder"),
        ({"backend": "onnx", "weights": "nowhere"}, ExportError, "alpha-refine export"),
    ],
)
def test_mistakes(exported, options, error, says):
    with pytest.raises(error, match=says):
        load_refiner(**({"weights": exported} | options))


def test_missing_formats_are_named(tmp_path):
    (tmp_path / "refiner.json").write_text(json.dumps({"model": to_yaml(MODEL), "formats": ["openvino"]}))
    with pytest.raises(ExportError, match="exported for openvino alone"):
        open_exported(tmp_path, "onnx")
    with pytest.raises(ValueError, match="formats are onnx, openvino"):
        export_refiner(build(MODEL), tmp_path, ["tensorrt"])
