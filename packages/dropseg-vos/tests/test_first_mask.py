"""Masks that users bring: what is taken, what is refused and why, what can be mended."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from dropseg_vos.first_mask import MaskError, check_mask, read_mask
from trackdata.labels import DAVIS_PALETTE, write_labels

SIZE = (48, 64)


def objects(*numbers: int) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint16)
    for place, number in enumerate(numbers):
        labels[8:30, 4 + 18 * place : 18 + 18 * place] = number
    return labels


def smoothed() -> np.ndarray:
    return cv2.GaussianBlur(objects(255).astype(np.uint8), (7, 7), 0)


class TestFiles:
    @pytest.mark.parametrize("numbers", [(1,), (1, 2, 3), (2, 5), (255,), (7, 300, 40000)])
    def test_numbers_are_kept(self, tmp_path, numbers):
        file = tmp_path / "mask.png"
        write_labels(file, objects(*numbers))
        np.testing.assert_array_equal(read_mask(file, SIZE), objects(*numbers))

    def test_a_foreign_palette_plays_no_part(self, tmp_path):
        palette = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
        write_labels(tmp_path / "mask.png", objects(1, 2), palette)
        np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", SIZE), objects(1, 2))

    def test_black_and_white(self, tmp_path):
        Image.fromarray(objects(1) > 0).save(tmp_path / "mask.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", SIZE), objects(1))

    def test_colours_of_davis(self, tmp_path):
        Image.fromarray(DAVIS_PALETTE[objects(1, 2, 3)]).save(tmp_path / "mask.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", SIZE), objects(1, 2, 3))

    def test_grey_in_three_channels(self, tmp_path):
        Image.fromarray(np.stack([objects(4, 9).astype(np.uint8)] * 3, axis=2)).save(tmp_path / "mask.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", SIZE), objects(4, 9))

    def test_other_colours(self, tmp_path):
        colours = DAVIS_PALETTE[objects(1, 2)]
        colours[20, 20] = (1, 2, 3)
        Image.fromarray(colours).save(tmp_path / "mask.png")
        with pytest.raises(MaskError, match=r"colour image, of whose 4 colours 1 \(such as #010203\)"):
            read_mask(tmp_path / "mask.png", SIZE)

    def test_damaged_or_missing(self, tmp_path):
        with pytest.raises(MaskError, match=r"none.png: the mask cannot be read"):
            read_mask(tmp_path / "none.png", SIZE)
        (tmp_path / "mask.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
        with pytest.raises(MaskError, match=r"mask.png: the file is damaged"):
            read_mask(tmp_path / "mask.png", SIZE)


class TestSmoothedEdges:
    def test_are_refused(self):
        with pytest.raises(MaskError, match=r"numbers besides 0, of which \d+ .* only occur along edges"):
            check_mask(smoothed(), SIZE)

    def test_can_be_mended(self):
        mended = check_mask(smoothed(), SIZE, mend=True)
        assert set(np.unique(mended)) == {0, 255}
        assert (mended != objects(255)).mean() < 0.02

    def test_several_objects(self):
        labels = cv2.resize(objects(60, 120, 200).astype(np.uint8), (96, 72), interpolation=cv2.INTER_LINEAR)
        with pytest.raises(MaskError, match="smoothed or compressed"):
            check_mask(labels, (72, 96))
        mended = check_mask(labels, (72, 96), mend=True)
        assert set(np.unique(mended)) == {0, 60, 120, 200}

    def test_a_compressed_mask_is_refused(self, tmp_path):
        Image.fromarray(objects(255).astype(np.uint8)).save(tmp_path / "mask.jpg", quality=40)
        with pytest.raises(MaskError, match="smoothed or compressed"):
            read_mask(tmp_path / "mask.jpg", SIZE)

    def test_small_objects_are_believed(self):
        labels = objects(1, 2)
        labels[2, 2] = 3
        labels[40:42, 40:42] = 4
        np.testing.assert_array_equal(check_mask(labels, SIZE), labels)

    def test_many_objects_are_believed(self):
        labels = np.zeros((60, 400), np.uint16)
        for number in range(1, 301):
            row, column = divmod(number - 1, 60)
            labels[row * 6 : row * 6 + 5, column * 6 : column * 6 + 5] = number
        np.testing.assert_array_equal(check_mask(labels, (60, 400)), labels)


class TestSize:
    def test_one_column_less(self):
        narrow = objects(1, 2)[:, :-1]
        with pytest.raises(MaskError, match="is 63 x 48, its frame 64 x 48; allow it to be mended"):
            check_mask(narrow, SIZE)
        mended = check_mask(narrow, SIZE, mend=True)
        assert mended.shape == SIZE
        assert (mended != objects(1, 2)).mean() < 0.03

    def test_another_video(self):
        with pytest.raises(MaskError, match="make it for this video's frames"):
            check_mask(objects(1)[:, :32], SIZE, mend=True)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros(SIZE, np.uint8), "shows no object"),
        (np.zeros(SIZE), "integers or bool, got float64"),
        (np.zeros((*SIZE, 3), np.uint8), r"\(H, W\) array"),
        (np.full(SIZE, -1), r"0..65535, got -1"),
        (np.full(SIZE, 70000), "got 70000"),
    ],
)
def test_no_mask(mask, message):
    with pytest.raises(MaskError, match=message):
        check_mask(mask, SIZE)


def test_bool_is_object_one():
    np.testing.assert_array_equal(check_mask(objects(5) > 0, SIZE), objects(1))
