"""Attention with ranked dropout against the literal formulation: softmax, weights, divide, sort, scatter."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from trackcore.ops import ranked_dropout
from trackcore.ops.ranked_dropout import (
    draw_clocks,
    drop_pairs,
    hide_pairs,
    ranked_dropout_attention,
    sampling_weights,
)


def literal_weights(logits):
    """Sampling weights ``(L, n)`` of one row, one query after the other."""
    attention = logits.softmax(-1)
    tokens = len(attention)
    half = tokens // 2
    weights = torch.empty(tokens, half, dtype=attention.dtype)
    for query in range(tokens):
        frames = attention[query, :half], attention[query, half:]
        own, other = frames if query < half else frames[::-1]
        spatial = own + 1e-6
        spatial[query % half] = 0
        weights[query] = (other.max() + 1e-6) * spatial / spatial.sum()
    return weights


def literal_drop(logits, count, clocks):
    """Dropped pairs ``(rows, L, n)``, row by row: rank, sort all, scatter."""
    dropped = torch.zeros(clocks.shape, dtype=torch.bool)
    for row in range(len(logits)):
        ranked = (literal_weights(logits[row]) / clocks[row]).flatten()
        order = ranked.sort(descending=True, stable=True).indices[:count]
        dropped[row].view(-1)[order] = True
    return dropped


def literal_attention(queries, keys, values, dropped):
    logits = queries @ keys.mT * queries.shape[-1] ** -0.5
    tokens = logits.shape[-1]
    half = tokens // 2
    mask = torch.zeros(logits.shape, dtype=torch.bool)
    mask[:, :half, :half], mask[:, half:, half:] = dropped[:, :half], dropped[:, half:]
    return logits.masked_fill(mask, float("-inf")).softmax(-1) @ values


def row_of(tokens=12, rows=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, tokens, tokens, generator=generator, dtype=dtype)
    clocks = draw_clocks(rows, tokens, logits.device, generator).to(dtype)
    return logits, clocks


@pytest.fixture(params=["one block", "small blocks"])
def blocks(request, monkeypatch):
    """The operator on all rows at once, and on two rows of twelve tokens at a time."""
    if request.param == "small blocks":
        monkeypatch.setitem(ranked_dropout._BLOCK, "cpu", 2 * 12 * 12)


def test_weights():
    logits, _ = row_of()
    expected = torch.stack([literal_weights(row) for row in logits])
    torch.testing.assert_close(sampling_weights(logits), expected, rtol=1e-12, atol=0)


@given(
    half=st.integers(1, 9),
    rows=st.integers(1, 4),
    share=st.floats(0, 1),
    scale=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_drops_are_those_of_the_literal_formulation(half, rows, share, scale, seed):
    logits, clocks = row_of(2 * half, rows, seed)
    logits = logits * scale
    count = int(share * (half - 1)) * 2 * half
    dropped = drop_pairs(logits, count, clocks)
    assert dropped.sum((1, 2)).tolist() == [count] * rows
    own = torch.arange(2 * half) % half
    assert not dropped[:, torch.arange(2 * half), own].any()
    torch.testing.assert_close(dropped, literal_drop(logits, count, clocks))


def test_equal_ranks_are_taken_in_order():
    # every pair has the same weight and clock, so order alone decides: queries 0 and 1 lose all keys but themselves
    dropped = drop_pairs(torch.zeros(2, 8, 8), 7, torch.ones(2, 8, 4))
    kept_own = ~torch.eye(4, dtype=torch.bool)
    expected = torch.zeros(8, 4, dtype=torch.bool)
    expected[:2] = kept_own[:2]
    expected[2, 0] = True
    assert torch.equal(dropped, expected.expand(2, 8, 4))


def test_infinite_clocks_never_drop_a_token_from_itself():
    dropped = drop_pairs(torch.zeros(1, 8, 8), 24, torch.full((1, 8, 4), float("inf")))
    assert torch.equal(dropped[0], ~torch.eye(4, dtype=torch.bool).repeat(2, 1))


def test_drawn_drops_follow_the_weights():
    """First draws of many rows: a pair is dropped with probability w / sum w."""
    logits = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1))
    many = 40_000
    generator = torch.Generator().manual_seed(2)
    share = drop_pairs(logits.expand(many, -1, -1), 1, generator=generator).float().mean(0)
    expected = sampling_weights(logits)[0] / sampling_weights(logits).sum()
    deviation = (expected * (1 - expected) / many).sqrt()
    assert ((share - expected).abs() <= 5 * deviation).all()


def test_the_default_generator_is_the_source():
    logits, _ = row_of(16)
    torch.manual_seed(5)
    first, second = drop_pairs(logits, 16), drop_pairs(logits, 16)
    torch.manual_seed(5)
    assert torch.equal(drop_pairs(logits, 16), first)
    assert not torch.equal(first, second)


class TestAttention:
    def inputs(self, rows=(2, 3), tokens=12, dtype=torch.float64):
        generator = torch.Generator().manual_seed(3)
        return [
            torch.randn(*rows, tokens, 8, generator=generator, dtype=dtype).requires_grad_() for _ in range(3)
        ], draw_clocks(6, tokens, torch.device("cpu"), generator)

    @pytest.mark.usefixtures("blocks")
    def test_values_and_gradients(self):
        inputs, clocks = self.inputs()
        output, dropped = ranked_dropout_attention(*inputs, 24, clocks=clocks.flatten(1))
        assert output.shape == (2, 3, 12, 8)
        flat = [tensor.flatten(0, 1) for tensor in inputs]
        logits = flat[0] @ flat[1].mT * 8**-0.5
        assert torch.equal(dropped, drop_pairs(logits, 24, clocks.double()))
        expected = literal_attention(*flat, dropped).view_as(output)
        torch.testing.assert_close(output, expected)
        incoming = torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(4))
        torch.testing.assert_close(
            torch.autograd.grad(output, inputs, incoming), torch.autograd.grad(expected, inputs, incoming)
        )

    @pytest.mark.usefixtures("blocks")
    def test_given_pairs(self):
        inputs, _ = self.inputs()
        given_pairs = torch.zeros(6, 12, 6, dtype=torch.bool)
        given_pairs[:, 1, 4] = given_pairs[2, 7, 0] = True
        output, dropped = ranked_dropout_attention(*inputs, 0, dropped=given_pairs)
        assert torch.equal(dropped, given_pairs)
        expected = literal_attention(*(tensor.flatten(0, 1) for tensor in inputs), given_pairs)
        torch.testing.assert_close(output.flatten(0, 1), expected)

    def test_no_pairs_is_ordinary_attention(self):
        inputs, _ = self.inputs()
        output, _ = ranked_dropout_attention(*inputs, 0)
        torch.testing.assert_close(output, F.scaled_dot_product_attention(*inputs))

    def test_a_dominant_pair_may_be_dropped(self):
        # all the attention of token 0 goes to token 1, which is dropped; the rest is still normalised
        queries = torch.zeros(1, 4, 1)
        queries[0, 0] = 1.0
        keys = torch.tensor([0.0, 500.0, 0.0, 0.0]).view(1, 4, 1)
        dropped = torch.zeros(1, 4, 2, dtype=torch.bool)
        dropped[0, 0, 1] = True
        output, _ = ranked_dropout_attention(queries, keys, torch.eye(4)[None, :, :1], 0, dropped=dropped)
        assert output[0, 0, 0] == pytest.approx(1 / 3)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_half_precision_ranks_in_float32(self, dtype, monkeypatch):
        monkeypatch.setattr(ranked_dropout, "cpu_has_bf16", lambda: False)
        inputs, clocks = self.inputs()
        low = [tensor.detach().to(dtype).requires_grad_() for tensor in inputs]
        high = [tensor.detach().float().requires_grad_() for tensor in low]
        output, dropped = ranked_dropout_attention(*low, 24, clocks=clocks)
        expected, same = ranked_dropout_attention(*high, 24, clocks=clocks)
        assert output.dtype == dtype
        assert torch.equal(dropped, same)
        torch.testing.assert_close(output, expected.to(dtype))
        gradients = torch.autograd.grad(output.float().square().sum(), low)
        assert all(gradient.dtype == dtype and gradient.isfinite().all() for gradient in gradients)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_products(self, dtype, monkeypatch):
        monkeypatch.setattr(ranked_dropout, "_working", lambda tensor: tensor)
        inputs, _ = self.inputs()
        pairs = ranked_dropout_attention(*inputs, 60)[1]  # all that may be dropped, so that some queries keep little
        low = [(3 * tensor).detach().to(dtype).requires_grad_() for tensor in inputs]
        high = [tensor.detach().float().requires_grad_() for tensor in low]
        results = []
        for tensors in (low, high):
            output, _ = ranked_dropout_attention(*tensors, 0, dropped=pairs)
            gradients = torch.autograd.grad(output.float().square().sum(), tensors)
            results.append([output.float(), *(gradient.float() for gradient in gradients)])
        for rough, fine in zip(*results, strict=True):
            assert (rough - fine).norm() < 8 * torch.finfo(dtype).eps * fine.norm()

    def test_autocast_changes_nothing(self):
        inputs, clocks = self.inputs(dtype=torch.float32)
        plain = ranked_dropout_attention(*inputs, 24, clocks=clocks)
        with torch.autocast("cpu", torch.bfloat16):
            inside = ranked_dropout_attention(*inputs, 24, clocks=clocks)
        assert torch.equal(plain[0], inside[0])
        assert torch.equal(plain[1], inside[1])

    def test_the_operator_is_well_formed(self):
        inputs, clocks = self.inputs(rows=(6,))
        for arguments in ((24, clocks, None), (0, None, torch.zeros(6, 12, 6, dtype=torch.bool))):
            torch.library.opcheck(torch.ops.trackcore.ranked_dropout, (*inputs, *arguments))

    def test_compile_sees_one_operator(self):
        inputs, clocks = self.inputs()

        def attend(*tensors):
            return ranked_dropout_attention(*(2 * tensor for tensor in tensors), 24, clocks=clocks)[0]

        compiled = torch.compile(attend, fullgraph=True, backend="aot_eager")
        expected = attend(*inputs)
        torch.testing.assert_close(compiled(*inputs), expected)
        torch.testing.assert_close(
            torch.autograd.grad(compiled(*inputs).sum(), inputs), torch.autograd.grad(expected.sum(), inputs)
        )


class _LiveBytes(TorchDispatchMode):
    """The most bytes held at once in tensors made while it is active."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self._seen = set()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        given = {tensor.untyped_storage().data_ptr() for tensor in args if isinstance(tensor, torch.Tensor)}
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if not isinstance(tensor, torch.Tensor):
                continue
            storage = tensor.untyped_storage()
            if storage.data_ptr() in given or storage._cdata in self._seen:
                continue
            self._seen.add(storage._cdata)
            self.now += storage.nbytes()
            weakref.finalize(storage, self._freed, storage._cdata, storage.nbytes())
        self.most = max(self.most, self.now)
        return result

    def _freed(self, name, size):
        self._seen.discard(name)
        self.now -= size


def test_memory():
    logits = torch.randn(4, 256, 256)
    gc.collect()
    tracemalloc.start()  # NumPy reports what it allocates
    with _LiveBytes() as live:
        drop_pairs(logits, 24 * 256)
    _, by_numpy = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    attention = logits.numel() * logits.element_size()
    assert 1.0 < (live.most + by_numpy) / attention <= 2.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 25}, "between 0 and 24"),
        ({"count": -1}, "between 0 and 24"),
        ({"logits": torch.zeros(2, 8, 6)}, "even L"),
        ({"logits": torch.zeros(2, 9, 9), "count": 0}, "even L"),
        ({"clocks": torch.ones(2, 8, 3)}, "need clocks"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        drop_pairs(**({"logits": torch.zeros(2, 8, 8), "count": 8} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": torch.zeros(2, 8, 5)}, "one shape"),
        ({"clocks": torch.ones(3, 8, 4)}, "clocks must be"),
        ({"dropped": torch.ones(2, 8, 8, dtype=torch.bool)}, "dropped must be"),
        ({"count": 25}, "between 0 and 24"),
    ],
)
def test_attention_refuses_other_shapes(change, message):
    inputs = {name: torch.zeros(2, 8, 4) for name in ("queries", "keys", "values")}
    with pytest.raises(ValueError, match=message):
        ranked_dropout_attention(**({**inputs, "count": 8} | change))


def test_hiding_touches_the_dropped_pairs_alone():
    dropped = torch.zeros(1, 6, 3, dtype=torch.bool)
    dropped[0, 1, 2] = dropped[0, 4, 0] = True
    logits = hide_pairs(torch.zeros(1, 6, 6), dropped)
    assert torch.isneginf(logits).nonzero().tolist() == [[0, 1, 2], [0, 4, 3]]
