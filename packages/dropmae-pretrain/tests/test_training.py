"""Training against the published steps, groups and schedules, and whole runs."""

from __future__ import annotations

import csv
import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dropmae_pretrain.augment import CropParameters, augment
from dropmae_pretrain.config import ModelConfig, ObjectiveConfig, OptimizerConfig, Recipe
from dropmae_pretrain.network import Draws
from dropmae_pretrain.pair_config import CropConfig
from dropmae_pretrain.recipes import NETWORKS, get_recipe, recipe_names
from dropmae_pretrain.training import PretrainingTask, train, train_on
from trackcore import checkpoints
from trackcore.recipes import UnknownRecipeError, from_yaml, to_yaml
from trackcore.training import Counted, LoopConfig, Progress, ResumeError, Trainer
from trackdata.synth import preset, write_got10k

TINY = ModelConfig(64, 16, width=96, depth=3, heads=4, decoder_width=64, decoder_depth=2, decoder_heads=4)


def task_without_network(recipe):
    """A task whose network lies on the meta device: enough for groups and schedules."""
    with torch.device("meta"):
        return PretrainingTask(recipe)


def rates(task, epochs, iterations, accumulate, steps):
    """Learning rates in force in the iterations ``steps``, counted over all epochs."""
    peak = task.parameter_groups()[0]["lr"]
    found = []
    for step in steps:
        epoch, iteration = divmod(int(step), iterations)
        first = iteration - iteration % accumulate
        at = Progress(0, epoch + 1, iterations // accumulate, epochs, epoch_share=first / iterations)
        found.append(peak * task.learning_rate_factor(at))
    return found


@pytest.mark.parametrize("number", range(4))
def test_published_learning_rates(load_case, number):
    case = load_case("lr_schedule")
    setup = case.config[str(number)]
    recipe = get_recipe("k400_1600e")
    settings = OptimizerConfig(base_lr=setup["blr"], min_lr=setup["min_lr"], warmup_epochs=setup["warmup_epochs"])
    batch = setup["effective_batch"]
    recipe = replace(recipe, optimizer=settings, loop=replace(recipe.loop, batch_size=batch, micro_batch=None))
    task = task_without_network(recipe)
    assert settings.peak(batch) == pytest.approx(setup["peak_lr"], rel=1e-12)
    got = rates(task, setup["epochs"], setup["iterations_per_epoch"], setup["accum_iter"], case[f"{number}_step"])
    np.testing.assert_allclose(got, case[f"{number}_lr"], rtol=case.meta["tolerance"]["rel"])


@pytest.mark.parametrize(
    ("log", "name", "processes", "micro", "iterations", "accumulate"),
    [
        ("training_log_k400_1600e", "k400_1600e", 64, 64, 58, 1),
        ("training_log_k700_800e", "k700_800e", 64, 32, 257, 2),
    ],
)
def test_learning_rates_of_the_published_logs(conformance_folder, log, name, processes, micro, iterations, accumulate):
    recipe = get_recipe(name)
    layout = replace(recipe.loop, micro_batch=micro).layout(processes)
    assert (layout.micro_batches, layout.accumulate) == (iterations, accumulate)
    task = task_without_network(recipe)
    with (conformance_folder / f"{log}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 20
    for row in rows:
        first = int(row["epoch"]) * iterations
        within = rates(task, recipe.loop.epochs, iterations, accumulate, range(first, first + iterations))
        assert np.mean(within) == pytest.approx(float(row["train_lr"]), rel=1e-11, abs=1e-17)


@pytest.mark.parametrize("network", ["vitb", "tiny"])
def test_published_parameter_groups(conformance_folder, network):
    stored = json.loads((conformance_folder / "param_groups.json").read_text())
    recipe = get_recipe("k400_1600e")
    task = task_without_network(replace(recipe, model=TINY if network == "tiny" else recipe.model))
    optimizer = task.build_optimizer(task.parameter_groups())
    names = {id(parameter): name for name, parameter in task.model.named_parameters()}
    for group, published in zip(optimizer.param_groups, stored[network], strict=True):
        assert [names.pop(id(parameter)) for parameter in group["params"]] == published["names"]
        assert group["weight_decay"] == published["weight_decay"]
        assert (group["betas"], group["eps"]) == ((0.9, 0.95), 1e-8)
    assert sorted(names.values()) == sorted(stored[f"{network}_not_optimised"])


def test_tokens_may_be_kept_from_decaying():
    recipe = get_recipe("debug")
    settings = replace(recipe.optimizer, decay_tokens=False)
    task = task_without_network(replace(recipe, optimizer=settings))
    names = {id(parameter): name for name, parameter in task.model.named_parameters()}
    still, decaying = ([names[id(p)] for p in group["params"]] for group in task.parameter_groups())
    assert {"mask_token", "temporal_pos_embed_x", "decoder_temporal_pos_embed_z"} <= set(still)
    assert all(name.endswith(".weight") for name in decaying)


class Published(PretrainingTask):
    """The task of a stored training: iteration g takes the inputs that are named after it."""

    def __init__(self, case, fill, inputs, frames, leftover="lose"):
        settings = case.config
        iterations, micro = settings["iterations_per_epoch"], settings["batch"]
        loop = LoopConfig(
            epochs=settings["epochs"], samples_per_epoch=iterations * micro, micro_batch=micro, seed=0,
            batch_size=micro * settings["accum_iter"], leftover=leftover, workers=0, log_every=1, log_to="none",
            device="cpu",
        )  # fmt: skip
        optimizer = OptimizerConfig(base_lr=settings["blr"], warmup_epochs=settings["warmup_epochs"])
        super().__init__(Recipe(TINY, loop, ObjectiveConfig(drop=settings["P"]), optimizer=optimizer))
        fill.fill_(self.model.state_dict(), case.seed)
        self._case, self._inputs, self._frames = case, inputs, frames
        self.seen, self.norms = [], []

    def train_sample(self, epoch, index):
        iteration, sample = divmod(index, self._case.config["batch"])
        iteration += (epoch - 1) * self._case.config["iterations_per_epoch"]
        first, second = self._frames(iteration, sample)
        return Counted({"first": first, "second": second, "iteration": iteration}, {})

    def draws(self, batch):
        settings, seed, model = self._case.config, self._case.seed, self.recipe.model
        tag, count = f":{int(batch['iteration'][0])}", settings["batch"]
        rows, layers = count * model.decoder_heads, range(model.decoder_depth)
        noise = torch.from_numpy(self._inputs.mask_noise(count, model.tokens, seed, tag))
        if settings["drop"] == "forced":
            pairs = [
                self._inputs.forced_drop(layer, rows, model.tokens, self.model.count, seed, tag) for layer in layers
            ]
            return Draws(noise, dropped=[torch.from_numpy(pair) for pair in pairs])
        clocks = [self._inputs.drop_noise(layer, rows, model.tokens, seed, tag) for layer in layers]
        return Draws(noise, clocks=[torch.from_numpy(clock) for clock in clocks])

    def losses(self, model, batch, progress):
        if progress.epoch_share == 0.0 and int(batch["iteration"][0]) % self._case.config["iterations_per_epoch"] == 0:
            self._note_norms()
        losses = super().losses(model, batch, progress)
        self.seen.append(
            (
                losses["total"].item(),
                self.recipe.optimizer.peak(self.recipe.loop.batch_size) * self.learning_rate_factor(progress),
            )
        )
        return losses

    def _note_norms(self):
        self.norms.append([tensor.double().norm().item() for tensor in self.model.state_dict().values()])


def frames_of(name, case, fill, inputs):
    """The function from iteration and sample to a pair of frames of a stored training."""
    if name == "train_tiny":

        def drawn(iteration, sample):
            shape = (2, 3, 64, 64)
            return [fill.normal(f"input:frame_{which}:{iteration}", shape, case.seed)[sample] for which in "xz"]

        return drawn

    def cropped(iteration, sample):
        video, height, width, *both = case.config["steps"][iteration][sample]
        return [
            augment(inputs.frame(video, t, height, width), CropParameters(*crop, bool(flip)), CropConfig(size=64))
            for t, *crop, flip in both
        ]

    return cropped


@pytest.mark.parametrize("name", ["train_tiny", "e2e_tiny"])
def test_published_trainings(load_case, fill, inputs, tmp_path, name):
    case = load_case(name)
    task = Published(case, fill, inputs, frames_of(name, case, fill, inputs))
    Trainer(task.recipe.loop, task, tmp_path).fit()
    task._note_norms()

    tolerance = case.meta["tolerance"]
    seen, rate = np.array(task.seen).T
    np.testing.assert_allclose(seen, case["loss"], atol=tolerance["loss_abs"])
    np.testing.assert_allclose(rate, case["lr"], rtol=1e-12)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    norms = [record["grad_norm"] for record in records if record["event"] == "step"]
    stored = case["grad_norm"][~np.isnan(case["grad_norm"])]
    np.testing.assert_allclose(norms, stored, rtol=tolerance["grad_norm_rel"])
    log = [[record["total"], record["lr"]] for record in records if record["event"] == "epoch"]
    np.testing.assert_allclose(log, case["log"], rtol=1e-7, atol=tolerance["loss_abs"])
    np.testing.assert_allclose([row[1] for row in log], case["log"][:, 1], rtol=1e-12)

    state = task.model.state_dict()
    keys = ~np.array([name.endswith("attn.qkv.bias") for name in state])  # whose key third is noise, see the README
    np.testing.assert_allclose(np.array(task.norms[1:])[:, keys], case["param_norm"][:, keys], rtol=2e-5, atol=2e-5)
    slices = {"blocks.0.attn.qkv.weight": np.s_[::7, ::5], "decoder_blocks.1.mlp.fc2.weight": np.s_[::3, ::7]}
    for stored_name in case.arrays:
        if not stored_name.startswith("final:"):
            continue
        parameter = stored_name.removeprefix("final:")
        got, expected = state[parameter].numpy()[slices.get(parameter, ...)], case[stored_name]
        if parameter.endswith("qkv.bias"):
            third = len(got) // 3
            got, expected = (np.delete(values, np.s_[third : 2 * third]) for values in (got, expected))
        np.testing.assert_allclose(got, expected, atol=tolerance["param_abs"], err_msg=parameter)


def test_by_default_no_micro_batch_is_lost(load_case, fill, inputs, tmp_path):
    case = load_case("train_tiny")
    task = Published(case, fill, inputs, frames_of("train_tiny", case, fill, inputs), leftover="step")
    assert get_recipe("k700_800e").loop.leftover == "step"
    summary = Trainer(task.recipe.loop, task, tmp_path).fit()
    assert (summary.steps, len(task.seen)) == (9, 15)  # three steps an epoch instead of two


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_survive_yaml(name):
    recipe = get_recipe(name)
    assert from_yaml(Recipe, to_yaml(recipe)) == recipe
    assert get_recipe(f"dropmae/{name}") == recipe


@pytest.mark.parametrize(
    ("name", "epochs", "videos"),
    [("k400_1600e", 1600, 241_553), ("k400_400e", 400, 241_553), ("k700_800e", 800, 526_336)],
)
def test_published_recipes(name, epochs, videos):
    recipe = get_recipe(name)
    assert recipe.model == NETWORKS["mae_vit_base_patch16"]
    assert (recipe.loop.epochs, recipe.loop.samples_per_epoch, recipe.loop.batch_size) == (epochs, videos, 4096)
    assert recipe.optimizer.peak(4096) == pytest.approx(2.4e-3)
    assert (recipe.objective.drop, recipe.objective.mask_ratio, recipe.objective.normalise_target) == (0.1, 0.75, True)
    assert (recipe.data.gap, recipe.optimizer.warmup_epochs, recipe.optimizer.weight_decay) == (50, 40, 0.05)
    assert recipe.loop.layout(64).accumulate == 1
    assert recipe.loop.layout(8).accumulate == 8


def test_an_unknown_recipe_is_named():
    with pytest.raises(UnknownRecipeError, match="did you mean 'k400_1600e'"):
        get_recipe("k400_1600")


class Patterns:
    """Pairs of a grating and the same moved along: a stand-in for video.

    ``variety`` gratings are shown; ``fault`` is counted in every fourth pair.
    """

    def __init__(self, size=32, fault=None, variety=1000):
        self.size, self.fault, self.variety = size, fault, variety

    def __call__(self, epoch, index):
        rng = np.random.default_rng([epoch, index])
        grating = np.random.default_rng(int(rng.integers(self.variety)))
        frequency, phase = grating.uniform(0.1, 0.6, 2), grating.uniform(0, 6, 3)
        y, x = np.mgrid[: self.size, : self.size]
        first, second = (
            np.stack([np.sin(frequency[0] * (x + shift) + frequency[1] * y + p) for p in phase]).astype(np.float32)
            for shift in (0, int(rng.integers(1, 5)))
        )
        return {"first": first, "second": second, "faults": {self.fault: 1} if self.fault and index % 4 == 0 else {}}


def short(**changes):
    """The debug recipe without a stem, whose batch norms depend on micro-batches and move at any learning rate."""
    recipe = get_recipe("debug")
    loop = replace(recipe.loop, log_to="none", device="cpu", **changes)
    return replace(recipe, loop=loop, model=replace(recipe.model, stem="linear"))


@pytest.fixture(scope="module")
def debug_run(tmp_path_factory):
    output = tmp_path_factory.mktemp("debug")
    summary = train_on(short(), Patterns(fault="odd videos"), output, validation_pairs=Patterns(), name="debug")
    return summary, output


def test_a_run_leaves_all_that_is_needed(debug_run):
    summary, output = debug_run
    assert (summary.steps, summary.epochs) == (10, 2)  # five steps an epoch, the last one of one micro-batch
    assert summary.faults == {"odd videos": 10}
    assert from_yaml(Recipe, (output / "recipe.yaml").read_text()) == short()
    card = json.loads((output / "weights.json").read_text())
    assert card["recipe"] == "debug"
    assert from_yaml(ModelConfig, card["model"]) == short().model
    assert from_yaml(ObjectiveConfig, card["objective"]) == short().objective
    state = checkpoints.load(output / "weights.safetensors").state
    assert state.keys() == PretrainingTask(short()).model.state_dict().keys()
    records = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    epochs = [record for record in records if record["event"] == "epoch"]
    assert [record["epoch"] for record in epochs] == [1, 2]
    assert all(np.isfinite(record["total"]) and record["lr"] > 0 for record in epochs)
    validation = [record for record in records if record["event"] == "validation"]
    assert {"total", "attention/encoder_00", "attention/decoder_01"} <= validation[0].keys()


@pytest.mark.parametrize("stop_after", [3, 5, 9])
def test_an_interrupted_run_ends_with_the_same_weights(debug_run, tmp_path, stop_after):
    _, output = debug_run
    for stop in (stop_after, None):
        train_on(short(), Patterns(), tmp_path, validation_pairs=Patterns(), stop_after=stop)
    whole = checkpoints.load(output / "weights.safetensors").state
    resumed = checkpoints.load(tmp_path / "weights.safetensors").state
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def test_masks_do_not_depend_on_micro_batches(tmp_path):
    recipe = replace(short(validation_samples=0, leftover="skip"), objective=ObjectiveConfig(drop=0.0))
    totals = []
    for micro in (1, 4):
        loop = replace(recipe.loop, micro_batch=micro)
        train_on(replace(recipe, loop=loop), Patterns(), tmp_path / str(micro))
        lines = (tmp_path / str(micro) / "metrics.jsonl").read_text().splitlines()
        totals.append([json.loads(line)["total"] for line in lines])
    assert totals[0] == pytest.approx(totals[1], rel=1e-4)


def test_the_loss_falls(tmp_path):
    recipe = short(epochs=2, samples_per_epoch=800, batch_size=16, micro_batch=None, validation_samples=0, log_every=50)
    recipe = replace(
        recipe,
        model=replace(recipe.model, image_size=16),
        objective=ObjectiveConfig(drop=0.5),
        optimizer=replace(recipe.optimizer, lr=5e-3),
    )
    train_on(recipe, Patterns(size=16, variety=1), tmp_path)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    totals = [record["total"] for record in records if record["event"] == "epoch"]
    assert totals[-1] < 0.7 * totals[0]


def test_a_refused_training_leaves_the_run_folder_alone(debug_run):
    _, output = debug_run
    recipe = short()
    before = (output / "recipe.yaml").read_text()
    for changed, message in (
        (short(batch_size=8), "batch_size 4 -> 8"),
        (short(leftover="skip"), "steps_per_epoch 5 -> 4"),
        (replace(recipe, model=replace(recipe.model, width=48)), "another network"),
    ):
        with pytest.raises((ResumeError, checkpoints.CheckpointMismatchError), match=message):
            train_on(changed, Patterns(), output, validation_pairs=Patterns())
        assert (output / "recipe.yaml").read_text() == before


def test_starting_from_weights(debug_run, tmp_path):
    _, output = debug_run
    weights = output / "weights.safetensors"
    recipe = replace(short(), optimizer=OptimizerConfig(lr=1e-30))
    train_on(recipe, Patterns(), tmp_path / "run", validation_pairs=Patterns(), start_weights=weights)
    after = checkpoints.load(tmp_path / "run" / "weights.safetensors").state
    assert all(torch.equal(tensor, after[name]) for name, tensor in checkpoints.load(weights).state.items())
    torch.save({"model": {"pos_embed": torch.zeros(1, 17, 32)}}, tmp_path / "other.pth")
    with pytest.raises(checkpoints.CheckpointMismatchError, match=r"other.pth is: .*needs a whole auto-encoder"):
        train_on(recipe, Patterns(), tmp_path / "run2", start_weights=tmp_path / "other.pth")
    assert not (tmp_path / "run2").exists()


def test_generated_video(tmp_path):
    config = preset("easy", frames=12, size=(96, 72))
    for split, count in (("train", 3), ("val", 2)):
        write_got10k(tmp_path / "video", split, count, config, seed=0)
    summary = train(get_recipe("debug"), tmp_path / "video", tmp_path / "run")
    assert summary.steps == 10
    recipe = get_recipe("debug")
    recipe = replace(recipe, data=replace(recipe.data, pairs_per_video=4), loop=replace(recipe.loop, epochs=1))
    assert train(recipe, tmp_path / "video", tmp_path / "counted").steps == 3  # four pairs of each of three videos


def test_missing_data_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        train(get_recipe("debug"), tmp_path / "nowhere", tmp_path / "run")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (ModelConfig, {"image_size": 100}, "image_size 100 is not a multiple of the patch side 16"),
        (ModelConfig, {"heads": 7}, "width must be a multiple of heads"),
        (ModelConfig, {"decoder_width": 30, "decoder_heads": 3}, "decoder_width must be a multiple"),
        (ObjectiveConfig, {"drop": 1.5}, r"drop must lie in \[0, 1\], got 1.5"),
        (ObjectiveConfig, {"drop": float("nan")}, "drop must lie"),
        (ObjectiveConfig, {"mask_ratio": 1.0}, r"mask_ratio must lie in \[0, 1\)"),
        (OptimizerConfig, {"base_lr": 0.0}, "learning rates must be positive"),
        (OptimizerConfig, {"warmup_epochs": -1}, "must not be negative"),
    ],
)
def test_impossible_settings_are_named(kind, values, message):
    with pytest.raises(ValueError, match=message):
        kind(**values)


def test_a_recipe_in_which_nothing_is_visible():
    with pytest.raises(ValueError, match=r"mask_ratio 0.99 \(joint\) leaves no token of 32 visible: lower it"):
        dataclasses.replace(short(), model=replace(TINY, image_size=64), objective=ObjectiveConfig(mask_ratio=0.99))
