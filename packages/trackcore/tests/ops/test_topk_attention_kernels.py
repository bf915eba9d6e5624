"""The Triton kernels: run by Triton's interpreter on the CPU, compiled for GPUs that need not be there, and on one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from trackcore.ops import topk_attention as module
from trackcore.ops.topk_attention import topk_attention, topk_weights

triton = pytest.importorskip("triton")
kernels = pytest.importorskip("trackcore.ops.topk_attention_kernels")

# Triton decides about its interpreter when it is imported, so those tests need a process of their own.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
interpreted = pytest.mark.skipif(not INTERPRETED, reason="run by test_in_the_interpreter")
compiled = pytest.mark.skipif(INTERPRETED, reason="needs Triton's compiler")


def inputs_of(queries, keys, dtype=torch.float32, device="cpu"):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(3, count, 16, generator=generator).to(device, dtype).requires_grad_()
        for count in (queries, keys, keys)
    ]


def reference(inputs, count, upstream):
    """Value and gradients in float64."""
    inputs = [tensor.detach().double().requires_grad_() for tensor in inputs]
    output = topk_weights(*inputs[:2], count) @ inputs[2]
    return output, *torch.autograd.grad(output, inputs, upstream.double())


def run(inputs, count, upstream, dropout=0.0, seed=None):
    """Value and gradients by the kernels."""
    inputs = [tensor.detach() for tensor in inputs]
    output, *chosen = kernels.attend(*inputs, count, dropout, seed)
    return output, *kernels.gradients(upstream, *inputs, output, *chosen, count, dropout, seed)


@compiled
def test_in_the_interpreter():
    """Run the tests marked so, all of them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not gpu", __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "7 passed" in ran.stdout


@interpreted
@pytest.mark.parametrize(("queries", "keys", "count"), [(21, 20, 7), (16, 16, 1), (5, 33, 32)])
def test_values_and_gradients(queries, keys, count):
    """Blocks that are not full, one key, and all keys but one."""
    inputs = inputs_of(queries, keys)
    upstream = torch.randn(3, queries, 16, generator=torch.Generator().manual_seed(1))
    for found, expected in zip(run(inputs, count, upstream), reference(inputs, count, upstream), strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=3e-6)


@interpreted
def test_equal_logits_are_taken_in_order():
    queries = torch.ones(1, 4, 16)
    keys = torch.tensor([0.0, 1, 0, 1, -0.0, 0, 2])[None, :, None].expand(1, -1, 16)
    values = torch.zeros(1, 7, 16)
    values[0, :, :7] = torch.eye(7)
    upstream = torch.randn(1, 4, 16, generator=torch.Generator().manual_seed(1))
    results = run((queries, keys, values), 5, upstream)
    assert (results[0][0, :, :7] > 0).tolist() == [[True, True, True, True, False, False, True]] * 4
    own = [tensor.double().requires_grad_() for tensor in (queries, keys, values)]
    output = topk_attention(*own, 5)
    expected = output, *torch.autograd.grad(output, own, upstream.double())
    for found, wanted in zip(results, expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-6)


@interpreted
def test_dropout_of_both_passes_is_the_same():
    inputs = inputs_of(16, 16)
    values = torch.eye(16).expand(3, -1, -1)
    seed = torch.tensor(11)
    dropped, _, _ = kernels.attend(*(tensor.detach() for tensor in inputs[:2]), values, 8, 0.5, seed)
    weights = topk_weights(*inputs[:2], 8).detach()
    kept = dropped > 0
    assert 0.3 < kept[weights > 0].float().mean().item() < 0.7
    torch.testing.assert_close(dropped, 2 * weights * kept)

    upstream = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(1))
    own = [tensor.detach().double().requires_grad_() for tensor in inputs]
    output = (2 * topk_weights(*own[:2], 8) * kept) @ own[2]
    expected = output, *torch.autograd.grad(output, own, upstream.double())
    for found, wanted in zip(run(inputs, 8, upstream, 0.5, seed), expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=3e-6)


@interpreted
def test_half_precision():
    inputs = inputs_of(9, 20, torch.float16)
    upstream = torch.randn(3, 9, 16, generator=torch.Generator().manual_seed(1)).half()
    for found, expected in zip(run(inputs, 7, upstream), reference(inputs, 7, upstream), strict=True):
        assert found.dtype == torch.float16
        torch.testing.assert_close(found.double(), expected, rtol=1e-2, atol=1e-2)


@interpreted
def test_no_rows():
    inputs = [torch.empty(0, 5, 16) for _ in range(3)]
    assert [tensor.shape[0] for tensor in run(inputs, 3, inputs[0])] == [0] * 4


@compiled
@pytest.mark.slow
@pytest.mark.parametrize(("capability", "dtype", "keys"), [(75, "fp16", 128), (80, "fp32", 128), (90, "fp16", 512)])
def test_compile_for_gpus(monkeypatch, tmp_path, capability, dtype, keys):
    """Down to machine code, which needs no GPU; the published network has 361 keys."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    sizes = {"QUERIES": 16, "KEYS": keys, "WIDTH": 32, "DROPOUT": True}
    data, state = f"*{dtype}", ["*fp32", "*i32", "*i64"]
    for kernel, types in (
        (kernels._attend, [data] * 4 + state + ["fp32"] * 2 + ["i32"] * 3),
        (kernels._attend_backward, [data] * 5 + state + [data, "*fp32", "*fp32"] + ["fp32"] * 2 + ["i32"] * 2),
    ):
        signature = dict(zip(kernel.arg_names, types + ["constexpr"] * 4, strict=True))
        source = ASTSource(fn=kernel, signature=signature, constexprs=dict(sizes))
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert made.metadata.shared <= module._TILES_OF_KEYS * keys * 32 * int(dtype[2:]) / 8


@compiled
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnCuda:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_values_and_gradients(self, dtype):
        inputs = inputs_of(361, 361, dtype, "cuda")
        upstream = torch.randn(3, 361, 16, device="cuda", dtype=dtype)
        output = topk_attention(*inputs, 32)
        results = output, *torch.autograd.grad(output, inputs, upstream)
        tolerance = 1e-5 if dtype == torch.float32 else 5e-2
        for found, expected in zip(results, reference(inputs, 32, upstream), strict=True):
            torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)

    def test_registration(self):
        inputs = inputs_of(40, 40, device="cuda")
        torch.library.opcheck(torch.ops.trackcore.topk_attention, (*inputs, 8, 0.0, None))
