"""The command line: what works, and what it says when something does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from sparse_track.cli import VERBS, main
from trackcore import checkpoints
from trackcore.sinks import open_sink
from trackcore.video import open_video

UNTRAINED = ["--recipe", "debug", "--device", "cpu"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    rng = np.random.default_rng(0)
    with open_sink(path, 10) as sink:
        for _ in range(5):
            sink.write(rng.integers(0, 255, (120, 160, 3), np.uint8))
    return path


@pytest.mark.parametrize("words", [["--help"], ["train", "debug", "--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_does_not_import_torch(words):
    code = (
        "import sys; from sparse_track.cli import main; status = main(sys.argv[1:]); "
        "loaded = {'torch', 'cv2', 'timm', 'optuna'} & set(sys.modules); "
        "sys.exit(f'{status} {loaded}' if status or loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_without_a_verb_it_says_how_it_is_used(capsys):
    assert main([]) == 2
    assert "usage: sparse-track" in capsys.readouterr().out


def test_track_writes_boxes_and_overlay(clip, tmp_path, capsys):
    boxes, overlay = tmp_path / "boxes.txt", tmp_path / "overlay.mp4"
    words = ["track", str(clip), "--init", "40,30,32.5,24", *UNTRAINED]
    assert main([*words, "--save", str(boxes), "--output", str(overlay)]) == 0
    lines = boxes.read_text().splitlines()
    assert lines[0] == "40,30,32.5,24"
    assert len(lines) == 5
    assert all(np.isfinite([float(number) for number in line.split(",")]).all() for line in lines)
    with open_video(overlay) as frames:
        assert sum(1 for _ in frames) == 5
    captured = capsys.readouterr()
    assert "5 frames" in captured.out
    assert "random weights" in captured.err


def test_hyperparameters_by_name_and_by_flag(clip, weights, tmp_path):
    words = ["track", str(clip), "--init", "40,30,32,24", "--weights", str(weights), "--device", "cpu", "--save"]
    by_flag = ["--test-lr", "0.7364", "--window-influence", "0.2398", "--penalty-k", "0.0734"]
    found = {}
    for name, flags in {"usual": [], "named": ["--configuration", "uav123"], "flags": by_flag}.items():
        assert main([*words, str(tmp_path / name), *flags]) == 0
        found[name] = (tmp_path / name).read_text()
    assert found["named"] == found["flags"] != found["usual"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["trian"], 2, "no verb 'trian' (known: train, "),
        (["track", "CLIP", "--init", "1,2,3", *UNTRAINED], 2, "x,y,w,h"),
        (["track", "CLIP", "--init", "1,2,3,four", *UNTRAINED], 2, "x,y,w,h"),
        (["track", "CLIP", "--init", "1,2,3,4"], 2, "--weights"),
        (["track", "CLIP", "--init", "nan,2,3,4", *UNTRAINED], 1, "NaN"),
        (["track", "CLIP", "--init", "500,2,30,40", *UNTRAINED], 1, "outside the frame"),
        (["track", "CLIP", "--init", "1,2,3,4", "--recipe", "debgu"], 1, "did you mean 'debug'"),
        (["track", "CLIP", "--init", "1,2,3,4", "--weights", "missing.pkl"], 1, "missing.pkl"),
        (["track", "CLIP", "--init", "1,2,3,4", *UNTRAINED, "--configuration", "otb"], 1, "did you mean 'otb2015'"),
        (["track", "CLIP", "--init", "1,2,3,4", *UNTRAINED, "--test-lr", "1.5"], 1, "test_lr must lie in [0, 1]"),
        (["track", "CLIP", "--init", "1,2,3,4", *UNTRAINED, "--penalty-k", "-1"], 1, "penalty_k"),
        (["track", "CLIP", "--init", "1,2,3,4", *UNTRAINED, "--search-size", "12"], 1, "larger than 16 pixels"),
        (["track", "CLIP", "--init", "1,2,3,4", "--recipe", "debug", "--backend", "onnx"], 1, "sparse-track export"),
        (["track", "CLIP", "--init", "1,2,3,4", "--recipe", "debug", "--device", "gpu"], 1, "gpu"),
        (["track", "nowhere.mp4", "--init", "1,2,3,4", *UNTRAINED], 1, "nowhere.mp4"),
        (["evaluate", "--dataset", "got10", "--root", ".", *UNTRAINED], 1, "did you mean 'got10k'"),
        (["evaluate", "--dataset", "got10k", "--root", "VIDEO", "--split", "val", *UNTRAINED, "--compare", "sparse"], 1,
         "different names"),
        (["evaluate", "--dataset", "got10k", "--root", "VIDEO", "--split", "val", *UNTRAINED, "--convention", "vot"], 1,
         "vot"),
        (["train"], 2, "needs a recipe"),
        (["train", "tiny0", "--root", ".", "--output", "run"], 1, "did you mean 'tiny'"),
        (["train", "debug", "--root", ".", "--output", "run", "--loop.batchsize", "8"], 2, "batch-size"),
        (["train", "debug", "--root", "nowhere", "--output", "run"], 1, "nowhere"),
        (["train", "debug", "--root", "VIDEO", "--output", "run", "--config", "no.yaml"], 1, "no.yaml"),
        (["train", "debug", "--root", "VIDEO", "--output", "run", "--start-weights", "swin.pth"], 1, "swin.pth"),
        (["convert", "no.pkl", "--output", "a.safetensors"], 1, "there is no checkpoint at no.pkl"),
        (["convert", "WEIGHTS", "--output", "a.onnx"], 1, "must end in .safetensors or .pkl"),
        (["profile", "--recipe", "swin"], 1, "sparsett_swin_train_got10k"),
        (["profile", "--repeats", "-1"], 2, "--repeats"),
        (["tune", "--dataset", "got10k", "--root", "VIDEO"], 2, "--weights"),
        (["tune", "--dataset", "got10k", "--root", "VIDEO", *UNTRAINED, "--trials", "0"], 2, "at least 1"),
        (["tune", "--dataset", "got10k", "--root", "VIDEO", *UNTRAINED, "--penalty-k", "0"], 2, "--space.test-lr"),
        (["tune", "--dataset", "got10k", "--root", "VIDEO", *UNTRAINED, "--space.penalty-k", "0.2", "0.1"], 1,
         "penalty_k goes from low to high"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(clip, video, weights, tmp_path, monkeypatch, capsys, words, status, message):
    monkeypatch.chdir(tmp_path)
    places = {"CLIP": str(clip), "VIDEO": str(video), "WEIGHTS": str(weights)}
    assert main([places.get(word, word) for word in words]) == status
    assert message in capsys.readouterr().err


def test_an_interruption(monkeypatch, capsys):
    def interrupt(words):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparse_track.commands.recipes.run", interrupt)
    assert main(["recipes"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "extra"), [("optuna", "sparse-track[tune]"), ("openvino", "trackcore[export]")])
def test_a_missing_extra_is_named(monkeypatch, capsys, module, extra):
    def need(words):
        raise ModuleNotFoundError(f"No module named {module!r}", name=f"{module}.storages")

    monkeypatch.setattr("sparse_track.commands.recipes.run", need)
    assert main(["recipes"]) == 1
    assert f"pip install '{extra}'" in capsys.readouterr().err


def test_train_evaluate_and_convert(video, tmp_path, capsys):
    run, results = tmp_path / "run", tmp_path / "results"
    words = ["train", "debug", "--root", str(video), "--output", str(run), "--loop.device", "cpu"]
    assert main([*words, "--loop.epochs", "1"]) == 0
    assert "training finished" in capsys.readouterr().out
    weights = run / "weights.safetensors"
    assert json.loads(weights.with_suffix(".json").read_text())["recipe"] == "debug"
    # started again with a changed recipe it says no, with its own recipe.yaml it has nothing to do
    assert main([*words, "--loop.batch-size", "8"]) == 1
    assert main([*words, "--config", str(run / "recipe.yaml")]) == 0
    capsys.readouterr()

    words = ["evaluate", "--dataset", "got10k", "--root", str(video), "--split", "val", "--output", str(results)]
    words += ["--weights", str(weights), "--device", "cpu", "--compare", "static"]
    assert main([*words, "--name", "tiny", "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "tiny" in shown
    assert "static" in shown
    assert (results / "report" / "report.html").exists()
    assert len(list((results / "tiny" / "got10k_val").glob("*_Val_*.txt"))) == 1
    assert main([*words, "--name", "tiny", "--workers", "2"]) == 0
    assert len(list((results / "tiny" / "got10k_val").glob("*_Val_*.txt"))) == 2

    published, back = tmp_path / "net.pkl", tmp_path / "back.safetensors"
    assert main(["convert", str(weights), "--output", str(published)]) == 0
    assert checkpoints.load(published).kind == "SparseTT tracker checkpoint, epoch 1"
    assert main(["convert", str(published), "--output", str(back)]) == 1
    assert "name its recipe" in capsys.readouterr().err
    assert main(["convert", str(published), "--output", str(back), "--recipe", "debug"]) == 0
    one, two = (checkpoints.load(file).state for file in (weights, back))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        np.testing.assert_array_equal(two[name], tensor, err_msg=name)


def test_recipes(capsys):
    assert main(["recipes"]) == 0
    words = capsys.readouterr().out.split()
    assert {"sparsett_swin_train_got10k", "sparsett_swin_train_fulldata", "tiny", "debug"} <= set(words)
    assert words[words.index("otb2015") :][:4] == ["otb2015", "0.626", "0.2549", "0.053"]


def test_profile(weights, capsys):
    assert main(["profile", "--repeats", "0"]) == 0
    shown = capsys.readouterr().out
    assert "parameters: 46329746 (30948824 used)" in shown
    assert "25.16 GFLOP (backbone 13.46, neck 2.47, head 9.23); a template 2.91" in shown
    assert main(["profile", "--weights", str(weights), "--repeats", "1", "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "parameters: 45053 (" in shown
    assert "torch on cpu, fp32: " in shown


@pytest.mark.slow
def test_export(weights, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    words = ["export", "--weights", str(weights), "--output", str(tmp_path / "exported"), "--format", "onnx"]
    assert main(words) == 0
    assert "search.onnx: largest differences to PyTorch: fc_logits" in capsys.readouterr().out
    card = json.loads((tmp_path / "exported" / "tracker.json").read_text())
    assert card["source_sha256"] == checkpoints.file_hash(weights)


@pytest.mark.slow
def test_training_in_two_processes(video, tmp_path):
    """With shared batch statistics, two processes with 2 samples each train as one with 4."""
    words = ["train", "debug", "--root", str(video), "--loop.device", "cpu", "--loop.sync-batch-norm"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    for name, command in (("one", [sys.executable, "-m"]), ("two", torchrun)):
        done = subprocess.run(
            [*command, "sparse_track", *words, "--output", str(tmp_path / name)],
            env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("training finished") == 1
    one, two = (checkpoints.load(tmp_path / name / "weights.safetensors").state for name in ("one", "two"))
    for name, tensor in one.items():
        other = two[name]
        # what batch statistics or a softmax cancel has no gradient but rounding, which AdamW makes steps of
        if name in ("basemodel.net.norm2.bias", "feat_adjuster_x.conv.bias", "feat_adjuster_z.conv.bias"):
            continue
        if name.endswith(("qkv.bias", "in_proj_bias")):
            third = len(tensor) // 3
            tensor[third : 2 * third] = other[third : 2 * third] = 0
        # the statistics of what a layer puts out add the roundings of all its weights; not shared, they differ by 0.1
        tolerance = 1e-2 if "running_" in name else 1e-3
        np.testing.assert_allclose(other, tensor, rtol=tolerance, atol=tolerance, err_msg=name)
    losses = []
    for name in ("one", "two"):
        events = map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        losses.append([event["total"] for event in events if event["event"] == "step"])
    assert len(losses[0]) == 8
    losses = np.array(losses)
    np.testing.assert_allclose(*losses[:, :4], rtol=1e-4)
    # then the roundings, which AdamW makes steps of, change which keys are kept
    np.testing.assert_allclose(*losses[:, 4:], rtol=1e-2)
