"""Crops against the published pixels, and at the edges of what can be asked."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from trackcore.crops import CropError, box_from_crop, box_in_crop, crop, crop_window
from trackcore.device_crops import crop_on_device

FOLDER = Path(__file__).parent / "conformance"


@pytest.fixture(scope="module")
def case():
    with np.load(FOLDER / "crop_geometry.npz") as stored:
        arrays = {key: stored[key] for key in stored.files if key != "meta"}
        return arrays, json.loads(str(stored["meta"]))


@pytest.fixture(scope="module")
def frame(case):
    spec = importlib.util.spec_from_file_location("synthetic", FOLDER / "synthetic.py")
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    return synthetic.frame(case[1]["video"], case[1]["frame"])


@pytest.mark.parametrize("number", range(17))
def test_published_crops_are_met_to_the_pixel(case, frame, number):
    arrays, meta = case
    asked = meta["cases"][number]
    y, x = np.mgrid[0 : frame.shape[0], 0 : frame.shape[1]]
    mask = ((y // 9 + x // 7) % 3 == 0).astype(np.float32)
    cut = crop(frame, np.array(asked["box_xywh"]), asked["factor"], asked["output"], mask=mask)

    name = f"out/{number:02d}"
    steps = {part: _step(meta["outputs"][f"{number:02d}/{part}"]["slice"]) for part in ("crop", "padding_mask")}
    every = steps["crop"]
    np.testing.assert_array_equal(cut.image[::every, ::every], arrays[f"{name}/crop"])
    np.testing.assert_array_equal(cut.image.astype(np.int64).sum((0, 1)), arrays[f"{name}/crop_sum"])
    every = steps["padding_mask"]
    np.testing.assert_array_equal(cut.padding[::every, ::every], arrays[f"{name}/padding_mask"].astype(bool))
    assert cut.padding.sum() == arrays[f"{name}/padding_count"]
    every = _step(meta["outputs"][f"{number:02d}/object_mask"]["slice"])
    np.testing.assert_allclose(cut.mask[::every, ::every], arrays[f"{name}/object_mask"], atol=1e-6)
    assert cut.scale == pytest.approx(arrays["out/resize_factor"][number], rel=1e-12)


def _step(text: str) -> int:
    return int(text.strip("[]").split(",")[0].split(":")[-1])


def test_published_boxes_in_crops(case):
    arrays, meta = case
    described = meta["outputs"]["box_in_crop"]
    expected = arrays["out/box_in_crop"]
    got = []
    for asked, scale in zip(meta["cases"][: len(expected)], arrays["out/resize_factor"], strict=False):
        for truth in meta["ground_truth_boxes"]:
            got.append(box_in_crop(truth, asked["box_xywh"], scale, asked["output"]))
    got = np.array(got).reshape(described["full_shape"])
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_published_windows_and_normalised_tensor(case, frame):
    arrays, meta = case
    windows = [crop_window(np.array(asked["box_xywh"]), asked["factor"]) for asked in meta["cases"]]
    got = [(window.side, window.left, window.top) for window in windows]
    np.testing.assert_array_equal(got, arrays["out/geometry"][:, :3])


def test_position_rounds_half_to_even():
    # x + w/2 - c/2 is exactly 0.5 and 1.5: rounding half up would give 1 and 2.
    assert crop_window(np.array([15.5, 16.5, 30, 30]), 2.0).left == 0
    assert crop_window(np.array([16.5, 16.5, 30, 30]), 2.0).left == 2


def test_a_window_beside_the_frame_is_all_padding(frame):
    for box in ([-500, 20, 30, 30], [20, -500, 30, 30], [5000, 20, 30, 30], [20, 5000, 30, 30]):
        cut = crop(frame, np.array(box, float), 2.0, 64)
        assert cut.padding.all()
        assert not cut.image.any()


def test_the_last_column_shows_without_the_published_border():
    frame = np.full((20, 20, 3), 200, np.uint8)
    box = np.array([5.0, 5.0, 10.0, 10.0])  # the window is the frame itself
    assert crop(frame, box, 2.0, 20).image[-1, -1, 0] == 0
    assert crop(frame, box, 2.0, 20, published_border=False).image.min() == 200


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, float("nan"), 10],
        [float("nan"), 0, 10, 10],
        [float("inf"), 0, 10, 10],
        [0, 0, 0, 10],  # no area: the window would be empty
        [0, 0, -5, -5],  # the product of two negative sides is positive
        [0, 0, 1e6, 1e6],
    ],
)
def test_impossible_boxes_are_refused(frame, box):
    with pytest.raises(CropError, match="box"):
        crop(frame, np.array(box, float), 2.0, 64)


def test_mapping_back_shifts_by_the_documented_half_pixel():
    box, size = np.array([50.0, 40.0, 30.0, 20.0]), 256
    scale = size / crop_window(box, 4.0).side
    x, y, w, h = box_in_crop(box, box, scale, size)
    returned = box_from_crop(np.array([x + w / 2, y + h / 2, w, h]), box, scale, size)
    np.testing.assert_allclose(returned, box - np.array([0.5, 0.5, 0, 0]) / scale, atol=1e-12)


@pytest.mark.parametrize("published_border", [True, False])
def test_crop_on_device(published_border):
    generator = np.random.default_rng(0)
    image = cv2.resize(generator.integers(0, 256, (12, 16, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
    boxes = [
        np.array([50.2, 40.7, 30.0, 20.0]),
        np.array([-8.0, 90.0, 40.0, 50.0]),  # over a corner
        np.array([150.5, 20.0, 12.0, 9.0]),
        np.array([300.0, 300.0, 20.0, 20.0]),  # nothing of the frame
        np.array([70.0, 60.0, 3.0, 3.0]),
    ]
    factors = [4.0, 2.0, 5.0, 2.0, 4.0]
    cut, scales = crop_on_device(torch.from_numpy(image), boxes, factors, 64, published_border=published_border)
    for found, scale, box, factor in zip(cut, scales, boxes, factors, strict=True):
        expected = crop(image, box, factor, 64, published_border=published_border)
        assert np.abs(found.numpy().astype(int) - expected.image).max() <= 1
        assert scale == expected.scale
