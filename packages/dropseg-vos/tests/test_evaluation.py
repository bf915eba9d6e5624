"""Benchmarks from end to end: protocols, baselines, scores, archives."""

from __future__ import annotations

import json
import zipfile

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from dropseg_vos.baselines import CopiedMask, FlowedMask
from dropseg_vos.cli import main
from dropseg_vos.config import ModelConfig
from dropseg_vos.evaluation import _identity, evaluate, given_masks, open_benchmark, run_method, sizing_for
from dropseg_vos.loading import load_segmenter
from dropseg_vos.segmenter import prediction_of
from dropseg_vos.sizes import DAVIS, YOUTUBE_VOS, Sizing
from trackdata.datasets import open_videos
from trackdata.evaluation.segmentation import score_masks
from trackdata.labels import decode_labels, decode_palette
from trackdata.synth import preset, write_layout
from trackdata.synth.layouts import layout

UNTRAINED = {"recipe": "debug", "device": "cpu"}
FLAGS = ["--recipe", "debug", "--device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    config = preset("easy", frames=11, size=(64, 48), objects=(2, 3))
    write_layout(layout("davis2017"), root / "DAVIS", "val", 2, config, seed=0)
    write_layout(layout("davis2016"), root / "DAVIS2016", "val", 1, config, seed=0)
    write_layout(layout("youtubevos"), root / "YouTube", "valid", 2, config, seed=1)
    write_layout(layout("youtubevos"), root / "YouTube", "train", 2, config, seed=2)
    return root


def read(path):
    return decode_labels(path.read_bytes(), path)


class Oracle:
    """Knows the annotation: what a perfect method would write."""

    sequential = False

    def __init__(self, videos):
        self.truth = {}
        for video in videos:
            for index in range(len(video)):
                if video.annotated[index]:
                    self.truth[video.frames[index].tobytes()] = video.labels(index)
        self.reset()

    def reset(self):
        self.objects = ()

    def update(self, frame, mask=None):
        if mask is not None:
            self.objects = tuple(sorted({*self.objects, *np.unique(mask[mask > 0]).tolist()}))
        labels = self.truth[frame.tobytes()]
        return prediction_of(np.where(np.isin(labels, self.objects), labels, 0).astype(np.uint8), self.objects)

    def update_many(self, frames):
        return [self.update(frame) for frame in frames]


@pytest.mark.parametrize(("name", "folder", "split"), [
    ("davis2017", "DAVIS", "val"), ("davis2016", "DAVIS2016", "val"), ("youtubevos", "YouTube", "train"),
])  # fmt: skip
def test_a_perfect_method_scores_one(data, tmp_path, name, folder, split):
    videos = open_videos(name, data / folder, split)
    done = run_method(
        Oracle(videos), videos, tmp_path / "oracle" / videos.name, {}, binary=name == "davis2016", batch=3
    )
    assert not done.failures
    scores = score_masks(done.folder, videos)
    assert scores.values["J_mean"] == scores.values["F_mean"] == 1
    assert not scores.notes


def test_objects_are_given_where_they_appear(data):
    for video in open_benchmark("youtubevos", data / "YouTube", "valid"):
        masks = given_masks(video)
        found = {number: frame for frame, mask in masks.items() for number in np.unique(mask) if number}
        assert found == dict(video.first_frames)


def test_davis_2016_is_written_in_black_and_white(data, tmp_path):
    (result,) = evaluate("davis2016", data / "DAVIS2016", tmp_path, network=UNTRAINED)
    for file in result.folder.glob("*/*.png"):
        assert Image.open(file).mode == "L"
        assert set(np.unique(read(file))) <= {0, 255}
    assert 0 <= result.scores.values["J&F"] <= 1


def test_davis_2017_palette_and_first_frame(data, tmp_path):
    (result,) = evaluate("davis2017", data / "DAVIS", tmp_path, network=UNTRAINED, sizes="published", batch=4)
    assert result.frames == 22
    for video in open_benchmark("davis2017", data / "DAVIS"):
        files = sorted((result.folder / video.name).iterdir())
        assert [file.stem for file in files] == list(video.frame_names)
        assert decode_palette(files[0].read_bytes(), "") is not None
        np.testing.assert_array_equal(read(files[0]), given_masks(video)[0])
    rows = [row.name for row in result.scores.sequences]
    assert rows == [f"{video.name}_{number}" for video in open_benchmark("davis2017", data / "DAVIS")
                    for number in video.objects]  # fmt: skip


def test_finished_videos_are_kept_and_others_not_mixed_in(data, tmp_path):
    torch.manual_seed(0)
    first = evaluate("davis2017", data / "DAVIS", tmp_path, network=UNTRAINED, limit=1)[0]
    before = {file: file.read_bytes() for file in first.folder.glob("*/*.png")}
    second = evaluate("davis2017", data / "DAVIS", tmp_path, network=UNTRAINED)[0]
    assert (first.reused, second.reused, second.frames) == (0, 1, 11)
    assert all(file.read_bytes() == content for file, content in before.items())
    other = {**UNTRAINED, "precision": "bf16"}
    with pytest.raises(ValueError, match="results of other options or weights"):
        evaluate("davis2017", data / "DAVIS", tmp_path, network=other)
    assert evaluate("davis2017", data / "DAVIS", tmp_path, network=other, overwrite=True)[0].reused == 0


def test_results_belong_to_the_content_of_weights(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    told = [_identity({"weights": str(tmp_path / name), "device": name}, DAVIS) for name in "abc"]
    assert told[0] == told[1] != told[2]
    assert _identity({"weights": str(tmp_path / "a")}, YOUTUBE_VOS) != told[0]
    before = _identity({"weights": str(tmp_path)}, DAVIS)
    (tmp_path / "network.json").write_text("{}")
    assert _identity({"weights": str(tmp_path)}, DAVIS) != before


def test_a_video_that_fails_does_not_stop_the_others(data, tmp_path):
    videos = open_benchmark("davis2017", data / "DAVIS")
    broken = videos.video_names[0]

    class Failing(CopiedMask):
        def update(self, frame, mask=None):
            if mask is not None and not hasattr(self, "failed"):
                self.failed = True
                raise ValueError("no")
            return super().update(frame, mask)

    done = run_method(Failing(), videos, tmp_path / "copy" / videos.name, {})
    assert done.failures == {broken: "ValueError: no"}
    assert not (done.folder / broken).exists()
    assert (done.folder / videos.video_names[1]).is_dir()


def test_sizes():
    released, small = ModelConfig(), ModelConfig(image_size=96, short_side=200)
    assert sizing_for("davis2017", released) == DAVIS
    assert sizing_for("youtubevos", released) == YOUTUBE_VOS == Sizing("always", 480, antialias=False)
    assert sizing_for("davis2017", small) == Sizing("limit", 200)
    assert sizing_for("davis2017", small, "published") == DAVIS
    assert sizing_for("youtubevos", released, "limit") == Sizing("limit", 480)


class TestBaselines:
    def moving(self):
        """A textured box that moves by 6 pixels a frame over a texture that stays."""

        def texture(seed, height, width, low, high):
            noise = np.random.default_rng(seed).integers(low, high, (height, width, 3)).astype(np.uint8)
            return cv2.normalize(cv2.GaussianBlur(noise, (9, 9), 2), None, low, high, cv2.NORM_MINMAX)

        background, target = texture(0, 120, 160, 0, 160), texture(1, 48, 60, 90, 255)
        frames, masks = [], []
        for step in range(4):
            image, mask = background.copy(), np.zeros((120, 160), np.uint8)
            rows, columns = slice(36, 84), slice(20 + 6 * step, 80 + 6 * step)
            image[rows, columns], mask[rows, columns] = target, 3
            frames.append(image)
            masks.append(mask)
        return frames, masks

    def test_copy(self):
        frames, masks = self.moving()
        follower = CopiedMask()
        with pytest.raises(RuntimeError, match="mask first"):
            follower.update(frames[0])
        follower.update(frames[0], masks[0])
        np.testing.assert_array_equal(follower.update(frames[1]).extras["labels"], masks[0])
        assert follower.objects == (3,)

    def test_flow_follows_what_copy_loses(self):
        frames, masks = self.moving()
        overlaps = []
        for follower in (CopiedMask(), FlowedMask()):
            follower.update(frames[0], masks[0])
            last = follower.update_many(frames[1:])[-1].mask
            overlaps.append((last & (masks[-1] > 0)).sum() / (last | (masks[-1] > 0)).sum())
        assert overlaps[1] > 0.85 > overlaps[0]

    def test_masks_given_later(self):
        frames, masks = self.moving()
        follower = CopiedMask()
        follower.update(frames[0], masks[0])
        new = np.zeros_like(masks[0])
        new[50:60, 30:42] = 8
        labels = follower.update(frames[1], new).extras["labels"]
        np.testing.assert_array_equal(labels, np.where(new, new, masks[0]))
        np.testing.assert_array_equal(follower.update(frames[2], masks[2]).extras["labels"] == 3, masks[2] == 3)


class TestCommand:
    def test_scores_files_and_baselines(self, data, tmp_path, capsys):
        words = ["evaluate", "--dataset", "davis2017", "--root", str(data / "DAVIS"), "--output", str(tmp_path), *FLAGS]
        words += ["--compare", "copy", "--compare", "flow", "--per-object"]
        assert main([*words, "--json", str(tmp_path / "s.json"), "--csv", str(tmp_path / "csv")]) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in ("copy", "flow", "dropseg", "J&F"))
        methods = json.loads((tmp_path / "s.json").read_text())["methods"]
        assert [entry["tracker"] for entry in methods] == ["dropseg", "copy", "flow"]
        lines = (tmp_path / "csv" / "global_results-val.csv").read_text().splitlines()
        assert lines[0] == "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay"

    def test_archive_for_youtube_vos(self, data, tmp_path, capsys):
        words = ["evaluate", "--dataset", "youtubevos", "--root", str(data / "YouTube"), *FLAGS]
        assert main([*words, "--output", str(tmp_path), "--zip", str(tmp_path / "out.zip")]) == 0
        assert "not public" in capsys.readouterr().out
        expected = {
            f"Annotations/{video.name}/{name}.png"
            for video in open_benchmark("youtubevos", data / "YouTube")
            for name, wanted in zip(video.frame_names, video.wanted, strict=True)
            if wanted
        }
        with zipfile.ZipFile(tmp_path / "out.zip") as archive:
            assert set(archive.namelist()) == expected

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            (["--dataset", "davis2018", "--root", "."], 2, "davis2018"),
            (["--dataset", "davis2017", "--root", "."], 1, "no folder JPEGImages/480p"),
            (["--dataset", "davis2017", "--root", "DAVIS", "--split", "dev"], 1, "dev"),
            (
                ["--dataset", "davis2017", "--root", "DAVIS", "--name", "copy", "--compare", "copy"],
                1,
                "name the network otherwise",
            ),
            (["--dataset", "davis2017", "--root", "DAVIS", "--limit", "0"], 2, "--limit"),
        ],
    )
    def test_mistakes_are_explained(self, data, tmp_path, monkeypatch, capsys, words, status, message):
        monkeypatch.chdir(tmp_path)
        words = [str(data / "DAVIS") if word == "DAVIS" else word for word in words]
        assert main(["evaluate", *words, *FLAGS]) == status
        assert message in capsys.readouterr().err


def test_only_wanted_frames_are_segmented(data, tmp_path):
    """YouTube-VOS asks for every fifth frame; those between change nothing and are not looked at."""
    videos = open_benchmark("youtubevos", data / "YouTube")
    segmenter = load_segmenter(**UNTRAINED)
    done = run_method(segmenter, videos, tmp_path / "net" / videos.name, {})
    wanted = sum(int(video.wanted[min(video.first_frames.values()) :].sum()) for video in videos)
    assert done.frames == wanted
