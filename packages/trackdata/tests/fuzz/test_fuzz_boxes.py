"""Boxes with any numbers in them: scoring, crops, first boxes and masks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from trackcore import boxes as box_functions
from trackcore.crops import CropError, box_from_crop, box_in_crop, crop, crop_window
from trackcore.tracker import check_box
from trackdata.evaluation import convention
from trackdata.evaluation.conventions import CONVENTIONS
from trackdata.evaluation.overlap import center_distance, continuous_overlap, inclusive_overlap, limit
from trackdata.evaluation.records import PredictionError, Track, Truth, TruthError, check_prediction
from trackdata.masks import mask_box

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 48.0, 64.0, 1e-300, 1e300, -1e300, 5e-324, math.nan, math.inf, -math.inf, 1e18]
NUMBERS = st.one_of(st.integers(-10, 80).map(float), st.floats(-100, 100), st.floats(), st.sampled_from(EDGES))
BOXES = st.lists(NUMBERS, min_size=4, max_size=4)
PLAIN = st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 40)] * 2).map(lambda box: [float(side) for side in box])


@st.composite
def annotations(draw) -> Truth:
    """A sequence of mostly ordinary boxes, with flags or without."""
    count = draw(st.integers(1, 12))
    rows = draw(st.lists(st.one_of(PLAIN, PLAIN, BOXES), min_size=count, max_size=count))
    flags = st.none() | st.lists(st.booleans(), min_size=count, max_size=count).map(lambda row: np.array(row, bool))
    cover = st.none() | st.lists(st.integers(0, 8), min_size=count, max_size=count).map(lambda row: np.array(row) / 8)
    size = draw(st.sampled_from([None, (64, 48), (1, 1)]))
    return Truth("seq", np.array(rows), draw(flags), draw(flags), draw(cover), size)


@st.composite
def tracks(draw) -> Track:
    rows = draw(st.lists(st.one_of(PLAIN, PLAIN, BOXES), max_size=14))
    times = draw(st.none() | st.lists(st.floats(0, 1) | st.just(math.nan), min_size=len(rows), max_size=len(rows)))
    return Track(np.array(rows).reshape(-1, 4), None if times is None else np.array(times))


NAMES = [
    *CONVENTIONS,
    "ostrack/lasot",
    "ostrack/uav",
    "pytracking/uav/valid-only",
    "pysot/lasot",
    "default/visible-only",
]
NAMES += ["default/pad", "default/truncate/miss"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # sides of 1e300 overflow
def test_conventions(fuzz, name):
    rule = convention(name)

    def check(truth, runs):
        before = truth.boxes.copy()
        boxes = [run.boxes.copy() for run in runs]
        try:
            scores = rule.score(runs, truth)
        except (PredictionError, TruthError) as error:
            message = str(error)
        else:
            for figure in (*scores.values.values(), *(value for curve in scores.curves.values() for value in curve)):
                assert figure is None or not math.isinf(figure)
            message = "seq"
        assert "seq" in message
        np.testing.assert_array_equal(truth.boxes, before)  # inputs are not changed
        for run, was in zip(runs, boxes, strict=True):
            np.testing.assert_array_equal(run.boxes, was)

    fuzz(check, annotations(), st.lists(tracks(), min_size=1, max_size=2))


SHAPES = st.sampled_from([(), (0,), (4,), (1, 4), (0, 4), (3, 5), (2, 2, 4), (4, 1)])


def test_truth_and_predictions(fuzz):
    def check(shape, value, flags):
        array = np.full(shape, value)
        try:
            truth = Truth("seq", array, visible=np.ones(flags, bool))
        except TruthError as error:
            message = str(error)
        else:
            assert len(truth.gone) == len(truth.sized) == len(truth.covered) == len(truth.annotated) == len(truth)
            message = "seq"
        assert "seq" in message
        try:
            checked = check_prediction(array, Truth("seq", np.ones((2, 4))))
        except PredictionError as error:
            message = str(error)
        else:
            assert np.isfinite(checked).all()
            assert (checked[:, 2:] >= 0).all()
        assert "seq" in message

    fuzz(check, SHAPES, NUMBERS, st.integers(0, 3))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow gives infinity, as it should
def test_overlaps(fuzz):
    def check(one, other):
        a, b = np.array([one]), np.array([other])
        for overlap in (inclusive_overlap, continuous_overlap, lambda a, b: continuous_overlap(a, b, (64, 48))):
            value = overlap(a, b)
            assert value.shape == (1,)
            ordinary = (
                all(math.isfinite(x) and abs(x) < 1e6 for x in (*one, *other)) and min(*one[2:], *other[2:]) > 1e-3
            )
            if ordinary:
                assert 0 <= value[0] <= 1 + 1e-9
        assert center_distance(a, b).shape == (1,)
        assert limit(a, (64, 48)).shape == (1, 4)

    fuzz(check, st.one_of(PLAIN, BOXES), st.one_of(PLAIN, BOXES))


def test_first_boxes(fuzz):
    def check(box, height, width):
        try:
            checked = check_box(box, (height, width))
        except ValueError as error:
            message = str(error)
        else:
            x, y, w, h = checked
            assert math.isfinite(x + y + w + h) or max(map(abs, checked)) > 1e300
            assert w > 0
            assert h > 0
            assert x < width
            assert y < height
            return
        assert "box" in message

    odd = st.one_of(BOXES, PLAIN, st.lists(NUMBERS, max_size=6), BOXES.map(np.array), BOXES.map(lambda box: [box]))
    fuzz(check, odd, st.integers(1, 100), st.integers(1, 100))


def test_crops(fuzz):
    image = np.full((48, 64, 3), 200, np.uint8)
    mask = np.ones((48, 64), bool)

    def check(box, factor, size, published):
        try:
            window = crop_window(box, factor)
        except CropError as error:
            message = str(error)
        else:
            assert 1 <= window.side <= 32767
            if window.side > 2000:  # memory
                return
            cut = crop(image, box, factor, size, mask=mask, published_border=published)
            assert (cut.image.shape, cut.image.dtype) == ((size, size, 3), np.uint8)
            assert cut.padding.shape == cut.mask.shape == (size, size)
            assert 0 <= cut.mask.min() <= cut.mask.max() <= 1
            there = box_in_crop(box, box, cut.scale, size)
            assert np.isfinite(box_from_crop(there, box, cut.scale, size)).all()
            return
        assert "box" in message

    fuzz(
        check,
        st.one_of(PLAIN, BOXES),
        st.sampled_from([0.0, 1e-9, 1.0, 2.0, 4.0, 5.0]),
        st.sampled_from([1, 2, 16, 33]),
        st.booleans(),
    )


def test_boxes_of_tensors(fuzz):
    def check(rows, others):
        a = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
        b = torch.tensor(others, dtype=torch.float32).reshape(-1, 4)
        for convert in (box_functions.xywh_to_xyxy, box_functions.xyxy_to_cxcywh, box_functions.cxcywh_to_xywh):
            assert convert(a).shape == a.shape
        for kind in ("iou", "giou", "diou", "ciou"):
            assert box_functions.pairwise_overlap(a, b, kind).shape == (len(a), len(b))
        assert box_functions.clip(a, 48, 64).shape == a.shape
        assert box_functions.area(a).shape == (len(a),)

    some = st.lists(st.one_of(PLAIN, st.lists(st.floats(width=32), min_size=4, max_size=4)), max_size=4)
    fuzz(check, some, some)


def test_boxes_of_masks(fuzz):
    def check(pixels, width, rule):
        mask = np.array(pixels[: len(pixels) // width * width], bool).reshape(-1, width)
        box = mask_box(mask, rule)
        assert box.shape == (4,)
        if not mask.any():
            assert (box == 0).all()
        elif rule == "inclusive":
            x, y, w, h = box.astype(int)
            assert mask[y : y + h, x : x + w].sum() == mask.sum()
            assert mask[y].any()
            assert mask[:, x + w - 1].any()

    fuzz(check, st.lists(st.booleans(), max_size=60), st.integers(1, 9), st.sampled_from(["inclusive", "exclusive"]))
