"""Losses, a step of training and the schedules against the published ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dropseg_vos.config import LossConfig, ModelConfig
from dropseg_vos.losses import hard_pixel_loss, kept_share, object_log_odds, overlap_counts, segmentation_loss
from dropseg_vos.recipes import get_recipe
from dropseg_vos.training import SegmentationTask
from trackcore.training import Progress


def progress(step: int, training: bool = True) -> Progress:
    return Progress(step=step, epoch=step // 1000 + 1, steps_per_epoch=1000, epochs=500, training=training)


def test_hard_pixels(load_case):
    case = load_case("bootstrapped_ce")
    logits = (2 * case.input("logits")).requires_grad_()
    target = (3 * case.input("target", uniform=True)).floor().long()
    rows = []
    for step in case["iteration"]:
        share = kept_share(int(step), LossConfig())
        loss = hard_pixel_loss(logits[0], target[0], share)
        (gradient,) = torch.autograd.grad(loss, logits)
        pixels = int((gradient.abs().sum(dim=1) > 0).sum())
        rows.append((loss.item(), share, int(share * 40 * 52), gradient.norm().item(), pixels))
    for name, values in zip(
        ("loss", "p", "k", "grad_norm", "nonzero_grad_pixels"), zip(*rows, strict=True), strict=True
    ):
        case.check(name, np.array(values))


def test_learning_rates(load_case):
    case = load_case("lr_schedule")
    rows = []
    for stage, expected in case.config["stages"].items():
        recipe = get_recipe(f"stage{stage}")
        with torch.device("meta"):
            task = SegmentationTask(replace(recipe, model=ModelConfig(depth=1)))
        (group,) = task.build_optimizer(task.parameter_groups()).param_groups
        assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.999), 1e-8, 1e-7)
        rows.append([group["lr"] * task.learning_rate_factor(progress(step)) for step in case.config["iterations"]])
        assert recipe.loop.total_steps == expected["iterations"]
        assert recipe.loop.batch_size == 8 * expected["batch_size_per_process"]
        assert recipe.optimizer.milestone == expected["milestones"][0]
    case.check("lr", np.array(rows))


def discs(case, name: str, size: int) -> torch.Tensor:
    """``(frames, S, S)`` bool."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.stack([(y - cy) ** 2 + (x - cx) ** 2 <= r**2 for cy, cx, r in case.config[name]])


def batch_of(case) -> dict[str, torch.Tensor]:
    size, slots = case.config["img_size"], 1 if case.config["single_object"] else 2
    frames = case.input("rgb")
    present = torch.tensor(case.config["selector"])[:, :slots].bool()
    first = discs(case, "object_1_discs_cy_cx_r_per_frame", size)
    second = discs(case, "object_2_discs_cy_cx_r_per_frame", size)
    masks, classes = torch.zeros(2, slots, 2, size, size), torch.zeros(2, size, size, dtype=torch.long)
    for sample in range(2):
        both = slots == 2 and bool(present[sample, 1])
        masks[sample, 0] = first & ~second if both else first
        classes[sample][masks[sample, 0, 1] > 0] = 1
        if both:
            masks[sample, 1] = second
            classes[sample][second[1]] = 2
    return {
        "reference": frames[:, 0],
        "query": frames[:, 1],
        "masks": masks[:, :, 0],
        "classes": classes,
        "present": present,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train_step_single_object", "train_step_two_objects"])
def test_a_step_of_training(load_case, fill, name):
    case = load_case(name)
    settings = case.config["optimizer"]
    recipe = get_recipe("stage0" if case.config["single_object"] else "stage3")
    task = SegmentationTask(replace(recipe, model=ModelConfig(image_size=case.config["img_size"])))
    assert recipe.optimizer.lr == settings["lr"]
    network = task.model.eval()
    state = network.state_dict()
    fill.fill_({key: tensor for key, tensor in state.items() if key != "position_grid"}, case.seed)
    network.set_positions(network.pos_embed)
    batch = batch_of(case)
    optimizer = task.build_optimizer(task.parameter_groups())
    parameters = dict(network.named_parameters())
    watched = [parameters[key] for key in case.config["parameters"]]
    before = [parameter.detach().clone() for parameter in watched]
    rows, norms, counts = [], [], []
    for step in case.config["iterations"]:
        optimizer.zero_grad(set_to_none=True)
        logits = network(batch["reference"], batch["masks"], batch["query"])
        odds = object_log_odds(logits, batch["present"])
        if step == case.config["iterations"][0]:
            case.check("logits", odds)
            case.check("prob", odds.softmax(dim=1)[:, 1:])
        values = task.losses(network, batch, progress(step))
        values["total"].backward()
        rows.append((values["total"].item(), values["kept"].item()))
        norms.append([parameter.grad.norm().item() for parameter in watched])
        overlap, union = overlap_counts(odds, batch["classes"])
        counts.append(torch.stack([overlap, union], dim=1).flatten().tolist())
    optimizer.step()
    losses, shares = zip(*rows, strict=True)
    case.check("total_loss", np.array(losses))
    np.testing.assert_allclose(shares, case["kept_fraction"], atol=1e-6)
    np.testing.assert_allclose(counts, case["iou_counters"])
    np.testing.assert_allclose(norms, case["grad_norm"], rtol=case.config["grad_norm_rtol"])
    moved = [(parameter.detach() - old).double().norm().item() for parameter, old in zip(watched, before, strict=True)]
    np.testing.assert_allclose(moved, case["adam_delta_norm"], rtol=2e-3)
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_absent_objects_take_no_part():
    logits = torch.randn(2, 2, 8, 8, requires_grad=True)
    classes = torch.randint(0, 2, (2, 8, 8))
    present = torch.tensor([[True, False], [False, False]])
    loss = segmentation_loss(object_log_odds(logits, present), classes, present, 1.0)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0, 0].abs().sum() > 0
    assert gradient[0, 1].abs().sum() == 0
    assert gradient[1].abs().sum() == 0


def test_validation_counts_all_pixels():
    task = SegmentationTask(get_recipe("debug"))
    size = get_recipe("debug").model.image_size
    batch = {
        "reference": torch.randn(1, 3, size, size), "query": torch.randn(1, 3, size, size),
        "masks": torch.ones(1, 2, size, size), "classes": torch.ones(1, size, size, dtype=torch.long),
        "present": torch.tensor([[True, False]]),
    }  # fmt: skip
    assert task.losses(task.model, batch, progress(1000))["kept"] == 0.5
    assert task.losses(task.model, batch, progress(1000, training=False))["kept"] == 1
