"""Crops against those of the published program, with the OpenCV of its time and with OpenCV 5."""

from __future__ import annotations

import numpy as np
import pytest

from sparse_track import crops
from sparse_track.crops import border_colour, context_side, normalise, sample_square, square_side

STACKS = [("legacy", "legacy"), ("modern", "exact")]


def both_crops(frame, box, resampling):
    """Template and search crop of a tracker, and the scale."""
    box = np.array(box, np.float64)
    scale = 127 / context_side(box[2:])
    centre = box[:2] + (box[2:] - 1) / 2
    sides = [round(square_side(pixels, scale)) for pixels in (127, 289)]
    cut = [
        sample_square(frame, centre, side, pixels, border_colour(frame), resampling)
        for side, pixels in zip(sides, (127, 289), strict=True)
    ]
    return scale, sides, cut


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize(("stack", "resampling"), STACKS)
def test_crops(load_case, synthetic, stack, resampling, number):
    case = load_case("crop_geometry")
    frame = synthetic.frame(0)
    scale, sides, (template, search) = both_crops(frame, case.config["boxes_xywh"][number], resampling)
    case.check(f"side{number}", sides, case.tolerance["side"])
    case.check(f"{stack}/scale{number}", [scale, scale], case.tolerance["scale"])
    # stored in the order blue, green, red
    np.testing.assert_array_equal(template[::2, ::2, ::-1], case[f"{stack}/z{number}"])
    np.testing.assert_array_equal(search[::4, ::4, ::-1], case[f"{stack}/x{number}"])
    normalised = normalise(template).transpose(1, 2, 0)[::4, ::4]
    wanted = case[f"{stack}/znorm{number}"] if number == 0 else None
    if wanted is not None:
        np.testing.assert_allclose(normalised, wanted, rtol=0, atol=2e-6)


def test_border_colour(load_case, synthetic):
    case = load_case("crop_geometry")
    assert border_colour(synthetic.frame(0))[::-1] == tuple(case["avg"].astype(int))


@pytest.mark.parametrize("number", range(6))
def test_with_an_older_opencv(load_case, synthetic, monkeypatch, number):
    """The formula written out differs in how exact halves are rounded alone, of which these frames have many."""
    monkeypatch.setattr(crops, "_OPENCV_IS_EXACT", False)
    case = load_case("crop_geometry")
    _, _, cut = both_crops(synthetic.frame(0), case.config["boxes_xywh"][number], "exact")
    for image, name, step in zip(cut, "zx", (2, 4), strict=True):
        difference = image[::step, ::step, ::-1].astype(int) - case[f"modern/{name}{number}"]
        assert abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.05


def literal_sample(frame, centre, side, pixels, border):
    """One output pixel after the other, float64."""
    height, width = frame.shape[:2]
    first = np.asarray(centre) - (side - 1) / 2

    def pixel(x, y):
        return frame[y, x].astype(float) if 0 <= x < width and 0 <= y < height else np.array(border, float)

    out = np.empty((pixels, pixels, 3))
    for row in range(pixels):
        for column in range(pixels):
            x, y = first + np.array([column, row]) * (side - 1) / (pixels - 1)
            left, top = int(np.floor(x)), int(np.floor(y))
            f, g = x - left, y - top
            out[row, column] = (
                pixel(left, top) * (1 - f) * (1 - g)
                + pixel(left + 1, top) * f * (1 - g)
                + pixel(left, top + 1) * (1 - f) * g
                + pixel(left + 1, top + 1) * f * g
            )
    return out


@pytest.mark.parametrize("opencv", [True, False])
@pytest.mark.parametrize(
    ("centre", "side"),
    [((10.3, 8.7), 9.4), ((0.0, 0.0), 12.0), ((-40.0, 5.0), 8.0), ((12.0, 9.0), 90.5), ((20.2, 15.1), 1.0)],
)
def test_sampling_is_bilinear(monkeypatch, opencv, centre, side):
    """Inside, at a corner, wholly outside, larger than the frame, one pixel."""
    monkeypatch.setattr(crops, "_OPENCV_IS_EXACT", crops._OPENCV_IS_EXACT and opencv)
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    found = sample_square(frame, np.array(centre), side, 7, (10, 20, 30))
    assert abs(found - literal_sample(frame, centre, side, 7, (10, 20, 30))).max() <= 0.5 + 1e-2


def test_the_consistent_geometry_magnifies_by_the_scale():
    """A ramp: neighbouring crop pixels are 1 / scale frame pixels apart."""
    frame = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(50, axis=0)
    side = square_side(101, 2.0, "consistent")
    row = sample_square(frame, np.array([100.0, 20.0]), side, 101, (0, 0, 0))[50, :, 0].astype(float)
    assert row[-1] - row[0] == 50
    assert row[50] == 100
    assert square_side(100, 2.0) == 50
