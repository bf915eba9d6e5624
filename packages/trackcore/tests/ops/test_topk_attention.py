"""Top-k attention against its literal form: sort, softmax over the first k, one query after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from trackcore.ops import topk_attention as module
from trackcore.ops.topk_attention import topk_attention, topk_weights


def literal_attention(queries, keys, values, count):
    """Of equal logits the first keys are taken."""
    output = queries.new_empty(*queries.shape[:-1], values.shape[-1])
    for place in torch.cartesian_prod(*(torch.arange(size) for size in queries.shape[:-1])).tolist():
        *row, query = place
        k, v = keys[tuple(row)], values[tuple(row)]
        logits = k @ queries[(*row, query)] * queries.shape[-1] ** -0.5
        chosen = logits.sort(descending=True, stable=True).indices[:count]
        output[(*row, query)] = logits[chosen].softmax(0) @ v[chosen]
    return output


def inputs_of(rows=(2, 3), queries=7, keys=12, width=8, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(*rows, count, width, generator=generator, dtype=dtype).requires_grad_()
        for count in (queries, keys, keys)
    ]


@pytest.fixture(params=["one block", "blocks of rows", "blocks of queries"])
def blocks(request, monkeypatch):
    """All at once; two rows of seven queries and twelve keys at a time; three of these queries at a time."""
    size = {"one block": 1 << 18, "blocks of rows": 2 * 7 * 12, "blocks of queries": 3 * 12}[request.param]
    monkeypatch.setitem(module._BLOCK, "cpu", size)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_values_and_gradients(count):
    inputs = inputs_of()
    output = topk_attention(*inputs, count)
    expected = literal_attention(*inputs, count)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(topk_weights(*inputs[:2], count) @ inputs[2], expected)
    upstream = torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        torch.autograd.grad(output, inputs, upstream), torch.autograd.grad(expected, inputs, upstream)
    )


@pytest.mark.usefixtures("blocks")
def test_gradcheck():
    assert torch.autograd.gradcheck(lambda *tensors: topk_attention(*tensors, 4), inputs_of(rows=(3,), width=2))


@pytest.mark.parametrize("count", [12, 13, 1000])
def test_as_many_keys_as_there_are_is_dense_attention(count):
    inputs = inputs_of()
    expected = F.scaled_dot_product_attention(*inputs)
    torch.testing.assert_close(topk_attention(*inputs, count), expected)
    torch.testing.assert_close(topk_weights(*inputs[:2], count) @ inputs[2], expected)


@given(
    queries=st.integers(1, 5),
    keys=st.integers(2, 12),
    share=st.floats(0, 1),
    levels=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_equal_logits_are_taken_in_order(queries, keys, share, levels, seed):
    """Logits of few levels, so that many equal the least that is taken: exactly k keys, values and gradients."""
    generator = torch.Generator().manual_seed(seed)
    q = torch.randint(1, 3, (2, queries, 1), generator=generator).double()
    k = torch.randint(levels, (2, keys, 1), generator=generator).double()
    v = torch.eye(keys, dtype=torch.float64).expand(2, -1, -1).clone().requires_grad_()
    count = 1 + int(share * (keys - 2))
    q, k = q.requires_grad_(), k.requires_grad_()
    output = topk_attention(q, k, v, count)  # the weights themselves
    assert ((output > 0).sum(-1) == count).all()
    expected = literal_attention(q, k, v, count)
    torch.testing.assert_close(output, expected)
    upstream = torch.randn(output.shape, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        torch.autograd.grad(output, (q, k, v), upstream), torch.autograd.grad(expected, (q, k, v), upstream)
    )


def test_unchosen_keys_get_no_gradient():
    queries, keys, values = inputs_of(rows=(1,), queries=1)
    topk_attention(queries, keys, values, 3).sum().backward()
    chosen = topk_weights(queries, keys, 3)[0, 0] > 0
    assert torch.equal(keys.grad[0].abs().sum(-1) > 0, chosen)
    assert torch.equal(values.grad[0].abs().sum(-1) > 0, chosen)


def test_huge_and_distant_logits():
    """Differences of hundreds neither overflow nor lose the keys that lie close to the largest."""
    queries = torch.full((1, 1, 1), 300.0)
    keys = torch.tensor([3.0, 2.999, -3.0, 1.0, -2.0])[None, :, None]
    values = torch.eye(5)[None]
    torch.testing.assert_close(
        topk_attention(queries, keys, values, 4), literal_attention(queries, keys, values, 4), rtol=1e-4, atol=1e-7
    )


def test_masks():
    inputs = inputs_of()
    mask = torch.zeros(2, 1, 1, 12, dtype=torch.float64)
    mask[0, ..., ::3] = mask[1, ..., 2:9] = float("-inf")
    output = topk_attention(*inputs, 4, mask=mask)
    left = [tensor[0][:, mask[0, 0, 0] == 0] for tensor in inputs[1:]]
    torch.testing.assert_close(output[0], literal_attention(inputs[0][0], *left, 4))
    # five keys are left in the second sample, so six means these
    left = [tensor[1][:, mask[1, 0, 0] == 0] for tensor in inputs[1:]]
    dense = F.scaled_dot_product_attention(inputs[0][1], *left)
    torch.testing.assert_close(topk_attention(*inputs, 6, mask=mask)[1], dense)


class TestDropout:
    def weights(self, count=4, dropout=0.25, rows=400):
        queries, keys, _ = inputs_of(rows=(rows,))
        values = torch.eye(12, dtype=torch.float64).expand(rows, -1, -1)
        torch.manual_seed(3)
        return topk_attention(queries, keys, values, count, dropout=dropout), topk_weights(queries, keys, count)

    def test_acts_on_the_chosen_weights_alone(self):
        dropped, weights = self.weights()
        kept = dropped != 0
        assert not kept[weights == 0].any()
        torch.testing.assert_close(dropped[kept], weights[kept] / 0.75)
        assert kept[weights > 0].double().mean().item() == pytest.approx(0.75, abs=0.02)

    def test_the_default_generator_is_the_source(self):
        first, _ = self.weights(rows=2)
        again, _ = self.weights(rows=2)
        assert torch.equal(first, again)
        queries, keys, values = inputs_of()
        assert not torch.equal(
            topk_attention(queries, keys, values, 4, dropout=0.5), topk_attention(queries, keys, values, 4, dropout=0.5)
        )

    @pytest.mark.usefixtures("blocks")
    def test_gradients_see_the_same_draws(self):
        def attend(*tensors):
            torch.manual_seed(5)
            return topk_attention(*tensors, 4, dropout=0.5)

        assert torch.autograd.gradcheck(attend, inputs_of(rows=(3,), width=2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_chooses_in_float32(dtype):
    low = [tensor.detach().to(dtype).requires_grad_() for tensor in inputs_of()]
    high = [tensor.detach().float().requires_grad_() for tensor in low]
    output, expected = topk_attention(*low, 4), topk_attention(*high, 4)
    assert output.dtype == dtype
    torch.testing.assert_close(output, expected.to(dtype))
    gradients = torch.autograd.grad(output.float().square().sum(), low)
    assert all(gradient.dtype == dtype and gradient.isfinite().all() for gradient in gradients)


def test_autocast_changes_nothing():
    inputs = inputs_of(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = topk_attention(*inputs, 4)
    assert torch.equal(topk_attention(*inputs, 4), inside)


def test_the_operator_is_well_formed():
    inputs = [tensor.detach().flatten(0, 1).requires_grad_() for tensor in inputs_of()]
    for arguments in ((4, 0.0, None), (4, 0.5, torch.tensor(7))):
        torch.library.opcheck(torch.ops.trackcore.topk_attention, (*inputs, *arguments))


def test_compile_sees_one_operator():
    inputs = inputs_of()

    def attend(*tensors):
        return topk_attention(*(2 * tensor for tensor in tensors), 4)

    compiled = torch.compile(attend, fullgraph=True, backend="aot_eager")
    expected = attend(*inputs)
    torch.testing.assert_close(compiled(*inputs), expected)
    torch.testing.assert_close(
        torch.autograd.grad(compiled(*inputs).sum(), inputs), torch.autograd.grad(expected.sum(), inputs)
    )


class Attend(torch.nn.Module):
    def forward(self, queries, keys, values):
        return topk_attention(queries, keys, values, 4)


def test_onnx(tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    inputs = [tensor.detach() for tensor in inputs_of(dtype=torch.float32)]
    torch.onnx.export(Attend().eval(), tuple(inputs), tmp_path / "attend.onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "attend.onnx")
    names = [entry.name for entry in session.get_inputs()]
    (found,) = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)})
    torch.testing.assert_close(torch.from_numpy(found), topk_attention(*inputs, 4))


class _LargestTensor(TorchDispatchMode):
    """The most entries of any floating-point tensor that is made while it is active."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                self.most = max(self.most, tensor.numel())
        return result


def test_logits_are_never_held_whole(monkeypatch):
    monkeypatch.setitem(module._BLOCK, "cpu", 64 * 256)
    inputs = [tensor.detach() for tensor in inputs_of(rows=(4,), queries=256, keys=256)]
    with _LargestTensor() as seen:
        output, *chosen = module._forward._init_fn(*inputs, 32, 0.0, None)
        module._backward._init_fn(torch.ones_like(output), *inputs, output, *chosen, 32, 0.0, None)
    assert seen.most == 64 * 256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "at least 1 key"),
        ({"dropout": 1.0}, "below 1"),
        ({"keys": torch.zeros(2, 8, 5)}, "agree in rows"),
        ({"values": torch.zeros(2, 7, 4)}, "agree in rows"),
        ({"queries": torch.zeros(3, 8, 4)}, "agree in rows"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    inputs = {name: torch.zeros(2, 8, 4) for name in ("queries", "keys", "values")}
    with pytest.raises(ValueError, match=message):
        topk_attention(**({**inputs, "count": 3} | change))
