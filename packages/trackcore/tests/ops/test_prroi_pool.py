"""Precise RoI pooling against published vectors and a slow integral; derivatives; the operator; hostile boxes."""

from __future__ import annotations

import importlib.util
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trackcore.ops.prroi_pool import bin_weights, pool_by_products, prroi_pool

FOLDER = Path(__file__).parents[1] / "conformance"
CASES = ("1x1_s16", "3x3_s8", "4x7_s1", "5x5_s8", "8x8_s16")


@pytest.fixture(scope="module")
def fill():
    spec = importlib.util.spec_from_file_location("fill", FOLDER / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def integral(features: np.ndarray, box: np.ndarray, size: tuple[int, int], scale: float) -> np.ndarray:
    """``(C, P, Q)`` for one box x1, y1, x2, y2 of one image ``(C, H, W)``: Gauss's rule between integers, bin by bin.

    Between integer coordinates the interpolant is linear in x and in y, so two points in each piece are exact.
    """
    left, top, right, bottom = np.asarray(box, np.float64) * scale
    pooled = np.zeros((len(features), *size))
    if right <= left or bottom <= top:
        return pooled

    def points(first: float, last: float) -> list[tuple[float, float]]:
        cuts = [first, *range(int(np.floor(first)) + 1, int(np.ceil(last))), last]
        placed = []
        for a, b in pairwise(cuts):
            half, middle = (b - a) / 2, (a + b) / 2
            placed += [(middle - half / np.sqrt(3), half), (middle + half / np.sqrt(3), half)]
        return placed

    def value(y: float, x: float) -> np.ndarray:
        total = np.zeros(len(features))
        for i in (int(np.floor(y)), int(np.floor(y)) + 1):
            for j in (int(np.floor(x)), int(np.floor(x)) + 1):
                if 0 <= i < features.shape[1] and 0 <= j < features.shape[2]:
                    total += (1 - abs(y - i)) * (1 - abs(x - j)) * features[:, i, j]
        return total

    high, wide = (bottom - top) / size[0], (right - left) / size[1]
    for p in range(size[0]):
        for q in range(size[1]):
            for y, dy in points(top + p * high, top + (p + 1) * high):
                for x, dx in points(left + q * wide, left + (q + 1) * wide):
                    pooled[:, p, q] += value(y, x) * dx * dy / (high * wide)
    return pooled


def map_of(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


BOXES = {
    "inside, at fractions": (1.3, 2.1, 7.7, 6.2),
    "inside, at integers": (2.0, 3.0, 6.0, 5.0),
    "over the left upper corner": (-3.0, -2.2, 2.2, 3.0),
    "over all": (-4.0, -4.0, 16.0, 16.0),
    "within one cell": (5.01, 5.02, 5.04, 5.1),
    "between the last pixel and nothing": (10.2, 2.0, 10.9, 4.0),
    "far outside": (30.0, 30.0, 33.0, 35.0),
}


@pytest.mark.parametrize("name", CASES)
def test_published_values_and_gradients(name, fill):
    with np.load(FOLDER / f"prroi_box_{name}.npz") as stored:
        arrays = {key.removeprefix("out/"): stored[key] for key in stored.files}
    meta = json.loads(str(arrays["meta"]))
    features, upstream = (
        torch.from_numpy(fill.normal(f"input:{entry['name']}", tuple(entry["shape"]), meta["seed"]))
        for entry in meta["inputs"]
    )
    features.requires_grad_()
    rois = torch.from_numpy(arrays["rois"]).requires_grad_()
    pooled = prroi_pool(features, rois, tuple(meta["config"]["pooled_size"]), meta["config"]["spatial_scale"])
    pooled.backward(upstream)
    for key, value in (("pooled", pooled), ("grad_features", features.grad), ("grad_rois", rois.grad)):
        np.testing.assert_allclose(
            value.detach().numpy(), arrays[key], rtol=0, atol=meta["tolerance"][key]["atol"], err_msg=key
        )


class TestValues:
    @pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
    def test_slow_integral(self, box):
        features = map_of(1, 3, 9, 11)
        pooled = prroi_pool(features, torch.tensor([[0, *box]], dtype=torch.float64), (3, 2))
        np.testing.assert_allclose(pooled[0].numpy(), integral(features[0].numpy(), box, (3, 2), 1.0), atol=1e-12)

    @given(
        box=st.tuples(*[st.floats(-5, 15, width=32)] * 4),
        size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
        scale=st.sampled_from([1.0, 0.5, 0.3]),
    )
    @settings(max_examples=40, deadline=None)
    def test_any_box(self, box, size, scale):
        features = map_of(1, 2, 5, 7)
        pooled = prroi_pool(features, torch.tensor([[0, *box]], dtype=torch.float64), size, scale)
        expected = integral(features[0].numpy(), box, size, scale)
        np.testing.assert_allclose(pooled[0].numpy(), expected, atol=1e-9)

    def test_empty_boxes_pool_to_zero_without_gradient(self):
        features = map_of(1, 2, 6, 6).requires_grad_()
        rois = torch.tensor([[0, 3, 1, 3, 5], [0, 4, 1, 2, 5], [0, 1, 2, 5, 2.0]], dtype=torch.float64).requires_grad_()
        pooled = prroi_pool(features, rois, 2)
        pooled.sum().backward()
        assert not pooled.any()
        assert not rois.grad.any()
        assert not features.grad.any()

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
    def test_boxes_that_are_not_finite_pool_to_nan_and_spoil_nothing_else(self, bad):
        features = map_of(2, 2, 6, 6).requires_grad_()
        rois = torch.tensor([[0, 1, bad, 5, 4], [0, 1, 1, 5, 4.0]], dtype=torch.float64).requires_grad_()
        pooled = prroi_pool(features, rois, 2)
        pooled[1].sum().backward()
        assert pooled[0].isnan().all()
        assert pooled[1].isfinite().all()
        assert rois.grad.isfinite().all()
        assert features.grad.isfinite().all()

    def test_huge_boxes(self):
        pooled = prroi_pool(map_of(1, 2, 6, 6), torch.tensor([[0, -1e30, -1e30, 1e30, 1e30]], dtype=torch.float64), 2)
        assert pooled.abs().max() < 1e-50

    def test_no_boxes(self):
        assert prroi_pool(map_of(2, 3, 6, 6), torch.zeros(0, 5, dtype=torch.float64), (4, 2)).shape == (0, 3, 4, 2)
        assert prroi_pool(map_of(2, 3, 6, 6), [torch.zeros(0, 4)] * 2, 1).shape == (0, 3, 1, 1)

    @pytest.mark.parametrize("count", [2, 3, 9])  # not more boxes than images, and more
    def test_boxes_of_several_images_keep_their_order(self, count):
        features = map_of(3, 2, 6, 6)
        index = torch.tensor([2, 0, 2, 1, 0, 0, 2, 2, 0])[:count].double()
        corners = torch.rand(count, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3
        corners[:, 2:] += corners[:, :2]
        pooled = prroi_pool(features, torch.cat([index[:, None], corners], dim=1), 2)
        for at in range(count):
            alone = torch.cat([torch.zeros(1, 1, dtype=torch.float64), corners[at : at + 1]], dim=1)
            expected = prroi_pool(features[int(index[at])][None], alone, 2)
            torch.testing.assert_close(pooled[at], expected[0])

    def test_a_list_has_the_boxes_of_each_image(self):
        features = map_of(2, 2, 6, 6)
        rois = torch.tensor([[0, 1, 1, 4, 4], [1, 0, 1, 5, 3], [1, 2, 2, 3, 5.5]], dtype=torch.float64)
        given_as_list = [rois[:1, 1:], rois[1:, 1:]]
        torch.testing.assert_close(prroi_pool(features, given_as_list, 2), prroi_pool(features, rois, 2))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_summed_in_float32(self, dtype):
        features = map_of(1, 2, 9, 11).to(dtype)
        rois = torch.tensor([[0, *BOXES["over all"]]])
        pooled = prroi_pool(features, rois, 3)
        assert pooled.dtype == dtype
        torch.testing.assert_close(pooled, prroi_pool(features.float(), rois, 3).to(dtype), rtol=0, atol=0)

    def test_narrow_bins_in_float32(self):
        """A bin of a thousandth of a pixel is worth its place's value, to the last digits."""
        features = map_of(1, 1, 40, 40, dtype=torch.float32)
        box = torch.tensor([[0, 30.3, 20.4, 30.301, 20.401]])
        expected = integral(features[0].double().numpy(), box[0, 1:].double().numpy(), (1, 1), 1.0)
        np.testing.assert_allclose(prroi_pool(features, box, 1)[0].numpy(), expected, rtol=3e-7)


def test_weights_in_float32_add_up_to_one():
    """What an export computes, where no float64 is at hand."""
    first = torch.tensor([30.3, 12.0, 0.0])
    weights = bin_weights(first, first + torch.tensor([0.004, 1e-5, 39.0]), 3, 40)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 3), rtol=0, atol=2e-6)


class TestDerivatives:
    """In float64 against differences, at integers too, where the interpolant has kinks."""

    rois = torch.tensor([[number % 2, *box] for number, box in enumerate(BOXES.values())], dtype=torch.float64)

    def pool(self, features: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
        return prroi_pool(features, torch.cat([self.rois[:, :1], corners], dim=1), (2, 3), 0.9)

    def test_first(self):
        inputs = (map_of(2, 2, 9, 11).requires_grad_(), self.rois[:, 1:].clone().requires_grad_())
        assert torch.autograd.gradcheck(self.pool, inputs)

    def test_second(self):
        boxes = torch.tensor([BOXES["inside, at fractions"], BOXES["over the left upper corner"]]).double()
        inputs = (map_of(1, 1, 5, 6).requires_grad_(), boxes.requires_grad_())
        assert torch.autograd.gradgradcheck(lambda features, boxes: prroi_pool(features, [boxes], (1, 2), 0.5), inputs)

    def test_at_kinks(self):
        """The derivative by the right edge at an integer: (f at the edge - mean) / width, from either side."""
        features = map_of(1, 1, 1, 8)
        rois = torch.tensor([[0, 1.0, -0.5, 5.0, 0.5]], dtype=torch.float64).requires_grad_()
        prroi_pool(features, rois, 1).sum().backward()
        step = 1e-6
        both = [
            prroi_pool(features, rois.detach() + torch.tensor([0, 0, 0, sign * step, 0]), 1).item() for sign in (-1, 1)
        ]
        assert rois.grad[0, 3].item() == pytest.approx((both[1] - both[0]) / (2 * step), rel=1e-5)


class TestOperator:
    """The operator registered with torch, which CUDA calls, here with its CPU implementation."""

    def inputs(self, *wanted: bool) -> tuple[torch.Tensor, torch.Tensor]:
        features = map_of(2, 3, 9, 11, dtype=torch.float32).requires_grad_(wanted[0])
        return features, TestDerivatives.rois.float().requires_grad_(wanted[1])

    def test_registration(self):
        torch.library.opcheck(torch.ops.trackcore.prroi_pool, (*self.inputs(True, True), 2, 3, 0.9))

    @pytest.mark.parametrize("wanted", [(True, False), (False, True)])
    def test_one_gradient_alone(self, wanted):
        features, rois = self.inputs(*wanted)
        torch.ops.trackcore.prroi_pool(features, rois, 2, 3, 0.9).sum().backward()
        assert (features.grad is not None, rois.grad is not None) == wanted

    def test_gradients_are_those_of_the_products(self):
        results = []
        for function in (torch.ops.trackcore.prroi_pool, pool_by_products):
            features, rois = self.inputs(True, True)
            pooled = function(features, rois, 2, 3, 0.9)
            first = torch.autograd.grad(pooled.square().sum(), (features, rois), create_graph=True)
            results.append((pooled, *first, *torch.autograd.grad(first[1].square().sum(), (features, rois))))
        for mine, theirs in zip(*results, strict=True):
            torch.testing.assert_close(mine, theirs)

    def test_compiles_into_one_graph(self):
        features, rois = self.inputs(False, False)
        compiled = torch.compile(lambda f, r: prroi_pool(f, r, (2, 3), 0.9), fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(features, rois), prroi_pool(features, rois, (2, 3), 0.9))

    def test_onnx(self, tmp_path):
        pytest.importorskip("onnxscript")
        runtime = pytest.importorskip("onnxruntime")

        class Pool(torch.nn.Module):
            def forward(self, features, rois):
                return prroi_pool(features, rois, (2, 3), 0.9)

        features, rois = self.inputs(False, False)
        boxes = torch.export.Dim("boxes")
        torch.onnx.export(
            Pool().eval(), (features, rois), tmp_path / "pool.onnx", dynamic_shapes=(None, {0: boxes}), verbose=False
        )
        session = runtime.InferenceSession(tmp_path / "pool.onnx")
        feed = dict(
            zip((entry.name for entry in session.get_inputs()), (features.numpy(), rois[:3].numpy()), strict=True)
        )
        pooled = session.run(None, feed)[0]
        np.testing.assert_allclose(pooled, prroi_pool(features, rois[:3], (2, 3), 0.9), atol=1e-5)


@pytest.mark.parametrize(
    ("features", "boxes", "size", "error", "says"),
    [
        ((3, 6, 6), torch.zeros(1, 5), 2, ValueError, r"\(B, C, H, W\)"),
        ((1, 3, 6, 6), torch.zeros(1, 4), 2, ValueError, r"\(R, 5\)"),
        ((1, 3, 6, 6), torch.zeros(1, 5), 0, ValueError, "at least 1"),
        ((2, 3, 6, 6), [torch.zeros(1, 4)], 2, ValueError, "2 images"),
        ((2, 3, 6, 6), [torch.zeros(1, 4), torch.zeros(4)], 2, ValueError, "2 images"),
        ((2, 3, 6, 6), torch.tensor([[0, 1, 1, 2, 2], [2, 1, 1, 2, 2.0]]), 2, IndexError, "box 1 is of image 2"),
        ((2, 3, 6, 6), torch.tensor([[-1, 1, 1, 2, 2.0]]), 2, IndexError, "box 0 is of image -1"),
    ],
)
def test_wrong_input(features, boxes, size, error, says):
    with pytest.raises(error, match=says):
        prroi_pool(torch.zeros(features), boxes, size)
