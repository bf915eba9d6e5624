"""CUDA graphs of functions."""

import pytest
import torch

from trackcore.graphs import Graphed


def test_needs_cuda():
    with pytest.raises(ValueError, match="on a CUDA device, got one on cpu"):
        Graphed(torch.neg)(torch.zeros(1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_replays_for_each_shape():
    calls = []

    def function(values, others):
        calls.append(values.shape)
        return values * 2 if others is None else values + others

    graphed = Graphed(function)
    for count in (3, 5, 3, 5):
        values = torch.randn(count, device="cuda")
        torch.testing.assert_close(graphed(values, None), values * 2)
        torch.testing.assert_close(graphed(values, values), values * 2)
    assert len(calls) == 4 * 4  # warm-up and capture for each of four kinds of call, nothing in replays
