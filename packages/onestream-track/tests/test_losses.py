"""Targets and losses against the published values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onestream_track.config import LossConfig
from onestream_track.heads import Maps
from onestream_track.losses import focal_loss, gaussian_radius, heat_maps, losses, target_cells
from trackcore import boxes as box_ops


@pytest.mark.parametrize("size", [256, 320, 384])
def test_heat_maps(load_case, size):
    case = load_case("targets_and_losses")
    boxes = torch.tensor(case.meta["boxes_xywh_normalised"])
    cells = size // 16
    case.check(f"heatmap_{size}", heat_maps(boxes, cells), atol=1e-6)
    radius = gaussian_radius(boxes[:, 2] * cells, boxes[:, 3] * cells)
    case.check(f"radius_{size}", radius.int())


def test_focal_loss_and_its_gradient(load_case, fill):
    case = load_case("targets_and_losses")
    boxes = torch.tensor(case.meta["boxes_xywh_normalised"])
    logits = torch.from_numpy(fill.normal("input:score_logits", (12, 1, 16, 16), case.meta["seed"]))
    score = logits.sigmoid().clamp(1e-4, 1 - 1e-4).requires_grad_()
    target = heat_maps(boxes, 16)
    loss = focal_loss(score, target)
    loss.backward()
    case.check("focal_all", loss, rtol=1e-5)
    case.check("focal_grad", score.grad, rtol=1e-4, atol=1e-7)
    each = torch.stack([focal_loss(score[i : i + 1], target[i : i + 1]) for i in range(12)])
    case.check("focal_each", each, rtol=1e-5)
    case.check("focal_positive_count", (target == 1).sum((1, 2)))


def test_box_losses(load_case, fill):
    case = load_case("targets_and_losses")
    seed = case.meta["seed"]
    predicted = torch.from_numpy(fill.uniform("input:pred_cxcywh", (20, 4), seed)).requires_grad_()
    truth = box_ops.xywh_to_xyxy(torch.from_numpy(fill.uniform("input:gt_xywh", (20, 4), seed))).clamp(0, 1)
    corners = box_ops.cxcywh_to_xyxy(predicted)
    each = box_ops.overlap(corners, truth, "giou")
    giou = (1 - each).mean()
    l1 = (corners - truth).abs().mean()
    (gradient,) = torch.autograd.grad(2 * giou + 5 * l1, predicted)
    case.check("giou_each", each, rtol=1e-5, atol=1e-6)
    case.check("giou_loss", giou, rtol=1e-5)
    case.check("iou", box_ops.overlap(corners, truth), rtol=1e-5, atol=1e-7)
    case.check("l1", l1, rtol=1e-5)
    case.check("grad_boxes", gradient, rtol=1e-4, atol=1e-7)


def test_a_nan_ground_truth_is_named():
    maps = Maps(torch.full((1, 1, 4, 4), 0.5), torch.full((1, 2, 4, 4), 0.5), torch.zeros(1, 2, 4, 4))
    with pytest.raises(ValueError, match="NaN"):
        losses(maps, torch.tensor([[0.1, 0.1, float("nan"), 0.2]]))


def test_perfect_maps_have_no_box_loss():
    box = torch.tensor([[0.25, 0.25, 0.5, 0.5]])
    score = heat_maps(box, 4).clamp(1e-4, 1 - 1e-4)[:, None]
    maps = Maps(score, torch.full((1, 2, 4, 4), 0.5), torch.zeros(1, 2, 4, 4))
    values = losses(maps, box)
    assert values["giou"].item() == pytest.approx(0, abs=1e-6)
    assert values["l1"].item() == pytest.approx(0, abs=1e-6)
    assert values["iou"].item() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(values["total"], 2 * values["giou"] + 5 * values["l1"] + values["location"])


def test_target_cells_are_those_in_the_middle_of_the_box():
    # centre (4, 4) in cells, half of the sides reaches 1 cell to each side
    cells = target_cells(torch.tensor([[0.25, 0.25, 0.5, 0.5]]), 8)[0]
    assert cells.sum() == 9
    assert cells[3:6, 3:6].all()
    # smaller than a cell: the centre's own cell
    assert target_cells(torch.tensor([[0.4, 0.4, 0.01, 0.01]]), 8)[0].nonzero().tolist() == [[3, 3]]
    # outside the crop: the nearest cell
    assert target_cells(torch.tensor([[1.2, 0.4, 0.01, 0.01]]), 8)[0].nonzero().tolist() == [[3, 7]]


def test_boxes_at_the_target_do_not_depend_on_the_score():
    box = torch.tensor([[0.25, 0.25, 0.5, 0.5]])
    size, offset = torch.full((1, 2, 8, 8), 0.4), torch.zeros(1, 2, 8, 8)
    values = []
    for row in (0, 4):
        score = torch.full((1, 1, 8, 8), 0.1)
        score[0, 0, row, row] = 0.9
        values.append(losses(Maps(score, size, offset), box, LossConfig(boxes_at="target"))["giou"].item())
    assert values[0] == values[1]
    assert losses(Maps(score, size, offset), box)["giou"].item() != pytest.approx(values[0])
