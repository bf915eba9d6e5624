"""The model that comes with the package."""

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from onestream_track import load_multi_tracker, load_tracker
from onestream_track.cli import main
from onestream_track.config import Policy
from onestream_track.loading import load_network, recommended_policy
from onestream_track.profile import parameters
from onestream_track.recipes import get_recipe
from onestream_track.shipped import SHIPPED
from trackcore import checkpoints
from trackcore.boxes import overlap, xywh_to_xyxy


@pytest.fixture(scope="module")
def moving():
    """Frames of a checked square that moves over speckled ground, and its boxes."""
    generator = np.random.default_rng(0)
    ground = cv2.resize(generator.integers(0, 256, (60, 80, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    square = np.kron(generator.integers(0, 256, (4, 4, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    frames, boxes = [], []
    for step in range(20):
        frame, x, y = ground.copy(), 60 + 4 * step, 80 + 2 * step
        frame[y : y + 40, x : x + 40] = square
        frames.append(frame)
        boxes.append(np.array([x, y, 40.0, 40.0]))
    return frames, boxes


def iou(boxes, others):
    boxes, others = (xywh_to_xyxy(torch.as_tensor(np.array(b))) for b in (boxes, others))
    return overlap(boxes, others).numpy()


def test_card():
    card = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert SHIPPED.stat().st_size <= 12e6
    assert card["sha256"] == checkpoints.file_hash(SHIPPED)
    assert card["recipe"] == "tiny_long"
    recipe = get_recipe("tiny_long")
    assert card["policy"] == asdict(recipe.policy) == asdict(recommended_policy())
    assert yaml.safe_load(card["model"])["width"] == recipe.model.width
    assert card["parameters"] == parameters(recipe.model) == sum(p.numel() for p in load_network().parameters())
    assert card["licence"] == "Apache-2.0"
    readme = SHIPPED.with_name("README.md").read_text()
    assert card["sha256"] in readme


def test_follows_what_it_has_never_seen(moving):
    frames, boxes = moving
    tracker = load_tracker(device="cpu")
    tracker.init(frames[0], boxes[0])
    found = np.array([tracker.update(frame).box for frame in frames[1:]])
    assert iou(found, boxes[1:]).mean() > 0.6
    several = load_multi_tracker(device="cpu")
    several.init(frames[0], [boxes[0], np.array([200.0, 30, 30, 30])])
    together = np.array([several.update(frame)[0].box for frame in frames[1:]])
    np.testing.assert_allclose(together, found, atol=0.5)


def test_from_the_command_line(moving, tmp_path, capsys):
    frames, boxes = moving
    for number, frame in enumerate(frames[:4]):
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), frame[:, :, ::-1])
    words = ["track", str(tmp_path), "--init", "60,80,40,40", "--device", "cpu", "--save", str(tmp_path / "boxes.txt")]
    assert main(words) == 0
    assert "comes with the package" in capsys.readouterr().err
    saved = np.loadtxt(tmp_path / "boxes.txt", delimiter=",")
    assert iou(saved, boxes[:4]).min() > 0.5
    assert main([*words, "--backend", "onnx"]) == 2
    assert "needs --weights" in capsys.readouterr().err


def test_what_cards_recommend(tmp_path):
    assert recommended_policy("OSTrack_ep0300.pth.tar") == Policy()
    assert recommended_policy(recipe="ostrack/vitb_256_mae_ce_32x4_ep300") == Policy()
    weights = tmp_path / "own.safetensors"
    assert recommended_policy(weights) == Policy()
    for card in (weights.with_suffix(".json"), tmp_path / "tracker.json"):
        Path(card).write_text(json.dumps({"policy": {"size_rate": 0.25}}))
    assert recommended_policy(weights) == recommended_policy(tmp_path) == Policy(size_rate=0.25)
