"""Exported networks, conversion of weights, and what profile counts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dropseg_vos.cli import main
from dropseg_vos.config import ModelConfig
from dropseg_vos.exporting import CARD, export_network, open_exported
from dropseg_vos.loading import load_segmenter
from dropseg_vos.network import build
from dropseg_vos.profile import measure_cost
from dropseg_vos.segmenter import Segmenter
from dropseg_vos.sizes import Sizing
from dropseg_vos.weights import load_network
from trackcore.checkpoints import save_weights
from trackcore.export import ExportError
from trackcore.recipes import to_yaml

SMALL = ModelConfig(
    image_size=32, patch=8, width=16, depth=2, heads=2, start_grid=2, pyramid=(8, 8), decoder=(8, 8, 8), drop_path=0.0
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    return save_weights(path, build(SMALL).state_dict(), {"model": to_yaml(SMALL)})


@pytest.fixture(scope="module")
def exported(weights, tmp_path_factory):
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("exported")
    return folder, export_network(load_network(weights), folder, (40, 56))


@pytest.mark.slow
class TestExport:
    def test_parity(self, exported):
        folder, parities = exported
        assert set(parities) == {"reference.onnx", "frame.onnx", "reference.xml", "frame.xml"}
        for parity in parities.values():
            assert all(difference < 1e-4 for difference in parity.absolute.values())
        assert json.loads((folder / CARD).read_text())["size"] == [40, 56]

    @pytest.mark.parametrize("backend", ["onnx", "openvino"])
    @pytest.mark.parametrize("objects", [1, 3])
    def test_segments_as_pytorch_does(self, exported, weights, backend, objects):
        rng = np.random.default_rng(0)
        frames = rng.integers(0, 256, (3, 37, 50, 3)).astype(np.uint8)
        mask = np.zeros((37, 50), np.uint8)
        for number in range(objects):
            mask[5:30, 2 + 16 * number : 14 + 16 * number] = number + 1
        maps = []
        for options in ({"weights": weights, "device": "cpu"}, {"weights": exported[0], "backend": backend}):
            segmenter = load_segmenter(sizing=Sizing("keep"), keep_probabilities=True, **options)
            segmenter.init(frames[0], mask)
            found = segmenter.update_many(list(frames[1:]))
            maps.append(np.stack([prediction.extras["probabilities"] for prediction in found]))
        np.testing.assert_allclose(maps[1], maps[0], atol=1e-4)

    def test_other_sizes_are_refused(self, exported):
        segmenter = Segmenter(open_exported(exported[0]), sizing=Sizing("keep"))
        with pytest.raises(ValueError, match="takes frames of 56 x 40, these become 64 x 48"):
            segmenter.init(np.zeros((48, 64, 3), np.uint8), np.ones((48, 64), bool))

    def test_command(self, weights, tmp_path, capsys):
        pytest.importorskip("onnxscript")
        words = ["export", "--weights", str(weights), "--output", str(tmp_path), "--size", "33", "50"]
        assert main([*words, "--format", "onnx"]) == 0
        shown = capsys.readouterr().out
        assert "frame.onnx: largest differences to PyTorch: logits" in shown
        assert "56 x 40" in shown
        assert open_exported(tmp_path).size == (40, 56)


class TestMistakes:
    def test_are_explained(self, tmp_path, weights, capsys):
        assert main(["export", "--output", str(tmp_path)]) == 2
        assert "give --weights" in capsys.readouterr().err
        with pytest.raises(ExportError, match="holds no exported network"):
            open_exported(tmp_path)
        with pytest.raises(ValueError, match="multiples of 8"):
            export_network(load_network(weights), tmp_path, (41, 56))
        with pytest.raises(ValueError, match="formats are onnx, openvino, got tflite"):
            export_network(load_network(weights), tmp_path, (40, 56), ("tflite",))
        with pytest.raises(ValueError, match="takes a folder"):
            load_segmenter(recipe="debug", backend="onnx")


class TestConversion:
    def test_there_and_back(self, tmp_path, capsys):
        config = ModelConfig(**{**vars(SMALL), "width": 64, "heads": 1, "drop_path": 0.1})
        network = build(config)
        save_weights(tmp_path / "own.safetensors", network.state_dict(), {"model": to_yaml(config)})
        assert main(["convert", str(tmp_path / "own.safetensors"), str(tmp_path / "net.pth")]) == 0
        assert main(["convert", str(tmp_path / "net.pth"), str(tmp_path / "again.safetensors")]) == 0
        found = load_network(tmp_path / "again.safetensors")
        assert found.config == config
        assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
        names = torch.load(tmp_path / "net.pth", weights_only=True)
        assert {"cls_token", "head.weight", "pos_embed_three_frame"} <= set(names)
        capsys.readouterr()
        assert main(["convert", str(tmp_path / "net.pth"), str(tmp_path / "net.onnx")]) == 1
        assert ".safetensors" in capsys.readouterr().err


class TestProfile:
    def test_published_cost(self):
        """What all blocks of all tokens would cost; the last block saves the reference's half of most of it."""
        for size, vit, pyramid, decoder in (((384, 384), 122, 4, 34), ((480, 864), 469, 12, 96)):
            cost = measure_cost(ModelConfig(), size)
            tokens = size[0] * size[1] // 256
            saved = tokens * (768 * 768 * 2 + 2 * 768 * 3072) + 2 * 2 * tokens * tokens * 768
            assert abs(1e-9 * (cost.macs["blocks"] + saved) - vit) < 1
            assert abs(1e-9 * cost.macs["pyramid"] - pyramid) < 1
            assert abs(1e-9 * cost.macs["decoder"] - decoder) < 1
            assert cost.flops(3) == 2 * (3 * sum(cost.macs.values()) - 2 * cost.macs["embedding"])

    def test_command(self, capsys):
        assert main(["profile", "debug", "--size", "40", "60", "--objects", "1", "2", "--repeats", "1",
                     "--device", "cpu"]) == 0  # fmt: skip
        shown = capsys.readouterr().out
        assert "an object in a frame of 64 x 40" in shown
        assert "2 objects on cpu, fp32" in shown
        assert main(["profile", "debug", "--objects", "0"]) == 2
        assert main(["profile", "nothing"]) == 1
