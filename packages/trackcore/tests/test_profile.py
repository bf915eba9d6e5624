"""Counting and timing."""

from __future__ import annotations

import torch
from torch import nn

from trackcore.ops.topk_attention import topk_attention
from trackcore.profile import count_macs, count_parameters, median_seconds


def test_parameters_and_multiply_adds():
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        images = torch.zeros(2, 3, 10, 10)
    assert count_parameters(network) == 3 * 4 * 9 + 4 + 2 * 4
    assert count_macs(lambda: network(images)) == 2 * 8 * 8 * 3 * 4 * 9


def test_topk_attention_counts_as_its_two_products():
    queries, keys, values = (torch.zeros(2, 3, size, 8, device="meta") for size in (5, 7, 7))
    assert count_macs(lambda: topk_attention(queries, keys, values, 3)) == 6 * 5 * 7 * (8 + 8)


def test_time():
    calls = []
    assert 0 <= median_seconds(lambda: calls.append(torch.is_inference_mode_enabled()), repeats=3, warmup=2) < 1
    assert calls == [True] * 5
