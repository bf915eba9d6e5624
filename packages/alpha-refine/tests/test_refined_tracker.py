"""Base tracker and refiner together: published trajectories, every rule, bases of all kinds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from alpha_refine.crops import CropError
from alpha_refine.network import build
from alpha_refine.recipes import get_recipe
from alpha_refine.refined_tracker import RefinedTracker, as_prediction, create
from alpha_refine.refiner import Refined, Refiner
from alpha_refine.replay import ReplayTracker
from alpha_refine.rules import PUBLISHED, Rules, get_rules
from trackcore.baselines import MilTracker, StaticTracker
from trackcore.tracker import Prediction, Tracker, UnknownTrackerError, create_tracker

FRAME = np.zeros((120, 160, 3), np.uint8)
CLIP = Path(__file__).parents[4] / "shared" / "video" / "vot2015_bag"


# -- published trajectories: the stand-in base tracker of the conformance cases, three ways to keep its state


class Scripted:
    """Moves as a script says; keeps centre and size. ``inclusive`` trackers count x + (w - 1) / 2 as the centre."""

    def __init__(self, synthetic, *, init_inclusive: bool, inclusive: bool, precision=np.float64):
        self._tracker, self.precision = synthetic.ScriptedTracker(), precision
        self.init_inclusive, self.inclusive = init_inclusive, inclusive
        self.raw = None

    def _place(self, box, inclusive):
        self._tracker.centre = self.precision(box[:2] + (box[2:] - inclusive) / 2).astype(np.float64)
        self._tracker.size = np.array(box[2:], np.float64)

    def init(self, frame, box):
        self._place(box, self.init_inclusive)

    def update(self, frame):
        self._tracker.advance()
        size = self._tracker.size
        self.raw = np.concatenate([self._tracker.centre - (size - self.inclusive) / 2, size])
        return self.raw

    def set_box(self, box):
        self._place(np.asarray(box), self.inclusive)

    @property
    def state(self):
        return np.concatenate([self._tracker.centre, self._tracker.size])


class ScriptedBox(Scripted):
    """Keeps the box itself, whose corner moves."""

    def _place(self, box, inclusive):
        self._tracker.centre, self._tracker.size = np.array(box[:2], np.float64), np.array(box[2:], np.float64)

    def update(self, frame):
        self._tracker.advance()
        self.raw = self.state
        return self.raw


class Stays(StaticTracker):
    def update(self, frame):
        prediction = super().update(frame)
        self.raw = prediction.box
        return prediction

    @property
    def state(self):
        return self._box


BASES = {
    "pytracking": lambda synthetic: Scripted(synthetic, init_inclusive=True, inclusive=True, precision=np.float32),
    "siamrpn": lambda synthetic: Scripted(synthetic, init_inclusive=True, inclusive=False),
    "rtmdnet": lambda synthetic: ScriptedBox(synthetic, init_inclusive=False, inclusive=False),
    "self": lambda synthetic: Stays(),
    "mask": lambda synthetic: Scripted(synthetic, init_inclusive=True, inclusive=True, precision=np.float32),
}


@pytest.mark.parametrize("tag", ["pytracking_0", "pytracking_1", "siamrpn_0", "rtmdnet_1", "self_0", "mask_0"])
def test_published_trajectories(load_case, toy_network, synthetic, tag):
    case = load_case("trajectory")
    plan = next(entry for entry in case.config["plan"] if entry["tag"] == tag)
    base = BASES[plan["protocol"]](synthetic)
    rules = PUBLISHED["vot2020" if plan["protocol"] == "mask" else plan["protocol"]]
    tracker = RefinedTracker(base, Refiner(toy_network, toy_network.config), rules)
    first = np.array(synthetic.truth(0, plan["kind"]), np.float64)
    shift = np.array([rules.first_shift, rules.first_shift, 0, 0])
    tracker.init(synthetic.frame(0, plan["height"], plan["width"], plan["kind"]), first)
    raw, reported, states, masks = [], [first + shift], [], []
    for time in range(1, plan["steps"] + 1):
        prediction = tracker.update(synthetic.frame(time, plan["height"], plan["width"], plan["kind"]))
        raw.append(base.raw)
        reported.append(prediction.box)
        states.append(base.state)
        masks.append(prediction.mask)
    case.check(f"{tag}/raw", raw)
    case.check(f"{tag}/reported", reported)
    case.check(f"{tag}/state", states)
    if plan["protocol"] == "mask":
        pixels = np.array([mask.sum() for mask in masks])
        np.testing.assert_allclose(pixels, case["mask_0/pixels"], atol=10)
        certain = np.abs(case["mask_0/mask"] - 0.65) > 1e-3
        found = np.stack(masks)[:, ::8, ::8]
        np.testing.assert_array_equal(found[certain], (case["mask_0/mask"] > 0.65)[certain])


# -- rules, with a refiner that says what it is told


class Told:
    """In place of a refiner: answers a list of results, and keeps what it was asked."""

    def __init__(self, *answers, confidence=0.5, refused=None, masks=None):
        self.answers, self.confidence, self.refused, self.masks = list(answers), confidence, refused, masks
        self.asked = []

    def init(self, frame, box):
        self.first = np.array(box)
        return "template"

    def refine(self, frame, template, boxes, *, box=True, mask=False):
        self.asked.append(np.array(boxes))
        answer = np.array(self.answers.pop(0) if box and self.answers else boxes, np.float64)[None]
        confidence = np.array([0.0 if self.refused else self.confidence])
        return Refined(answer, confidence, (self.refused,), self.masks if mask else None, answer)


class Base:
    """Reports one box and remembers corrections."""

    def __init__(self, box=(10.0, 20, 30, 40), score=None):
        self.box, self.score, self.corrections = np.array(box, np.float64), score, []

    def init(self, frame, box):
        self.first = np.array(box)

    def update(self, frame):
        return Prediction(self.box.copy(), self.score, extras={"seen": 1})

    def set_box(self, box):
        self.corrections.append(np.array(box))


class Deaf:
    """A base tracker that takes no corrections and returns plain numbers."""

    def init(self, frame, box):
        pass

    def update(self, frame):
        return [10, 20, 30, 40]


def step(refiner, base=None, **rules):
    base = base or Base()
    tracker = RefinedTracker(base, refiner, Rules(**rules))
    tracker.init(FRAME, np.array([10.0, 20, 30, 40]))
    return tracker.update(FRAME), base


class TestRules:
    def test_by_default_the_refined_box_is_reported_and_fed_back(self):
        prediction, base = step(Told((12, 22, 20, 30)))
        np.testing.assert_array_equal(prediction.box, [12, 22, 20, 30])
        np.testing.assert_array_equal(base.corrections, [[12, 22, 20, 30]])
        np.testing.assert_array_equal(prediction.extras["base_box"], [10, 20, 30, 40])
        assert prediction.extras["kept"] is None
        assert prediction.extras["seen"] == 1
        assert prediction.score == prediction.extras["confidence"] == 0.5
        assert prediction.mask is None

    def test_the_base_trackers_score_comes_first(self):
        assert step(Told(), Base(score=0.9))[0].score == 0.9

    def test_clipped_and_refined_reports(self):
        outside = (-20, 22, 60, 30)
        clipped, base = step(Told(outside))
        np.testing.assert_array_equal(clipped.box, [0, 22, 40, 30])
        refined, other = step(Told(outside), report="refined")
        np.testing.assert_array_equal(refined.box, outside)
        np.testing.assert_array_equal(base.corrections, other.corrections)

    def test_passes(self):
        refiner = Told((12, 22, 20, 30), (-5, 22, 20, 30))
        prediction, _ = step(refiner, passes=2)
        np.testing.assert_array_equal(refiner.asked, [[10, 20, 30, 40], [12, 22, 20, 30]])
        np.testing.assert_array_equal(prediction.box, [0, 22, 15, 30])

    def test_a_failing_second_pass_leaves_the_first(self):
        prediction, _ = step(Told((12, 22, 20, 30), (12, 22, -5, 30)), passes=2)
        np.testing.assert_array_equal(prediction.box, [12, 22, 20, 30])
        assert prediction.extras["kept"] is None

    @pytest.mark.parametrize(
        ("refiner", "rules", "says"),
        [
            (Told((12, 22, -5, 30)), {}, "cross"),
            (Told((12, 22, 20, 30), refused="the crop shows nothing"), {}, "shows nothing"),
            (Told((12, 22, 20, 30), confidence=0.2), {"min_confidence": 0.3}, "confidence 0.200"),
            (Told((90, 90, 20, 30)), {"min_overlap": 0.3}, "overlaps the base tracker's by 0.000"),
        ],
    )
    def test_the_base_box_is_kept(self, refiner, rules, says):
        prediction, base = step(refiner, **rules)
        np.testing.assert_array_equal(prediction.box, [10, 20, 30, 40])
        np.testing.assert_array_equal(base.corrections, [[10, 20, 30, 40]])
        assert says in prediction.extras["kept"]

    def test_limits_that_are_met(self):
        prediction, _ = step(Told((12, 22, 30, 40), confidence=0.4), min_confidence=0.3, min_overlap=0.5)
        np.testing.assert_array_equal(prediction.box, [12, 22, 30, 40])

    def test_without_fallback_failures_raise(self):
        with pytest.raises(CropError, match="shows nothing"):
            step(Told(refused="the crop shows nothing"), fallback=False)

    def test_no_feedback(self):
        assert step(Told((12, 22, 20, 30)), feedback=False)[1].corrections == []

    def test_shifts(self):
        refiner = Told((12, 22, 20, 30))
        _, base = step(refiner, first_shift=0.5, feedback_shift=0.25)
        np.testing.assert_array_equal(refiner.first, [10.5, 20.5, 30, 40])
        np.testing.assert_array_equal(base.first, [10.5, 20.5, 30, 40])
        np.testing.assert_array_equal(base.corrections, [[12.25, 22.25, 20, 30]])

    def test_masks(self):
        masks = np.zeros((1, *FRAME.shape[:2]), np.float32)
        masks[0, 30:60, 20:50] = 0.6
        prediction, _ = step(Told((12, 22, 20, 30), masks=masks), mask=True)
        assert prediction.mask.dtype == bool
        assert prediction.mask.sum() == 900
        assert step(Told(masks=masks), mask=True, mask_threshold=0.65)[0].mask.sum() == 0

    def test_boxes_of_masks(self):
        masks = np.zeros((1, *FRAME.shape[:2]), np.float32)
        masks[0, 30:60, 20:50] = 0.6
        prediction, _ = step(Told(masks=masks), source="mask")
        np.testing.assert_array_equal(prediction.box, [20, 30, 30, 30])
        assert prediction.mask is None
        assert prediction.extras["confidence"] is None
        nothing, _ = step(Told(masks=np.zeros_like(masks)), source="mask")
        np.testing.assert_array_equal(nothing.box, [10, 20, 30, 40])

    @pytest.mark.parametrize(
        ("rules", "says"),
        [
            ({"passes": 0}, "passes"),
            ({"min_confidence": 1.5}, "min_confidence"),
            ({"margin": -1}, "margin"),
            ({"fallback": False, "min_overlap": 0.5}, "need fallback"),
        ],
    )
    def test_wrong_rules(self, rules, says):
        with pytest.raises(ValueError, match=says):
            Rules(**rules)

    def test_unknown_rules(self):
        with pytest.raises(ValueError, match="did you mean 'siamrpn'"):
            get_rules("siamrnp")


# -- bases of all kinds


@pytest.fixture(scope="module")
def refiner():
    torch.manual_seed(0)
    config = get_recipe("debug").model
    return Refiner(build(config).eval().requires_grad_(False), config, border="exact", coordinates="exact")


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, FRAME.shape).astype(np.uint8)


class TestBases:
    @pytest.mark.parametrize("make", [StaticTracker, MilTracker, Deaf, lambda: ReplayTracker(np.full((9, 4), 30.0))])
    def test_it_is_a_tracker_on_any_base(self, refiner, make):
        tracker = RefinedTracker(make(), refiner)
        assert isinstance(tracker, Tracker)
        tracker.init(noise(0), np.array([40.0, 50, 24, 18]))
        for time in range(1, 4):
            prediction = tracker.update(noise(time))
            assert np.isfinite(prediction.box).all()
            assert 0 <= prediction.score <= 1
        tracker.init(noise(0), np.array([40.0, 50, 24, 18]))

    def test_refined_boxes_move_trackers_that_take_corrections(self, refiner):
        base = StaticTracker()
        tracker = RefinedTracker(base, refiner)
        tracker.init(noise(0), np.array([40.0, 50, 24, 18]))
        prediction = tracker.update(noise(1))
        np.testing.assert_array_equal(base.update(noise(2)).box, prediction.box)

    def test_corrections_are_handed_on(self, refiner):
        base = StaticTracker()
        RefinedTracker(base, refiner).set_box(np.array([1.0, 2, 3, 4]))
        np.testing.assert_array_equal(base.update(FRAME).box, [1, 2, 3, 4])
        with pytest.raises(TypeError, match="Deaf has no set_box"):
            RefinedTracker(Deaf(), refiner).set_box(np.array([1.0, 2, 3, 4]))

    def test_update_before_init(self, refiner):
        with pytest.raises(RuntimeError, match="init"):
            RefinedTracker(StaticTracker(), refiner).update(FRAME)

    @pytest.mark.parametrize("box", [(1, 2, 3), (np.nan, 2, 3, 4), (10, 10, 0, 5), (500, 10, 5, 5)])
    def test_bad_first_boxes(self, refiner, box):
        with pytest.raises(ValueError, match="box"):
            RefinedTracker(StaticTracker(), refiner).init(FRAME, np.array(box))

    def test_bad_frames(self, refiner):
        tracker = RefinedTracker(Deaf(), refiner)
        with pytest.raises(ValueError, match="RGB uint8"):
            tracker.init(FRAME[..., 0], np.array([10.0, 20, 30, 40]))
        tracker.init(FRAME, np.array([10.0, 20, 30, 40]))
        with pytest.raises(ValueError, match="RGB uint8"):
            tracker.update(FRAME.astype(float))

    @pytest.mark.parametrize("result", [None, "box", [1, 2, 3], {"x": 1}])
    def test_answers_that_are_no_boxes(self, result):
        with pytest.raises(TypeError, match="four numbers"):
            as_prediction(result)

    def test_by_name(self):
        tracker = create_tracker("alpha-refine", base="opencv:mil", recipe="debug", device="cpu", mask=True)
        assert isinstance(tracker.base, MilTracker)
        tracker.init(noise(0), np.array([40.0, 50, 24, 18]))
        prediction = tracker.update(noise(1))
        assert prediction.mask.shape == FRAME.shape[:2]

    def test_options_for_the_base(self):
        assert create("opencv:mil", recipe="debug", device="cpu", base_options={"seed": 3}).base._seed == 3

    @pytest.mark.parametrize(
        ("options", "error", "says"),
        [
            ({"base": "opencv:mill"}, UnknownTrackerError, "opencv:mil"),
            ({"rules": "dimp"}, ValueError, "pytracking"),
            ({"masks": True}, ValueError, "mask_threshold"),
            ({"recipe": None}, ValueError, "give weights"),
        ],
    )
    def test_wrong_options(self, options, error, says):
        with pytest.raises(error, match=says):
            create(**({"recipe": "debug", "device": "cpu"} | options))

    @pytest.mark.skipif(not hasattr(cv2, "TrackerCSRT"), reason="needs opencv-contrib-python")
    @pytest.mark.parametrize("name", ["opencv:kcf", "opencv:csrt"])
    def test_contrib(self, refiner, name):
        tracker = RefinedTracker(create_tracker(name), refiner)
        tracker.init(noise(0), np.array([40.0, 50, 24, 18]))
        assert np.isfinite(tracker.update(noise(0)).box).all()


class TestReplay:
    def test_boxes_in_order(self):
        boxes = np.arange(12, dtype=float).reshape(3, 4) + 1
        tracker = ReplayTracker(boxes)
        for _ in range(2):
            tracker.init(FRAME, boxes[0])
            np.testing.assert_array_equal([tracker.update(FRAME).box for _ in range(2)], boxes[1:])
        with pytest.raises(RuntimeError, match="3 boxes"):
            tracker.update(FRAME)

    @pytest.mark.parametrize("boxes", [np.zeros(4), np.zeros((0, 4)), np.zeros((2, 8))])
    def test_something_else(self, boxes):
        with pytest.raises(ValueError, match=r"\(N, 4\)"):
            ReplayTracker(boxes)

    def test_update_before_init(self):
        with pytest.raises(RuntimeError, match="init"):
            ReplayTracker(np.ones((2, 4))).update(FRAME)

    def test_nan_boxes_are_kept(self, refiner):
        boxes = np.array([[40.0, 50, 24, 18], [np.nan] * 4])
        tracker = RefinedTracker(ReplayTracker(boxes), refiner)
        tracker.init(FRAME, boxes[0])
        prediction = tracker.update(FRAME)
        assert "NaN" in prediction.extras["kept"]
