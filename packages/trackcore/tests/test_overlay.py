"""Overlays: what is drawn where, on copies, at any size and for any box."""

from __future__ import annotations

import numpy as np
import pytest

from trackcore.overlay import draw_box, draw_boxes, draw_mask


def grey(height: int = 480, width: int = 640) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def painted(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    return (image != background).any(axis=2)


def test_the_outline_is_the_box():
    image = grey()
    drawn = draw_box(image, (100, 50, 30, 20), (10, 20, 30), thickness=1)
    np.testing.assert_array_equal(image, grey())
    expected = np.zeros((480, 640), bool)
    expected[50:70, 100:130] = True
    expected[51:69, 101:129] = False
    np.testing.assert_array_equal(painted(drawn, image), expected)
    assert (drawn[expected] == (10, 20, 30)).all()


@pytest.mark.parametrize(("height", "line"), [(120, 1), (480, 2), (1080, 4), (2160, 9)])
def test_lines_grow_with_the_picture(height, line):
    image = grey(height, height)
    drawn = draw_box(image, (height / 4, height / 4, height / 2, height / 2))
    middle = painted(drawn, image)[height // 2]
    assert abs(middle[: height // 2].sum() - line) <= 1 + line // 4  # OpenCV rounds the ends of wide lines


@pytest.mark.parametrize(
    "box",
    [
        (-20, -20, 60, 60),
        (630, 470, 100, 100),
        (-50, -50, 1000, 1000),
        (900, 100, 10, 10),
        (-1e12, -1e12, 2e12, 2e12),
        (10, 10, float("inf"), 20),
        (5, 5, 0, 0),
        (5, 5, -3, 7),
    ],
)
def test_any_box_can_be_drawn(box):
    drawn = draw_box(grey(), box, label="target 0.93")
    assert drawn.shape == (480, 640, 3)
    assert painted(drawn, grey()).any()  # the label at least


def test_partly_visible_box():
    shown = painted(draw_box(grey(), (-20, -20, 60, 60), thickness=1), grey())
    assert shown[39, :40].all()
    assert shown[:40, 39].all()
    assert shown.sum() == 79


def test_a_box_outside_without_label_changes_nothing():
    np.testing.assert_array_equal(draw_box(grey(), (900, 100, 10, 10)), grey())


def test_no_target_draws_nothing():
    np.testing.assert_array_equal(draw_box(grey(), (np.nan,) * 4, label="gone"), grey())


@pytest.mark.parametrize(("height", "width"), [(24, 32), (90, 160), (480, 640), (2160, 3840), (1, 1)])
def test_labels_stay_inside_and_are_readable(height, width):
    image = grey(height, width)
    box = (width * 0.9, height * 0.02, width * 0.3, height * 0.2)
    label = painted(draw_box(image, box, (255, 64, 0), "target 0.93"), draw_box(image, box, (255, 64, 0)))
    assert label.any()
    if height >= 90:
        rows = np.flatnonzero(label.any(axis=1))
        assert len(rows) >= 9  # letters and their background
        assert label.sum() > 0.6 * len(rows) * label.any(axis=0).sum()  # one compact block


@pytest.mark.parametrize(("color", "ink"), [((255, 255, 0), 0), ((0, 0, 120), 255)])
def test_letters_contrast_with_their_background(color, ink):
    drawn = draw_box(grey(), (100, 100, 200, 200), color, "MMMM")
    assert (drawn[70:100, 95:200] == ink).all(axis=2).any()


def test_several_boxes_take_colours_in_turn():
    boxes = [(10, 100, 20, 20), (110, 100, 20, 20), (210, 100, 20, 20)]
    drawn = draw_boxes(grey(), boxes, colors=[(1, 2, 3), (4, 5, 6)])
    assert [tuple(drawn[100, x + 10]) for x, *_ in boxes] == [(1, 2, 3), (4, 5, 6), (1, 2, 3)]
    np.testing.assert_array_equal(draw_boxes(grey(), []), grey())


def test_mask_is_blended():
    image = np.full((4, 6, 3), 100, np.uint8)
    mask = np.zeros((4, 6), np.uint8)
    mask[1, 2:4] = 7
    drawn = draw_mask(image, mask, (200, 0, 101), alpha=0.25)
    assert (drawn[1, 2:4] == (125, 75, 100)).all()
    assert (drawn[mask == 0] == 100).all()
    assert (image == 100).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="four numbers"):
        draw_box(grey(), (1, 2, 3))
    with pytest.raises(ValueError, match="2 boxes need as many labels, got 1"):
        draw_boxes(grey(), [(0, 0, 5, 5), (0, 0, 6, 6)], labels=["one"])
    with pytest.raises(ValueError, match="RGB uint8"):
        draw_box(grey().astype(float), (0, 0, 5, 5))
    with pytest.raises(ValueError, match="size of its image"):
        draw_mask(grey(), np.zeros((5, 5), bool))
    with pytest.raises(ValueError, match="alpha"):
        draw_mask(grey(), np.zeros((480, 640), bool), alpha=1.5)
