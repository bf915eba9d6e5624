"""A network made ready for inference computes what it did before."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from sparse_track.config import BackboneConfig, HeadConfig, ModelConfig, NeckConfig
from sparse_track.inference import prepare
from sparse_track.network import build

SMALL = ModelConfig(
    template_size=63,
    search_size=127,
    backbone=BackboneConfig(width=8, depths=(1, 2, 2, 1), heads=(1, 1, 2, 2)),
    neck=NeckConfig(width=16, heads=2, hidden=32, encoder_layers=1, decoder_layers=1, top_k=6),
    head=HeadConfig(width=16, inner=8, bottlenecks=2),
)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    network = build(SMALL).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    return network, prepare(copy.deepcopy(network))


@pytest.mark.parametrize("batch", [1, 2])
@torch.inference_mode()
def test_results_stay(networks, batch):
    template, search = torch.randn(batch, 3, 63, 63), torch.randn(batch, 3, 127, 127)
    plain, prepared = (network.locate(network.remember(template), search) for network in networks)
    for expected, found in zip(plain, prepared, strict=True):
        if expected is not None:
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_other_sizes_still_work(networks):
    """Backbones see other sizes than those they were prepared for."""
    images = torch.randn(1, 3, 100, 90)
    plain, prepared = (network.basemodel(images) for network in networks)
    torch.testing.assert_close(prepared, plain, rtol=1e-4, atol=1e-4)


def test_what_is_left(networks):
    plain, prepared = networks
    assert not any(isinstance(module, nn.BatchNorm2d) for module in prepared.modules())
    assert not any(parameter.requires_grad for parameter in prepared.parameters())
    unused = sum(parameter.numel() for parameter in plain.basemodel.net.unused_parameters())
    norms = sum(
        parameter.numel()
        for module in plain.modules()
        if isinstance(module, nn.BatchNorm2d)
        for parameter in module.parameters()
    )
    biases = sum(
        module.out_channels
        for module in plain.head.modules()
        if isinstance(module, nn.Conv2d) and module.bias is None  # convolutions take over a bias
    )
    count = [sum(parameter.numel() for parameter in network.parameters()) for network in networks]
    assert count[1] == count[0] - unused - norms + biases


def test_maps_stay_channels_last(networks):
    """So that nothing is copied between convolutions and matrix products."""
    prepared = networks[1]
    with torch.inference_mode():
        memory = prepared.remember(torch.randn(1, 3, 63, 63))
        features = prepared.feat_adjuster_x(prepared.basemodel(torch.randn(1, 3, 127, 127)))
        joined = prepared.neck(features, memory)
        for features_map in (features, joined, prepared.head.conv_branch(joined), prepared.head.fc_branch(joined)):
            assert features_map.permute(0, 2, 3, 1).is_contiguous()
