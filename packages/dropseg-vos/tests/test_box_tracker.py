"""The tracker of boxes, and first masks from boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dropseg_vos import box_masks
from dropseg_vos.box_masks import box_to_mask
from dropseg_vos.box_tracker import BoxTracker, create
from dropseg_vos.loading import load_segmenter
from trackcore.tracker import Prediction, Tracker

BOX = np.array([20.0, 12, 24, 20])


@pytest.fixture(scope="module")
def frame():
    image = np.full((48, 64, 3), (30, 60, 90), np.uint8)
    image += np.random.default_rng(0).integers(0, 12, image.shape).astype(np.uint8)
    y, x = np.mgrid[:48, :64]
    image[((x - 32) / 11) ** 2 + ((y - 22) / 9) ** 2 <= 1] = (220, 40, 30)
    return image


@pytest.fixture
def tracker():
    torch.manual_seed(0)
    return create(recipe="debug", first_mask="box", device="cpu")


class TestFirstMasks:
    def test_box(self, frame):
        mask = box_to_mask("box")(frame, BOX)
        assert mask.sum() == 24 * 20
        assert mask[12:32, 20:44].all()
        assert box_to_mask("box")(frame, np.array([60.0, 40, 30, 30])).sum() == 4 * 8
        assert box_to_mask("box")(frame, np.array([-5.0, -5, 5.2, 5.2])).sum() == 1

    def test_grabcut_finds_the_ellipse(self, frame):
        mask = box_to_mask("grabcut")(frame, BOX)
        truth = frame[:, :, 0] > 150
        assert (mask & truth).sum() / (mask | truth).sum() > 0.95
        np.testing.assert_array_equal(mask, box_to_mask("grabcut")(frame, BOX))

    def test_refiner(self, frame, monkeypatch):
        asked = {}

        class Refiner:
            def init(self, image, box):
                asked["box"] = box

            def update(self, image):
                return Prediction(asked["box"], mask=image[:, :, 0] > asked["threshold"])

        def create_tracker(name, **options):
            asked.update(options, name=name)
            return Refiner()

        monkeypatch.setattr(box_masks, "list_trackers", lambda: ["alpha-refine"])
        monkeypatch.setattr(box_masks, "create_tracker", create_tracker)
        refine = box_to_mask(refiner="refiner.pth.tar", device="cpu")
        asked["threshold"] = 150
        np.testing.assert_array_equal(refine(frame, BOX), frame[:, :, 0] > 150)
        assert (asked["name"], asked["weights"], asked["mask"]) == ("alpha-refine", "refiner.pth.tar", True)
        asked["threshold"] = 255
        with pytest.raises(ValueError, match="finds no object"):
            refine(frame, BOX)

    def test_what_is_missing_is_said(self, monkeypatch):
        monkeypatch.setattr(box_masks, "list_trackers", lambda: ["static"])
        with pytest.raises(ValueError, match="pip install alpha-refine"):
            box_to_mask()
        monkeypatch.setattr(box_masks, "list_trackers", lambda: ["alpha-refine"])
        with pytest.raises(ValueError, match="needs weights"):
            box_to_mask()
        with pytest.raises(ValueError, match="alpha-refine, grabcut, box, got 'circle'"):
            box_to_mask("circle")


def test_boxes_are_around_masks(tracker, frame):
    assert isinstance(tracker, Tracker)
    tracker.init(frame, BOX)
    prediction = tracker.update(frame)
    assert prediction.mask.any()
    rows, columns = np.nonzero(prediction.mask)
    expected = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    np.testing.assert_array_equal(prediction.box, expected)
    assert 0 < prediction.score <= 1


def test_a_lost_target_keeps_its_box(frame, monkeypatch):
    tracker = BoxTracker(load_segmenter(recipe="debug", device="cpu"), box_to_mask("box"))
    tracker.init(frame, BOX)
    empty = Prediction(np.full(4, np.nan), score=0.0, mask=np.zeros((48, 64), bool))
    monkeypatch.setattr(tracker.segmenter, "update", lambda image: empty)
    lost = tracker.update(frame)
    np.testing.assert_array_equal(lost.box, BOX)
    assert lost.score == 0


def test_mistakes(tracker, frame):
    with pytest.raises(RuntimeError, match="init"):
        tracker.update(frame)
    with pytest.raises(ValueError, match="outside the frame"):
        tracker.init(frame, np.array([100.0, 0, 5, 5]))
    with pytest.raises(ValueError, match="weights"):
        create(first_mask="box")
    with pytest.raises(ValueError, match="precision"):
        create(recipe="debug", first_mask="box", precision="fp64")
