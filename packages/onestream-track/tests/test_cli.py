"""The command line: what works, and what it says when something does not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from onestream_track.cli import VERBS, main
from trackcore.sinks import open_sink
from trackcore.video import open_video
from trackdata.synth import preset, write_got10k


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    rng = np.random.default_rng(0)
    with open_sink(path, 10) as sink:
        for _ in range(5):
            sink.write(rng.integers(0, 255, (120, 160, 3), np.uint8))
    return path


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in VERBS), ["train", "debug", "--help"]])
def test_help_does_not_import_torch(words):
    code = (
        "import sys; from onestream_track.cli import main; status = main(sys.argv[1:]); "
        "loaded = {'torch', 'cv2', 'timm'} & set(sys.modules); "
        "sys.exit(f'{status} {loaded}' if status or loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_track_writes_boxes_and_overlay(video, tmp_path, capsys):
    boxes, overlay = tmp_path / "boxes.txt", tmp_path / "overlay.mp4"
    words = ["track", str(video), "--init", "40,30,32.5,24", "--recipe", "debug", "--device", "cpu"]
    assert main([*words, "--save", str(boxes), "--output", str(overlay)]) == 0
    lines = boxes.read_text().splitlines()
    assert lines[0] == "40,30,32.5,24"
    assert len(lines) == 5
    assert all(len(line.split(",")) == 4 for line in lines)
    with open_video(overlay) as frames:
        assert sum(1 for _ in frames) == 5
    captured = capsys.readouterr()
    assert "5 frames" in captured.out
    assert "random weights" in captured.err


def test_tokens_of_each_frame(video, tmp_path, capsys):
    words = ["track", str(video), "--init", "40,30,32.5,24", "--recipe", "debug", "--device", "cpu"]
    assert main([*words, "--tokens", str(tmp_path / "tokens")]) == 0
    with open_video(tmp_path / "tokens") as frames:
        pictures = [frame.image for frame in frames]
    assert len(pictures) == 4  # the first frame is not searched
    assert {picture.shape for picture in pictures} == {(192, 2 * 2 * (96 + 8), 3)}
    crop, left = pictures[0][:, :192].astype(int), pictures[0][:, 208:400].astype(int)
    faded = np.abs(crop - left).max(2).reshape(12, 16, 12, 16).max((1, 3)) > 24
    assert 0.25 * 144 <= faded.sum() <= 0.35 * 144  # three in ten go
    assert main([*words, "--tokens", str(tmp_path / "tokens"), "--init", "1,2,30,40"]) == 2
    assert "one target" in capsys.readouterr().err


def test_several_targets(video, tmp_path, capsys):
    saved, overlay = tmp_path / "boxes.txt", tmp_path / "overlay.mp4"
    words = ["track", str(video), "--init", "40,30,32.5,24", "--init", "90,50,20,20", "--recipe", "debug"]
    words += ["--device", "cpu", "--patience", "1", "--lost-below", "0.9", "--found-above", "1"]
    assert main([*words, "--save", str(saved), "--output", str(overlay)]) == 0
    lines = [line.split(",") for line in saved.read_text().splitlines()]
    assert lines[0] == ["1", "1", "40", "30", "32.5", "24", "1", "-1", "-1", "-1"]
    assert [line[:2] for line in lines] == [[str(frame), str(target)] for frame in range(1, 6) for target in (1, 2)]
    assert overlay.exists()
    assert "lost in 8" in capsys.readouterr().out  # two targets in four frames


def test_profile(capsys):
    assert main(["profile", "--recipe", "debug", "--device", "cpu", "--repeats", "2", "--targets", "2"]) == 0
    out = capsys.readouterr().out
    assert "frames/s" in out
    assert "GFLOP" in out
    assert main(["profile", "--repeats", "0"]) == 0
    out = capsys.readouterr().out
    assert "parameters: 92518533" in out
    assert main(["profile", "--targets", "0"]) == 2


def test_a_video_of_one_frame(tmp_path):
    path = tmp_path / "one.mp4"
    with open_sink(path, 10) as sink:
        sink.write(np.zeros((64, 64, 3), np.uint8))
    boxes = tmp_path / "boxes.txt"
    words = ["track", str(path), "--init", "10,10,20,20", "--recipe", "debug", "--device", "cpu", "--save", str(boxes)]
    assert main(words) == 0
    assert boxes.read_text() == "10,10,20,20\n"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["track", "VIDEO", "--init", "1,2,3", "--recipe", "debug"], 2, "x,y,w,h"),
        (["track", "VIDEO", "--init", "1,2,3,4", "--backend", "onnx"], 2, "--weights"),
        (["track", "VIDEO", "--init", "1,2,3,4", "--backend", "graph", "--device", "cpu"], 1, "needs a CUDA device"),
        (["track", "VIDEO", "--recipe", "debug"], 2, "--init x,y,w,h"),
        (["follow", "VIDEO"], 2, "known: train, track"),
        (["track", "VIDEO", "--init", "nan,2,3,4", "--recipe", "debug"], 1, "NaN"),
        (["track", "VIDEO", "--init", "500,2,30,40", "--recipe", "debug"], 1, "outside the frame"),
        (["track", "VIDEO", "--init", "1,2,3,4", "--recipe", "debgu"], 1, "did you mean 'debug'"),
        (["track", "VIDEO", "--init", "1,2,3,4", "--weights", "missing.pth"], 1, "missing.pth"),
        (["track", "nowhere.mp4", "--init", "1,2,3,4", "--recipe", "debug"], 1, "nowhere.mp4"),
        (["evaluate", "--dataset", "got10", "--root", ".", "--recipe", "debug"], 1, "did you mean 'got10k'"),
        (["train", "vitb_256_mae_ce", "--root", ".", "--output", "run"], 1, "vitb_256_mae_ce_32x4_ep300"),
        (["train"], 2, "needs a recipe"),
        (["train", "vitb_256_mae_ce_32x4_ep300", "--root", ".", "--output", "run"], 1, "lasot: there is no such"),
    ],
)
def test_mistakes_are_explained(video, tmp_path, monkeypatch, capsys, words, status, message):
    monkeypatch.chdir(tmp_path)
    assert main([str(video) if word == "VIDEO" else word for word in words]) == status
    assert message in capsys.readouterr().err


def test_unknown_flags_are_refused(capsys):
    assert main(["train", "debug", "--root", ".", "--output", "run", "--loop.batchsize", "8"]) == 2
    assert "batch-size" in capsys.readouterr().err


def test_train_evaluate_and_track_with_the_trained_weights(video, tmp_path, capsys):
    config = preset("easy", frames=20, size=(96, 72))
    for split in ("train", "val"):
        write_got10k(tmp_path / "data", split, 2, config, seed=0)
    run, results = tmp_path / "run", tmp_path / "results"
    words = ["train", "debug", "--root", str(tmp_path / "data"), "--output", str(run), "--loop.epochs", "1"]
    assert main(words) == 0
    weights = str(run / "weights.safetensors")
    words = ["evaluate", "--dataset", "got10k", "--root", str(tmp_path / "data"), "--split", "val"]
    words += ["--weights", weights, "--compare", "static", "--output", str(results), "--device", "cpu"]
    assert main(words) == 0
    assert (results / "report" / "report.html").exists()
    assert main([*words, "--name", "static"]) == 1
    captured = capsys.readouterr()
    assert "different names" in captured.err
    shown = captured.out
    assert "onestream" in shown
    assert "static" in shown
    words = ["track", str(video), "--init", "40,30,32,24", "--weights", weights, "--device", "cpu"]
    assert main(words) == 0
    # the same run folder again: nothing is left to do, and the epochs of the saved recipe can be changed
    words = ["train", "debug", "--root", str(tmp_path / "data"), "--output", str(run)]
    assert main([*words, "--config", str(run / "recipe.yaml")]) == 0
