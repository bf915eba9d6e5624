"""Multiply-adds against the published counts, and against what the layers really do."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from onestream_track.network import build
from onestream_track.profile import macs
from onestream_track.recipes import get_recipe

PUBLISHED = [
    "vitb_256_mae_32x4_ep300",
    "vitb_256_mae_ce_32x4_ep300",
    "vitb_384_mae_32x4_ep300",
    "vitb_384_mae_ce_32x4_ep300",
]


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_published_counts(conformance_folder, recipe):
    stored = json.loads((conformance_folder / "profile.json").read_text())["analytic"][recipe]
    counted = macs(get_recipe(recipe).model)
    assert counted.linear_and_conv == stored["linear_and_conv"]
    assert counted.attention_products == stored["attention_products"]
    assert counted.head == stored["head"]
    assert counted.backbone_linear == stored["backbone_linear"]


@pytest.mark.parametrize("recipe", ["tiny", "debug"])
def test_the_formula_agrees_with_the_layers(recipe):
    config = get_recipe(recipe).model
    network = build(config).eval()
    counted = 0

    def count(module, inputs, output):
        nonlocal counted
        if isinstance(module, nn.Linear):
            counted += inputs[0].numel() * module.out_features
        else:
            counted += output.numel() * module.in_channels * module.kernel_size[0] * module.kernel_size[1]

    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network(
            torch.zeros(1, 3, config.template_size, config.template_size),
            torch.zeros(1, 3, config.search_size, config.search_size),
        )
    # Where tokens are ranked, queries and keys are used twice but computed once, so the layers see each token once.
    assert counted == macs(config).linear_and_conv
