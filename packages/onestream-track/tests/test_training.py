"""Optimisation against the published steps and schedules, and whole runs on generated video."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from onestream_track.config import EliminationConfig, ModelConfig
from onestream_track.recipes import get_recipe, recipe_names
from onestream_track.training import OneStreamTask, train
from trackcore import checkpoints
from trackcore.recipes import UnknownRecipeError, from_yaml, to_yaml
from trackcore.training import Progress, ResumeError
from trackdata.synth import preset, write_got10k

PUBLISHED = {
    "ostrack_ep300": "vitb_256_mae_ce_32x4_ep300",
    "ostrack_got10k_ep100": "vitb_256_mae_ce_32x4_got10k_ep100",
    "droptrack_ep300": "droptrack/vitb_384_mae_ce_32x4_ep300",
    "droptrack_got10k_ep100": "droptrack/vitb_384_mae_ce_32x4_got10k_ep100",
}


def progress(epoch, epochs=300):
    return Progress(step=(epoch - 1) * 468, epoch=epoch, steps_per_epoch=468, epochs=epochs)


def task_without_network(recipe):
    """A task whose network lies on the meta device: enough for groups and schedules."""
    with torch.device("meta"):
        return OneStreamTask(recipe)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_learning_rates(load_case, name):
    case = load_case("lr_schedule")
    task = task_without_network(get_recipe(PUBLISHED[name]))
    base = [group["lr"] for group in task.parameter_groups()]
    epochs = task.recipe.loop.epochs
    rates = [[lr * task.learning_rate_factor(progress(epoch, epochs)) for lr in base] for epoch in range(1, epochs + 1)]
    case.check(name, rates, rtol=1e-9)


def test_milestone_schedule(load_case):
    recipe = get_recipe("vitb_256_mae_ce_32x4_ep300")
    settings = dataclasses.replace(recipe.optimizer, schedule="milestones", milestones=(3, 7), drop_factor=0.5)
    task = task_without_network(dataclasses.replace(recipe, optimizer=settings))
    base = [group["lr"] for group in task.parameter_groups()]
    rates = [[lr * task.learning_rate_factor(progress(epoch)) for lr in base] for epoch in range(1, 13)]
    load_case("lr_schedule").check("mstep_3_7_gamma0.5", rates, rtol=1e-9)


def test_published_parameter_groups(conformance_folder):
    stored = json.loads((conformance_folder / "optimizer_groups.json").read_text())["groups"]
    task = task_without_network(get_recipe("vitb_256_mae_ce_32x4_ep300"))
    groups = task.parameter_groups()
    optimizer = task.build_optimizer(groups)
    names = {id(parameter): name for name, parameter in task.model.named_parameters()}
    for group, published in zip(optimizer.param_groups, stored, strict=True):
        assert [names[id(parameter)] for parameter in group["params"]] == published["names"]
        assert group["lr"] == pytest.approx(published["lr"], rel=1e-12)
        for key in ("weight_decay", "eps", "amsgrad"):
            assert group[key] == published[key]
        assert list(group["betas"]) == published["betas"]


def test_half_the_batch_has_half_the_learning_rate():
    recipe = get_recipe("vitb_256_mae_ce_32x4_ep300")
    halved = dataclasses.replace(recipe, loop=dataclasses.replace(recipe.loop, batch_size=64))
    assert task_without_network(halved).parameter_groups()[0]["lr"] == pytest.approx(2e-4)


def take_step(task, optimizer, batch, at):
    """One optimiser step as the training loop takes it; returns losses and the gradient norm before clipping."""
    for group, base in zip(optimizer.param_groups, task.parameter_groups(), strict=True):
        group["lr"] = base["lr"] * task.learning_rate_factor(at)
    optimizer.zero_grad()
    values = task.losses(task.model, batch, at)
    values["total"].backward()
    norms = {
        name: parameter.grad.norm().item()
        for name, parameter in task.model.named_parameters()
        if parameter.grad is not None
    }
    total = torch.nn.utils.clip_grad_norm_(task.model.parameters(), task.recipe.loop.clip_norm)
    optimizer.step()
    return values, norms, total


def test_one_published_step(load_case, fill):
    case = load_case("train_step_vitb256_ce")
    recipe = get_recipe(case.meta["config"])
    task = OneStreamTask(dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, drop_path=0.0)))
    seed = case.meta["seed"]
    fill.fill_(task.model.state_dict(), seed)
    task.model.train()
    before = {name: parameter.detach().clone() for name, parameter in task.model.named_parameters()}
    batch = {
        "template": torch.from_numpy(fill.normal("input:template", (2, 3, 128, 128), seed)),
        "search": torch.from_numpy(fill.normal("input:search", (2, 3, 256, 256), seed)),
        "template_box": torch.tensor(case.meta["template_boxes"]),
        "search_box": torch.tensor(case.meta["search_boxes"]),
    }
    optimizer = task.build_optimizer(task.parameter_groups())
    # Epoch 60 lies before the drop, so its learning rates are those of the first epoch.
    values, norms, total = take_step(task, optimizer, batch, progress(case.meta["epoch"]))

    for name, key in [("Loss/total", "total"), ("Loss/giou", "giou"), ("Loss/l1", "l1"), ("Loss/location", "location"),
                      ("IoU", "iou")]:  # fmt: skip
        case.check(f"loss/{name}", values[key], rtol=1e-4)
    case.check("grad_total_norm", total, rtol=2e-3)
    after = dict(task.model.named_parameters())
    for name in case.arrays:
        kind, _, parameter = name.partition("/")
        if kind == "grad_norm":
            case.check(name, norms[parameter], rtol=2e-3)
        elif kind == "delta_norm":
            case.check(name, (after[parameter] - before[parameter]).norm(), rtol=1e-2)
        elif kind == "grad":
            case.check(name, after[parameter].grad, rtol=1e-2, atol=1e-7)
    case.check("bn_running_mean", task.model.state_dict()["box_head.conv1_ctr.1.running_mean"], atol=5e-5)
    assert [name for name in before if name not in norms] == case.meta["parameters_without_gradient"]
    for name in case.meta["parameters_without_gradient"]:
        assert torch.equal(after[name], before[name])


def test_published_optimisation_of_a_tiny_network(load_case, fill):
    case = load_case("optimisation_tiny")
    recipe = get_recipe("vitb_256_mae_ce_32x4_ep300")
    recipe = dataclasses.replace(
        recipe,
        model=ModelConfig(
            width=64, depth=4, heads=4, head_channels=32, drop_path=0.0,
            elimination=EliminationConfig((1, 2), (0.7, 0.6), start_epoch=1, warm_epochs=4),
        ),
        optimizer=dataclasses.replace(recipe.optimizer, lr=1e-3, weight_decay=0.05, drop_every=2),
    )  # fmt: skip
    task = OneStreamTask(recipe)
    seed = case.meta["seed"]
    fill.fill_(task.model.state_dict(), seed)
    task.model.train()
    start = {name: parameter.detach().clone() for name, parameter in task.model.named_parameters()}
    optimizer = task.build_optimizer(task.parameter_groups())
    rows, norms, distances, rates = [], [], [], []
    for s in range(1, case.meta["steps"] + 1):
        boxes = [(0.1 + 0.1 * i, 0.5 - 0.08 * i + 0.01 * s, 0.2 + 0.03 * i, 0.3 - 0.02 * s) for i in range(4)]
        batch = {
            "template": torch.from_numpy(fill.normal(f"input:step{s}/template", (4, 3, 128, 128), seed)),
            "search": torch.from_numpy(fill.normal(f"input:step{s}/search", (4, 3, 256, 256), seed)),
            "template_box": torch.tensor([[0.25, 0.25, 0.5, 0.5]] * 4),
            "search_box": torch.tensor(boxes),
        }
        values, _, total = take_step(task, optimizer, batch, progress(s))
        rows.append([values[key].item() for key in ("total", "giou", "l1", "location", "iou")])
        norms.append(total.item())
        rates.append([group["lr"] for group in optimizer.param_groups])
        now = dict(task.model.named_parameters())
        distances.append([(now[name] - start[name]).norm().item() for name in case.meta["parameters"]])
    case.check("losses", rows, rtol=5e-4, atol=1e-6)
    case.check("grad_total_norm", norms, rtol=5e-3)
    case.check("lr", rates, rtol=1e-9)
    case.check("distance_from_start", distances, rtol=5e-3, atol=1e-7)
    state = task.model.state_dict()
    case.check("final/backbone.norm.weight", state["backbone.norm.weight"], atol=1e-4)
    case.check("final/box_head.conv5_offset.bias", state["box_head.conv5_offset.bias"], atol=1e-4)
    case.check("final/running_var", state["box_head.conv1_ctr.1.running_var"], atol=1e-4)


def test_recipes_have_the_published_names_and_survive_yaml():
    names = recipe_names()
    assert len([name for name in names if name.startswith("ostrack/")]) == 6
    assert len([name for name in names if name.startswith("droptrack/vitb")]) == 2
    for name in names:
        recipe = get_recipe(name)
        assert from_yaml(type(recipe), to_yaml(recipe)) == recipe
    with pytest.raises(UnknownRecipeError, match="vitb_256_mae_ce_32x4_ep300"):
        get_recipe("vitb_256_mae_ce_32x4_ep3000")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    root = tmp_path_factory.mktemp("video")
    config = preset("easy", frames=20, size=(96, 72))
    write_got10k(root, "train", 3, config, seed=0)
    write_got10k(root, "val", 2, config, seed=1)
    return root


@pytest.fixture(scope="module")
def debug_run(video, tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    return train(get_recipe("debug"), video, output, name="debug"), output


def test_the_debug_recipe_trains_and_leaves_everything_behind(debug_run):
    summary, output = debug_run
    assert summary.steps == 8
    assert not summary.interrupted
    assert all(math.isfinite(value) for value in summary.validation.values())
    checkpoint = checkpoints.load(output / "weights.safetensors")
    card = checkpoint.meta["card"]
    assert card["recipe"] == "debug"
    assert from_yaml(type(get_recipe("debug")), card["configuration"]) == get_recipe("debug")
    assert (output / "recipe.yaml").read_text() == card["configuration"]


def test_an_interrupted_run_ends_where_the_uninterrupted_one_does(debug_run, video, tmp_path):
    _, output = debug_run
    for stop_after in (3, None):
        train(get_recipe("debug"), video, tmp_path, stop_after=stop_after)
    whole = checkpoints.load(output / "weights.safetensors").state
    resumed = checkpoints.load(tmp_path / "weights.safetensors").state
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        np.testing.assert_array_equal(tensor, resumed[name], err_msg=name)


def test_a_refused_training_leaves_the_run_folder_alone(debug_run, video):
    _, output = debug_run
    recipe = get_recipe("debug")
    before = (output / "recipe.yaml").read_text()
    for changed in (
        dataclasses.replace(recipe, loop=dataclasses.replace(recipe.loop, batch_size=8)),
        dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, width=48)),
    ):
        with pytest.raises((ResumeError, checkpoints.CheckpointMismatchError)):
            train(changed, video, output)
        assert (output / "recipe.yaml").read_text() == before


def test_a_damaged_frame_is_survived_and_counted(video, tmp_path):
    import shutil

    root = tmp_path / "video"
    shutil.copytree(video, root)
    frames = sorted(root.glob("train/GOT-10k_Train_000001/*.jpg"))
    for frame in frames[::2]:
        frame.write_bytes(frame.read_bytes()[:200])
    summary = train(get_recipe("debug"), root, tmp_path / "run")
    assert summary.steps == 8
    assert sum(count for name, count in summary.faults.items() if "frame" in name) > 0


def test_missing_data_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        train(get_recipe("debug"), tmp_path / "nowhere", tmp_path / "run")
