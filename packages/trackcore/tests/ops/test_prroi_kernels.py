"""The Triton kernels: run by Triton's interpreter on the CPU, compiled for GPUs that need not be there, and on one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from trackcore.ops.prroi_pool import pool_by_products, prroi_pool

triton = pytest.importorskip("triton")
kernels = pytest.importorskip("trackcore.ops.prroi_kernels")

# Triton decides about its interpreter when it is imported, so those tests need a process of their own.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
interpreted = pytest.mark.skipif(not INTERPRETED, reason="run by test_in_the_interpreter")
compiled = pytest.mark.skipif(INTERPRETED, reason="needs Triton's compiler")

ROIS = torch.tensor(
    [
        [0, 1.3, 2.1, 7.7, 6.2],
        [1, 2.0, 3.0, 6.0, 5.0],  # at integers
        [0, -3.0, -2.2, 2.2, 3.0],
        [1, -40.0, -40.0, 80.0, 80.0],
        [1, 5.01, 5.02, 5.04, 5.1],  # bins of a hundredth of a pixel
        [0, 10.2, 2.0, 10.9, 4.0],
        [0, 30.0, 30.0, 33.0, 35.0],
        [0, 4.0, 1.0, 3.0, 5.0],  # empty
        [0, -1e30, -1e30, 1e30, 1e30],
    ]
)


def reference(features, rois, upstream, scale):
    """Value and gradients in float64."""
    inputs = [tensor.double().requires_grad_() for tensor in (features, rois)]
    pooled = pool_by_products(*inputs, *upstream.shape[2:], scale)
    return pooled, *torch.autograd.grad(pooled, inputs, upstream.double())


@compiled
def test_in_the_interpreter():
    """Run the tests marked so, all of them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not gpu", __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout


@interpreted
@pytest.mark.parametrize(("channels", "columns", "scale"), [(3, 11, 0.9), (33, 35, 1.0)])
def test_values_and_gradients_of_several_blocks(channels, columns, scale):
    """More than one block of channels and of columns in the second case."""
    features = torch.randn(2, channels, 9, columns, generator=torch.Generator().manual_seed(0))
    upstream = torch.randn(len(ROIS), channels, 2, 3, generator=torch.Generator().manual_seed(1))
    expected = reference(features, ROIS, upstream, scale)
    torch.testing.assert_close(
        kernels.pool(features, ROIS, 2, 3, scale).double(), expected[0].detach(), rtol=0, atol=2e-6
    )
    to_features, to_rois = kernels.gradients(upstream, features, ROIS, scale, True, True)
    torch.testing.assert_close(to_features.double(), expected[1], rtol=0, atol=1e-5)
    # the narrow box moves by far more than its own size when an edge moves by a pixel
    torch.testing.assert_close(to_rois.double(), expected[2], rtol=1e-4, atol=1e-5 * channels)


@interpreted
def test_half_precision():
    features = torch.randn(2, 3, 9, 11, generator=torch.Generator().manual_seed(0)).half()
    pooled = kernels.pool(features, ROIS[:3], 2, 3, 1.0)
    assert pooled.dtype == torch.float16
    torch.testing.assert_close(pooled, pool_by_products(features, ROIS[:3], 2, 3, 1.0), rtol=1e-3, atol=1e-3)


@interpreted
def test_only_what_is_asked_for():
    features, upstream = torch.randn(2, 3, 9, 11), torch.randn(2, 3, 2, 3)
    assert kernels.gradients(upstream, features, ROIS[:2], 1.0, False, True)[0].numel() == 0
    assert kernels.gradients(upstream, features, ROIS[:2], 1.0, True, False)[1].numel() == 0


@interpreted
def test_unusable_and_no_boxes():
    features = torch.randn(2, 3, 9, 11)
    nan, far = float("nan"), float("inf")
    bad = torch.tensor([[0, nan, 1, 2, 2], [0, 1, 1, far, 2], [2, 1, 1, 4, 4], [-1, 1, 1, 4, 4.0]])
    pooled = kernels.pool(features, bad, 2, 2, 1.0)
    assert pooled.isnan().all()
    to_features, to_rois = kernels.gradients(torch.ones_like(pooled), features, bad, 1.0, True, True)
    assert not to_features.any()
    assert not to_rois.any()
    assert kernels.pool(features, bad[:0], 2, 2, 1.0).shape == (0, 3, 2, 2)
    assert kernels.gradients(torch.empty(0, 3, 2, 2), features, bad[:0], 1.0, True, True)[1].shape == (0, 5)


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("capability", [75, 80, 90])
def test_compile_for_gpus(monkeypatch, tmp_path, capability):
    """Down to machine code, which needs no GPU."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    sizes = {"CHANNELS": 32, "BINS": 16, "COLUMNS": 32}
    for kernel, pointers in ((kernels._pool, 3), (kernels._pool_to_features, 3), (kernels._pool_to_boxes, 4)):
        types = ["*fp32"] * pointers + ["fp32"] + ["i32"] * 6 + ["constexpr"] * 3
        source = ASTSource(fn=kernel, signature=dict(zip(kernel.arg_names, types, strict=True)), constexprs=dict(sizes))
        assert triton.compile(source, target=GPUTarget("cuda", capability, 32)).asm["cubin"]


@compiled
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnCuda:
    def inputs(self):
        features = torch.randn(2, 70, 18, 40, device="cuda", generator=torch.Generator("cuda").manual_seed(0))
        return features.requires_grad_(), ROIS.cuda().requires_grad_()

    def test_values_and_gradients(self):
        features, rois = self.inputs()
        upstream = torch.randn(len(ROIS), 70, 4, 7, device="cuda")
        pooled = prroi_pool(features, rois, (4, 7), 0.9)
        pooled.backward(upstream)
        expected = reference(features.detach().cpu(), ROIS, upstream.cpu(), 0.9)
        torch.testing.assert_close(pooled.detach().cpu().double(), expected[0].detach(), rtol=0, atol=1e-5)
        torch.testing.assert_close(features.grad.cpu().double(), expected[1], rtol=0, atol=1e-4)
        torch.testing.assert_close(rois.grad.cpu().double(), expected[2], rtol=1e-3, atol=1e-3)

    def test_registration(self):
        torch.library.opcheck(torch.ops.trackcore.prroi_pool, (*self.inputs(), 2, 3, 0.9))
