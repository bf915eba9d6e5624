"""The verbs that judge a run: ``visualize``, ``propagate``; and loading the networks they look at."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dropmae_pretrain.cli import main
from dropmae_pretrain.loading import load_network
from dropmae_pretrain.recipes import get_recipe
from dropmae_pretrain.training import train
from trackcore.checkpoints import CheckpointError, save_weights
from trackcore.recipes import to_yaml
from trackdata.labels import read_labels, write_labels
from trackdata.storage import open_store


@pytest.fixture(scope="module")
def run_folder(video_root, tmp_path_factory) -> Path:
    """A run of the debug recipe, finished."""
    recipe = get_recipe("debug")
    recipe = replace(
        recipe,
        data=replace(recipe.data, split="", validation_split=""),
        loop=replace(recipe.loop, epochs=1, validation_samples=0, log_to="none"),
    )
    folder = tmp_path_factory.mktemp("runs") / "debug"
    train(recipe, video_root, folder, name="debug")
    return folder


def test_an_encoder_alone_is_enough_for_its_features(run_folder, tmp_path):
    whole = load_network(run_folder, device="cpu")
    encoder = {name: value for name, value in whole.checkpoint.state.items() if not name.startswith("decoder")}
    save_weights(tmp_path / "encoder.safetensors", encoder, whole.checkpoint.meta["card"])
    alone = load_network(tmp_path / "encoder.safetensors", device="cpu", encoder_only=True).network
    for name, value in encoder.items():
        assert torch.equal(alone.state_dict()[name], value)
    with pytest.raises(CheckpointError, match="has no decoder"):
        load_network(tmp_path / "encoder.safetensors", device="cpu")
    broken = {name: value for name, value in encoder.items() if name != "blocks.0.norm1.weight"}
    save_weights(tmp_path / "broken.safetensors", broken, whole.checkpoint.meta["card"])
    with pytest.raises(CheckpointError, match=r"blocks\.0\.norm1\.weight"):
        load_network(tmp_path / "broken.safetensors", device="cpu", encoder_only=True)


def test_own_weights_say_which_network_they_are(run_folder, tmp_path):
    from_run = load_network(run_folder, device="cpu")
    assert (from_run.checkpoint.path, from_run.step) == (run_folder / "weights.safetensors", 5)
    assert from_run.network.config == get_recipe("debug").model
    assert not from_run.network.training
    # while a run is training it has no weights yet, but checkpoints and its recipe
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / "weights.safetensors").unlink()
    from_checkpoint = load_network(tmp_path / "run", device="cpu")
    assert (from_checkpoint.checkpoint.path.name, from_checkpoint.step) == ("step_00000005.pt", 5)
    for name, value in from_run.network.state_dict().items():
        assert torch.equal(value, from_checkpoint.network.state_dict()[name])


def test_files_without_a_card_are_told_by_their_shapes(run_folder, tmp_path):
    whole = load_network(run_folder, device="cpu")
    torch.save({"model": whole.checkpoint.state, "epoch": 3}, tmp_path / "published.pth")
    found = load_network(tmp_path / "published.pth", device="cpu")
    assert (found.network.config, found.step) == (get_recipe("debug").model, 0)
    with pytest.raises(CheckpointError, match="the weights do not fit"):
        load_network(tmp_path / "published.pth", recipe="tiny", device="cpu")


def test_files_that_are_no_network(tmp_path):
    torch.save({"model": {"layer.weight": torch.zeros(2, 2)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="no known auto-encoder"):
        load_network(tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="is no run folder"):
        load_network(tmp_path)
    (tmp_path / "recipe.yaml").write_text(to_yaml(get_recipe("debug")))
    with pytest.raises(CheckpointError, match="holds no weights yet"):
        load_network(tmp_path)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_network(tmp_path / "gone.pth")


def test_visualize_writes_a_picture_and_an_event(run_folder, video_root, tmp_path, capsys):
    output, events = tmp_path / "new" / "pairs.png", tmp_path / "events"
    words = ["visualize", str(run_folder), str(video_root), "--output", str(output), "--pairs", "2", "--gap", "4"]
    assert main([*words, "--tensorboard", str(events), "--device", "cpu"]) == 0
    assert str(output) in capsys.readouterr().out
    sheet = cv2.imread(str(output))
    assert sheet.shape[0] == 2 * (18 + 18 + 128 + 6)
    stored = EventAccumulator(str(events), size_guidance={"images": 0}).Reload()
    (event,) = stored.Images("reconstruction")
    assert event.step == 5
    shown = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(shown, sheet)
    again = tmp_path / "again.png"
    assert main([*words[:4], str(again), *words[5:], "--device", "cpu"]) == 0
    assert again.read_bytes() == output.read_bytes()  # frames and masks follow the seed


def test_visualize_explains_mistakes(run_folder, tmp_path, capsys):
    assert main(["visualize", str(run_folder), str(tmp_path / "gone.mp4"), "--device", "cpu"]) == 1
    assert "gone.mp4" in capsys.readouterr().err
    assert main(["visualize", str(tmp_path / "gone.pth"), str(tmp_path)]) == 1
    assert "gone.pth" in capsys.readouterr().err


@pytest.fixture
def davis_root(tmp_path) -> Path:
    """Two videos of five frames in DAVIS' layout; in the second nothing moves."""
    root = tmp_path / "DAVIS"
    for name, step in (("moves", 4), ("stays", 0)):
        for index in range(5):
            image = np.random.default_rng(0).integers(0, 60, (48, 64, 3)).astype(np.uint8)
            labels = np.zeros((48, 64), np.uint8)
            labels[8:24, 8 + step * index : 24 + step * index] = 1
            labels[30:46, 40:56] = 2
            image[labels == 1], image[labels == 2] = (230, 80, 20), (20, 90, 240)
            frame = root / "JPEGImages" / "480p" / name / f"{index:05d}.jpg"
            frame.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(frame), image)
            write_labels(root / "Annotations" / "480p" / name / f"{index:05d}.png", labels)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("moves\nstays\n")
    return root


def test_propagate_writes_masks_and_scores(run_folder, davis_root, tmp_path, capsys):
    output = tmp_path / "masks"
    words = ["propagate", str(run_folder), str(davis_root), "--output", str(output), "--side", "48", "--device", "cpu"]
    assert main([*words, "--radius", "2"]) == 0
    told = capsys.readouterr().out
    assert "debug on davis2017_val, 4 objects: J&F" in told
    store = open_store(output)
    first = read_labels(store, "moves/00000.png")
    np.testing.assert_array_equal(first, read_labels(open_store(davis_root), "Annotations/480p/moves/00000.png"))
    assert len(list((output / "stays").glob("*.png"))) == 5
    scores = json.loads((output / "scores.json").read_text())
    assert {row["name"] for row in scores["sequences"]} == {"moves_1", "moves_2", "stays_1", "stays_2"}
    by_name = {row["name"]: row["values"] for row in scores["sequences"]}
    # a cell of a frame that repeats the first one resembles itself most, whatever the features are
    assert by_name["stays_2"]["J_mean"] > 0.4
    assert main([*words, "--limit", "1"]) == 0
    assert "debug on davis2017_val, 2 objects" in capsys.readouterr().out


def test_propagate_explains_mistakes(run_folder, davis_root, tmp_path, capsys):
    words = ["propagate", str(run_folder), str(tmp_path / "gone"), "--output", str(tmp_path / "out")]
    assert main(words) == 1
    assert "gone" in capsys.readouterr().err
    words = ["propagate", str(run_folder), str(davis_root), "--output", str(tmp_path / "out"), "--dataset", "got10k"]
    assert main(words) == 1
    assert "no dataset of segmented videos" in capsys.readouterr().err
