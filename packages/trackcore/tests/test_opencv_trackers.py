"""OpenCV's trackers: how rectangles become boxes, corrections, and what is said when one is not there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from trackcore import opencv_trackers
from trackcore.opencv_trackers import OPENCV_TRACKERS, MissingTrackerError, OpenCvTracker
from trackcore.tracker import Tracker

FRAME = np.zeros((120, 160, 3), np.uint8)
HAS_CONTRIB = hasattr(cv2, "TrackerKCF")


class Scripted:
    """In place of a tracker of OpenCV's: reports the rectangles it is given."""

    def __init__(self, *rectangles, score=0.0):
        self.rectangles, self.score, self.started_at = list(rectangles), score, None

    def create(self, parameters=None):
        self.parameters = parameters
        return self

    def init(self, frame, rectangle):
        self.started_at = rectangle

    def update(self, frame):
        rectangle = self.rectangles.pop(0)
        return rectangle is not None, rectangle or (0, 0, 0, 0)

    def getTrackingScore(self):
        return self.score


@pytest.fixture
def kcf(monkeypatch):
    def start(*rectangles, box=(40.25, 50.5, 24.0, 18.0)):
        scripted = Scripted(*rectangles)
        monkeypatch.setattr(cv2, "TrackerKCF", scripted, raising=False)
        tracker = OpenCvTracker("kcf")
        tracker.init(FRAME, np.array(box))
        return tracker, scripted

    return start


class TestBoxes:
    def test_movement_and_growth_are_applied_to_the_true_box(self, kcf):
        tracker, scripted = kcf((43, 52, 24, 18), (43, 52, 48, 9))
        assert scripted.started_at == (40, 50, 24, 18)  # the nearest whole pixels, halves to even
        np.testing.assert_allclose(tracker.update(FRAME).box, [43.25, 52.5, 24, 18])
        np.testing.assert_allclose(tracker.update(FRAME).box, [43.5, 52.25, 48, 9])

    def test_a_correction_is_kept_up(self, kcf):
        tracker, _ = kcf((43, 52, 24, 18), (45, 52, 24, 18), (45, 52, 48, 36), None)
        tracker.update(FRAME)
        tracker.set_box(np.array([50.0, 60, 30, 20]))
        np.testing.assert_allclose(tracker.update(FRAME).box, [52, 60, 30, 20])
        np.testing.assert_allclose(tracker.update(FRAME).box, [45 + 14, 52 + 16, 60, 40])
        lost = tracker.update(FRAME)
        assert lost.score == 0.0
        np.testing.assert_allclose(lost.box, [59, 68, 60, 40])

    def test_a_correction_holds_while_the_target_is_lost(self, kcf):
        tracker, _ = kcf(None)
        tracker.set_box(np.array([50.0, 60, 30, 20]))
        np.testing.assert_allclose(tracker.update(FRAME).box, [50, 60, 30, 20])

    def test_a_rectangle_without_area_is_no_target(self, kcf):
        tracker, _ = kcf((43, 52, 0, 18))
        assert tracker.update(FRAME).score == 0.0

    @pytest.mark.parametrize("box", [(1, 2, 3), (np.nan, 1, 2, 3), (1, 2, 0, 3), (1, 2, 3, -1)])
    def test_corrections_that_cannot_be(self, kcf, box):
        tracker, _ = kcf()
        with pytest.raises(ValueError, match="corrected box"):
            tracker.set_box(np.array(box))

    def test_before_init(self):
        for call in (lambda tracker: tracker.update(FRAME), lambda tracker: tracker.set_box(np.ones(4))):
            with pytest.raises(RuntimeError, match="init"):
                call(OpenCvTracker("mil"))


class TestModelFiles:
    @pytest.fixture
    def folder(self, tmp_path):
        for file in OPENCV_TRACKERS["vit"].files.values():
            (tmp_path / file).write_bytes(b"weights")
        return tmp_path

    def test_score_and_parameters(self, monkeypatch, folder):
        scripted = Scripted((43, 52, 24, 18), score=0.75)
        monkeypatch.setattr(cv2, "TrackerVit", scripted)
        tracker = OpenCvTracker("vit", models=folder)
        tracker.init(FRAME, np.array([40.0, 50, 24, 18]))
        assert tracker.update(FRAME).score == 0.75
        assert scripted.parameters.net == str(folder / "object_tracking_vittrack_2023sep.onnx")

    def test_folder_from_the_environment(self, monkeypatch, folder):
        monkeypatch.setenv("TRACKCORE_MODELS", str(folder))
        OpenCvTracker("vit")

    def test_no_folder(self, monkeypatch):
        monkeypatch.delenv("TRACKCORE_MODELS", raising=False)
        with pytest.raises(MissingTrackerError, match=r"vittrack_2023sep.onnx from https.*TRACKCORE_MODELS"):
            OpenCvTracker("vit")

    def test_files_that_are_not_there(self, tmp_path):
        (tmp_path / "nanotrack_backbone_sim.onnx").write_bytes(b"weights")
        with pytest.raises(MissingTrackerError, match=r"lacks nanotrack_head_sim.onnx"):
            OpenCvTracker("nano", models=tmp_path)

    def test_damaged_files(self, folder):
        tracker = OpenCvTracker("vit", models=folder)
        with pytest.raises(MissingTrackerError, match="cannot read the model files"):
            tracker.init(FRAME, np.array([40.0, 50, 24, 18]))


@pytest.mark.skipif(HAS_CONTRIB, reason="the contrib wheel is installed")
@pytest.mark.parametrize("name", ["kcf", "csrt"])
def test_the_wheel_is_named(name):
    with pytest.raises(MissingTrackerError, match="opencv-contrib-python"):
        OpenCvTracker(name)


def test_unknown_tracker():
    with pytest.raises(ValueError, match=r"'boosting' \(known: mil, kcf"):
        OpenCvTracker("boosting")


def test_the_registry_can_call_every_one():
    for name in set(OPENCV_TRACKERS) - {"mil"}:
        assert getattr(opencv_trackers, name).args == (name,)


@pytest.mark.skipif(not HAS_CONTRIB, reason="needs opencv-contrib-python")
@pytest.mark.parametrize("name", ["kcf", "csrt"])
@pytest.mark.parametrize(
    "box", [(40.3, 50.7, 1, 1), (40, 50, 3, 30), (150, 110, 30, 30), (0, 0, 160, 120), (159.5, 119.5, 10, 10)]
)
def test_boxes_opencv_cannot_handle(name, box):
    tracker = OpenCvTracker(name)
    assert isinstance(tracker, Tracker)
    frame = np.random.default_rng(0).integers(0, 256, FRAME.shape).astype(np.uint8)
    tracker.init(frame, np.array(box, np.float64))
    assert np.isfinite(tracker.update(frame).box).all()
