"""Archives for servers: what is packed, what is refused, and that nothing else is touched."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trackdata.cli import main
from trackdata.datasets import dataset_info, open_dataset, open_videos
from trackdata.evaluation import Track, results, submissions, write_track
from trackdata.evaluation.submissions import (
    SERVERS,
    SubmissionError,
    pack_davis,
    pack_folder,
    pack_got10k,
    pack_youtubevos,
    submit,
)
from trackdata.labels import DAVIS_PALETTE, decode_labels, decode_palette, write_labels


@pytest.fixture(scope="session")
def case(conformance_folder) -> dict:
    return json.loads((conformance_folder / "result_files.json").read_text())


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return opened.namelist()


def snapshot(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_the_backup_of_ostracks_packers(case, tmp_path):
    expected = case["results"]["ostrack_submissions"]["archives"]
    for dataset in ("got10k", "trackingnet"):
        files = {name: text for name, text in case["results"]["writer"]["files"].items() if name.startswith(dataset)}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(text.encode())
        with zipfile.ZipFile(pack_folder(tmp_path / dataset, tmp_path / f"{dataset}.zip")) as opened:
            packed = {name: opened.read(name).decode() for name in opened.namelist()}
        assert packed == expected[f"{dataset}.zip"]
    assert sorted(path.name for path in tmp_path.glob("*.zip")) == [
        name for name in case["results"]["ostrack_submissions"]["left"] if name in ("got10k.zip", "trackingnet.zip")
    ]
    with pytest.raises(SubmissionError, match="no text files"):
        pack_folder(tmp_path, tmp_path / "x.zip")


def test_pytracking_packs_900_entries(case, tmp_path):
    videos = [f"GOT-10k_Test_{number:06d}" for number in range(1, 181)]
    boxes = np.trunc(np.array(case["predictions"]["3"]))
    for video in videos:
        for run in range(3):
            path = tmp_path / "r" / video / f"{video}_{run + 1:03d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(results.LEGACY(boxes + run))
        (tmp_path / "r" / video / f"{video}_time.txt").write_text(results.LEGACY_TIMES(np.array(case["times"]["4"])))
    archive = pack_got10k(tmp_path / "r", dict.fromkeys(videos, 4), style=submissions.PYTRACKING_GOT10K)
    assert len(names(archive)) == case["results"]["pytracking_got10k"]["entries"]


def test_how_many_runs_got10k_takes(tmp_path):
    for run in range(4):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / f"a_{run + 1:03d}.txt").write_text("1,2,3,4\n")
    (tmp_path / "a" / "a_time.txt").write_text("0.1\n")
    with pytest.raises(SubmissionError, match="a: 4 runs, but the server takes 3"):
        pack_got10k(tmp_path, {"a": 1})
    with pytest.raises(SubmissionError, match="0 runs, but the server takes 1 to 3"):
        pack_got10k(tmp_path, {"a": 1}, runs=0)
    (tmp_path / "a" / "a_004.txt").unlink()
    assert names(pack_got10k(tmp_path, {"a": 1}, tmp_path / "x.zip", runs=2)) == [
        "a/",
        "a/a_001.txt",
        "a/a_002.txt",
        "a/a_time.txt",
    ]


@pytest.fixture(scope="module")
def test_set(tmp_path_factory) -> Path:
    """A test split of GOT-10k: three sequences of five frames of which only the first box is known."""
    root = tmp_path_factory.mktemp("got10k")
    flags = ["--split", "test", "--sequences", "3", "--frames", "5", "--size", "64x48"]
    assert main(["synth", "--output", str(root), *flags]) == 0
    for boxes in (root / "test").glob("*/groundtruth.txt"):
        boxes.write_text(boxes.read_text().splitlines()[0] + "\n")
        for label in boxes.parent.glob("*.label"):
            label.unlink()
    return root


def test_from_evaluation_to_archive(test_set, tmp_path, capsys):
    source = ["--dataset", "got10k:test", "--root", str(test_set)]
    assert main(["evaluate", "--tracker", "static", *source, "--output", str(tmp_path / "out")]) == 0
    folder = tmp_path / "out" / "static"
    before = snapshot(folder)
    command = ["submit", str(folder), "--benchmark", "got10k", "--dataset-root", str(test_set), "--runs", "3"]
    capsys.readouterr()
    assert main([*command, "--output", str(tmp_path / "a.zip")]) == 1
    assert "got10k_test in" in (told := capsys.readouterr().err)
    assert "has 3 sequences instead of 180" in told
    assert not (tmp_path / "a.zip").exists()
    assert main([*command, "--output", str(tmp_path / "a.zip"), "--partial"]) == 0
    assert "a.zip: 3 sequences" in capsys.readouterr().out
    assert len(names(tmp_path / "a.zip")) == 3 * 5
    assert snapshot(folder) == before
    # The dataset may lie in an archive or LMDB as well.
    shutil.make_archive(str(tmp_path / "got10k"), "zip", test_set)
    assert main(["pack", "--root", str(test_set), "--output", str(tmp_path / "lmdb")]) == 0
    for root in (tmp_path / "got10k.zip", tmp_path / "lmdb"):
        again = submit("got10k", folder, root, tmp_path / "b.zip", runs=3, partial=True)
        assert again.archive.read_bytes() == (tmp_path / "a.zip").read_bytes()


def test_all_that_is_missing_is_said_at_once(test_set, tmp_path, capsys):
    names_of = open_dataset("got10k", test_set, "test").sequence_names
    write_track(tmp_path / "r", names_of[1], Track(np.ones((3, 4)), np.ones(3)))
    command = ["submit", str(tmp_path / "r"), "--benchmark", "got10k", "--dataset-root", str(test_set), "--partial"]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert f"{names_of[0]}, {names_of[2]}: no result" in told
    assert f"{names_of[1]}: 3 boxes for 5 frames" in told
    assert not list(tmp_path.glob("*.zip"))


def test_every_server_reads_a_dataset_there_is():
    for name, server in SERVERS.items():
        info = dataset_info(server.dataset)
        assert server.split is None or server.split in info.splits, name
        assert (info.videos is not None) == (server.content == "masks"), name


def test_what_cannot_be_packed(test_set, tmp_path, capsys):
    command = ["submit", str(tmp_path), "--dataset-root", str(test_set), "--benchmark"]
    assert main([*command, "coco"]) == 2
    assert "--benchmark is one of got10k, trackingnet" in capsys.readouterr().err
    assert main([*command, "vot2022"]) == 2
    assert "vot pack" in capsys.readouterr().err
    with pytest.raises(ValueError, match="runs are for got10k alone"):
        submit("trackingnet", tmp_path, test_set, runs=2)
    with pytest.raises(ValueError, match="no archive is known for 'coco'"):
        submit("coco", tmp_path, test_set)


@pytest.fixture
def davis(tmp_path) -> Path:
    """test-dev of two videos of three frames, 20 x 12 pixels; the first has objects 1 and 2, the second one."""
    root = tmp_path / "DAVIS"
    for video, objects in (("carousel", 2), ("gym", 1)):
        for index in range(3):
            path = root / "JPEGImages" / "480p" / video / f"{index:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 12)).save(path)
        labels = np.zeros((12, 20), np.uint8)
        for number in range(1, objects + 1):
            labels[2:6, 4 * number : 4 * number + 3] = number
        write_labels(root / "Annotations" / "480p" / video / "00000.png", labels)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "test-dev.txt").write_text("carousel\ngym\n")
    return root


@pytest.fixture
def masks(davis, tmp_path) -> Path:
    """The first label map repeated; as a grey image in the last frame of the second video."""
    for video in ("carousel", "gym"):
        labels = decode_labels((davis / "Annotations" / "480p" / video / "00000.png").read_bytes(), video)
        for index in range(3):
            palette = None if (video, index) == ("gym", 2) else DAVIS_PALETTE
            write_labels(tmp_path / "masks" / video / f"{index:05d}.png", labels, palette)
    return tmp_path / "masks"


def test_davis(davis, masks, tmp_path):
    before = snapshot(masks)
    packed = submit("davis2017", masks, davis, tmp_path / "d.zip", partial=True)
    assert names(packed.archive) == [f"{video}/{index:05d}.png" for video in ("carousel", "gym") for index in range(3)]
    with zipfile.ZipFile(packed.archive) as opened:
        assert opened.read("carousel/00001.png") == (masks / "carousel" / "00001.png").read_bytes()
        made = opened.read("gym/00002.png")
    np.testing.assert_array_equal(decode_palette(made, "gym"), DAVIS_PALETTE)
    grey = (masks / "gym" / "00002.png").read_bytes()
    np.testing.assert_array_equal(decode_labels(made, "made"), decode_labels(grey, "grey"))
    assert snapshot(masks) == before
    shutil.make_archive(str(tmp_path / "same"), "zip", masks)
    videos = open_videos("davis2017", davis, "test-dev")
    again = pack_davis(tmp_path / "same.zip", videos, tmp_path / "e.zip")
    assert again.read_bytes() == packed.archive.read_bytes()


def test_label_maps_that_a_server_would_refuse(davis, masks, tmp_path):
    videos = list(open_videos("davis2017", davis, "test-dev"))
    (masks / "carousel" / "00001.png").unlink()
    write_labels(masks / "carousel" / "00002.png", np.zeros((12, 21), np.uint8))
    strange = np.zeros((12, 20), np.uint8)
    strange[3, 3:5] = 7, 2
    write_labels(masks / "gym" / "00001.png", strange)
    Image.new("RGB", (20, 12)).save(masks / "gym" / "00000.png")
    (masks / "gym" / "00002.png").write_bytes(b"no image")
    with pytest.raises(SubmissionError) as caught:
        pack_davis(masks, videos, tmp_path / "d.zip")
    first, second = caught.value.problems
    assert first.startswith("carousel: 1 of 3 frames are missing: 00001; ")
    assert "is 21 x 12, expected 20 x 12" in first
    assert "gym: " in second
    assert "a label map has one number a pixel" in second
    assert "frame 00001 holds 2, 7, the objects are 1" in second
    assert "the file is damaged or no image" in second
    shutil.rmtree(masks / "gym")
    with pytest.raises(SubmissionError, match="gym: no result"):
        pack_davis(masks, videos, tmp_path / "d.zip")
    shutil.rmtree(masks / "carousel")
    with pytest.raises(SubmissionError, match="holds no folder of masks for any of the 2 videos"):
        pack_davis(masks, videos, tmp_path / "d.zip")
    with pytest.raises(SubmissionError, match="there is no such folder"):
        pack_davis(tmp_path / "nowhere", videos, tmp_path / "d.zip")
    with pytest.raises(SubmissionError, match="no video is expected"):
        pack_davis(masks, [], tmp_path / "d.zip")
    assert not list(tmp_path.glob("*.zip"))


def test_youtubevos(tmp_path):
    root = tmp_path / "YouTube"
    part = root / "2019" / "valid"
    for name in ("00000", "00005", "00010"):
        path = part / "JPEGImages" / "0a1b" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 10)).save(path)
    labels = np.zeros((10, 16), np.uint8)
    labels[2:5, 2:5] = 3  # numbers may have gaps
    write_labels(part / "Annotations" / "0a1b" / "00000.png", labels)
    late = np.zeros((10, 16), np.uint8)
    late[6:8, 6:8] = 5
    write_labels(part / "Annotations" / "0a1b" / "00005.png", late)
    frames = {"3": ["00000", "00005"], "5": ["00005"]}  # what is asked for: nothing of 00010
    objects = {number: {"category": "cat", "frames": listed} for number, listed in frames.items()}
    (part / "meta.json").write_text(json.dumps({"videos": {"0a1b": {"objects": objects}}}))
    for name in ("00000", "00005", "00010"):
        write_labels(tmp_path / "r" / "Annotations" / "0a1b" / f"{name}.png", np.maximum(labels, late))
    packed = submit("youtubevos", tmp_path / "r", root, partial=True)
    assert packed.archive == tmp_path / "r_submit.zip"
    assert names(packed.archive) == ["Annotations/0a1b/00000.png", "Annotations/0a1b/00005.png"]
    with zipfile.ZipFile(packed.archive) as opened:
        image = Image.open(io.BytesIO(opened.read("Annotations/0a1b/00005.png")))
    assert (image.mode, image.size) == ("P", (16, 10))
    assert set(np.unique(np.array(image))) == {0, 3, 5}
    (tmp_path / "r" / "Annotations" / "0a1b" / "00005.png").unlink()
    with pytest.raises(SubmissionError, match="0a1b: 1 of 2 frames are missing: 00005"):
        pack_youtubevos(tmp_path / "r", open_videos("youtubevos", root, "valid"), tmp_path / "y.zip")
