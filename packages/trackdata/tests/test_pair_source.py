"""Samples by number from folders that are partly broken."""

import pickle
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from trackdata.datasets.got10k import Got10k
from trackdata.pairs import PairConfig, PairSource, Region
from trackdata.sampling import REASONS, FaultCounts, MixtureSampler, SamplingError, TridentSampler
from trackdata.sequences import FrameError, Sequence

CONFIG = PairConfig(Region(32, 2.0), Region(64, 4.0, center_jitter=3.0, scale_jitter=0.25))
FRAMES = 24


def write_dataset(root, names):
    rng = np.random.default_rng(7)
    for name in names:
        folder = root / name
        folder.mkdir(parents=True)
        boxes = np.stack(
            [20 + np.arange(FRAMES), np.full(FRAMES, 15), np.full(FRAMES, 16), np.full(FRAMES, 12)], axis=1
        )
        np.savetxt(folder / "groundtruth.txt", boxes, delimiter=",", fmt="%.2f")
        np.savetxt(folder / "absence.label", np.zeros(FRAMES), fmt="%d")
        np.savetxt(folder / "cover.label", np.full(FRAMES, 8), fmt="%d")
        for number in range(1, FRAMES + 1):
            cv2.imwrite(str(folder / f"{number:08d}.jpg"), rng.integers(0, 256, (48, 64, 3), np.uint8))
    (root / "list.txt").write_text("".join(f"{name}\n" for name in names))
    return root


@pytest.fixture
def root(tmp_path):
    return write_dataset(tmp_path / "clean", ["a", "b"])


def samples(source, indices, epoch=0):
    return [source(epoch, index) for index in indices]


def test_a_sample_is_arrays(root):
    sample = PairSource(MixtureSampler([Got10k(root)]), CONFIG)(0, 0)
    shapes = {key: (value.shape, value.dtype.name) for key, value in sample.items()}
    assert shapes == {
        "template": ((3, 32, 32), "float32"),
        "search": ((3, 64, 64), "float32"),
        "template_box": ((4,), "float32"),
        "search_box": ((4,), "float32"),
        "dataset": ((), "int64"),
        "faults": ((1, len(REASONS)), "int64"),
    }
    assert sample["faults"].sum() == 0
    # The template is not jittered: sqrt(16 * 12) * 2 rounds up to 28 pixels, in which the box is 16 x 12 and centred.
    np.testing.assert_allclose(sample["template_box"][2:], [16 / 28, 12 / 28], rtol=1e-6)
    centre = sample["template_box"][:2] + sample["template_box"][2:] / 2
    np.testing.assert_allclose(centre, 0.5, atol=1 / 32)


def test_a_sample_depends_on_seed_epoch_and_index_only(root):
    mixture = MixtureSampler([Got10k(root)])
    source = PairSource(mixture, CONFIG, seed=3)
    forward = samples(source, range(8))
    elsewhere = samples(pickle.loads(pickle.dumps(source)), reversed(range(8)))
    for one, other in zip(forward, reversed(elsewhere), strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    for changed in (samples(source, range(8), epoch=1), samples(PairSource(mixture, CONFIG, seed=4), range(8))):
        assert not any(np.array_equal(a["search"], b["search"]) for a, b in zip(forward, changed, strict=True))


def test_bad_frames_boxes_and_sequences_are_survived_and_counted(tmp_path):
    root = write_dataset(tmp_path, ["good", "frames", "boxes", "absent", "short", "nolabel", "gone"])
    for number in range(1, 7):
        path = root / "frames" / f"{number:08d}.jpg"
        if number <= 2:
            path.unlink()
        elif number <= 4:
            path.write_bytes(path.read_bytes()[:400])
        else:
            path.write_bytes(b"no image")
    rows = (root / "boxes" / "groundtruth.txt").read_text().splitlines()
    rows[3:12] = ["nan,nan,nan,nan"] * 3 + ["0,0,0,0"] * 3 + ["9,9,-5,5"] * 3
    (root / "boxes" / "groundtruth.txt").write_text("\n".join(rows))
    np.savetxt(root / "absent" / "absence.label", np.ones(FRAMES), fmt="%d")
    for path in (root / "short").glob("*.jpg"):
        if path.stem != "00000001":
            path.unlink()
    for name in ("groundtruth.txt", "absence.label", "cover.label"):
        path = root / "short" / name
        path.write_text(path.read_text().splitlines()[0])
    (root / "nolabel" / "cover.label").unlink()
    (root / "gone" / "groundtruth.txt").unlink()

    source = PairSource(MixtureSampler([Got10k(root)]), CONFIG)
    drawn = samples(source, range(150))
    assert all(np.isfinite(sample["search"]).all() and np.isfinite(sample["search_box"]).all() for sample in drawn)
    faults = FaultCounts(source.mixture.names, sum(sample["faults"] for sample in drawn))
    assert {reason for _, reason, count in faults.rows()} >= {"frame", "few_visible", "too_short", "annotation"}
    assert "got10k: " in str(faults)


def test_boxes_without_a_crop_start_the_draw_again(root):
    # Without label files visibility is not known; frames with a valid box far outside the image are drawn and rejected.
    folder = root / "a"
    for label in folder.glob("*.label"):
        label.unlink()
    rows = (folder / "groundtruth.txt").read_text().splitlines()
    rows[:8] = ["-900,5,16,12"] * 8
    (folder / "groundtruth.txt").write_text("\n".join(rows))
    source = PairSource(MixtureSampler([Got10k(root)]), CONFIG)
    faults = sum(sample["faults"] for sample in samples(source, range(40)))
    assert faults[0, REASONS.index("outside")] > 5


def test_a_dataset_without_images_ends_with_the_reasons(root):
    for path in root.glob("*/*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(SamplingError, match=r"in 9 attempts \(got10k: 9 x image missing.*\.jpg: the file is empty"):
        PairSource(MixtureSampler([Got10k(root)]), CONFIG, max_attempts=9)(0, 0)


class OneImage:
    """Frames of a still image; counts how often it is read."""

    def __init__(self):
        self.reads = 0

    def __len__(self):
        return 1

    def __getitem__(self, index):
        if index != 0:
            raise FrameError("a still image has one frame")
        self.reads += 1
        return np.full((48, 64, 3), 80, np.uint8)


@dataclass
class Stills:
    frames: OneImage
    name: str = "stills"
    still: bool = True

    def __len__(self):
        return 1

    def __getitem__(self, index):
        mask = np.zeros((48, 64), bool)
        mask[10:30, 20:40] = True
        boxes = np.array([[20.0, 10, 20, 20]])
        return Sequence("image", self.frames, boxes, np.array([True]), masks=lambda frame: mask)


def test_a_still_image_is_read_once_and_paired_with_itself():
    frames = OneImage()
    sample = PairSource(MixtureSampler([Stills(frames)]), CONFIG)(0, 0)
    assert frames.reads == 1
    assert sample["search_box"][2] > 0


def test_strategies_with_more_than_a_pair_are_refused():
    with pytest.raises(ValueError, match="one template and one search"):
        PairSource(MixtureSampler([Stills(OneImage())], strategy=TridentSampler(5)), CONFIG)
