"""The verbs that look after data: ``manifest`` and ``bench-data``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dropmae_pretrain.cli import main
from dropmae_pretrain.loader_speed import measure_loader, measure_pair
from dropmae_pretrain.pair_config import CropConfig, PairConfig
from dropmae_pretrain.pairs import FramePairSource
from dropmae_pretrain.videos import open_training_videos
from trackdata.datasets.kinetics import Kinetics
from trackdata.errors import FrameError


@pytest.fixture
def root(video_root, tmp_path) -> Path:
    return shutil.copytree(video_root, tmp_path / "videos", ignore=shutil.ignore_patterns(".trackdata"))


def test_manifest_tells_what_there_is(root, capsys):
    for number in range(25):
        (root / "moving" / f"broken{number:02d}.mp4").write_bytes(b"no video")
    assert main(["manifest", str(root), "--workers", "1"]) == 0
    told = capsys.readouterr().out
    assert "4 videos in 2 classes, 46 frames" in told
    assert "5 to 20, median 10" in told
    assert Kinetics(root).digest in told
    assert "25 cannot be read" in told
    assert "moving/broken00.mp4: is no video" in told
    assert "broken24" not in told
    assert "and 5 more" in told
    assert main(["manifest", str(root), "--all"]) == 0
    assert "broken24" in capsys.readouterr().out


def test_manifest_with_processes_in_a_cache_folder(root, tmp_path, capsys):
    assert main(["manifest", str(root), "--workers", "2", "--cache", str(tmp_path / "cache")]) == 0
    assert str(tmp_path / "cache") in capsys.readouterr().out
    assert not (root / ".trackdata").exists()


@pytest.mark.parametrize("verb", ["manifest", "bench-data"])
def test_folders_without_videos(verb, tmp_path, capsys):
    assert main([verb, str(tmp_path)]) == 1
    assert "holds no videos" in capsys.readouterr().err
    assert main([verb, str(tmp_path / "gone")]) == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_bench_data_prints_a_line_for_each_number_of_workers(root, capsys):
    words = ["bench-data", str(root), "--workers", "0", "1", "--size", "32", "--batch", "2", "--seconds", "0.05"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "ms to read a pair" in told
    assert [line.split()[1] for line in told.splitlines() if line.startswith("│")] == ["0", "1"]


def test_bench_data_of_still_images(tmp_path, capsys):
    (tmp_path / "class").mkdir()
    cv2.imwrite(str(tmp_path / "class" / "a.jpg"), np.zeros((20, 20, 3), np.uint8))
    words = ["bench-data", str(tmp_path), "--dataset", "images", "--workers", "0", "--size", "32", "--seconds", "0.05"]
    assert main(words) == 0
    assert "pairs/s" in capsys.readouterr().out


def test_opening_videos_for_the_first_time_is_told(root, monkeypatch, capsys):
    monkeypatch.setattr("dropmae_pretrain.videos._SECONDS_BETWEEN_LINES", -1)
    open_training_videos(root, workers=1)
    assert capsys.readouterr().err.splitlines()[-1] == "opened 4 of 4 videos"
    open_training_videos(root, workers=1)
    assert capsys.readouterr() == ("", "")


def test_training_says_which_videos_it_has(root, tmp_path, capsys):
    (root / "moving" / "broken.mp4").write_bytes(b"no video")
    words = ["train", "debug", "--root", str(root), "--output", str(tmp_path / "run"), "--data.split", ""]
    words += ["--data.validation-split", "", "--loop.epochs", "1", "--loop.log-to", "none"]
    assert main(words) == 0
    digest = Kinetics(root).digest
    told = "training on name videos, items 4, unreadable 1, sha256"
    assert f"{told} {digest}" in (tmp_path / "run" / "log.txt").read_text()
    card = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert card["data"] == {"name": "videos", "items": 4, "unreadable": 1, "sha256": digest}
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 <= line["data_wait_share"] <= 1 for line in metrics if line["event"] == "step")
    assert any("attention/decoder_01" in line for line in metrics if line["event"] == "validation")
    assert "attention" not in capsys.readouterr().out


def test_pairs_are_counted(root):
    source = FramePairSource(open_training_videos(root, workers=1), PairConfig(crop=CropConfig(size=16)))
    rate = measure_loader(source, 0, batch=3, seconds=0.1)
    assert rate.pairs >= 3
    assert rate.pairs % 3 == 0
    assert rate.seconds >= 0.1
    parts = measure_pair(source, pairs=3)
    assert parts.reading > 0 < parts.cropping
    for path in root.rglob("*.mp4"):
        path.write_bytes(b"")
    with pytest.raises(FrameError, match=r"\.mp4"):
        measure_pair(source, pairs=3)
