"""The TraX server, driven by the client of the ``trax`` package; entries in a VOT workspace."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trackcore.baselines import MilTracker
from trackcore.tracker import Prediction
from trackdata.cli import main
from trackdata.evaluation.trax import as_region
from trackdata.evaluation.vot_workspace import enter_tracker
from trackdata.regions import Mask, Polygon, Rectangle

pytest.importorskip("trax")


@pytest.fixture
def frames() -> np.ndarray:
    """``(4, 96, 128, 3)``: a textured square on noise that moves two pixels right a frame."""
    rng = np.random.default_rng(5)
    background, patch = rng.integers(0, 120, (96, 128, 3)), rng.integers(100, 255, (24, 30, 3))
    made = np.stack([background.astype(np.uint8)] * 4)
    for index, frame in enumerate(made):
        frame[30:54, 20 + 2 * index : 50 + 2 * index] = patch
    return made


Talk = Callable[..., dict[str, Any]]


@pytest.fixture
def talk(frames, made, tmp_path) -> Talk:
    """Start a server with these arguments of Python and take the steps; see ``trax_client.py``."""

    def run(server: list[str], steps: list[list], shown: np.ndarray = frames) -> dict[str, Any]:
        np.save(tmp_path / "frames.npy", shown)
        asked = {"server": server, "frames": str(tmp_path / "frames.npy"), "steps": steps}
        client = [sys.executable, str(Path(__file__).with_name("trax_client.py"))]
        environment = {**os.environ, "PYTHONPATH": str(Path(made.__file__).parent)}
        done = subprocess.run(
            client, input=json.dumps(asked), capture_output=True, text=True, timeout=120, env=environment
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def registered(*flags: str) -> list[str]:
    return ["-m", "trackdata", "trax", "--tracker", *flags]


SERVE = """
from functools import partial
import evaluation_test_trackers as made
from trackdata.evaluation.trax import serve

def build():
    print("a tracker that talks")
    return ({factory})()

serve(build, "test", {region!r})
"""


def served(factory: str, region: str = "rectangle") -> list[str]:
    return ["-c", SERVE.format(factory=factory, region=region)]


def start(*box: float) -> list:
    return ["initialize", 0, [{"rectangle": box}]]


def test_boxes_are_those_of_the_tracker(talk, frames):
    steps = [start(20.5, 30, 30, 24), ["frame", [1, "file"]], ["frame", [2, "buffer"]], ["frame", [3, "memory"]]]
    told = talk(registered("opencv:mil", "--tracker-option", "seed=3"), [*steps, ["quit"]])
    assert (told["name"], told["regions"], told["exit"]) == ("opencv:mil", ["rectangle"], 0)
    direct = MilTracker(seed=3)
    direct.init(frames[0], np.array([20.5, 30, 30, 24]))
    boxes = [[20.5, 30, 30, 24], *(direct.update(frame).box for frame in frames[1:])]
    np.testing.assert_allclose([answer["rectangle"] for [answer] in told["answers"]], boxes)
    assert not any(answer["properties"] for [answer] in told["answers"])  # it has no confidence


def test_a_server_starts_again_on_each_initialisation(talk):
    steps = [start(20, 30, 30, 24), ["frame", 1], start(5, 6, 7, 8), ["frame", 1], ["quit"]]
    told = talk(registered("static"), steps)
    boxes = [answer["rectangle"] for [answer] in told["answers"]]
    assert boxes == [[20, 30, 30, 24]] * 2 + [[5, 6, 7, 8]] * 2


def test_confidence(talk):
    told = talk(served("partial(made.Still, score=0.25)"), [start(20, 30, 30, 24), ["frame", 1], ["quit"]])
    assert [answer["properties"] for [answer] in told["answers"]] == [{}, {"confidence": "0.25"}]
    assert "a tracker that talks" in told["stderr"]


def test_masks(talk):
    given = np.zeros((9, 8), int)  # ends where the target does
    given[4:, 3:] = 1
    steps = [["initialize", 0, [{"mask": given.tolist(), "offset": [2, 1]}]], ["frame", 1], ["quit"]]
    whole = np.zeros((96, 128), int)
    whole[5:10, 5:10] = 1
    [[first], [second]] = talk(served("made.Still", "mask"), steps)["answers"]
    np.testing.assert_array_equal(first["mask"], whole)
    np.testing.assert_array_equal(second["mask"], whole)  # its box, filled


def test_polygons(talk):
    given = [[10, 20], [30, 18], [32, 40], [12, 42]]
    steps = [["initialize", 0, [{"polygon": given}]], ["frame", 1], ["quit"]]
    [_, [second]] = talk(served("made.Still", "polygon"), steps)["answers"]
    assert second["polygon"] == [[10, 18], [32, 18], [32, 42], [10, 42]]


def test_the_client_is_told_what_went_wrong(talk, frames):
    numbered = np.stack([np.full_like(frames[0], index) for index in range(4)])
    faulty = served("partial(made.Faulty, at=1, value=ValueError('lost my mind'))")
    told = talk(faulty, [start(20, 30, 30, 24), ["frame", 1]], numbered)
    assert "ValueError: lost my mind" in told["error"]
    assert told["exit"] == 1


def test_a_client_that_is_gone(talk):
    told = talk(registered("static"), [start(20, 30, 30, 24)])
    assert told["exit"] == 1
    assert "the connection to the client broke" in told["stderr"]
    assert "Traceback" not in told["stderr"]


FRAME = np.zeros((20, 30, 3), np.uint8)


def test_regions_of_predictions():
    box = np.array([2.5, 3.0, 4.0, 5.0])
    mask = np.zeros((20, 30), bool)
    mask[4:8, 10:21] = True
    assert as_region(Prediction(box), FRAME, "rectangle") == Rectangle(2.5, 3, 4, 5)
    assert as_region(Prediction(box), FRAME, "polygon") == Polygon(((2.5, 3), (6.5, 3), (6.5, 8), (2.5, 8)))
    assert as_region(Prediction(box, mask=mask), FRAME, "mask") == Mask(mask)
    filled = as_region(Prediction(box), FRAME, "mask").pixels
    assert filled.sum() == 20
    assert filled[3:8, 2:6].all()
    around = np.array(as_region(Prediction(box, mask=mask), FRAME, "polygon").points)
    np.testing.assert_allclose([around.min(axis=0), around.max(axis=0)], [[10, 4], [20, 7]], atol=1e-4)
    empty = np.zeros_like(mask)
    assert as_region(Prediction(box, mask=empty), FRAME, "polygon") == as_region(Prediction(box), FRAME, "polygon")
    assert not as_region(Prediction(box, mask=empty), FRAME, "mask").pixels.any()


def test_polygons_of_masks_are_turned():
    canvas = np.zeros((20, 30), np.uint8)
    cv2.line(canvas, (5, 2), (20, 17), 1)
    region = as_region(Prediction(np.zeros(4), mask=canvas.astype(bool)), FRAME, "polygon")
    sides = np.linalg.norm(np.diff(np.array(region.points), axis=0), axis=1)
    assert sides.max() == pytest.approx(15 * 2**0.5, abs=0.01)
    assert sides.min() < 0.01


def test_workspace(tmp_path, capsys):
    weights = tmp_path / "w.safetensors"
    weights.touch()
    (tmp_path / "trackers.ini").write_text("# mine\n[other]\nlabel = 100%\nprotocol = trax\ncommand = x")
    flags = [str(tmp_path), "--tracker", "opencv:mil", "--tracker-option", "seed=3", "--tracker-option", f"w={weights}"]
    assert main(["vot-init", *flags]) == 0
    assert "vot evaluate" in capsys.readouterr().out
    text = (tmp_path / "trackers.ini").read_text()
    assert text.startswith("# mine\n[other]\nlabel = 100%\nprotocol = trax\ncommand = x\n\n[opencv-mil]\n")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert dict(parser["opencv-mil"]) == {
        "label": "opencv:mil",
        "protocol": "trax",
        "command": f"{sys.executable} -m trackdata trax --tracker opencv:mil --region rectangle "
        f"--tracker-option seed=3 --tracker-option w={weights}",
    }
    assert main(["vot-init", *flags]) == 0
    assert (tmp_path / "trackers.ini").read_text() == text
    assert main(["vot-init", *flags, "--region", "mask"]) == 2
    assert "another entry [opencv-mil]" in capsys.readouterr().err
    assert main(["vot-init", *flags, "--region", "mask", "--name", "masks"]) == 0
    assert (tmp_path / "trackers.ini").read_text().startswith(text)


@pytest.mark.parametrize("name", ["", "a b", "[x]", "-a"])
def test_names_that_the_toolkit_does_not_take(name, tmp_path):
    with pytest.raises(ValueError, match="is no name for a tracker in VOT"):
        enter_tracker(tmp_path, "static", name=name)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("vot") is None, reason="the VOT toolkit, a program of its own, is not on the path")
def test_the_toolkits_own_test(tmp_path):
    enter_tracker(tmp_path, "static")
    asked = ["vot", "--registry", str(tmp_path / "trackers.ini"), "test", "static"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=300)
    assert "Test concluded success" in done.stdout + done.stderr
