"""Whole runs on generated video: resuming, stages, several processes."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from dropseg_vos.cli import main
from dropseg_vos.loading import load_segmenter
from dropseg_vos.network import build
from dropseg_vos.published import to_published
from dropseg_vos.recipes import get_recipe, recipe_names
from dropseg_vos.training import train
from dropseg_vos.weights import load_network, load_start_weights
from trackcore import checkpoints
from trackcore.recipes import UnknownRecipeError, from_yaml, to_yaml
from trackcore.training import ResumeError
from trackdata.errors import AnnotationError
from trackdata.synth import preset, write_layout
from trackdata.synth.layouts import layout

DEBUG = get_recipe("debug")
CPU = replace(DEBUG, loop=replace(DEBUG.loop, device="cpu", log_to="none"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    config = preset("easy", frames=12, size=(64, 48))
    for seed, split in enumerate(("train", "val")):
        write_layout(layout("davis2017"), root / "davis2017", split, 2, config, seed=seed)
    write_layout(layout("static_images"), root / "static_images", "ecssd", 3, config, seed=2)
    return root


@pytest.fixture(scope="module")
def debug_run(data, tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    return train(CPU, data, output, name="debug"), output


class TestRuns:
    def test_the_debug_recipe_leaves_everything_behind(self, debug_run):
        summary, output = debug_run
        assert summary.steps == 8
        assert not summary.interrupted
        assert set(summary.validation) == {"total", "iou", "iou/target", "iou/second", "kept"}
        assert all(math.isfinite(value) for value in summary.validation.values())
        card = checkpoints.load(output / "weights.safetensors").meta["card"]
        assert card["recipe"] == "debug"
        assert from_yaml(type(CPU), card["configuration"]) == CPU
        assert (output / "recipe.yaml").read_text() == card["configuration"]

    def test_the_weights_segment(self, debug_run):
        segmenter = load_segmenter(debug_run[1] / "weights.safetensors", device="cpu")
        assert segmenter.sizing.short_side == CPU.model.short_side
        frame = np.full((50, 70, 3), 90, np.uint8)
        segmenter.init(frame, np.ones((50, 70), bool))
        assert segmenter.update(frame).mask.shape == (50, 70)

    def test_an_interrupted_run_ends_where_the_uninterrupted_one_does(self, debug_run, data, tmp_path):
        for stop_after in (3, None):
            train(CPU, data, tmp_path, stop_after=stop_after)
        whole = checkpoints.load(debug_run[1] / "weights.safetensors").state
        resumed = checkpoints.load(tmp_path / "weights.safetensors").state
        assert whole.keys() == resumed.keys()
        for name, tensor in whole.items():
            np.testing.assert_array_equal(tensor, resumed[name], err_msg=name)

    def test_a_refused_training_leaves_the_run_folder_alone(self, debug_run, data):
        _, output = debug_run
        before = (output / "recipe.yaml").read_text()
        for changed in (
            replace(CPU, loop=replace(CPU.loop, batch_size=8)),
            replace(CPU, model=replace(CPU.model, width=32)),
        ):
            with pytest.raises((ResumeError, checkpoints.CheckpointMismatchError)):
                train(changed, data, output)
            assert (output / "recipe.yaml").read_text() == before

    def test_positions_do_not_learn_and_everything_else_does(self, debug_run):
        torch.manual_seed(CPU.loop.seed)
        fresh = build(CPU.model).state_dict()
        for name, tensor in checkpoints.load(debug_run[1] / "weights.safetensors").state.items():
            assert torch.equal(tensor, fresh[name]) == (name in ("pos_embed", "position_grid")), name

    def test_damaged_frames_are_survived_and_counted(self, data, tmp_path):
        root = tmp_path / "data"
        shutil.copytree(data, root)
        for frame in sorted((root / "davis2017").glob("JPEGImages/480p/*/*.jpg"))[::3]:
            frame.write_bytes(frame.read_bytes()[:200])
        summary = train(CPU, root, tmp_path / "run")
        assert summary.steps == 8
        assert sum(summary.faults.values()) > 0

    def test_half_precision(self, data, tmp_path):
        loop = replace(CPU.loop, epochs=1, samples_per_epoch=4, precision="bf16")
        summary = train(replace(CPU, loop=loop), data, tmp_path)
        assert math.isfinite(summary.train["total"])
        assert all(tensor.dtype == torch.float32 or not tensor.is_floating_point()
                   for tensor in checkpoints.load(summary.weights).state.values())  # fmt: skip

    def test_missing_data_is_named(self, tmp_path):
        with pytest.raises(AnnotationError, match="nowhere"):
            train(CPU, tmp_path / "nowhere", tmp_path / "run")


def test_stages_are_chained(data, tmp_path):
    recipe = get_recipe("debug_static")
    stills = replace(recipe, loop=replace(recipe.loop, device="cpu", log_to="none", epochs=1))
    first = train(stills, data, tmp_path / "stills", name="debug_static")
    assert set(first.train) == {"total", "iou", "iou/target", "kept"}
    network = build(CPU.model)
    assert "all weights" in load_start_weights(network, first.weights)
    before = checkpoints.load(first.weights).state
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    one_step = replace(CPU, loop=replace(CPU.loop, epochs=1, samples_per_epoch=4))
    train(one_step, data, tmp_path / "video", start_weights=first.weights)
    assert (
        str(first.weights) in checkpoints.load(tmp_path / "video" / "weights.safetensors").meta["card"]["start_weights"]
    )


def test_recipes_survive_yaml():
    for name in recipe_names():
        recipe = get_recipe(name)
        assert from_yaml(type(recipe), to_yaml(recipe)) == recipe
    with pytest.raises(UnknownRecipeError, match="retrain_s03"):
        get_recipe("retrain_s3")


class TestFiles:
    def test_a_published_file_and_its_network(self, tmp_path):
        """Sizes are those of the file; heads are of 64 channels."""
        config = replace(CPU.model, stem="linear", start="published", width=64, heads=1)
        network = build(config)
        torch.save(to_published(network.state_dict()), tmp_path / "net.pth")
        found = load_network(tmp_path / "net.pth")
        assert found.config == replace(config, drop_path=0.1, short_side=480)
        assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
        with pytest.raises(checkpoints.CheckpointMismatchError, match="the network is the one of 'debug'"):
            load_network(tmp_path / "net.pth", "debug")

    def test_something_else(self, tmp_path):
        torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
        with pytest.raises(checkpoints.CheckpointError, match="holds no segmentation network"):
            load_network(tmp_path / "other.pth")


class TestCommand:
    def test_train(self, data, tmp_path, capsys):
        words = ["train", "debug", "--root", str(data), "--output", str(tmp_path), "--loop.epochs", "1"]
        assert main([*words, "--loop.device", "cpu", "--loop.log-to", "none"]) == 0
        assert "training finished" in capsys.readouterr().out
        assert "epochs: 1" in (tmp_path / "recipe.yaml").read_text()

    def test_prepare(self, tmp_path, capsys):
        root = tmp_path / "YouTube"
        config = preset("easy", frames=11, size=(64, 48))
        write_layout(layout("youtubevos"), root, "train", 1, config, seed=1)
        folder = next(path.parent for path in root.rglob("train") if path.is_dir())
        assert main(["prepare", str(folder), "--short-side", "24"]) == 0
        assert "1 videos resized" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            (["train"], 2, "needs a recipe"),
            (["train", "stage4", "--root", ".", "--output", "run"], 1, "stage3"),
            (["train", "debug", "--root", ".", "--output", "run"], 1, "davis2017"),
            (["train", "debug", "--root", ".", "--output", "run", "--loop.batchsize", "8"], 2, "batch-size"),
            (["train", "debug", "--root", "DATA", "--output", "run", "--start-weights", "no.pth"], 1, "no.pth"),
            (["prepare", "nowhere"], 1, "nowhere"),
            (["prepare", ".", "--workers", "0"], 2, "--workers"),
        ],
    )
    def test_mistakes_are_explained(self, data, tmp_path, monkeypatch, capsys, words, status, message):
        monkeypatch.chdir(tmp_path)
        assert main([str(data) if word == "DATA" else word for word in words]) == status
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_training_in_two_processes(data, tmp_path):
    """Steps of two processes with 2 samples each are those of one that accumulates two micro-batches."""
    words = ["train", "debug", "--root", str(data), "--loop.device", "cpu", "--loop.micro-batch", "2"]
    words += ["--model.stem", "linear"]  # statistics of batches are each process's own
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    for name, command in (("one", [sys.executable, "-m"]), ("two", torchrun)):
        done = subprocess.run(
            [*command, "dropseg_vos", *words, "--output", str(tmp_path / name)],
            env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("training finished") == 1
    one, two = (checkpoints.load(tmp_path / name / "weights.safetensors").state for name in ("one", "two"))
    for name, tensor in one.items():
        np.testing.assert_allclose(two[name], tensor, rtol=1e-4, atol=1e-4, err_msg=name)
