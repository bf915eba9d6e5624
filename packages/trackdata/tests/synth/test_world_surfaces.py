"""What covers the world: patterns, materials, planes, skies, and what the film does to them."""

import cv2
import numpy as np
import pytest

from trackdata.synth.curves import Curve
from trackdata.synth.world.cameras import Camera
from trackdata.synth.world.codecs import recompress
from trackdata.synth.world.films import Developer, Film
from trackdata.synth.world.materials import THEMES, Material, paint, sample_material, vary_material
from trackdata.synth.world.patterns import PATTERNS
from trackdata.synth.world.plans import KINDS as PLANS
from trackdata.synth.world.plans import Plan, paint_plan
from trackdata.synth.world.skies import KINDS, SKYLINES, PaintedSky, Sky
from trackdata.synth.world.surfaces import Surface, Surfaces

GREY = ((0.5, 0.5, 0.5), (0.6, 0.6, 0.6))


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_are_fields_between_0_and_1(name):
    for seed, side, repeats in ((0, 64, 3), (1, 96, 8), (2, 16, 2), (3, 8, 9)):
        field = PATTERNS[name](np.random.default_rng(seed), side, repeats)
        assert field.shape == (side, side)
        assert field.dtype == np.float32
        assert field.min() >= -0.01
        assert field.max() <= 1.01
        again = PATTERNS[name](np.random.default_rng(seed), side, repeats)
        assert np.array_equal(field, again)


@pytest.mark.parametrize("name", ["clouds", "veins", "crystals", "labyrinth", "stripes", "dots", "bricks", "scales"])
def test_patterns_continue_at_opposite_edges(name):
    """The step across the edge is no larger than the largest step inside."""
    for seed in range(3):
        field = PATTERNS[name](np.random.default_rng(seed), 64, 4)
        inside = np.abs(np.diff(field, axis=1)).max(axis=0)
        assert np.abs(field[:, 0] - field[:, -1]).mean() <= max(0.1, 1.05 * inside.max())


@pytest.mark.parametrize("name", THEMES)
def test_materials_of_every_theme_can_be_painted(name):
    rng = np.random.default_rng(4)
    for side in (8, 64):
        tile = paint(sample_material(rng, name), side)
        assert tile.shape == (side, side, 3)
        assert tile.dtype == np.uint8


def test_materials_vary_as_much_as_asked():
    rng = np.random.default_rng(0)
    model = sample_material(rng, "cloth")
    means = [paint(vary_material(rng, model, amount), 32).mean(axis=(0, 1)) for amount in (0.0, 1.0)]
    near, far = (np.abs(mean - paint(model, 32).mean(axis=(0, 1))).max() for mean in means)
    assert near < 12
    assert far > near


def test_planes_lie_where_they_should():
    """Ground below, a wall ahead: which shows where, and how far away."""
    ground = Surface((0, 1, 0), 0.0, (1, 0, 0), (0, 0, 1), 1.0, (Material("plain", GREY, 2),))
    wall = Surface((0, 0, -1), -10.0, (1, 0, 0), (0, -1, 0), 1.0, (Material("plain", GREY, 2),))
    view = Camera(y=Curve(2.0), focal=Curve(np.log(100.0))).view(0, np.array([80.0, 60.0]))
    _, owner, closeness = Surfaces((ground, wall)).draw(view, (160, 120))
    for row in (5, 60, 70, 79, 81, 90, 119):
        down = (row + 0.5 - 60) / 100  # slope of the ray
        expected = 1 if down * 10 < 2 else 0
        assert (owner[row] == expected).all()
        assert 1 / closeness[row, 0] == pytest.approx(10.0 if expected else 2 / down, rel=1e-3)


def test_lines_painted_on_the_ground_are_seen_in_perspective():
    """A tile of half dark and half light shows its edge where the geometry puts it."""
    checks = Material("checks", ((0.1, 0.1, 0.1), (0.9, 0.9, 0.9)), 2, wear=0.0)
    ground = Surface((0, 1, 0), 0.0, (1, 0, 0), (0, 0, 1), 4.0, (checks,))
    view = Camera(y=Curve(2.0), focal=Curve(np.log(100.0))).view(0, np.array([80.0, 60.0]))
    image, _, _ = Surfaces((ground,)).draw(view, (160, 120))
    bright = image.mean(axis=2) > 128
    row = 110
    depth = 2.0 / ((row + 0.5 - 60) / 100)
    for column in range(0, 160, 7):
        x = (column + 0.5 - 80) / 100 * depth
        if 0.15 < x % 2 < 1.85:  # away from the edges; squares are 2 m wide
            dark = (np.floor(x / 2) + np.floor(depth / 2)) % 2 == 0
            assert bright[row, column] == (not dark)


@pytest.mark.parametrize("kind", PLANS)
def test_plans_of_every_kind_can_be_painted(kind):
    plan = paint_plan(Plan(kind, 20.0, 0.5, 3))
    positions = np.full((4, 5), 3.0, np.float32)
    assert plan.look(positions, positions, 0.1).shape == (4, 5, 4)


def test_skies_of_every_kind_can_be_painted_and_seen():
    for kind in KINDS:
        for skyline in SKYLINES:
            sky = PaintedSky(Sky(kind, skyline, ((0.2, 0.4, 0.9), (0.8, 0.8, 0.9), (0.2, 0.3, 0.2)), 5))
            view = Camera(yaw=Curve(3.1), focal=Curve(np.log(60.0))).view(0, np.array([32.0, 24.0]))
            assert sky.draw(view, (64, 48)).shape == (48, 64, 3)


def test_the_sky_turns_with_the_camera():
    sky = PaintedSky(Sky("clouds", "city", ((0.2, 0.4, 0.9), (0.8, 0.8, 0.9), (0.2, 0.3, 0.2)), 5))
    center, size = np.array([80.0, 60.0]), (160, 120)
    ahead = sky.draw(Camera(focal=Curve(np.log(100.0))).view(0, center), size).astype(int)
    # a turn by the angle of 20 pixels next to the middle moves what is there by 20 pixels
    turned = sky.draw(Camera(focal=Curve(np.log(100.0)), yaw=Curve(np.arctan(0.2))).view(0, center), size)
    assert np.abs(turned[50:70, 75:85] - ahead[50:70, 95:105]).mean() < 6
    assert np.abs(turned[50:70, 75:85] - ahead[50:70, 75:85]).mean() > 6


def test_film_defects():
    image = np.full((48, 64, 3), (200, 100, 50), np.float32)
    develop = lambda film: Developer(film, (64, 48), seed=3).develop(image.copy(), 0)  # noqa: E731
    assert np.array_equal(develop(Film()), image.astype(np.uint8))
    grey = develop(Film(saturation=0.0))
    assert (grey == grey[..., :1]).all()
    barred = develop(Film(bars=(0, 6, 0, 4)))
    assert not barred[:6].any()
    assert not barred[-4:].any()
    assert barred[6:-4].all()
    noisy = develop(Film(noise=(5.0, 0.0)))
    assert np.std(noisy - image) == pytest.approx(5, abs=0.5)
    assert develop(Film(vignette=0.5))[0, 0, 0] < 200
    printed, mask = Film(print=1).overlay((64, 48))
    assert np.array_equal(develop(Film(print=1))[mask > 0], printed[mask > 0])
    masked = np.ones((48, 64), bool)
    Film(bars=(3, 0, 2, 0)).crop(masked)
    assert masked.sum() == 48 * 59


def test_video_compression_leaves_marks_and_repeats_itself():
    rng = np.random.default_rng(0)
    pattern = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (64, 48))
    frames = [np.roll(pattern, 2 * shift, axis=1) for shift in range(5)]
    fine, coarse = (recompress(frames, "mpeg4", quantiser) for quantiser in (2, 25))
    assert len(fine) == len(coarse) == 5
    errors = [
        np.mean([np.abs(a - b.astype(int)).mean() for a, b in zip(c, frames, strict=True)]) for c in (fine, coarse)
    ]
    assert errors[0] < errors[1] < 40
    again = recompress(frames, "mpeg4", 25)
    assert all(np.array_equal(a, b) for a, b in zip(coarse, again, strict=True))
