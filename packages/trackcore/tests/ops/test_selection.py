"""The k-th largest entry against a full sort."""

from __future__ import annotations

import multiprocessing

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trackcore.ops import selection
from trackcore.ops.selection import kth_largest


def by_sorting(rows, count):
    return rows.sort(dim=-1, descending=True).values[..., count - 1 : count]


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    levels=st.integers(1, 50),
    share=st.floats(0, 1),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_is_that_of_a_sort(shape, levels, share, dtype, seed):
    """With few levels most entries are equal."""
    rows = torch.randint(levels, shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    count = 1 + int(share * (shape[-1] - 1))
    assert torch.equal(kth_largest(rows, count), by_sorting(rows, count))
    if dtype == torch.float32:
        rows = rows - levels // 2
        assert torch.equal(selection._by_bits(rows, count), by_sorting(rows, count))


@pytest.mark.parametrize("way", [kth_largest, selection._by_bits])
def test_nan_is_the_largest_and_infinities_have_their_place(way):
    rows = torch.tensor([[1.0, -float("nan"), -float("inf"), float("inf"), 2.0]])
    found = torch.cat([way(rows, count) for count in range(1, 6)], dim=1)
    torch.testing.assert_close(
        found, torch.tensor([[float("nan"), float("inf"), 2.0, 1.0, -float("inf")]]), equal_nan=True
    )


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_change_nothing(monkeypatch):
    rows = torch.randn(101, 40, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(selection, "_WORTH_A_THREAD", 100)
    assert torch.equal(kth_largest(rows, 7), by_sorting(rows, 7))
    assert torch.equal(kth_largest(rows.T, 7), by_sorting(rows.T, 7))


def _in_child(queue):
    queue.put(kth_largest(torch.arange(64.0).view(8, 8), 3).tolist())


@pytest.mark.usefixtures("two_threads")
def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(selection, "_WORTH_A_THREAD", 1)
    kth_largest(torch.zeros(8, 8), 1)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    assert queue.get() == [[8.0 * row + 5] for row in range(8)]


def test_the_input_is_left_alone():
    rows = torch.randn(5, 30, generator=torch.Generator().manual_seed(1), requires_grad=True)
    before = rows.detach().clone()
    assert not kth_largest(rows, 4).requires_grad
    assert torch.equal(rows, before)
