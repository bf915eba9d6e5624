"""Drawing crops and frame pairs, and what happens to videos that are short, empty or broken."""

from __future__ import annotations

import math
import multiprocessing
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dropmae_pretrain.augment import CropParameters, augment, cut, draw_parameters, largest_crop
from dropmae_pretrain.pair_config import CropConfig, PairConfig
from dropmae_pretrain.pairs import EMPTY, UNREADABLE, FramePairSource
from trackcore.sinks import open_sink
from trackdata.datasets.kinetics import Kinetics
from trackdata.errors import FrameError
from trackdata.faults import SamplingError

SMALL = PairConfig(gap=6, crop=CropConfig(size=32))


@dataclass(frozen=True)
class Numbered:
    """Frames whose pixels say which frame of which video they are; those in ``broken`` cannot be read."""

    video: int
    count: int
    broken: tuple[int, ...] = ()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.broken:
            raise FrameError(f"video {self.video}: frame {index} cannot be decoded")
        return np.full((20, 30, 3), (self.video, index, 0), np.uint8)


@dataclass(frozen=True)
class Numbers:
    name: str
    frames: Numbered


def numbered(*counts: int, broken: dict[int, tuple[int, ...]] | None = None) -> list[Numbers]:
    return [Numbers(str(n), Numbered(n, count, (broken or {}).get(n, ()))) for n, count in enumerate(counts)]


def shown(image: np.ndarray) -> tuple[int, int]:
    """(video, frame) that the pixels of a crop of :class:`Numbered` say."""
    crop = CropConfig()
    pixel = image[:2, 0, 0] * np.array(crop.std[:2]) + np.array(crop.mean[:2])
    return tuple(np.round(pixel * 255).astype(int).tolist())


def pairs_of(source: FramePairSource, count: int, epoch: int = 1) -> list[tuple[int, int, int]]:
    """(video, first frame, second frame) of the first ``count`` pairs of an epoch."""
    found = []
    for index in range(count):
        sample = source(epoch, index)
        video, first = shown(sample["first"])
        assert shown(sample["second"])[0] == video
        found.append((video, first, shown(sample["second"])[1]))
    return found


def test_a_pair_is_two_normalised_crops(video_root):
    sample = FramePairSource(Kinetics(video_root), SMALL, seed=1)(1, 0)
    assert {name: (value.shape, value.dtype.name) for name, value in sample.items() if name != "faults"} == {
        "first": ((3, 32, 32), "float32"),
        "second": ((3, 32, 32), "float32"),
    }
    assert sample["faults"] == {}
    assert not np.array_equal(sample["first"], sample["second"])
    assert -2.2 < sample["first"].min() < sample["first"].max() < 2.7


def test_a_pair_depends_on_seed_epoch_and_index_alone(video_root):
    source = FramePairSource(Kinetics(video_root), SMALL, seed=1)
    forward = [source(1, index) for index in range(6)]
    elsewhere = pickle.loads(pickle.dumps(FramePairSource(Kinetics(video_root), SMALL, seed=1)))
    for index in reversed(range(6)):
        again = elsewhere(1, index)
        for name in ("first", "second"):
            np.testing.assert_array_equal(again[name], forward[index][name])
    for other in (source(2, 0), FramePairSource(Kinetics(video_root), SMALL, seed=2)(1, 0), source(1, 1)):
        assert not np.array_equal(other["first"], forward[0]["first"])


class Still:
    """Frames that all show the same noise; the last ones are larger."""

    def __init__(self, sizes: list[tuple[int, int]]):
        self.frames = [np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        return self.frames[index]


def test_the_same_crop_of_both_frames():
    alike, mixed = Still([(40, 60)] * 2), Still([(40, 60), (60, 60)])
    together = replace(SMALL, same_crop=True)
    for config, frames, same in ((together, alike, True), (SMALL, alike, False), (together, mixed, False)):
        source = FramePairSource([Numbers("still", frames)], config)
        samples = [source(1, index) for index in range(4)]
        assert all(np.array_equal(sample["first"], sample["second"]) for sample in samples) == same
        assert not np.array_equal(samples[0]["first"], samples[1]["first"])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_make_the_same_pairs(video_root, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    source = FramePairSource(Kinetics(video_root), SMALL, seed=1)
    here = [source(1, index) for index in range(4)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        there = list(pool.map(source, [1] * 4, range(4)))
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one["second"], other["second"])


def test_an_epoch_shows_every_video_once_and_then_again():
    source = FramePairSource(numbered(*[3] * 10), SMALL, seed=0)
    videos = [video for video, _, _ in pairs_of(source, 20)]
    assert sorted(videos[:10]) == sorted(videos[10:]) == list(range(10))
    assert videos[:10] != videos[10:]
    assert [video for video, _, _ in pairs_of(source, 10, epoch=2)] != videos[:10]


def test_the_gap_bounds_the_distance_and_short_videos_narrow_it():
    source = FramePairSource(numbered(30, 4, 2, 1), SMALL, seed=0)
    distances: dict[int, set[int]] = {}
    for epoch in range(1, 60):
        for video, first, second in pairs_of(source, 4, epoch):
            distances.setdefault(video, set()).add(second - first)
    assert distances == {0: {1, 2, 3, 4, 5}, 1: {1, 2, 3}, 2: {1}, 3: {0}}


def test_frames_can_be_swapped_and_crops_of_one_frame_be_paired():
    def source(**changes):
        return FramePairSource(numbered(30, 30, 30), replace(SMALL, **changes), seed=0)

    always = pairs_of(source(swap=1.0), 30)
    assert all(first > second for _, first, second in always)
    some = sum(first > second for _, first, second in pairs_of(source(swap=0.5), 60))
    assert 15 <= some <= 45
    assert all(first == second for _, first, second in pairs_of(source(kind="crops"), 30))


def test_crops_of_one_frame_differ(video_root):
    sample = FramePairSource(Kinetics(video_root), replace(SMALL, kind="crops"))(1, 0)
    assert not np.array_equal(sample["first"], sample["second"])


def test_broken_and_empty_videos_are_replaced_and_counted():
    videos = numbered(8, 8, 0, 8, broken={1: tuple(range(8)), 3: (0,)})
    source = FramePairSource(videos, SMALL, seed=0)
    total: dict[str, int] = {}
    for epoch in range(1, 30):
        for index in range(4):
            sample = source(epoch, index)
            assert shown(sample["first"])[0] in (0, 3)
            for name, count in sample["faults"].items():
                total[name] = total.get(name, 0) + count
    assert total.keys() == {UNREADABLE, EMPTY}
    assert total[EMPTY] >= 29  # once an epoch at least, when its turn comes


def test_nothing_but_broken_videos_ends_with_the_reasons():
    source = FramePairSource(numbered(0, 5, broken={1: tuple(range(5))}), replace(SMALL, max_attempts=7))
    with pytest.raises(SamplingError, match=r"no pair in 7 attempts \(.*\d (unreadable videos|videos without frames)"):
        source(1, 0)
    with pytest.raises(ValueError, match="no video to draw pairs from"):
        FramePairSource([], SMALL)


def test_a_file_that_breaks_after_the_manifest_was_made(video_root, tmp_path):
    root = shutil.copytree(video_root, tmp_path / "videos")
    dataset = Kinetics(root)
    broken: Path = root / "moving" / "0.mp4"
    broken.write_bytes(b"\0" * 100)
    source = FramePairSource(dataset, SMALL, seed=0)
    faults = [source(1, index)["faults"] for index in range(len(dataset))]
    assert sum(fault.get(UNREADABLE, 0) for fault in faults) >= 1


def test_a_video_of_one_frame(tmp_path):
    with open_sink(tmp_path / "one.mp4", 10) as sink:
        sink.write(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    sample = FramePairSource(Kinetics(tmp_path), SMALL)(1, 5)
    assert sample["first"].shape == (3, 32, 32)
    assert sample["faults"] == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gap": 1}, "gap must be at least 2"),
        ({"swap": 1.5}, "swap is a probability"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"kind": "crops", "same_crop": True}, "same_crop"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        PairConfig(**changes)


@pytest.mark.parametrize(
    "changes", [{"size": 0}, {"area": (0.0, 1.0)}, {"area": (0.5, 0.2)}, {"aspect": (2.0, 1.0)}, {"std": (0, 1, 1)}]
)
def test_crop_settings_that_make_no_sense(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        CropConfig(**changes)


def test_crops_fill_the_ranges():
    rng, config = np.random.default_rng(0), CropConfig()
    drawn = [draw_parameters(rng, (240, 320), config) for _ in range(2000)]
    areas = np.array([p.height * p.width for p in drawn]) / (240 * 320)
    aspects = np.array([p.width / p.height for p in drawn])
    assert 0.195 < areas.min() < 0.22
    assert areas.max() > 0.9
    assert 0.73 < aspects.min() < 0.78
    assert 1.28 < aspects.max() < 1.36
    assert abs(np.log(aspects).mean()) < 0.05
    assert 0.46 < np.mean([p.flip for p in drawn]) < 0.54
    assert all(p.top + p.height <= 240 and p.left + p.width <= 320 and min(p.top, p.left) >= 0 for p in drawn)
    assert {p.top == 0 for p in drawn} == {True, False}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((100, 100), (100, 100)),
        ((1000, 100), (133, 100)),  # narrow: as high as an aspect of 3 to 4 allows
        ((100, 1000), (100, 133)),
        ((1, 1), (1, 1)),
    ],
)
def test_the_crop_when_none_fits(size, expected):
    assert largest_crop(size, (3 / 4, 4 / 3)) == expected


def test_frames_too_narrow_for_any_drawn_crop():
    config = CropConfig(area=(0.9, 1.0))
    found = draw_parameters(np.random.default_rng(0), (1000, 100), config)
    assert (found.top, found.left, found.height, found.width) == (433, 0, 133, 100)


def test_a_crop_of_one_pixel_and_crops_outside():
    image = np.arange(75, dtype=np.uint8).reshape(5, 5, 3)
    np.testing.assert_array_equal(cut(image, CropParameters(2, 3, 1, 1), 4), np.broadcast_to(image[2, 3], (4, 4, 3)))
    for bad in (CropParameters(0, 0, 6, 5), CropParameters(-1, 0, 2, 2), CropParameters(0, 0, 0, 3)):
        with pytest.raises(ValueError, match=r"crop|beyond"):
            cut(image, bad, 4)


def test_flip_mirrors_and_normalisation_follows():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    plain, config = CropParameters(0, 0, 16, 16), CropConfig(size=16)
    np.testing.assert_array_equal(cut(image, replace(plain, flip=True), 16), image[:, ::-1])
    expected = (image.transpose(2, 0, 1) / 255 - np.array(config.mean)[:, None, None]) / np.array(config.std)[
        :, None, None
    ]
    np.testing.assert_allclose(augment(image, plain, config), expected, atol=1e-6)
    assert math.isclose(float(augment(np.zeros_like(image), plain, config)[0, 0, 0]), -0.485 / 0.229, rel_tol=1e-6)
