"""Segmenting videos into files, from Python and from the command line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from dropseg_vos.cli import main
from dropseg_vos.first_mask import MaskError
from dropseg_vos.loading import load_segmenter
from dropseg_vos.overlays import draw_labels
from dropseg_vos.running import follow, segment_video
from trackcore.sinks import FolderWriter, open_sink
from trackcore.video import Frame, FrameReadError, open_video
from trackdata.labels import decode_labels, decode_palette, write_labels

SIZE = (40, 56)
UNTRAINED = ["--recipe", "debug", "--device", "cpu"]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def video(tmp_path_factory, images):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with open_sink(path, 10) as sink:
        for image in images:
            sink.write(image)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory, images):
    path = tmp_path_factory.mktemp("folder")
    for number, image in zip((8, 9, 10, 11, 12), images, strict=True):
        Image.fromarray(image).save(path / f"img{number}.jpg")
    return path


@pytest.fixture
def segmenter():
    torch.manual_seed(0)
    return load_segmenter(recipe="debug", device="cpu")


def labels(*numbers: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint16)
    for place, number in enumerate(numbers):
        mask[5:25, 3 + 20 * place : 18 + 20 * place] = number
    return mask


def read(path):
    return decode_labels(path.read_bytes(), path)


class TestFollow:
    def test_batches_give_the_same_in_the_same_order(self, segmenter, images):
        frames = [Frame(index, 0.0, image) for index, image in enumerate(images)]
        masks = {0: labels(1), 2: labels(0, 4)}
        found = []
        for size in (1, 2, 8):
            results = follow(segmenter, frames, masks, batch=size)
            found.append([(frame.index, prediction.extras["labels"]) for frame, prediction in results])
        for result in found:
            assert [index for index, _ in result] == [0, 1, 2, 3, 4]
            for (_, one), (_, other) in zip(result, found[0], strict=True):
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(found[0][0][1], labels(1))
        np.testing.assert_array_equal(found[0][2][1] == 4, labels(0, 4) == 4)

    def test_frames_before_the_first_mask_have_no_result(self, segmenter, images):
        frames = [Frame(index, 0.0, image) for index, image in enumerate(images)]
        assert [frame.index for frame, _ in follow(segmenter, frames, {3: labels(1)})] == [3, 4]

    def test_a_mask_for_a_frame_that_never_comes(self, segmenter, images):
        frames = [Frame(index, 0.0, image) for index, image in enumerate(images)]
        with pytest.raises(FrameReadError, match="frame 9, for which a mask is given"):
            list(follow(segmenter, frames, {0: labels(1), 9: labels(2)}))


def test_files_of_a_video(segmenter, video, tmp_path):
    out = tmp_path / "masks"
    done = segment_video(segmenter, video, {0: labels(2, 5)}, output=out, overlay=tmp_path / "overlay.mp4", batch=2)
    assert (done.frames, done.skipped, done.interrupted) == (5, 0, False)
    assert sorted(file.name for file in out.iterdir()) == [f"{number:05d}.png" for number in range(5)]
    np.testing.assert_array_equal(read(out / "00000.png"), labels(2, 5))
    assert decode_palette((out / "00001.png").read_bytes(), "") is not None
    with open_video(tmp_path / "overlay.mp4") as frames:
        assert sum(1 for _ in frames) == 5


def test_files_of_a_folder_are_called_as_its_images(segmenter, folder, tmp_path):
    segment_video(segmenter, folder, {0: labels(1)}, output=tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {f"img{number}.png" for number in (8, 9, 10, 11, 12)}
    np.testing.assert_array_equal(read(tmp_path / "img8.png"), labels(1))


def test_numbers_above_255(segmenter, video, tmp_path):
    segment_video(segmenter, video, {0: labels(3, 1000)}, output=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "00000.png"), labels(3, 1000))
    assert set(np.unique(read(tmp_path / "00003.png"))) <= {0, 3, 1000}


def test_overlay_colours_do_not_change_with_company(images):
    both, one = draw_labels(images[0], labels(1, 2)), draw_labels(images[0], labels(0, 2))
    inside = labels(0, 2) == 2
    np.testing.assert_array_equal(both[inside], one[inside])
    assert (both[labels(1, 2) == 1] != images[0][labels(1, 2) == 1]).any()
    np.testing.assert_array_equal(draw_labels(images[0], labels()), images[0])


class TestCommand:
    def test_mask_late_mask_and_overlay(self, video, tmp_path, capsys):
        write_labels(tmp_path / "first.png", labels(1, 2))
        late = labels(0) + (np.arange(SIZE[1]) > 45) * 7
        write_labels(tmp_path / "late.png", late.astype(np.uint8))
        words = ["segment", str(video), "--mask", str(tmp_path / "first.png"), "--add", f"3={tmp_path / 'late.png'}"]
        words += ["--output", str(tmp_path / "out"), "--overlay", str(tmp_path / "frames"), *UNTRAINED, "--batch", "2"]
        assert main(words) == 0
        captured = capsys.readouterr()
        assert "5 frames, objects 1, 2, 7" in captured.out
        assert "random weights" in captured.err
        np.testing.assert_array_equal(read(tmp_path / "out" / "00003.png") == 7, late == 7)
        assert not (read(tmp_path / "out" / "00002.png") == 7).any()
        assert len(list((tmp_path / "frames").iterdir())) == 5

    def test_box(self, video, tmp_path, capsys):
        words = ["segment", str(video), "--init", "10,8,20,16", "--output", str(tmp_path), *UNTRAINED]
        assert main([*words, "--first-mask", "box"]) == 0
        first = read(tmp_path / "00000.png")
        assert first.sum() == 20 * 16
        assert first[8:24, 10:30].all()

    def test_mending(self, video, tmp_path, capsys):
        write_labels(tmp_path / "first.png", labels(1, 2)[:, :-1])
        words = ["segment", str(video), "--mask", str(tmp_path / "first.png"), *UNTRAINED]
        assert main(words) == 1
        assert "is 55 x 40, its frame 56 x 40" in capsys.readouterr().err
        assert main([*words, "--mend"]) == 0

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            (["segmnet"], 2, "no verb 'segmnet' (known: segment, "),
            (["segment", "VIDEO", *UNTRAINED], 2, "give --mask"),
            (["segment", "VIDEO", "--mask", "a.png", "--init", "1,2,3,4", *UNTRAINED], 2, "give --mask"),
            (["segment", "VIDEO", "--mask", "a.png"], 2, "give --weights"),
            (["segment", "VIDEO", "--mask", "a.png", *UNTRAINED], 1, "a.png: the mask cannot be read"),
            (["segment", "VIDEO", "--init", "1,2,3", *UNTRAINED], 2, "x,y,w,h"),
            (["segment", "VIDEO", "--init", "1,2,3,4", *UNTRAINED], 1, "alpha-refine"),
            (["segment", "VIDEO", "--mask", "a.png", "--add", "x", *UNTRAINED], 2, "FRAME=MASK.png"),
            (["segment", "VIDEO", "--mask", "a.png", "--batch", "0", *UNTRAINED], 2, "--batch"),
            (["segment", "none.mp4", "--mask", "a.png", *UNTRAINED], 1, "none.mp4"),
            (["segment", "VIDEO", "--mask", "a.png", "--recipe", "debgu"], 1, "did you mean 'debug'"),
            (["segment", "VIDEO", "--mask", "a.png", "--weights", "no.pth"], 1, "no.pth"),
        ],
    )
    def test_mistakes_are_explained(self, video, tmp_path, monkeypatch, capsys, words, status, message):
        monkeypatch.chdir(tmp_path)
        assert main([str(video) if word == "VIDEO" else word for word in words]) == status
        assert message in capsys.readouterr().err

    def test_recipes(self, capsys):
        assert main(["recipes"]) == 0
        assert "retrain_s03" in capsys.readouterr().out.split()


def test_no_mask(segmenter, video):
    with pytest.raises(ValueError, match="needs a mask"):
        segment_video(segmenter, video, {})
    with pytest.raises(MaskError, match="shows no object"):
        segment_video(segmenter, video, {0: labels()})


def test_an_interrupted_run_keeps_what_it_has(segmenter, folder, tmp_path):
    def stop(frame, prediction):
        if frame.index == 2:
            raise KeyboardInterrupt

    done = segment_video(segmenter, folder, {0: labels(1)}, output=tmp_path, on_frame=stop)
    assert done.interrupted
    assert done.frames == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_unreadable_frames_are_left_out(segmenter, tmp_path, images):
    with FolderWriter(tmp_path / "in", ".png") as sink:
        for image in images:
            sink.write(image)
    (tmp_path / "in" / "00000003.png").write_bytes(b"broken")
    done = segment_video(segmenter, tmp_path / "in", {0: labels(1)}, output=tmp_path / "out")
    assert (done.frames, done.skipped) == (4, 1)
    assert not (tmp_path / "out" / "00000003.png").exists()
