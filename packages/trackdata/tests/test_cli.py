"""The ``trackdata`` command, from the outside."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from trackdata.cli import COMMANDS, UsageError, main, tracker_options


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("video")
    made = ["synth", "--output", str(root), "--split", "val", "--sequences", "2", "--frames", "6", "--size", "96x64"]
    assert main(made) == 0
    return root


@pytest.fixture
def source(video) -> list[str]:
    return ["--dataset", "got10k", "--root", str(video), "--split", "val"]


def test_help_is_light():
    """Of the command and all its verbs, in one fresh interpreter."""
    program = (
        "import sys; from trackdata.cli import COMMANDS, main; "
        "codes = [main([*command, '--help']) for command in ([], *([verb] for verb in COMMANDS))]; "
        "heavy = {'torch', 'cv2', 'matplotlib', 'jinja2', 'av', 'ray', 'trax', 'got10k'} & set(sys.modules); "
        "sys.exit(f'{heavy} {codes}' if heavy or any(codes) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: trackdata") == 1 + len(COMMANDS)


def test_synth(video):
    assert (video / "val" / "list.txt").read_text().count("\n") == 2
    assert len(list((video / "val" / "GOT-10k_Val_000001").glob("*.jpg"))) == 6


def test_evaluate_and_report(source, tmp_path, capsys):
    command = ["evaluate", "--tracker", "static", "--tracker", "opencv:mil", *source, "--output", str(tmp_path)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "convention default" in printed
    assert "opencv:mil" in printed
    assert (tmp_path / "report" / "report.html").is_file()
    boxes = np.loadtxt(tmp_path / "static" / "got10k_val" / "GOT-10k_Val_000001.txt", delimiter=",")
    assert boxes.shape == (6, 4)
    folders = [str(tmp_path / "opencv-mil"), str(tmp_path / "static" / "got10k_val")]
    again = [
        "report",
        *folders,
        *source,
        "--output",
        str(tmp_path / "again"),
        "--convention",
        "got10k",
        "--title",
        "Two",
    ]
    assert main(again) == 0
    assert "<title>Two</title>" in (tmp_path / "again" / "report.html").read_text()


def test_a_failing_sequence_gives_exit_code_1(video, tmp_path, capsys):
    shutil.copytree(video / "val", tmp_path / "val")
    (tmp_path / "val" / "GOT-10k_Val_000002" / "00000003.jpg").write_bytes(b"no picture")
    command = ["evaluate", "--tracker", "static", "--dataset", "got10k", "--root", str(tmp_path), "--split", "val"]
    assert main([*command, "--output", str(tmp_path / "out")]) == 1
    errors = capsys.readouterr().err
    assert "static has no result for GOT-10k_Val_000002" in errors
    assert "00000003.jpg" in errors
    assert (tmp_path / "out" / "report" / "report.html").is_file()


def test_datasets(capsys):
    assert main(["datasets"]) == 0
    assert {"got10k", "folder"} <= set(capsys.readouterr().out.split())  # names alone, for scripts
    assert main(["datasets", "lasot", "kinetics"]) == 0
    lasot, kinetics = capsys.readouterr().out.split("\n\n")
    assert "boxes count from: 1" in lasot
    assert "Fast Motion" in lasot
    assert "boxes count" not in kinetics
    assert main(["datasets", "lasott"]) == 2
    assert "did you mean 'lasot'" in capsys.readouterr().err


def test_datasets_without_tracks_are_refused(tmp_path, capsys):
    command = ["evaluate", "--tracker", "static", "--output", str(tmp_path / "out"), "--root", str(tmp_path)]
    assert main([*command, "--dataset", "kinetics"]) == 2
    assert "has no boxes to start a tracker from" in capsys.readouterr().err
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(
        '{"images": [{"id": 1, "file_name": "a.jpg", "height": 8, "width": 8}], "categories": [{"id": 1, "name": "x"}],'
        ' "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [1, 1, 4, 4]}]}'
    )
    assert main([*command, "--dataset", "coco"]) == 2
    assert "is made of still images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--tracker", "statik"], "no tracker is registered as 'statik'"),
        (["--tracker", "static", "--tracker", "static"], "each tracker once"),
        (["--tracker", "static", "--tracker-option", "nothing"], "--tracker-option is KEY=VALUE"),
        (["--tracker", "static", "--limit", "0"], "--limit must be at least 1"),
        ([], "give --tracker, one or more of"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(change, message, source, tmp_path, capsys):
    assert main(["evaluate", *source, "--output", str(tmp_path), *change]) == 2
    errors = capsys.readouterr().err.strip()
    assert message in errors
    assert "\n" not in errors


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (
            ["evaluate", "--tracker", "static", "--dataset", "got9k", "--root", ".", "--output", "o"],
            2,
            "no dataset 'got9k'",
        ),
        (
            ["evaluate", "--tracker", "static", "--dataset", "got10k", "--root", "nowhere", "--output", "o"],
            1,
            "nowhere",
        ),
        (["report", "nowhere", "--dataset", "folder", "--root", "nowhere", "--output", "o"], 1, "nowhere"),
        (["synth", "--output", "o", "--size", "3"], 2, "--size is WIDTHxHEIGHT"),
        (["synth", "--output", "o", "--sequences", "0"], 1, "at least 1"),
        (["synth", "--output", "o", "--preset", "eays"], 1, "did you mean 'easy'"),
        (["synth"], 2, "--output"),
        (["sing"], 2, "sing"),
    ],
)
def test_errors_are_told_without_a_traceback(command, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command) == code
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors


def test_a_convention_that_is_none(source, tmp_path, capsys):
    command = ["evaluate", "--tracker", "static", *source, "--output", str(tmp_path), "--convention", "got11k"]
    assert main(command) == 2
    assert "did you mean 'got10k'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # said before anything is run


def test_an_option_that_the_tracker_does_not_know(source, tmp_path, capsys):
    command = ["evaluate", "--tracker", "static", *source, "--output", str(tmp_path), "--tracker-option", "wings=2"]
    assert main(command) == 1
    assert "wings" in capsys.readouterr().err


def test_options():
    given = ["window=0.5", "static.name=a=b", "opencv:mil.deep=true", "opencv:mil.window=1"]
    assert tracker_options(given, "static", ["static", "opencv:mil"]) == {"window": 0.5, "name": "a=b"}
    assert tracker_options(given, "opencv:mil", ["static", "opencv:mil"]) == {"window": 1, "deep": True}
    with pytest.raises(UsageError):
        tracker_options(["=1"], "static", ["static"])
