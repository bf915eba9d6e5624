"""``trackdata evaluate``: several datasets, devices, shards, limits of time, test sets without boxes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from trackdata.cli import main, placement
from trackdata.cli.placement import Placement, make_engine
from trackdata.evaluation import LocalEngine, RayEngine


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("video")
    for split, count in (("val", 3), ("train", 1)):
        size = ["--frames", "5", "--size", "96x64"]
        assert main(["synth", "--output", str(root), "--split", split, "--sequences", str(count), *size]) == 0
    return root


def evaluate(video: Path, output: Path, *more: str, dataset: str = "got10k:val") -> int:
    return main(
        ["evaluate", "--tracker", "static", "--dataset", dataset, "--root", str(video), "--output", str(output), *more]
    )


def test_several_datasets(video, tmp_path, capsys):
    assert evaluate(video, tmp_path, "--dataset", "got10k", "--split", "train") == 0
    assert capsys.readouterr().out.count("convention default") == 2
    for name in ("got10k_val", "got10k_train"):
        assert (tmp_path / "report" / name / "report.html").is_file()
        assert list((tmp_path / "static" / name).glob("GOT-10k_*.txt"))


def test_two_shards_make_a_report(video, tmp_path, capsys):
    assert evaluate(video, tmp_path, "--shard", "2/2") == 0
    printed = capsys.readouterr().out
    assert "static, got10k_val: 1 sequences of shard 2/2" in printed
    assert "trackdata report" in printed
    assert not (tmp_path / "report").exists()
    assert evaluate(video, tmp_path, "--shard", "1/2") == 0
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "static" / "got10k_val").glob("*.txt")}
    assert len(stamps) == 3
    assert evaluate(video, tmp_path) == 0
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_test_set_without_boxes_is_tracked_but_not_scored(video, tmp_path, capsys):
    shutil.copytree(video / "val", tmp_path / "test")
    for boxes in (tmp_path / "test").glob("*/groundtruth.txt"):
        boxes.write_text(boxes.read_text().splitlines()[0] + "\n")
        for label in boxes.parent.glob("*.label"):
            label.unlink()
    assert evaluate(tmp_path, tmp_path / "out", dataset="got10k:test") == 0
    assert "first boxes only" in capsys.readouterr().out
    [track, *_] = sorted((tmp_path / "out" / "static" / "got10k_test").glob("*.txt"))
    assert np.loadtxt(track, delimiter=",").shape == (5, 4)
    assert not (tmp_path / "out" / "report").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--root", "a", "--root", "b"], "one --root for all or one for each --dataset, got 3 for 1"),
        (["--dataset", "got10k:val"], "each dataset once"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--timeout", "-1"], "--timeout must be a positive number of seconds"),
        (["--shard", "3/2"], "--shard: a shard is one of 1/2 to 2/2, got 3/2"),
        (["--ray-address", "auto"], "--ray-address goes with --engine ray"),
        (["--engine", "ray", "--devices", "cuda:1"], "--devices with Ray is cpu or cuda, got cuda:1"),
        (["--devices", "cpu", "--tracker-option", "device=cpu"], "give --devices or --tracker-option device"),
    ],
)
def test_flags_that_make_no_sense(flags, message, video, tmp_path, capsys):
    assert evaluate(video, tmp_path, *flags) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_engines_by_flags(monkeypatch):
    monkeypatch.setattr(placement, "takes_device", lambda tracker, devices: bool(devices) and tracker != "static")
    two = Placement(devices="cuda:0, cuda:1", timeout=5.0)
    assert make_engine(two, "network") == LocalEngine(2, ("cuda:0", "cuda:1"), 5.0)
    assert make_engine(two, "static") == LocalEngine(2, (), 5.0)
    assert make_engine(Placement(), "static") == LocalEngine(1)
    assert make_engine(Placement(workers=3, devices="cpu"), "network") == LocalEngine(3, ("cpu",))
    ray = Placement(workers=4, devices="cuda", engine="ray", ray_address="auto")
    assert make_engine(ray, "network") == RayEngine(4, "cuda", "auto", gpus=1)
    assert make_engine(ray, "static") == RayEngine(4, None, "auto", gpus=0)


def test_who_takes_a_device(monkeypatch):
    class Entry:
        def __init__(self, factory):
            self.load = lambda: factory

    factories = {"a": lambda weights, *, device="auto": None, "b": lambda seed=0: None, "c": lambda **options: None}
    monkeypatch.setattr(placement, "entry_points", lambda group, name: [Entry(factories[name])])
    assert [placement.takes_device(name, ("cpu",)) for name in factories] == [True, False, True]
    assert not placement.takes_device("a", ())
