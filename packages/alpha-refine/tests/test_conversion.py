"""Weights in other files."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from alpha_refine.config import ModelConfig
from alpha_refine.conversion import convert, without_unused
from alpha_refine.network import build
from alpha_refine.weights import load_network
from trackcore.checkpoints import CheckpointError

# like the released one, with a last stage and a classifier that take no part
CONFIG = ModelConfig(blocks=(1, 1, 1, 1), channels=(16, 16, 16, 16), classes=10, size=64, head_channels=32)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build(replace(CONFIG, size=256)).eval()  # files do not tell the size; 256 is the published one


@pytest.fixture
def source(network, tmp_path):
    torch.save({"net": network.state_dict(), "net_type": "SEcmnet", "epoch": 40}, tmp_path / "source.pth.tar")
    return tmp_path / "source.pth.tar"


def test_there_and_back(network, source, tmp_path):
    card = convert(source, tmp_path / "own.safetensors")
    assert (card["epoch"], card["source"]) == (40, "source.pth.tar")
    convert(tmp_path / "own.safetensors", tmp_path / "back.pth")
    for file in ("own.safetensors", "back.pth"):
        loaded = load_network(tmp_path / file)
        assert loaded.config == network.config
        for name, tensor in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name


@torch.inference_mode()
def test_unused_parts_can_be_left_out(network, source, tmp_path):
    card = convert(source, tmp_path / "small.safetensors", unused=False)
    smaller = load_network(tmp_path / "small.safetensors").eval()
    assert card["parameters"] == sum(parameter.numel() for parameter in smaller.parameters())
    assert not any(
        name.startswith(("feature_extractor.layer4", "feature_extractor.fc")) for name in smaller.state_dict()
    )
    images = torch.randn(2, 3, 256, 256)
    torch.testing.assert_close(smaller(images, images.flip(0)).box, network(images, images.flip(0)).box)


def test_the_released_network_keeps_ten_million_numbers(plain_network):
    assert sum(parameter.numel() for parameter in without_unused(plain_network).parameters()) == 10_197_975


def test_mistakes(source, tmp_path):
    with pytest.raises(ValueError, match=r"\.safetensors"):
        convert(source, tmp_path / "a.onnx")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        convert(tmp_path / "nothing.pth", tmp_path / "a.safetensors")
