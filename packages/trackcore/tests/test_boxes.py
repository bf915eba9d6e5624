"""Boxes: torchvision's numbers, properties that hold for any boxes, degenerate boxes, and the published clipping."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.ops
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trackcore import boxes as bx

KINDS = ["iou", "giou", "diou", "ciou"]
CONVERSIONS = [
    (bx.xywh_to_xyxy, bx.xyxy_to_xywh, "xywh", "xyxy"),
    (bx.xywh_to_cxcywh, bx.cxcywh_to_xywh, "xywh", "cxcywh"),
    (bx.cxcywh_to_xyxy, bx.xyxy_to_cxcywh, "cxcywh", "xyxy"),
]
CLIPPING = np.load(Path(__file__).parent / "conformance" / "tracker_postprocess.npz")

edges = st.floats(-1000, 1000, width=32)
sides = st.one_of(st.just(0.0), st.floats(2**-6, 1000, width=32))


@st.composite
def boxes(draw: st.DrawFn) -> Tensor:
    """An xyxy box in float64, some without area."""
    x, y, w, h = draw(edges), draw(edges), draw(sides), draw(sides)
    return torch.tensor([x, y, x + w, y + h], dtype=torch.float64)


def random_boxes(count: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 100
    return torch.cat([corners.amin(1), corners.amax(1)], dim=-1)


@pytest.mark.parametrize(
    ("there", "back", "one", "other"), CONVERSIONS, ids=lambda value: getattr(value, "__name__", value)
)
def test_conversions_agree_with_torchvision_and_invert(there, back, one, other):
    given_boxes = torchvision.ops.box_convert(random_boxes(50, 0), "xyxy", one).reshape(5, 10, 4)
    expected = torchvision.ops.box_convert(given_boxes, one, other)
    torch.testing.assert_close(there(given_boxes), expected)
    torch.testing.assert_close(back(there(given_boxes)), given_boxes)


def test_one_box_by_hand():
    """Pixels 2..5 by 1..6: no +1 anywhere."""
    box = torch.tensor([2.0, 1.0, 6.0, 7.0])
    assert bx.xyxy_to_xywh(box).tolist() == [2, 1, 4, 6]
    assert bx.xyxy_to_cxcywh(box).tolist() == [4, 4, 4, 6]
    assert bx.area(box).item() == 24


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("iou", torchvision.ops.box_iou),
        ("giou", torchvision.ops.generalized_box_iou),
        ("diou", torchvision.ops.distance_box_iou),
        ("ciou", torchvision.ops.complete_box_iou),
    ],
)
def test_overlaps_agree_with_torchvision(kind, reference):
    one, other = random_boxes(30, 1), random_boxes(20, 2)
    expected = reference(one, other)
    torch.testing.assert_close(bx.pairwise_overlap(one, other, kind), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(bx.overlap(one[:20], other, kind), expected[:20].diagonal(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("giou", torchvision.ops.generalized_box_iou_loss),
        ("diou", torchvision.ops.distance_box_iou_loss),
        ("ciou", torchvision.ops.complete_box_iou_loss),
    ],
)
def test_gradients_agree_with_torchvision(kind, reference):
    one, other = random_boxes(40, 3).requires_grad_(), random_boxes(40, 4)
    (expected,) = torch.autograd.grad(reference(one, other, reduction="sum"), one)
    (actual,) = torch.autograd.grad((1 - bx.overlap(one, other, kind)).sum(), one)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["iou", "giou", "diou"])  # CIoU's gradient leaves a term out, by definition
def test_gradients_are_those_of_the_value(kind):
    one, other = random_boxes(12, 5).requires_grad_(), random_boxes(12, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: bx.overlap(a, b, kind), (one, other))


@pytest.mark.parametrize("convert", [pair[i] for pair in CONVERSIONS for i in (0, 1)] + [bx.area])
def test_conversions_are_differentiable(convert):
    assert torch.autograd.gradcheck(convert, (random_boxes(4, 7).requires_grad_(),))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # two by two, shifted by one: I = 2, U = 6, C = 6, d^2 = 1, c^2 = 13
        ((0, 0, 2, 2), (1, 0, 3, 2), {"iou": 1 / 3, "giou": 1 / 3, "diou": 1 / 3 - 1 / 13, "ciou": 1 / 3 - 1 / 13}),
        # apart: U = 2, C = 3, d^2 = 4, c^2 = 10
        ((0, 0, 1, 1), (2, 0, 3, 1), {"iou": 0, "giou": -1 / 3, "diou": -0.4, "ciou": -0.4}),
        # touching
        ((0, 0, 1, 1), (1, 0, 2, 1), {"iou": 0, "giou": 0}),
        # a point inside a box: U = C
        ((1, 1, 1, 1), (0, 0, 2, 2), {"iou": 0, "giou": 0, "diou": 0}),
        # a point with itself: nothing in nothing
        ((1, 1, 1, 1), (1, 1, 1, 1), {"iou": 0, "giou": 0, "diou": 0, "ciou": 0}),
        # a line with itself
        ((1, 1, 4, 1), (1, 1, 4, 1), {"iou": 0, "giou": 0, "diou": 0, "ciou": 0}),
        # two points apart: C = 0, d^2 = c^2
        ((0, 0, 0, 0), (1, 0, 1, 0), {"iou": 0, "giou": 0, "diou": -1}),
        # corners in the wrong order have no area
        ((3, 3, 1, 1), (0, 0, 4, 4), {"iou": 0}),
    ],
)
def test_overlaps_by_hand(one, other, expected):
    for kind, value in expected.items():
        pair = torch.tensor([one, other], dtype=torch.float64)
        assert bx.overlap(*pair, kind).item() == pytest.approx(value)
        assert bx.overlap(*pair.flip(0), kind).item() == pytest.approx(value)


@given(boxes(), boxes())
def test_bounds_symmetry_and_finite_gradients(one, other):
    values = {}
    for kind in KINDS:
        leaf = one.clone().requires_grad_()
        value = bx.overlap(leaf, other, kind)
        value.backward()
        assert torch.isfinite(leaf.grad).all()
        torch.testing.assert_close(bx.overlap(other, one, kind), value.detach())
        values[kind] = value.item()
    assert 0 <= values["iou"] <= 1 + 1e-12
    for kind in ("giou", "diou"):
        assert -1 - 1e-12 <= values[kind] <= values["iou"] + 1e-12
    assert values["ciou"] <= values["diou"] + 1e-12


@given(boxes(), st.floats(0.5, 8), st.floats(-500, 500))
def test_overlaps_do_not_depend_on_scale_or_position(box, scale, shift):
    other = box + torch.tensor([3.0, -2.0, 5.0, 1.0], dtype=torch.float64)
    for kind in KINDS:
        moved = bx.overlap(box * scale + shift, other * scale + shift, kind)
        torch.testing.assert_close(moved, bx.overlap(box, other, kind), rtol=1e-6, atol=1e-6)


@given(boxes())
def test_a_box_with_area_overlaps_itself_fully(box):
    expected = 1.0 if bx.area(box) > 0 else 0.0
    for kind in KINDS:
        assert bx.overlap(box, box, kind).item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_broadcasting(kind):
    one, other = random_boxes(6, 8).reshape(2, 3, 4), random_boxes(8, 9).reshape(2, 4, 4)
    table = bx.pairwise_overlap(one, other, kind)
    assert table.shape == (2, 3, 4)
    assert table[1, 2, 3] == bx.overlap(one[1, 2], other[1, 3], kind)
    assert bx.overlap(one, other[0, 0], kind).shape == (2, 3)
    assert bx.pairwise_overlap(one[0], other[0, :0], kind).shape == (3, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_narrow_types_are_computed_in_float32(kind, dtype):
    one, other = torch.tensor([[0, 0, 1024, 1024], [512, 0, 1536, 1024]])
    value = bx.overlap(one.to(dtype), other.to(dtype), kind)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, bx.overlap(one.float(), other.float(), kind))
    assert bx.overlap(one.double(), other.double(), kind).dtype == torch.float64


def test_clip():
    given_boxes = torch.tensor([[-5.0, 2.0, 30.0, 8.0], [25.0, -9.0, 30.0, -3.0], [1.0, 2.0, 3.0, 4.0]])
    assert bx.clip(given_boxes, height=6, width=20).tolist() == [[0, 2, 20, 6], [20, 0, 20, 0], [1, 2, 3, 4]]
    torch.testing.assert_close(
        bx.clip(given_boxes, 6, 20), torchvision.ops.clip_boxes_to_image(given_boxes, (6, 20)), rtol=0, atol=0
    )


@pytest.mark.parametrize(
    "call", [bx.area, bx.xywh_to_xyxy, lambda boxes: bx.clip(boxes, 1, 1), lambda b: bx.overlap(b, b)]
)
@pytest.mark.parametrize("shape", [(3, 5), ()])
def test_wrong_shape(call, shape):
    with pytest.raises(ValueError, match="four numbers in the last dimension"):
        call(torch.zeros(shape))


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"'giou'.*'siou'"):
        bx.overlap(torch.zeros(4), torch.zeros(4), "siou")


@pytest.mark.parametrize("margin", [0, 10])
def test_published_clipping(margin):
    given_boxes = np.array(json.loads(str(CLIPPING["meta"]))["clip_boxes"], dtype=np.float64)
    clipped = bx.clip_to_frame(given_boxes, 240, 320, margin)
    np.testing.assert_allclose(clipped, CLIPPING[f"out/clip_margin_{margin}"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(bx.clip_to_frame(given_boxes[3].tolist(), 240, 320, margin), clipped[3])
    assert clipped.dtype == np.float64


def test_published_clipping_of_mapped_boxes():
    clipped = bx.clip_to_frame(CLIPPING["out/mapped"], 240, 320, 10)
    np.testing.assert_allclose(clipped, CLIPPING["out/mapped_clipped"], rtol=0, atol=1e-9)
