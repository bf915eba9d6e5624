"""The command line: what works, and what it says when something does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dropmae_pretrain.cli import VERBS, main
from dropmae_pretrain.recipes import NETWORKS, recipe_names
from trackcore import checkpoints
from trackdata.synth import preset, write_got10k


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    root = tmp_path_factory.mktemp("video")
    for split in ("train", "val"):
        write_got10k(root, split, 2, preset("easy", frames=12, size=(96, 72)), seed=0)
    return root


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["train", "debug", "--help"],
        *([verb, "--help"] for verb in VERBS if verb != "train"),
    ],
)
def test_help_does_not_import_torch(words):
    code = (
        "import sys; from dropmae_pretrain.cli import main; status = main(sys.argv[1:]); "
        "loaded = {'torch', 'cv2', 'timm', 'av', 'matplotlib'} & set(sys.modules); "
        "sys.exit(f'{status} {loaded}' if status or loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    assert capsys.readouterr().out.split() == recipe_names()


def test_train_convert_and_start_from_the_weights(video, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["train", "debug", "--root", str(video), "--output", str(run), "--loop.epochs", "1"]
    assert main([*words, "--objective.drop", "0", "--model.stem", "linear"]) == 0
    card = checkpoints.load(run / "weights.safetensors").meta["card"]
    assert card["kind"] == "TwinMAE auto-encoder"
    capsys.readouterr()
    for target in ("onestream", "dropseg", "timm"):
        output = tmp_path / f"{target}.safetensors"
        assert main(["convert", str(run / "weights.safetensors"), "--to", target, "--output", str(output)]) == 0
        assert f"kind: DropMAE encoder for {target}" in capsys.readouterr().out
        assert checkpoints.load(output).meta["card"]["recipe"] == "debug"
    # the recipe of the run, changed, from its weights
    words = ["train", "debug", "--root", str(video), "--output", str(tmp_path / "second")]
    words += ["--config", str(run / "recipe.yaml"), "--loop.samples-per-epoch", "4"]
    assert main([*words, "--start-weights", str(run / "weights.safetensors")]) == 0
    card = checkpoints.load(tmp_path / "second" / "weights.safetensors").meta["card"]
    assert card["start_weights"] == str(run / "weights.safetensors")
    assert (card["kind"], card["step"]) == ("TwinMAE auto-encoder", 1)


def test_profile(capsys):
    assert main(["profile", "debug", "--batch", "1", "--repeats", "1", "--device", "cpu", "--drop", "0.5"]) == 0
    shown = capsys.readouterr().out
    assert "224 of a pair" not in shown
    assert "pairs dropped per sample, head and decoder layer: 224" in shown  # int(0.5 x 15) x 32
    assert "pairs/s" in shown
    assert main(["profile", "mae_vit_huge_patch14", "--repeats", "0"]) == 0
    assert "parameters: 657076812 (656616268 trained)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["trian"], 2, "no verb 'trian' (known: "),
        (["train"], 2, "train needs a recipe: debug, k400_1600e"),
        (["train", "k400", "--root", ".", "--output", "run"], 1, "did you mean 'k400_400e'"),
        (["train", "debug", "--root", "nowhere", "--output", "run"], 1, "nowhere"),
        (["train", "debug", "--root", "EMPTY", "--output", "run"], 1, "EMPTY"),
        (["train", "debug", "--root", ".", "--output", "run", "--network", "vit_b"], 2, "known: mae_vit_base_patch16"),
        (["train", "debug", "--root", ".", "--output", "run", "--loop.batchsize", "8"], 2, "batch-size"),
        (["train", "debug", "--root", ".", "--output", "run", "--objective.drop", "2"], 2, "drop must lie in [0, 1]"),
        (["train", "debug", "--root", ".", "--output", "run", "--objective.mask-ratio", "0.99"], 1, "no token"),
        (["train", "debug", "--root", "VIDEO", "--output", "run", "--start-weights", "no.pth"], 1, "no.pth"),
        (["train", "debug", "--root", "VIDEO", "--output", "run", "--config", "no.yaml"], 1, "no.yaml"),
        (["convert", "no.pth", "--to", "timm", "--output", "a.pth"], 1, "there is no checkpoint at no.pth"),
        (["convert", "no.pth", "--to", "detectron", "--output", "a.pth"], 2, "detectron"),
        (["profile", "vit"], 2, "no network 'vit'"),
        (["profile", "debug", "--batch", "0"], 2, "batch must be at least 1"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(video, tmp_path, monkeypatch, capsys, words, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    assert main([str(video) if word == "VIDEO" else word for word in words]) == status
    assert message in capsys.readouterr().err


def test_the_run_folder_of_another_recipe_is_refused(video, tmp_path, capsys):
    words = ["train", "debug", "--root", str(video), "--output", str(tmp_path), "--loop.epochs", "1"]
    assert main(words) == 0
    assert main([*words, "--model.width", "48", "--loop.epochs", "2"]) == 1
    assert "holds the training of another network; choose another folder" in capsys.readouterr().err
    assert main([*words, "--loop.seed", "7"]) == 1
    assert "seed 42 -> 7" in capsys.readouterr().err


def test_every_network_of_the_published_command_line():
    assert list(NETWORKS) == [
        f"mae_vit_{size}{ending}"
        for ending in ("", "_dec512d8b")
        for size in ("base_patch16", "large_patch16", "huge_patch14")
    ]
