"""The command line: what works, and what it says when something does not."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from alpha_refine.cli import VERBS, main
from alpha_refine.commands.options import RefinerChoice
from alpha_refine.loading import load_refiner
from trackcore import checkpoints
from trackcore.sinks import open_sink
from trackcore.video import open_video
from trackdata.regions import parse_region, region_mask
from trackdata.synth import preset, write_got10k, write_layout
from trackdata.synth.layouts import layout

UNTRAINED = ["--recipe", "debug", "--device", "cpu"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    rng = np.random.default_rng(0)
    with open_sink(path, 10) as sink:
        for _ in range(5):
            sink.write(rng.integers(0, 255, (120, 160, 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    config = preset("easy", frames=20, size=(96, 72))
    for seed, split in enumerate(("train", "val")):
        write_got10k(root, split, 2, config, seed=seed)
        write_layout(layout("davis2017"), root / "davis2017", split, 2, config, seed=seed)
    return root


@pytest.mark.parametrize("words", [["--help"], ["train", "debug", "--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_does_not_import_torch(words):
    code = (
        "import sys; from alpha_refine.cli import main; status = main(sys.argv[1:]); "
        "loaded = {'torch', 'cv2', 'timm'} & set(sys.modules); "
        "sys.exit(f'{status} {loaded}' if status or loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_track_writes_boxes_overlay_and_masks(video, tmp_path, capsys):
    boxes, overlay, masks, regions = (tmp_path / name for name in ("boxes.txt", "overlay.mp4", "masks", "regions.txt"))
    words = ["track", str(video), "--init", "40,30,32.5,24", *UNTRAINED, "--mask-threshold", "0.1"]
    torch.manual_seed(0)  # the network's weights are random
    assert main([*words, "--save", str(boxes), "--output", str(overlay), "--masks", str(masks)]) == 0
    lines = boxes.read_text().splitlines()
    assert lines[0] == "40,30,32.5,24"
    assert len(lines) == 5
    with open_video(overlay) as frames:
        assert sum(1 for _ in frames) == 5
    captured = capsys.readouterr()
    assert "5 frames" in captured.out
    assert "random weights" in captured.err

    torch.manual_seed(0)
    assert main([*words, "--masks", str(regions)]) == 0
    first, *others = regions.read_text().splitlines()
    assert first == "1"
    assert sorted(file.name for file in masks.iterdir()) == [f"{number:08d}.png" for number in range(1, 5)]
    for number, line in enumerate(others, start=1):
        image = cv2.imread(str(masks / f"{number:08d}.png"), cv2.IMREAD_GRAYSCALE)
        assert set(np.unique(image)) <= {0, 255}
        np.testing.assert_array_equal(region_mask(parse_region(line), (160, 120)), image > 0)
    assert any(parse_region(line).pixels.any() for line in others)


def test_rules_by_name_and_by_flag(video, tmp_path):
    files = [tmp_path / name for name in ("a.txt", "b.txt")]
    words = ["track", str(video), "--init", "40,30,32,24", *UNTRAINED, "--base", "static", "--save"]
    for file, rules in zip(files, (["--rules", "siamrpn", "--fallback"], ["--first-shift", "0.5"]), strict=True):
        torch.manual_seed(0)  # the network's weights are random
        assert main([*words, str(file), *rules]) == 0
    assert files[0].read_text() == files[1].read_text()


@pytest.mark.parametrize(
    "words",
    [["--border", "published"], ["--coordinates", "published"], ["--coordinates", "shifted"], ["--min-overlap", "1"]],
    ids=" ".join,
)
def test_flags_change_boxes(video, untrained, tmp_path, words):
    """Compared with a run without them, at a box that reaches the frame's border."""
    tracks = []
    for flags in ([], words):
        file = tmp_path / f"{len(tracks)}.txt"
        given = ["--init", "110,70,50,50", "--weights", str(untrained), "--device", "cpu", "--base", "static"]
        assert main(["track", str(video), *given, "--save", str(file), *flags]) == 0
        tracks.append(file.read_text().splitlines())
    assert tracks[0] != tracks[1]
    assert (set(tracks[1]) == {"110,70,50,50"}) == (words[0] == "--min-overlap")


def test_the_kind_of_confidence_is_a_flag():
    refiner = RefinerChoice(recipe="debug", device="cpu", confidence="entropy").options()
    assert load_refiner(**refiner).confidence == "entropy"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["trian"], 2, "no verb 'trian' (known: track, "),
        (["track", "VIDEO", "--init", "1,2,3", *UNTRAINED], 2, "x,y,w,h"),
        (["track", "VIDEO", "--init", "1,2,3,4"], 2, "--weights"),
        (["track", "VIDEO", "--init", "nan,2,3,4", *UNTRAINED], 1, "NaN"),
        (["track", "VIDEO", "--init", "500,2,30,40", *UNTRAINED], 1, "outside the frame"),
        (["track", "VIDEO", "--init", "1,2,3,4", "--recipe", "debgu"], 1, "did you mean 'debug'"),
        (["track", "VIDEO", "--init", "1,2,3,4", "--weights", "missing.pth"], 1, "missing.pth"),
        (["track", "VIDEO", "--init", "1,2,3,4", *UNTRAINED, "--base", "opencv:mill"], 1, "did you mean 'opencv:mil'"),
        (["track", "VIDEO", "--init", "1,2,3,4", *UNTRAINED, "--base-option", "seed"], 2, "KEY=VALUE"),
        (["track", "VIDEO", "--init", "1,2,3,4", *UNTRAINED, "--base-option", "sed=1"], 1, "sed"),
        (["track", "VIDEO", "--init", "1,2,3,4", *UNTRAINED, "--rules", "dimp"], 2, "pytracking"),
        (["track", "VIDEO", "--init", "1,2,3,4", *UNTRAINED, "--passes", "0"], 2, "passes must be at least 1"),
        (["track", "VIDEO", "--init", "1,2,3,4", *UNTRAINED, "--confidence", "mean"], 2, "entropy"),
        (["track", "VIDEO", "--init", "1,2,3,4", *UNTRAINED, "--masks", "masks.mp4"], 1, "masks.mp4"),
        (["track", "nowhere.mp4", "--init", "1,2,3,4", *UNTRAINED], 1, "nowhere.mp4"),
        (["evaluate", "--dataset", "got10", "--root", ".", *UNTRAINED], 1, "did you mean 'got10k'"),
        (["refine-results", "nowhere", "--dataset", "got10k", "--root", "DATA", *UNTRAINED, "--split", "val"], 1,
         "nowhere"),
        (["train"], 2, "needs a recipe"),
        (["train", "SEcm_r35", "--root", ".", "--output", "run"], 1, "SEcm_r34"),
        (["train", "debug", "--root", ".", "--output", "run", "--loop.batchsize", "8"], 2, "batch-size"),
        (["convert", "no.pth", "a.safetensors"], 1, "there is no checkpoint at no.pth"),
        (["profile", "vit"], 1, "SEc_r34"),
        (["profile", "debug", "--repeats", "-1"], 2, "--repeats"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(video, data, tmp_path, monkeypatch, capsys, words, status, message):
    monkeypatch.chdir(tmp_path)
    assert main([{"VIDEO": str(video), "DATA": str(data)}.get(word, word) for word in words]) == status
    assert message in capsys.readouterr().err


def test_train_evaluate_refine_and_convert(data, tmp_path, capsys):
    run, results = tmp_path / "run", tmp_path / "results"
    assert main(["train", "debug", "--root", str(data), "--output", str(run), "--loop.epochs", "1"]) == 0
    weights = str(run / "weights.safetensors")
    on_val = ["--dataset", "got10k", "--root", str(data), "--split", "val", "--output", str(results)]
    with_weights = ["--weights", weights, "--device", "cpu"]

    assert main(["evaluate", *on_val, *with_weights, "--base", "static"]) == 0
    assert (results / "report" / "report.html").exists()
    shown = capsys.readouterr().out
    assert "static+refined" in shown
    assert main(["evaluate", *on_val, *with_weights, "--base", "static", "--name", "static"]) == 1
    assert "different names" in capsys.readouterr().err

    words = ["refine-results", str(results / "static"), *on_val, *with_weights, "--name", "offline"]
    assert main(words) == 0
    assert "offline" in capsys.readouterr().out
    assert len(list((results / "offline" / "got10k_val").glob("*.txt"))) == 2

    assert main(["convert", weights, str(tmp_path / "net.pth")]) == 0
    assert checkpoints.load(tmp_path / "net.pth").kind.startswith("SEcmnet")
    assert main(["recipes"]) == 0
    assert "SEcm_r34" in capsys.readouterr().out.split()


@pytest.mark.slow
def test_training_in_two_processes(data, tmp_path):
    """Steps of two processes with 2 samples each are those of one that accumulates two micro-batches."""
    words = ["train", "debug", "--root", str(data), "--loop.device", "cpu", "--loop.micro-batch", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    for name, command in (("one", [sys.executable, "-m"]), ("two", torchrun)):
        done = subprocess.run(
            [*command, "alpha_refine", *words, "--output", str(tmp_path / name)],
            env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("training finished") == 1
    one, two = (checkpoints.load(tmp_path / name / "weights.safetensors").state for name in ("one", "two"))
    for name, tensor in one.items():
        if "running" in name or "tracked" in name:  # batch statistics are each process's own
            continue
        np.testing.assert_allclose(two[name], tensor, rtol=1e-4, atol=1e-4, err_msg=name)


def test_profile(capsys):
    assert main(["profile", "SEcm_r34", "--repeats", "0"]) == 0
    shown = capsys.readouterr().out
    assert "parameters: 23825343 (10188823 used)" in shown
    assert "11.80 GFLOP (backbone 7.89, neck 0.03, box 0.55, mask 3.33)" in shown
    assert main(["profile", "debug", "--repeats", "1", "--device", "cpu"]) == 0
    assert "box and mask on cpu, fp32" in capsys.readouterr().out
