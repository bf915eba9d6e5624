"""Losses against the published ones, and where those would break."""

from __future__ import annotations

import pytest
import torch

from alpha_refine.config import LossConfig
from alpha_refine.losses import BOX_LOSSES, losses, mask_loss
from alpha_refine.network import Output

FLAGS = ([1] * 6, [0] * 6, [1, 0, 0, 1, 1, 0])  # rows of the case's "actor"


@pytest.fixture(scope="module")
def case(load_case):
    return load_case("losses")


@pytest.fixture(scope="module")
def masks(case):
    predicted = 0.01 + 0.98 * case.input("mask_pred", uniform=True)
    return predicted, case.input("mask_true", uniform=True)[:, 0] > 0.6


def xywh(corners: torch.Tensor) -> torch.Tensor:
    return torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1)


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_box_losses(case, kind):
    predicted = torch.from_numpy(case["pred"]).requires_grad_()
    loss = BOX_LOSSES[kind](predicted, torch.from_numpy(case["target"]))
    assert loss.item() == pytest.approx(case[kind].reshape(-1)[0], rel=1e-5)
    loss.backward()
    case.check(f"{kind}_grad", predicted.grad, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_crossed_corners_and_points_have_finite_losses(kind):
    predicted = torch.tensor([[9.0, 9, 1, 1], [3, 3, 3, 3], [-5, 2, 400, 3]], requires_grad=True)
    loss = BOX_LOSSES[kind](predicted, torch.tensor([[2.0, 2, 8, 8], [3, 3, 3, 3], [0, 0, 4, 4]]))
    loss.backward()
    assert loss.isfinite()
    assert predicted.grad.isfinite().all()


@pytest.mark.parametrize("row", range(3))
def test_totals(case, masks, row):
    expected, flags = case["actor"][row], torch.tensor(FLAGS[row]).bool()
    corners, boxes = torch.from_numpy(case["pred"]), xywh(torch.from_numpy(case["target"]))
    both = Output(corners, None, masks[0], corners)

    found = losses(both, boxes, masks[1], flags)
    assert [found[name].item() for name in ("total", "box", "mask")] == pytest.approx(expected[:3], rel=1e-5)
    found = losses(both, boxes, masks[1], flags, LossConfig("giou", mask_weight=1.0))
    assert [found[name].item() for name in ("total", "box", "mask")] == pytest.approx(expected[4:7], rel=1e-5)

    found = losses(Output(corners, None, None, corners), boxes)
    assert found["total"].item() == pytest.approx(expected[8], rel=1e-5)
    assert "mask" not in found
    found = losses(Output(None, None, masks[0], corners), boxes, masks[1], flags)
    assert found["total"].item() == pytest.approx(expected[9], rel=1e-5)
    assert "box" not in found


def test_masks_that_are_not_there_teach_nothing(masks):
    predicted = masks[0][:2].clone().requires_grad_()
    present = torch.tensor([False, True])
    mask_loss(predicted, masks[1][:2, None].float(), present).backward()
    assert not predicted.grad[0].any()
    assert predicted.grad[1].any()


def test_sure_and_wrong_masks_are_finite():
    loss = mask_loss(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), torch.tensor([True]))
    assert loss.item() == pytest.approx(100)


def test_the_overlap_is_reported():
    corners = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    found = losses(Output(corners, None, None, corners), torch.tensor([[0.0, 0, 10, 10], [5, 0, 10, 10]]))
    assert found["iou"].item() == pytest.approx((1 + 1 / 3) / 2)


def test_refused_input(masks):
    corners = torch.zeros(2, 4)
    with pytest.raises(ValueError, match="NaN"):
        losses(Output(corners, None, None, corners), torch.tensor([[0, 0, 1, 1], [torch.nan, 0, 1, 1]]))
    with pytest.raises(ValueError, match="samples have none"):
        losses(Output(None, None, masks[0], corners), corners)
