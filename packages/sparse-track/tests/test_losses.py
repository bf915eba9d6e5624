"""The losses and their gradients against the published ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparse_track.head import Predictions, cell_centres
from sparse_track.losses import inclusive_iou, losses
from sparse_track.targets import Labels


@pytest.fixture
def case(load_case):
    return load_case("losses")


def predictions_of(case, fill):
    inputs = case.inputs(fill)
    centres = cell_centres(19, 289).double()

    def boxes(name):
        near, far = (16 * (0.5 * inputs[name].double() + 1).exp()).split(2, dim=2)
        return torch.cat([centres - near, centres + far], dim=2).float().requires_grad_()

    logits = [inputs[name][..., 0].clone().requires_grad_() for name in ("cls_fc", "cls_conv")]
    return Predictions(*logits, boxes("ltrb_fc"), boxes("ltrb_conv"))


def test_values_and_gradients(case, fill):
    predictions = predictions_of(case, fill)
    labels = Labels(torch.from_numpy(case["cls_gt"])[..., 0].long(), torch.from_numpy(case["box_gt"]))
    found = losses(predictions, labels)
    for name in ("cls_fc", "reg_fc", "cls_conv", "reg_conv"):
        case.check(f"loss_{name}", found[name], 0, rtol=1e-5)
    for name in ("iou_fc", "iou_conv"):
        case.check(name, found[name], case.tolerance["iou"])
    found["total"].backward()
    for name, tensor in (
        ("grad_cls_fc", predictions.fc_logits.grad[..., None]),
        ("grad_cls_conv", predictions.conv_logits.grad[..., None]),
        ("grad_bbox_fc", predictions.fc_boxes.grad),
        ("grad_bbox_conv", predictions.conv_boxes.grad),
    ):
        case.check(name, tensor, 1e-6, rtol=1e-4)


def corner_case(classes, boxes=None, wanted=None):
    """Losses of one sample with logits 0."""
    logits = torch.zeros(1, len(classes), requires_grad=True)
    boxes = torch.zeros(1, len(classes), 4) if boxes is None else boxes
    labels = Labels(torch.tensor([classes]), torch.zeros_like(boxes) if wanted is None else wanted)
    return losses(Predictions(logits, logits, boxes, boxes), labels)


def test_corner_cases(case):
    background = corner_case([0] * 361)
    case.check("cls_no_positive", background["cls_fc"], 0, rtol=1e-5)
    assert background["cls_fc"].item() == pytest.approx(21.8948, abs=1e-3)
    case.check("cls_all_ignored", corner_case([-1] * 361)["cls_fc"], 0)
    apart = torch.tensor([[[0.0, 0, 10, 10]]], requires_grad=True)
    found = corner_case([1], apart, torch.tensor([[[100.0, 100, 110, 110]]]))
    case.check("iou_disjoint_loss", found["reg_conv"], 0, rtol=1e-5)
    found["reg_conv"].backward()
    case.check("iou_disjoint_grad_norm", apart.grad.norm(), 0)
    assert corner_case([-1, 0])["iou_conv"] == 0


def test_given_positives_replace_the_count():
    """As several processes share one sum."""
    whole = corner_case([0, 1, 1], torch.ones(1, 3, 4), torch.ones(1, 3, 4))
    logits = torch.zeros(1, 3)
    labels = Labels(torch.tensor([[0, 1, 1]]), torch.ones(1, 3, 4))
    boxes = torch.ones(1, 3, 4)
    halved = losses(Predictions(logits, logits, boxes, boxes), labels, positives=torch.tensor(4.0))
    assert halved["cls_fc"].item() == pytest.approx(whole["cls_fc"].item() / 2)


def test_inclusive_iou():
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 0, 0]])
    others = torch.tensor([[0.0, 0, 9, 9], [5, 0, 14, 9], [0, 0, 0, 0]])
    np.testing.assert_allclose(inclusive_iou(boxes, others), [1, 50 / 150, 1], rtol=1e-6)
