"""Exported trackers against PyTorch."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparse_track.cli import main
from sparse_track.configurations import get_configuration
from sparse_track.exporting import export_tracker, open_exported
from sparse_track.loading import create
from sparse_track.network import build
from sparse_track.recipes import get_recipe
from trackcore.export import ExportError
from trackcore.recipes import to_yaml
from trackdata.datasets import open_dataset

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
pytestmark = pytest.mark.slow  # writing a graph takes seconds

DEBUG = get_recipe("debug")


@pytest.fixture(scope="module")
def exported(weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    assert main(["export", "--weights", str(weights), "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def sequence(video):
    return open_dataset("got10k", video, "val")[0]


def follow(tracker, sequence) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and scores of all frames but the first."""
    tracker.init(sequence.frames[0], sequence.boxes[0])
    found = [tracker.update(sequence.frames[number]) for number in range(1, len(sequence.frames))]
    return np.stack([prediction.box for prediction in found]), np.array([prediction.score for prediction in found])


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_boxes_and_scores_are_the_same(weights, exported, sequence, backend):
    eager, other = create(weights, device="cpu"), create(exported, backend=backend)
    assert (other.model, other.tracking) == (eager.model, eager.tracking)
    (wanted, scores), (found, others) = (follow(tracker, sequence) for tracker in (eager, other))
    assert len(found) == 11
    np.testing.assert_allclose(found, wanted, atol=0.5)
    np.testing.assert_allclose(others, scores, atol=1e-2)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_several_targets_share_a_network(exported, sequence, backend):
    """What is known of a template is an input, so nothing of it stays in the network."""
    network = open_exported(exported, backend)
    first, second = (torch.randn(1, 3, 63, 63, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    search = torch.randn(1, 3, 127, 127, generator=torch.Generator().manual_seed(3))
    known = network.remember(first)
    before = network.locate(known, search)
    other = network.locate(network.remember(second), search)
    assert not np.allclose(before.conv_boxes, other.conv_boxes)
    np.testing.assert_array_equal(network.locate(known, search).conv_boxes, before.conv_boxes)


def test_hyperparameters_are_chosen_when_it_is_opened(exported):
    tracker = create(exported, backend="onnx", configuration="uav123", changes={"penalty_k": 0.1})
    assert tracker.tracking == replace(get_configuration("uav123"), penalty_k=0.1)


def test_lower_precision_of_openvino(weights, exported, sequence):
    eager, other = create(weights, device="cpu"), create(exported, backend="openvino", precision="bf16")
    frame, box = sequence.frames[0], sequence.boxes[0]
    found = []
    for tracker in (eager, other):
        tracker.init(frame, box)
        found.append(tracker.update(sequence.frames[1]).score)
    assert found[0] == pytest.approx(found[1], abs=0.05)


def test_another_search_size(weights, tmp_path, sequence):
    words = ["export", "--weights", str(weights), "--output", str(tmp_path), "--format", "onnx", "--search-size", "159"]
    assert main(words) == 0
    eager, other = create(weights, device="cpu", search_size=159), create(tmp_path, backend="onnx")
    assert other.model.search_size == 159
    np.testing.assert_allclose(follow(other, sequence)[0], follow(eager, sequence)[0], atol=0.5)


def test_dense_attention(tmp_path):
    model = replace(DEBUG.model, neck=replace(DEBUG.model.neck, top_k=None))
    parities = export_tracker(build(model), DEBUG.tracking, tmp_path, ["onnx"])
    assert set(parities) == {"template.onnx", "search.onnx"}


def test_the_card_says_what_was_measured(exported, weights):
    card = json.loads((exported / "tracker.json").read_text())
    assert card["source"] == weights.name
    files = {f"{graph}{suffix}" for graph in ("template", "search") for suffix in (".onnx", ".xml")}
    assert set(card["parity"]) == files
    assert files | {"search.bin"} <= set(card["sha256"])
    assert card["tracking"] == to_yaml(DEBUG.tracking)


def test_evaluated_beside_the_original(weights, exported, video, tmp_path, capsys):
    words = ["evaluate", "--dataset", "got10k", "--root", str(video), "--split", "val", "--output", str(tmp_path)]
    assert main([*words, "--weights", str(weights), "--device", "cpu", "--name", "eager"]) == 0
    assert main([*words, "--weights", str(exported), "--backend", "onnx", "--name", "onnx"]) == 0
    rows = [
        line.split()[1:4] for line in capsys.readouterr().out.splitlines() if line.split()[:1] in (["eager"], ["onnx"])
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"backend": "onnx", "precision": "bf16"}, ExportError, "OpenVINO"),
        ({"backend": "onnx", "device": "cuda"}, ValueError, "the CPU"),
        ({"backend": "onnx", "recipe": "debug"}, ValueError, "folder"),
        ({"backend": "onnx", "search_size": 159}, ValueError, "folder"),
        ({"backend": "onnx", "weights": "nowhere"}, ExportError, "sparse-track export"),
    ],
)
def test_mistakes(exported, options, error, says):
    with pytest.raises(error, match=says):
        create(**({"weights": exported} | options))


def test_missing_formats_are_named(tmp_path):
    (tmp_path / "tracker.json").write_text(json.dumps({"formats": ["openvino"]}))
    with pytest.raises(ExportError, match="exported for openvino alone"):
        open_exported(tmp_path, "onnx")
    with pytest.raises(ValueError, match="onnx or openvino"):
        open_exported(tmp_path, "tensorrt")
    with pytest.raises(ValueError, match="formats are onnx, openvino"):
        export_tracker(build(DEBUG.model), DEBUG.tracking, tmp_path, ["tensorrt"])
