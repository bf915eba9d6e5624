"""Readers, video input and a tracker on real clips; skipped where there are none.

The clips are looked for in the folder that TRACKWORKS_CLIPS names, else in ``shared/video`` beside the repository.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from trackcore.baselines import MilTracker
from trackcore.video import open_video
from trackdata.clips import read_clip
from trackdata.datasets import open_dataset
from trackdata.evaluation import run, score
from trackdata.labels import read_labels, read_size
from trackdata.parsing import TextFile, parse_boxes
from trackdata.storage import FolderStore
from trackdata.video_frames import open_frames

CLIPS = Path(os.environ.get("TRACKWORKS_CLIPS") or Path(__file__).parents[4] / "shared" / "video")


def clip(name: str) -> Path:
    if not (CLIPS / name).exists():
        pytest.skip(f"no clip {name} in {CLIPS}")
    return CLIPS / name


@pytest.mark.parametrize(
    ("name", "frames", "size"), [("otb_MotorRolling", 164, (360, 640, 3)), ("vot2015_bag", 196, (360, 480, 3))]
)
def test_annotated_clips(name, frames, size):
    folder = clip(name)
    dataset = open_dataset("folder", folder)
    assert len(dataset) == 1
    sequence = dataset[0]
    assert len(sequence) == frames
    assert sequence.frames[frames - 1].shape == size
    assert sequence.valid.all()
    # Polygons and the one-based numbers of OTB alike come out as the boxes that were derived from them.
    np.testing.assert_allclose(sequence.boxes, parse_boxes(TextFile.read(folder / "boxes_xywh.txt")), atol=1e-3)


def test_a_video_file_is_read_to_its_end():
    with open_video(clip("clips/cutie_example.mp4")) as frames:
        assert frames.size == (480, 640)
        assert sum(1 for _ in frames) == 117


def test_frames_of_a_video_file_in_any_order():
    path = clip("clips/cutie_example.mp4")
    frames = open_frames(path)
    assert len(frames) == 117
    np.testing.assert_array_equal(frames[64], read_clip(path, [64])[0])
    with open_video(path) as source:
        for frame in source:
            np.testing.assert_array_equal(frames[frame.index], frame.image)


def test_a_published_label_map():
    store = FolderStore(clip("cutie_bike"))
    labels = read_labels(store, "Annotations/00000.png")
    assert (labels.shape, np.unique(labels).tolist()) == ((480, 854), [0, 1, 2])
    assert read_size(store, "Annotations/00000.png") == labels.shape


@pytest.mark.slow
def test_a_baseline_follows_a_real_target(tmp_path):
    dataset = open_dataset("folder", clip("vot2015_bag"))
    scores = score(run("opencv:mil", MilTracker, dataset, tmp_path), dataset, "got10k")
    assert not scores.failures
    assert 0.2 < scores.values["AO"] < 0.8
