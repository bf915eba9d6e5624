"""Generated sequences on disk."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from trackdata.datasets import open_dataset
from trackdata.synth import (
    SynthConfig,
    SynthDataset,
    SynthMismatchError,
    contact_sheet,
    generate_sequence,
    write_got10k,
)

SMALL = SynthConfig(size=(64, 48), frames=3, clutter=(1, 3))


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_layout_is_got10k(tmp_path):
    report = write_got10k(tmp_path, "train", 2, SMALL, seed=1, masks=True)
    assert report.root == tmp_path / "train"
    assert (report.written, report.skipped, report.frames) == (2, 0, 6)
    assert "2 sequences with 6 frames" in str(report)
    assert (report.root / "list.txt").read_text().split() == ["GOT-10k_Train_000001", "GOT-10k_Train_000002"]
    folder = report.root / "GOT-10k_Train_000002"
    names = ["00000001.jpg", "00000002.jpg", "00000003.jpg", "absence.label", "cover.label", "cut_by_image.label"]
    names += ["groundtruth.txt", "masks", "meta_info.ini", "synth.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    lines = (folder / "groundtruth.txt").read_text().splitlines()
    assert len(lines) == 3
    assert all(len(value.split(".")[1]) == 4 for line in lines for value in line.split(","))
    assert (folder / "meta_info.ini").read_text().splitlines()[5] == "object_class: synthetic"

    sequence = generate_sequence(1, "train", 1, SMALL)
    assert np.array_equal(np.loadtxt(folder / "groundtruth.txt", delimiter=","), sequence.boxes)
    assert np.array_equal(np.loadtxt(folder / "cover.label"), sequence.cover)
    assert (folder / "00000002.jpg").read_bytes() == sequence.jpeg(1)
    mask = cv2.imread(str(folder / "masks" / "00000001.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask == 255, sequence.mask(0))


def test_the_got10k_reader_agrees_with_the_dataset_in_memory(tmp_path):
    write_got10k(tmp_path, "val", 2, SMALL, seed=5)
    written, memory = open_dataset("got10k", tmp_path, "val"), SynthDataset(5, "val", 2, SMALL)
    assert len(written) == 2
    for index in range(2):
        assert written[index].name == memory[index].name
        for field in ("boxes", "valid", "visible", "absent"):
            assert np.array_equal(getattr(written[index], field), getattr(memory[index], field)), field
        assert np.array_equal(written[index].frames[2], memory[index].frames[2])


def test_the_number_of_workers_does_not_matter(tmp_path):
    for workers in (1, 2):
        seen = []
        write_got10k(
            tmp_path / str(workers),
            "train",
            3,
            SMALL,
            workers=workers,
            on_progress=lambda *at, seen=seen: seen.append(at),
        )
        assert seen == [(1, 3), (2, 3), (3, 3)]
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_an_interrupted_run_is_continued(tmp_path):
    root = write_got10k(tmp_path, "train", 3, SMALL).root
    complete = contents(root)
    # as a run that died while writing the second sequence leaves it
    half = root / ".GOT-10k_Train_000002.part"
    (root / "GOT-10k_Train_000002").rename(half)
    (half / "synth.json").unlink()
    (half / "00000002.jpg").write_bytes(b"half")
    (root / "list.txt").unlink()
    untouched = (root / "GOT-10k_Train_000001" / "00000001.jpg").stat().st_mtime_ns

    report = write_got10k(tmp_path, "train", 3, SMALL)
    assert (report.written, report.skipped) == (1, 2)
    assert contents(root) == complete
    assert (root / "GOT-10k_Train_000001" / "00000001.jpg").stat().st_mtime_ns == untouched


def test_more_sequences_can_be_added(tmp_path):
    write_got10k(tmp_path / "grown", "train", 1, SMALL)
    report = write_got10k(tmp_path / "grown", "train", 3, SMALL)
    assert (report.written, report.skipped) == (2, 1)
    write_got10k(tmp_path / "whole", "train", 3, SMALL)
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed 0 instead of 1"),
        ({"config": replace(SMALL, frames=4)}, "config.frames 3 instead of 4"),
        ({"masks": True}, "masks False instead of True"),
    ],
)
def test_other_settings_in_the_same_folder_are_an_error(tmp_path, changes, message):
    settings = {"config": SMALL, "seed": 0} | changes
    root = write_got10k(tmp_path, "train", 1, SMALL).root
    before = contents(root)
    with pytest.raises(SynthMismatchError, match=message):
        write_got10k(tmp_path, "train", 1, **settings)
    assert contents(root) == before

    write_got10k(tmp_path, "train", 1, overwrite=True, **settings)
    write_got10k(tmp_path / "fresh", "train", 1, **settings)
    assert contents(root) == contents(tmp_path / "fresh" / "train")


def test_recorded_data_is_never_removed(tmp_path):
    recorded = tmp_path / "train" / "GOT-10k_Train_000001"
    recorded.mkdir(parents=True)
    (recorded / "00000001.jpg").write_bytes(b"precious")
    for overwrite in (False, True):
        with pytest.raises(SynthMismatchError, match="not written by this generator"):
            write_got10k(tmp_path, "train", 1, SMALL, overwrite=overwrite)
    assert (recorded / "00000001.jpg").read_bytes() == b"precious"


def test_the_stamp_says_how_to_make_it_again(tmp_path):
    root = write_got10k(tmp_path, "train", 1, SMALL, seed=8).root
    stamp = json.loads((root / "GOT-10k_Train_000001" / "synth.json").read_text())
    config = SynthConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in stamp["config"].items()})
    again = generate_sequence(stamp["seed"], stamp["split"], 0, config)
    assert again.jpeg(0) == (root / "GOT-10k_Train_000001" / "00000001.jpg").read_bytes()


@pytest.mark.parametrize("arguments", [{"sequences": 0}, {"workers": 0}, {"split": "a/b"}, {"seed": -1}])
def test_bad_arguments_touch_nothing(tmp_path, arguments):
    with pytest.raises(ValueError, match="must"):
        write_got10k(**({"output": tmp_path / "new", "split": "train", "sequences": 1, "config": SMALL} | arguments))
    assert not (tmp_path / "new").exists()


def test_a_contact_sheet_shows_rows_and_columns(tmp_path):
    path = contact_sheet(SynthDataset(0, "train", 2, SMALL), tmp_path / "sheets" / "s.png", rows=5, columns=3, width=80)
    assert cv2.imread(str(path)).shape == (2 * 60, 3 * 80, 3)
    with pytest.raises(ValueError, match="at least one row"):
        contact_sheet(SynthDataset(0, "train", 2, SMALL), tmp_path / "s.png", rows=0)


def test_a_video_can_be_written(tmp_path):
    from trackcore.video import open_video
    from trackdata.synth import write_video

    path = write_video(generate_sequence(0, "train", 0, SMALL), tmp_path / "film.mp4")
    with open_video(path) as frames:
        assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 3
