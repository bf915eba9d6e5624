"""Our trackers in the GOT-10k toolkit's own experiments; its reports against our conventions."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trackcore.baselines import MilTracker
from trackcore.tracker import create_tracker
from trackdata.cli import main
from trackdata.datasets import open_dataset
from trackdata.evaluation import run, score

pytest.importorskip("got10k")

from trackdata.evaluation.toolkit import ToolkitTracker


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("video")
    flags = ["--split", "val", "--sequences", "2", "--frames", "8", "--size", "96x64", "--seed", "4"]
    assert main(["synth", "--output", str(root), *flags]) == 0
    return root


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("the toolkit wants to download")

    monkeypatch.setattr("urllib.request.urlretrieve", refuse)
    monkeypatch.setattr("wget.download", refuse)


class Listed(list):
    """(image files, boxes) of each sequence, as the toolkit's experiments take them."""

    seq_names: tuple[str, ...] = ()


def test_pictures_of_pillow():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (2, 60, 80, 3), dtype=np.uint8)
    ours, theirs = MilTracker(), ToolkitTracker(MilTracker(), "mil")
    ours.init(frames[0], np.array([20, 20, 20, 20]))
    theirs.init(Image.fromarray(frames[0]), [20, 20, 20, 20])
    np.testing.assert_array_equal(theirs.update(Image.fromarray(frames[1])), ours.update(frames[1]).box)
    grey = Image.fromarray(frames[0][..., 0])
    theirs.init(grey, [20, 20, 20, 20])
    assert theirs.update(grey).shape == (4,)


def test_the_got10k_experiment(video, tmp_path, no_network):
    from got10k.experiments import ExperimentGOT10k

    folders = {"result_dir": str(tmp_path / "results"), "report_dir": str(tmp_path / "reports")}
    experiment = ExperimentGOT10k(str(video), subset="val", **folders)
    experiment.run(ToolkitTracker.registered("opencv:mil", is_deterministic=True, seed=2))
    experiment.report(["opencv:mil"])
    told = json.loads((tmp_path / "reports" / "GOT-10k" / "opencv:mil" / "performance.json").read_text())["opencv:mil"]
    dataset = open_dataset("got10k", video, "val")
    theirs = tmp_path / "results" / "GOT-10k" / "opencv:mil"
    scores = score(theirs, dataset, "got10k")
    for figure, key in (("AO", "ao"), ("SR0.5", "sr"), ("fps", "speed_fps")):
        assert scores.values[figure] == pytest.approx(told["overall"][key], abs=1e-9)
    for row in scores.sequences:
        assert row.values["AO"] == pytest.approx(told["seq_wise"][row.name]["ao"], abs=1e-9)
    ours = run("mil", partial(create_tracker, "opencv:mil", seed=2), dataset, tmp_path / "ours")
    for name in dataset.sequence_names:
        boxes = np.loadtxt(theirs / name / f"{name}_001.txt", delimiter=",")
        np.testing.assert_allclose(np.loadtxt(ours.folder / f"{name}.txt", delimiter=","), boxes, atol=6e-4)
    assert not list(theirs.glob("*/*_002.txt"))  # deterministic


def test_the_otb_experiment(video, tmp_path, no_network):
    from got10k.experiments import ExperimentOTB

    root, listed = tmp_path / "otb", Listed()
    for sequence in open_dataset("got10k", video, "val"):
        folder = root / sequence.name
        (folder / "img").mkdir(parents=True)
        for index in range(len(sequence)):
            Image.fromarray(sequence.frames[index]).save(folder / "img" / f"{index + 1:04d}.png")
        np.savetxt(folder / "groundtruth.txt", sequence.boxes, delimiter=",")
        files = sorted(str(path) for path in (folder / "img").iterdir())
        listed.append((files, np.loadtxt(folder / "groundtruth.txt", delimiter=",")))
        listed.seq_names += (sequence.name,)
    experiment = ExperimentOTB.__new__(ExperimentOTB)  # its own __init__ downloads what is missing of 100 sequences
    experiment.dataset, experiment.nbins_iou, experiment.nbins_ce = listed, 21, 51
    experiment.result_dir, experiment.report_dir = str(tmp_path / "results"), str(tmp_path / "reports")
    experiment.run(ToolkitTracker.registered("static"))
    experiment.report(["static"])
    told = json.loads((tmp_path / "reports" / "static" / "performance.json").read_text())["static"]["overall"]
    scores = score(tmp_path / "results" / "static", open_dataset("folder", root), "otb_toolkit")
    assert scores.values["AUC"] == pytest.approx(told["success_score"], abs=1e-9)
    assert scores.values["OP50"] == pytest.approx(told["success_rate"], abs=1e-9)
    assert scores.values["P"] == pytest.approx(told["precision_score"], abs=1e-9)
    np.testing.assert_allclose(scores.curves["success"], told["success_curve"], atol=1e-9)
