"""Crops and geometry against published pixels and numbers, and what their options change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_refine.crops import CropError, box_from_crop, box_in_crop, cut, mask_from_crop, window_of
from alpha_refine.geometry import box_of_mask, clip_to_border, first_box
from alpha_refine.refiner import normalise
from trackdata.masks import mask_box
from trackdata.regions import Mask, Rectangle, region_mask

FRAME = (240, 320)


@pytest.fixture(scope="module")
def crops(load_case):
    return load_case("crop")


@pytest.fixture(scope="module")
def windows(crops):
    return [window_of(box, 2.0, 256) for box in crops["boxes"]]


@pytest.fixture(scope="module")
def frame(synthetic):
    return synthetic.frame(3, *FRAME, 0)


@pytest.fixture(scope="module")
def case(load_case):
    return load_case("geometry")


@pytest.fixture(scope="module")
def masks(case):
    return np.unpackbits(case["shapes"])[: 7 * 240 * 320].reshape(7, *FRAME).astype(bool)


class TestPublishedCrops:
    def test_pixels(self, crops, frame, windows):
        patches = np.stack([cut(frame, window) for window in windows])
        crops.check("patch", patches)
        crops.check("sum", patches.sum(axis=(1, 2), dtype=np.int64))

    def test_repeated_border(self, crops, frame, windows):
        crops.check("replicate", cut(frame, windows[6], edge=True))

    def test_mapping(self, crops, windows):
        crops.check("factor", [window.scale[::-1] for window in windows], rtol=1e-12)
        moved = np.array([3.25, -2.5, 4, -1])
        crops.check(
            "in_crop", [[box_in_crop(window.box + change, window) for change in (0, moved)] for window in windows]
        )
        corners = np.array([60.5, 70.25, 60.5 + 120, 70.25 + 100.5])
        crops.check("back", [box_from_crop(corners, window, 2.0) for window in windows])

    def test_normalised(self, crops, frame, windows):
        pixels = normalise(np.stack([cut(frame, window) for window in windows[:3]]))
        np.testing.assert_allclose(
            pixels[:, :, ::16, ::16], crops["normalised"], rtol=0, atol=crops.tolerance("normalised")["atol"]
        )


class TestPublishedGeometry:
    def test_masks_in_the_frame(self, case):
        mapped = np.stack([mask_from_crop(case["mask_crop"], window_of(box, 2.0, 256), FRAME) for box in case["boxes"]])
        case.check("mapped", mapped)
        np.testing.assert_allclose(mapped.sum(axis=(1, 2), dtype=np.float64), case["mapped_sum"][:, 0], rtol=1e-5)
        for column, threshold in ((1, 0.5), (2, 0.65)):
            counted = (mapped > threshold).sum(axis=(1, 2))
            np.testing.assert_allclose(counted, case["mapped_sum"][:, column], rtol=0, atol=2)

    def test_boxes_of_masks(self, case, masks):
        case.check("mask_box", [box_of_mask(mask, np.array([1, 2, 3, 4])) for mask in masks])
        case.check("mask_rect", [mask_box(mask) for mask in masks], rtol=0)

    def test_clipping(self, case):
        clipped = [clip_to_border(box, FRAME) for box in case["clip_in"]]
        case.check("clip_out", clipped)
        case.check("clip_out_array", clipped, rtol=0)

    def test_first_boxes(self, case):
        regions = ((10, 20, 30, 40), (10, 10, 50, 20, 45, 60, 5, 50), (0, 0, 10, 0, 10, 10, 0, 10))
        case.check("aligned", [first_box(region) for region in regions])

    def test_masks_of_regions(self, case):
        """What the published scripts for VOT do to masks, trackdata does."""
        ones = [np.ones(size, bool) for size in ((20, 30), (245, 10), (10, 327), FRAME)]
        case.check("padded_sum", [region_mask(Mask(mask), (320, 240)).sum() for mask in ones], rtol=0)
        rectangles = [(10.5, 11.5, 20, 20), (-5, -5, 30, 30), (310, 230, 30, 30), (3.4, 3.6, 5.2, 5.8)]
        drawn = [region_mask(Rectangle(*rectangle), (320, 240)).sum() for rectangle in rectangles]
        case.check("rect_mask_sum", drawn, rtol=0)


BOX = st.tuples(st.floats(-100, 400), st.floats(-100, 300), st.floats(0.3, 200), st.floats(0.3, 200)).map(np.array)


class TestOptions:
    def test_exact_border_shows_the_last_pixels(self):
        frame = np.full((*FRAME, 3), 200, np.uint8)
        window = window_of(np.array([250, 180, 35, 30]), 2.0, 64)  # ends at column 302 and row 225: inside
        assert (cut(frame, window) == 200).all()
        window = window_of(np.array([267.5, 195, 35, 30]), 2.0, 64)  # ends exactly at the border
        assert (cut(frame, window, border="exact") == 200).all()
        assert (cut(frame, window)[-1] < 200).any()

    @pytest.mark.parametrize("box", [(-200, 50, 20, 30), (50, -200, 20, 30), (500, 50, 20, 30), (50, 500, 20, 30)])
    def test_exact_border_shows_nothing_outside(self, box):
        frame = np.full((*FRAME, 3), 200, np.uint8)
        window = window_of(np.array(box, float), 2.0, 64)
        assert not window.shows(FRAME)
        assert not cut(frame, window, border="exact").any()
        assert cut(frame, window).any() == (min(box) < 0)  # published: squeezed, or black

    def test_frames_of_one_row(self):
        frame = np.full((1, 320, 3), 200, np.uint8)
        for border in ("published", "exact"):
            assert cut(frame, window_of(np.array([10, 0, 20, 1]), 2.0, 64), border=border).shape == (64, 64, 3)
        assert mask_from_crop(
            np.ones((64, 64), np.float32), window_of(np.array([10, 0, 20, 1]), 2.0, 64), (1, 320)
        ).any()

    @given(box=BOX, inner=BOX)
    @settings(max_examples=60, deadline=None)
    def test_exact_and_shifted_coordinates_lead_back(self, box, inner):
        window = window_of(box, 2.0, 128)
        for coordinates in ("exact", "shifted"):
            x, y, w, h = box_in_crop(inner, window, coordinates)
            if min(x, y) > 0 and max(x + w, y + h) < 128:
                back = box_from_crop(np.array([x, y, x + w, y + h]), window, 2.0, coordinates)
                np.testing.assert_allclose(back, inner, atol=1e-9)

    def test_published_coordinates_are_half_a_crop_pixel_off(self):
        window = window_of(np.array([100.0, 80, 50, 40]), 2.0, 100)
        x, y, w, h = box_in_crop(window.box, window)
        back = box_from_crop(np.array([x, y, x + w, y + h]), window, 2.0)
        np.testing.assert_allclose(back - window.box, [-0.5 / window.scale[0], -0.5 / window.scale[1], 0, 0])

    @given(box=BOX)
    @settings(max_examples=30, deadline=None)
    def test_pixels_and_exact_coordinates_agree(self, box):
        """Where a bright rectangle appears in the crop is where its box is mapped to, to the resized pixel."""
        frame = np.zeros((*FRAME, 3), np.uint8)
        frame[100:140, 100:160] = 255
        window = window_of(box, 2.0, 256)
        x, y, w, h = box_in_crop(np.array([100, 100, 60, 40]), window, "exact")
        bright = cut(frame, window, border="exact")[..., 0] > 127
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        if w < 3 or h < 3 or len(rows) == 0:
            return
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        np.testing.assert_allclose(found, [x, y, x + w, y + h], atol=1 + 0.5 * window.scale.max())


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ((1, 2, np.nan, 4), "NaN or infinity"),
        ((np.inf, 2, 3, 4), "NaN or infinity"),
        ((1, 2, 0, 4), "too small"),
        ((1, 2, 5, -4), "too small"),
        ((1, 2, 1e6, 4), "too large"),
        ((1, 2, 1e4, 1e4), "too large"),
    ],
)
def test_boxes_that_cannot_be_cropped(box, says):
    with pytest.raises(CropError, match=says):
        window_of(np.array(box), 2.0, 256)


def test_small_contours_are_no_object():
    mask = np.zeros(FRAME)
    mask[10:21, 10:21] = 1  # 121 pixels, but 100 square pixels through their centres
    np.testing.assert_array_equal(box_of_mask(mask, np.array([1, 2, 3, 4])), [1, 2, 3, 4])
    mask[10:21, 21] = 1
    np.testing.assert_array_equal(box_of_mask(mask, np.array([1, 2, 3, 4])), [10, 10, 12, 11])


def test_first_box_of_something_else():
    with pytest.raises(ValueError, match="4 or 8 numbers"):
        first_box((1, 2, 3))
