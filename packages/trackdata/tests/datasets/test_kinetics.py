"""Folders of videos, their manifest, and what happens to files that are broken."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from trackcore.video import open_sink, open_video
from trackdata.clips import read_frames
from trackdata.datasets import open_dataset
from trackdata.datasets.images import Images
from trackdata.datasets.kinetics import Kinetics, find_videos
from trackdata.errors import AnnotationError
from trackdata.manifest import read_manifest
from trackdata.process_map import Died, map_in_processes
from trackdata.storage import open_store

FILE = ".trackdata/videos.jsonl"


def write_clip(path: Path, frames: int, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with open_sink(path, 10) as sink:
        for _ in range(frames):
            sink.write(rng.integers(0, 256, (32, 48, 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two classes, three good videos, one of a single frame, one that is none, one that is cut off."""
    root = tmp_path_factory.mktemp("kinetics")
    write_clip(root / "riding" / "b.mp4", 7)
    write_clip(root / "riding" / "a one.mp4", 1)
    write_clip(root / "archery" / "z.mp4", 5)
    (root / "archery" / "broken.mp4").write_bytes(b"no video")
    whole = write_clip(root / "archery" / "cut.mp4", 9)
    whole.write_bytes(whole.read_bytes()[:2000])
    (root / "archery" / "._z.mp4").write_bytes(b"left by a Mac")
    (root / "archery" / "notes.txt").write_text("not a video")
    return root


@pytest.fixture
def root(made, tmp_path) -> Path:
    """A copy without a manifest."""
    return shutil.copytree(made, tmp_path / "kinetics")


def test_videos_and_classes(root):
    dataset = Kinetics(root)
    assert [video.name for video in dataset] == ["archery/z", "riding/a one", "riding/b"]
    assert [len(video) for video in dataset] == dataset.lengths.tolist() == [5, 1, 7]
    assert [video.object_class for video in dataset] == ["archery", "riding", "riding"]
    assert dataset.classes == ("archery", "riding")
    assert dataset.unreadable.keys() == {"archery/broken.mp4", "archery/cut.mp4"}
    assert "no video" in dataset.unreadable["archery/broken.mp4"]
    with open_video(root / "riding" / "b.mp4") as source:
        expected = [frame.image for frame in source]
    np.testing.assert_array_equal(dataset[2].frames[3], expected[3])
    for image, index in zip(read_frames(dataset[2].frames, [6, 0]), [6, 0], strict=True):
        np.testing.assert_array_equal(image, expected[index])


def test_a_copy_for_another_process_is_small_and_the_same(root):
    dataset = open_dataset("kinetics", root)
    copy = pickle.loads(pickle.dumps(dataset))
    assert [video.name for video in copy] == [video.name for video in dataset]
    np.testing.assert_array_equal(copy[0].frames[1], dataset[0].frames[1])


def test_the_manifest_tells_what_was_found(root):
    dataset = Kinetics(root)
    assert dataset.manifest_file == root / FILE
    lines = [json.loads(line) for line in dataset.manifest_file.read_text().splitlines()]
    assert lines[0] == {"format": "trackdata videos 1"}
    keys = [line["key"] for line in lines[1:]]
    assert keys == sorted(keys) == find_videos(open_store(root))
    by_key = {line["key"]: line for line in lines[1:]}
    good = by_key["riding/b.mp4"]
    assert (good["frames"], good["fps"], good["duration"], good["size"]) == (7, 10.0, pytest.approx(0.7), [32, 48])
    assert (by_key["archery/cut.mp4"]["frames"], good["fault"]) == (0, "")


def test_only_new_and_changed_files_are_opened_again(root, monkeypatch):
    digest = Kinetics(root).digest
    opened = []
    real = sys.modules["trackdata.datasets.kinetics"].inspect_clip
    monkeypatch.setattr("trackdata.datasets.kinetics.inspect_clip", lambda path: opened.append(path.name) or real(path))
    assert Kinetics(root).digest == digest
    assert opened == []
    write_clip(root / "riding" / "c.mp4", 3)
    write_clip(root / "archery" / "z.mp4", 6)
    os.utime(root / "riding" / "b.mp4", ns=(1, 1))
    (root / "riding" / "a one.mp4").unlink()
    changed = Kinetics(root)
    assert sorted(opened) == ["b.mp4", "c.mp4", "z.mp4"]
    assert [(video.name, len(video)) for video in changed] == [("archery/z", 6), ("riding/b", 7), ("riding/c", 3)]
    assert changed.digest != digest


def test_the_digest_is_of_names_and_lengths_alone(root, tmp_path):
    elsewhere = shutil.copytree(root, tmp_path / "elsewhere")
    for path in elsewhere.rglob("*.mp4"):
        os.utime(path, ns=(5, 5))
    assert Kinetics(root).digest == Kinetics(elsewhere).digest


def test_an_interrupted_manifest_is_continued(root, monkeypatch):
    real = sys.modules["trackdata.datasets.kinetics"].inspect_clip
    opened = []

    def until_the_third(path):
        if len(opened) == 3:
            raise KeyboardInterrupt
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr("trackdata.datasets.kinetics.inspect_clip", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        Kinetics(root)
    assert not (root / FILE).exists()
    partial = root / f"{FILE}.partial"
    assert len(read_manifest(partial).entries) == 3
    partial.write_text(partial.read_text() + '{"key": "riding/b.mp4", "sta')  # killed in the middle of a line
    first, opened = opened, []
    dataset = Kinetics(root)
    assert sorted(first + opened) == ["a one.mp4", "b.mp4", "broken.mp4", "cut.mp4", "z.mp4"]
    assert len(dataset) == 3
    assert sorted(path.name for path in (root / FILE).parent.iterdir()) == [".videos.jsonl.lock", "videos.jsonl"]


@pytest.mark.slow
def test_a_killed_manifest_is_continued(root):
    for number in range(60):
        shutil.copy(root / "riding" / "b.mp4", root / "riding" / f"{number}.mp4")
    program = "import sys; from trackdata.datasets.kinetics import Kinetics; Kinetics(sys.argv[1])"
    started = subprocess.Popen([sys.executable, "-c", program, str(root)])
    partial = root / f"{FILE}.partial"
    while started.poll() is None and len(read_manifest(partial).entries) < 5:
        time.sleep(0.002)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert len(Kinetics(root)) == 63


def test_a_manifest_of_another_format_is_made_anew(root):
    Kinetics(root)
    (root / FILE).write_text('{"format": "trackdata videos 0"}\n{"key": 1}\n')
    assert len(Kinetics(root)) == 3


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_manifest_is_mended(root, seed):
    whole = Kinetics(root).manifest_file.read_bytes()
    rng = np.random.default_rng(seed)
    data = bytearray(whole)
    for at in rng.integers(0, len(data), 6):
        data[at] = rng.integers(256)
    (root / FILE).write_bytes(bytes(data) + b'[]\n"text"\n{"key": "riding/b.mp4"}\n')
    dataset = Kinetics(root)
    assert [entry.key for entry in read_manifest(root / FILE).entries] == find_videos(open_store(root))
    assert len(dataset) + len(dataset.unreadable) == 5


def test_processes_make_the_same_manifest(root):
    told = []
    dataset = Kinetics(root, workers=2, on_progress=lambda done, total: told.append((done, total)))
    text = dataset.manifest_file.read_text()
    assert told == [(done, 5) for done in range(1, 6)]
    dataset.manifest_file.unlink()
    assert Kinetics(root).manifest_file.read_text() == text


def test_a_process_that_dies_takes_only_its_item_with_it():
    # eval stands for a function over items: these items are its programs, and one ends its process.
    items = ["1 + 1", "__import__('os')._exit(1)", "2 + 2", *(f"{number} * 10" for number in range(12))]
    found = dict(map_in_processes(eval, items, 2))
    assert found == {item: Died() if "exit" in item else eval(item) for item in items}


def test_several_processes_that_ask_at_once(root):
    program = "import sys; from trackdata.datasets.kinetics import Kinetics; print(Kinetics(sys.argv[1]).digest)"
    command = [sys.executable, "-c", program, str(root)]
    asked = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    digests = {process.communicate()[0].strip() for process in asked}
    assert digests == {Kinetics(root).digest}


def test_the_manifest_in_a_cache_folder(root, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    dataset = Kinetics(root, cache=cache)
    assert dataset.manifest_file.parent == cache
    assert not (root / FILE).exists()
    assert Kinetics(root / "riding", cache=cache).manifest_file != dataset.manifest_file


def test_data_that_cannot_be_written_to(root, tmp_path, monkeypatch):
    text = Kinetics(root).manifest_file.read_text()
    shutil.rmtree(root / ".trackdata")
    (root / ".trackdata").write_text("in the way")  # stands for a folder without permission, which tests as root have
    monkeypatch.setenv("TRACKDATA_CACHE", str(tmp_path / "cache"))
    dataset = Kinetics(root)
    assert dataset.manifest_file.parent == tmp_path / "cache"
    assert dataset.manifest_file.read_text() == text
    monkeypatch.setenv("TRACKDATA_CACHE", str(root / ".trackdata"))
    with pytest.raises(AnnotationError, match=r"can be kept neither in .* nor in .*; set TRACKDATA_CACHE"):
        Kinetics(root)


def test_videos_without_classes(root):
    dataset = Kinetics(root, "riding")
    assert [(video.name, video.object_class) for video in dataset] == [("a one", None), ("b", None)]
    assert dataset.classes == ()


def write_frames(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        image = np.full((24, 32, 3), 10 * number, np.uint8)
        cv2.imwrite(str(folder / f"image_{number}.jpg"), image)


@pytest.fixture
def frames_root(tmp_path) -> Path:
    root = tmp_path / "frames"
    write_frames(root / "riding" / "long", 11)
    write_frames(root / "riding" / "one", 1)
    write_frames(root / "archery" / "z", 3)
    (root / "archery" / "empty").mkdir()
    (root / "archery" / "empty" / "readme.txt").write_text("no images")
    return root


def pack_lmdb(root: Path, target: Path) -> Path:
    with lmdb.open(str(target), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for path in root.rglob("*"):
            if path.is_file():
                transaction.put(path.relative_to(root).as_posix().encode(), path.read_bytes())
    return target


@pytest.mark.parametrize("storage", ["folder", "zip", "lmdb"])
def test_folders_of_frames_in_every_storage(frames_root, tmp_path, storage):
    place = {
        "folder": lambda: frames_root,
        "zip": lambda: Path(shutil.make_archive(str(tmp_path / "packed"), "zip", frames_root)),
        "lmdb": lambda: pack_lmdb(frames_root, tmp_path / "frames_lmdb"),
    }[storage]()
    dataset = Kinetics(place)
    assert [(video.name, len(video)) for video in dataset] == [("archery/z", 3), ("riding/long", 11), ("riding/one", 1)]
    assert dataset.lengths.tolist() == [3, 11, 1]
    assert list(dataset.unreadable) == ["archery/empty/"]
    # 2 before 10: frame k shows the grey of number k + 1
    for index, image in zip([10, 1], read_frames(dataset[1].frames, [10, 1]), strict=True):
        assert abs(int(image[0, 0, 0]) - 10 * (index + 1)) <= 2
    assert Kinetics(place, cache=tmp_path / "cache").digest == dataset.digest


def test_sequences_of_a_tracking_dataset_are_videos_and_their_masks_are_not(tmp_path):
    for name in ("GOT-10k_Train_000001", "GOT-10k_Train_000002"):
        write_frames(tmp_path / "train" / name, 3)
        write_frames(tmp_path / "train" / name / "masks", 3)
        (tmp_path / "train" / name / "groundtruth.txt").write_text("1,2,3,4\n" * 3)
    (tmp_path / "train" / "list.txt").write_text("GOT-10k_Train_000001\nGOT-10k_Train_000002\n")
    dataset = Kinetics(tmp_path, "train")
    assert [video.name for video in dataset] == ["GOT-10k_Train_000001", "GOT-10k_Train_000002"]
    assert (dataset.lengths.tolist(), dataset.classes) == ([3, 3], ())


def test_video_files_in_an_archive_are_refused_with_advice(root, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    with pytest.raises(AnnotationError, match=r"none of the 5 videos .*unpack the archive"):
        Kinetics(packed)


def test_folders_without_videos(tmp_path):
    with pytest.raises(AnnotationError, match="there is no such folder"):
        Kinetics(tmp_path / "gone")
    with pytest.raises(AnnotationError, match=r"holds no videos; expected <class>/<video>\.mp4"):
        Kinetics(tmp_path)
    with pytest.raises(AnnotationError, match="train: holds no videos"):
        Kinetics(tmp_path, "train")
    (tmp_path / "train" / "class").mkdir(parents=True)
    with pytest.raises(AnnotationError, match="none of the 1 videos can be read; the first, train/class/: the folder"):
        Kinetics(tmp_path)


def test_still_images(tmp_path):
    write_frames(tmp_path / "b", 2)
    write_frames(tmp_path / "a", 1)
    cv2.imwrite(str(tmp_path / "alone.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    dataset = open_dataset("images", tmp_path)
    assert [(image.name, image.object_class, len(image)) for image in dataset] == [
        ("a/image_1", "a", 1),
        ("alone", None, 1),
        ("b/image_1", "b", 1),
        ("b/image_2", "b", 1),
    ]
    assert dataset[3].frames[0].shape == (24, 32, 3)
    assert pickle.loads(pickle.dumps(dataset)).digest == Images(tmp_path).digest != Images(tmp_path, "b").digest
    with pytest.raises(AnnotationError, match="holds no images"):
        Images(tmp_path, "c")
