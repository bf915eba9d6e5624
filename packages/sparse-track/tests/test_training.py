"""Optimisation against the published step, groups and schedules, and whole runs on generated video."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparse_track.config import Freeze, OptimizerConfig, Phase
from sparse_track.loading import create
from sparse_track.optimisation import learns, rate
from sparse_track.recipes import get_recipe, recipe_names
from sparse_track.training import SparseTask, train
from trackcore import checkpoints
from trackcore.recipes import UnknownRecipeError, from_yaml, to_yaml
from trackcore.training import Progress, ResumeError

GOT10K = get_recipe("sparsett_swin_train_got10k")


@pytest.fixture(scope="module")
def told(conformance_folder):
    return json.loads((conformance_folder / "training_and_search.json").read_text())


def task_without_network(recipe):
    """A task whose network lies on the meta device: enough for groups and schedules."""
    with torch.device("meta"):
        return SparseTask(recipe)


def test_published_parameter_groups(told):
    task = task_without_network(GOT10K)
    optimizer = task.build_optimizer(task.parameter_groups())
    names = {id(parameter): name for name, parameter in task.model.named_parameters()}
    for group, published in zip(optimizer.param_groups, told["param_groups"], strict=True):
        assert [names.pop(id(parameter)) for parameter in group["params"]] == published["names"]
        assert group["lr"] == pytest.approx(1e-4 * published["lr_multiplier"], rel=1e-12)
        assert (group["weight_decay"], list(group["betas"]), group["eps"]) == (
            published["weight_decay"],
            published["betas"],
            published["eps"],
        )
    assert not names


def test_only_weights_may_decay():
    settings = replace(GOT10K.optimizer, decay="weights")
    task = task_without_network(replace(GOT10K, optimizer=settings))
    names = {id(parameter): name for name, parameter in task.model.named_parameters()}
    groups = {group["name"]: group for group in task.parameter_groups()}
    assert [(name, group["weight_decay"] > 0) for name, group in groups.items()] == [
        ("backbone", True),
        ("backbone, no decay", False),
        ("rest", True),
        ("rest, no decay", False),
    ]
    decaying = {names[id(parameter)] for name in ("backbone", "rest") for parameter in groups[name]["params"]}
    assert all(name.endswith("weight") for name in decaying)
    assert all(
        dict(task.model.named_parameters())[name].ndim > 1 and "_embed.weight" not in name and "table" not in name
        for name in decaying
    )
    assert sum(len(group["params"]) for group in groups.values()) == len(names)
    assert {"neck.decoder.decoder_layers.0.slf_attn.in_proj_weight", "head.fc_branch.0.weight"} <= decaying


def test_the_learning_rate_follows_the_batch():
    halved = replace(GOT10K, loop=replace(GOT10K.loop, batch_size=16))
    assert [group["lr"] for group in task_without_network(halved).parameter_groups()] == pytest.approx([5e-6, 5e-5])


SGD_PHASES = (Phase(1, 1e-6, 0.08), Phase(20, 0.08, 1e-6, "cosine"))  # configured, not used


@pytest.mark.parametrize("number", range(4))
def test_published_learning_rates(told, number):
    entry = told["lr_schedule"][number]
    recipe = get_recipe(entry["config"].rpartition("/")[2].removesuffix(".yaml"))
    iterations = entry["iterations_per_epoch"]
    assert recipe.loop.samples_per_epoch // recipe.loop.batch_size == iterations
    task = task_without_network(recipe)
    for epoch, iteration, expected in entry["epoch_iter_lr"]:
        at = Progress(0, epoch + 1, iterations, 20, epoch_share=iteration / iterations)
        found = 1e-4 * task.learning_rate_factor(at) if entry["used"] else rate(SGD_PHASES, at.position)
        assert found == pytest.approx(expected, rel=1e-9)


def test_linear_and_exponential_phases(told):
    entry = told["linear_then_exponential"]
    phases, until = [], 0
    for phase in entry["phases"]:
        until += phase["max_epoch"]
        kind = "linear" if phase["name"] == "LinearLR" else "exponential"
        phases.append(Phase(until, phase["start_lr"], phase["end_lr"], kind))
    for epoch, iteration, expected in entry["lr"]:
        assert rate(phases, epoch + iteration / entry["iterations_per_epoch"]) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="ends after 5 epochs"):
        rate(phases, 5)


def test_published_freezing(told):
    entry = told["dynamic_freezer"]
    schedule = [Freeze(part["regex"], part["epoch"], part["freezed"]) for part in entry["schedule"]]
    for state in entry["states"]:
        for name, expected in state["requires_grad"].items():
            assert learns(name, schedule, state["epoch"]) == expected, (state["epoch"], name)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OptimizerConfig(schedule=(Phase(5), Phase(5))), "one after the other"),
        (lambda: replace(GOT10K, loop=replace(GOT10K.loop, epochs=21)), "ends after 20 epochs, but 21"),
    ],
)
def test_impossible_schedules_are_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.slow
def test_one_published_step(load_case, fill, fill_module):
    """Two of four pairs are negative; no dropout."""
    case = load_case("train_step")
    still = {"backbone": replace(GOT10K.model.backbone, drop_path=0.0), "neck": replace(GOT10K.model.neck, dropout=0.0)}
    task = SparseTask(replace(GOT10K, model=replace(GOT10K.model, **still)))
    fill_module(task.model, case.seed).train()
    before = {name: parameter.detach().clone() for name, parameter in task.model.named_parameters()}
    optimizer = task.build_optimizer(task.parameter_groups())
    for group, published in zip(optimizer.param_groups, case.config["param_groups"], strict=True):
        group["lr"] = published["lr"]  # the recipe's, whatever the batch
    inputs = case.inputs(fill)
    batch = {
        "template": inputs["z"],
        "search": inputs["x"],
        "box": torch.tensor(case.config["boxes"]),
        "same_target": ~torch.tensor(case.config["negative"]),
    }
    seen = []
    task.model.register_forward_hook(lambda module, given, output: seen.append(output))
    values = task.losses(task.model, batch, Progress(0, 1, 9375, 20))
    values["total"].backward()

    for name in ("cls_fc", "reg_fc", "cls_conv", "reg_conv", "total"):
        case.check(f"loss_{name}", values[name], 0, rtol=2e-4)
    for name in ("iou_fc", "iou_conv"):
        case.check(name, values[name], 0, rtol=2e-4)
    case.check("pred_cls_fc", seen[0].fc_logits[..., None], case.tolerance["pred_cls"])
    case.check("pred_cls_conv", seen[0].conv_logits[..., None], case.tolerance["pred_cls"])
    case.check("pred_bbox_conv", seen[0].conv_boxes)

    parameters = dict(task.model.named_parameters())
    assert [name for name in parameters if parameters[name].grad is None] == case.meta["parameters_without_gradient"]
    case.check("grad_norms", [parameters[name].grad.norm().item() for name in case.config["named"]], 0, rtol=1e-2)
    assert max(parameters[name].grad.norm() for name in case.config["analytically_zero"]) < 1e-3
    norms = [parameter.grad.norm() for parameter in parameters.values() if parameter.grad is not None]
    case.check("grad_norm_global", [torch.stack(norms).norm().item()], 0, rtol=2e-3)

    optimizer.step()
    moved = [(parameters[name].detach() - before[name]).norm().item() for name in case.config["named"]]
    case.check("delta_norms", moved, 0, rtol=2e-2)
    state = task.model.state_dict()
    for name in case.config["bn"]:
        case.check(f"mean:{name}", state[f"{name}.running_mean"], case.tolerance["running stats"])
        case.check(f"var:{name}", state[f"{name}.running_var"], case.tolerance["running stats"])


def test_recipes_have_the_published_names_and_survive_yaml():
    names = recipe_names()
    assert {"sparsett_swin_train_got10k", "sparsett_swin_train_fulldata"} < set(names)
    for name in names:
        recipe = get_recipe(name)
        assert from_yaml(type(recipe), to_yaml(recipe)) == recipe
    with pytest.raises(UnknownRecipeError, match="sparsett_swin_train_fulldata"):
        get_recipe("sparsett_swin_train_full")


def test_published_mixture():
    sources = get_recipe("sparsett_swin_train_fulldata").data.train
    total = sum(source.weight for source in sources)
    shares = {source.folder: round(100 * source.weight / total, 1) for source in sources}
    assert shares == {"trackingnet": 43.3, "lasot": 20.0, "got10k": 13.3, "vid": 13.3, "det": 5.3, "coco": 4.7}


class TestRuns:
    def test_the_debug_recipe_leaves_everything_behind(self, debug_run, cpu_debug):
        summary, output = debug_run
        assert summary.steps == 8
        assert not summary.interrupted
        assert set(summary.validation) == {
            "total", "cls_fc", "reg_fc", "iou_fc", "cls_conv", "reg_conv", "iou_conv",
        }  # fmt: skip
        assert all(math.isfinite(value) for value in summary.validation.values())
        card = checkpoints.load(output / "weights.safetensors").meta["card"]
        assert card["recipe"] == "debug"
        assert from_yaml(type(cpu_debug), card["configuration"]) == cpu_debug
        assert (output / "recipe.yaml").read_text() == card["configuration"]

    def test_the_weights_track(self, weights, cpu_debug):
        tracker = create(weights, device="cpu")
        assert tracker.tracking == cpu_debug.tracking
        frame = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
        tracker.init(frame, np.array([20.0, 20, 30, 20]))
        assert np.isfinite(tracker.update(frame).box).all()

    def test_an_interrupted_run_ends_where_the_uninterrupted_one_does(self, debug_run, cpu_debug, video, tmp_path):
        assert train(cpu_debug, video, tmp_path, stop_after=3).interrupted
        assert train(cpu_debug, video, tmp_path).steps == 8
        whole = checkpoints.load(debug_run[1] / "weights.safetensors").state
        resumed = checkpoints.load(tmp_path / "weights.safetensors").state
        assert whole.keys() == resumed.keys()
        for name, tensor in whole.items():
            np.testing.assert_array_equal(tensor, resumed[name], err_msg=name)

    def test_a_refused_training_leaves_the_run_folder_alone(self, debug_run, cpu_debug, video):
        _, output = debug_run
        before = (output / "recipe.yaml").read_text()
        for changed in (
            replace(cpu_debug, loop=replace(cpu_debug.loop, batch_size=8)),
            replace(cpu_debug, model=replace(cpu_debug.model, neck=replace(cpu_debug.model.neck, hidden=48))),
        ):
            with pytest.raises((ResumeError, checkpoints.CheckpointMismatchError)):
                train(changed, video, output)
            assert (output / "recipe.yaml").read_text() == before

    def test_frozen_parts_keep_their_weights_until_they_learn(self, cpu_debug, video, tmp_path):
        schedule = (Freeze("basemodel", 0, True), Freeze(r"basemodel\.net\.stages\.2\.", 1, False))
        frozen = replace(cpu_debug, optimizer=replace(cpu_debug.optimizer, freeze=schedule))
        torch.manual_seed(frozen.loop.seed)
        start = {name: parameter.detach() for name, parameter in SparseTask(frozen).model.named_parameters()}
        halfway = replace(frozen, loop=replace(frozen.loop, epochs=1))
        for recipe, learning in ((halfway, ()), (frozen, ("basemodel.net.stages.2.",))):
            train(recipe, video, tmp_path / str(recipe.loop.epochs))
            state = checkpoints.load(tmp_path / str(recipe.loop.epochs) / "weights.safetensors").state
            for name, before in start.items():
                if name.startswith("basemodel") and not name.startswith(learning):
                    assert torch.equal(state[name], before), name
            changed = {name for name, before in start.items() if not torch.equal(state[name], before)}
            assert any(name.startswith("neck") for name in changed)
            assert any(name.startswith("basemodel.net.stages.2.") for name in changed) == bool(learning)

    def test_from_start_weights(self, debug_run, cpu_debug, video, tmp_path):
        still = replace(cpu_debug, optimizer=replace(cpu_debug.optimizer, lr=0.0))
        train(still, video, tmp_path, start_weights=debug_run[1] / "weights.safetensors")
        before = checkpoints.load(debug_run[1] / "weights.safetensors").state
        after = checkpoints.load(tmp_path / "weights.safetensors").state
        name = "head.fc_branch.0.weight"
        assert torch.equal(after[name], before[name])

    def test_a_damaged_frame_is_survived_and_counted(self, cpu_debug, video, tmp_path):
        root = tmp_path / "video"
        shutil.copytree(video, root)
        for frame in sorted(root.glob("train/GOT-10k_Train_000001/*.jpg"))[::2]:
            frame.write_bytes(frame.read_bytes()[:200])
        summary = train(cpu_debug, root, tmp_path / "run")
        assert summary.steps == 8
        assert sum(count for name, count in summary.faults.items() if "frame" in name) > 0

    def test_missing_data_is_named(self, cpu_debug, tmp_path):
        with pytest.raises(ValueError, match="no such folder"):
            train(cpu_debug, tmp_path / "nowhere", tmp_path / "run")
        assert not (tmp_path / "run").exists()
