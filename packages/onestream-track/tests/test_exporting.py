"""Exported networks against PyTorch."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from onestream_track.calibration import collect_inputs
from onestream_track.cli import main
from onestream_track.config import EliminationConfig
from onestream_track.exporting import export_network, open_exported
from onestream_track.loading import create, create_multi
from onestream_track.network import build
from onestream_track.recipes import get_recipe
from trackcore.checkpoints import file_hash, save_weights
from trackcore.export import ExportError
from trackcore.recipes import to_yaml
from trackdata.datasets import open_dataset
from trackdata.synth import preset, write_got10k

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
pytestmark = pytest.mark.slow  # writing a graph takes seconds

DEBUG = replace(get_recipe("debug").model, elimination=EliminationConfig((0,), (0.7,)))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    root = tmp_path_factory.mktemp("video")
    write_got10k(root, "val", 1, preset("easy", frames=12, size=(160, 120)), seed=0)
    return root


@pytest.fixture(scope="module")
def sequence(video):
    return open_dataset("got10k", video, "val")[0]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_weights(path, build(DEBUG).state_dict(), {"model": to_yaml(DEBUG)})
    return path


@pytest.fixture(scope="module")
def exported(weights, video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    words = ["export", "--weights", str(weights), "--output", str(folder), "--samples", "4"]
    assert main([*words, "--int8", str(next((video / "val").glob("GOT*")))]) == 0
    return folder


def follow(tracker, sequence):
    """Boxes and scores of all frames but the first."""
    tracker.init(sequence.frames[0], sequence.boxes[0])
    found = [tracker.update(sequence.frames[number]) for number in range(1, len(sequence.frames))]
    return np.stack([prediction.box for prediction in found]), np.array([prediction.score for prediction in found])


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_boxes_and_scores_are_the_same(weights, exported, sequence, backend):
    eager, other = create(weights, device="cpu"), create(exported, backend=backend)
    assert other.config == eager.config
    (wanted, scores), (found, others) = (follow(tracker, sequence) for tracker in (eager, other))
    assert len(found) == 11
    np.testing.assert_allclose(found, wanted, atol=0.5)
    np.testing.assert_allclose(others, scores, atol=1e-2)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_several_targets(weights, exported, sequence, backend):
    boxes = [sequence.boxes[0], sequence.boxes[0] + [3, -2, 5, 4], sequence.boxes[0] * [1, 1, 0.7, 0.8]]
    found = []
    for tracker in (create_multi(weights, device="cpu"), create_multi(exported, backend=backend)):
        tracker.init(sequence.frames[0], boxes)
        found.append([prediction.box for prediction in tracker.update(sequence.frames[1])])
    np.testing.assert_allclose(found[0], found[1], atol=0.5)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_eight_bits(weights, exported, sequence, backend):
    whole = create(exported, backend=backend)
    small = create(exported, backend=backend, precision="int8")
    names = {precision: open_exported(exported, backend, precision=precision) for precision in ("f32", "int8")}
    assert len(names) == 2
    found = []
    for tracker in (whole, small):
        tracker.init(sequence.frames[0], sequence.boxes[0])
        found.append(tracker.update(sequence.frames[1]).score)
    assert found[0] == pytest.approx(found[1], abs=0.1)
    assert found[0] != found[1]


def test_the_box_may_decide_who_votes(tmp_path, video, sequence):
    config = replace(DEBUG, elimination=EliminationConfig((0,), (0.7,), template_range="GT_BOX"))
    network = build(config).eval()
    samples = collect_inputs(network, next((video / "val").glob("GOT*")), sequence.boxes[0], count=3)
    assert 3 <= len(samples) < 6
    export_network(network, tmp_path, ["onnx"], calibration=samples)
    other = create(tmp_path, backend="onnx")
    assert follow(other, sequence)[0].shape == (11, 4)


def test_compiled(weights, sequence):
    eager, other = create(weights, device="cpu"), create(weights, device="cpu", backend="compile")
    (wanted, _), (found, _) = (follow(tracker, sequence) for tracker in (eager, other))
    np.testing.assert_allclose(found, wanted, atol=0.5)


def test_the_card_says_what_was_measured(exported, weights):
    card = json.loads((exported / "tracker.json").read_text())
    assert (card["source"], card["source_sha256"]) == (weights.name, file_hash(weights))
    files = {f"{graph}{suffix}" for graph in ("network", "network-int8") for suffix in (".onnx", ".xml")}
    assert set(card["parity"]) == files
    assert files | {"network.bin"} <= set(card["sha256"])
    assert card["model"] == to_yaml(DEBUG)


def test_evaluated_beside_the_original(weights, exported, video, tmp_path, capsys):
    words = ["evaluate", "--dataset", "got10k", "--root", str(video), "--split", "val", "--output", str(tmp_path)]
    assert main([*words, "--weights", str(weights), "--device", "cpu", "--name", "eager"]) == 0
    assert main([*words, "--weights", str(exported), "--backend", "onnx", "--name", "onnx"]) == 0
    rows = [
        line.split()[1:4] for line in capsys.readouterr().out.splitlines() if line.split()[:1] in (["eager"], ["onnx"])
    ]
    assert len(rows) == 2
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"precision": "bf16"}, ExportError, "OpenVINO"),
        ({"device": "cuda"}, ValueError, "the CPU"),
        ({"recipe": "debug"}, ValueError, "folder"),
        ({"weights": "nowhere"}, ExportError, "onestream-track export"),
        ({"backend": "tensorrt"}, ValueError, "torch, compile, graph, onnx, openvino"),
    ],
)
def test_mistakes(exported, options, error, says):
    with pytest.raises(error, match=says):
        create(**({"weights": exported, "backend": "onnx"} | options))


def test_missing_formats_are_named(tmp_path):
    (tmp_path / "tracker.json").write_text(json.dumps({"formats": ["openvino"], "int8": False}))
    with pytest.raises(ExportError, match="exported for openvino alone"):
        open_exported(tmp_path, "onnx")
    with pytest.raises(ExportError, match="--int8"):
        open_exported(tmp_path, "openvino", precision="int8")
    with pytest.raises(ValueError, match="formats are onnx, openvino"):
        export_network(build(DEBUG), tmp_path, ["tensorrt"])


def test_calibration_needs_a_box(weights, tmp_path, capsys):
    words = ["export", "--weights", str(weights), "--output", str(tmp_path)]
    assert main([*words, "--int8", str(tmp_path)]) == 2
    assert "--init" in capsys.readouterr().err
    assert main([*words, "--init", "1,2,3,4"]) == 2
