"""Result files and server archives, byte for byte where a reference wrote them."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trackdata.evaluation import results, submissions
from trackdata.evaluation.records import Track
from trackdata.evaluation.results import ResultError, read_tracks, write_legacy, write_toolkit, write_track
from trackdata.evaluation.submissions import SubmissionError, pack_got10k, pack_trackingnet

VIDEOS = {"trackingnet": ("YaXKZdSEwt4_0", "y-DH0Xn9Bg0_0"), "got10k": ("GOT-10k_Test_000001", "GOT-10k_Test_000002")}


@pytest.fixture(scope="session")
def case(conformance_folder):
    return json.loads((conformance_folder / "result_files.json").read_text())


@pytest.fixture(scope="session")
def track(case):
    """Results of 4 or 5 frames as the stored case has them."""

    def make(frames: int, scores: bool = False) -> Track:
        boxes, times = case["predictions"][str(frames - 1)], case["times"][str(frames)]
        return Track(np.array(boxes), np.array(times), np.array([0.125, 0.9]) if scores else None)

    return make


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def archive(path: Path) -> dict[str, str | None]:
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        return {name: None if name.endswith("/") else opened.read(name).decode() for name in opened.namelist()}


def test_legacy_writer(case, track, tmp_path):
    write_legacy(tmp_path, "otb", "Basketball", track(4))
    for dataset, videos in VIDEOS.items():
        for frames, video in zip((4, 5), videos, strict=True):
            write_legacy(tmp_path, dataset, video, track(frames, scores=dataset == "got10k"))
    assert files(tmp_path) == case["results"]["writer"]["files"]


def test_legacy_writer_on_the_other_stored_case(conformance_folder, tmp_path):
    stored = json.loads((conformance_folder / "result_files_onestream.json").read_text())
    result = Track(np.array(stored["boxes"]), np.array(stored["times"]))
    for dataset, listed in stored["files_written"].items():
        target = tmp_path / dataset
        write_legacy(target, dataset, "SeqA-1", result)
        assert sorted(files(target)) == sorted(path.removeprefix("<results>/") for path in listed)
    written = files(tmp_path / "got10k" / "got10k")
    assert written == {"SeqA-1.txt": stored["bbox_file"], "SeqA-1_time.txt": stored["time_file"]}
    for dataset, pack in (("got10k", pack_got10k), ("trackingnet", pack_trackingnet)):
        expected = stored[f"submission_{dataset}"]
        name = next(iter(expected)).partition("/")[0].removesuffix(".txt")
        write_legacy(tmp_path / "raw", dataset, name, result)
        packed = archive(pack(tmp_path / "raw" / dataset, {name: 5}, style=submissions.OSTRACK))
        assert {entry: text for entry, text in packed.items() if text is not None} == expected


def test_toolkit_writer(case, track, tmp_path):
    write_toolkit(tmp_path, "Basketball", track(4))
    assert files(tmp_path) == case["results"]["toolkit_otb_writer"]["files"]


def test_ostrack_submissions(case, track, tmp_path):
    expected = case["results"]["ostrack_submissions"]["archives"]
    for dataset, pack in (("got10k", pack_got10k), ("trackingnet", pack_trackingnet)):
        for frames, video in zip((4, 5), VIDEOS[dataset], strict=True):
            write_legacy(tmp_path, dataset, video, track(frames))
        before = files(tmp_path / dataset)
        path = pack(tmp_path / dataset, dict(zip(VIDEOS[dataset], (4, 5), strict=True)), style=submissions.OSTRACK)
        assert path == tmp_path / f"{dataset}_submit.zip"
        assert archive(path) == expected[f"{dataset}_submit.zip"]
        assert files(tmp_path / dataset) == before


def test_toolkit_submission(case, track, tmp_path):
    for video in VIDEOS["got10k"]:
        write_track(tmp_path / "got10k", video, track(4))
    path = pack_got10k(tmp_path / "got10k", dict.fromkeys(VIDEOS["got10k"], 4), style=submissions.TOOLKIT_STYLE, runs=2)
    assert archive(path) == case["results"]["toolkit_got10k_test"]["archive"]


def test_pytracking_submissions(case, track, tmp_path):
    video = "GOT-10k_Test_000001"
    folder = tmp_path / "got10k"
    (folder / video).mkdir(parents=True)
    for run in range(3):
        boxes = np.trunc(track(4).boxes) + run
        (folder / video / f"{video}_{run + 1:03d}.txt").write_text(results.LEGACY(boxes))
    (folder / video / f"{video}_time.txt").write_text(results.LEGACY_TIMES(track(4).times))
    packed = archive(pack_got10k(folder, {video: 4}, style=submissions.PYTRACKING_GOT10K))
    assert packed == case["results"]["pytracking_got10k"]["sample"]
    write_track(tmp_path / "trackingnet", "YaXKZdSEwt4_0", track(4))
    packed = archive(
        pack_trackingnet(tmp_path / "trackingnet", {"YaXKZdSEwt4_0": 4}, style=submissions.PYTRACKING_TRACKINGNET)
    )
    assert packed == case["results"]["pytracking_trackingnet"]["archive"]


def test_own_format_keeps_fractions_and_comes_back(track, tmp_path):
    result = Track(track(4).boxes, track(4).times, np.array([np.nan, 0.5, 0.25, 1.0]))
    write_track(tmp_path, "a", result)
    assert (tmp_path / "a.txt").read_text().splitlines()[1] == "11.5000,17.7500,30.9990,39.8750"
    [back] = read_tracks(tmp_path, "a")
    np.testing.assert_allclose(back.boxes, result.boxes, atol=5e-5)
    np.testing.assert_allclose(back.times, result.times, atol=5e-7)
    np.testing.assert_array_equal(back.scores, result.scores)
    write_track(tmp_path, "a", Track(result.boxes))
    assert read_tracks(tmp_path, "a")[0].times is None  # those of the earlier result are gone


def test_same_archive_twice(track, tmp_path):
    write_track(tmp_path / "r", "v", track(4))
    first = pack_trackingnet(tmp_path / "r", {"v": 4}).read_bytes()
    assert pack_trackingnet(tmp_path / "r", {"v": 4}).read_bytes() == first


@pytest.mark.parametrize(
    "text", ["1,2,3,4\n5,6,7,8", "1\t2\t3\t4\r\n5\t6\t7\t8\r\n", " 1 2  3 4 \n\n5 6 7 8\n\n", "1, 2, 3, 4\n5,6,7,8\n"]
)
def test_readers_take_any_separator(text, tmp_path):
    (tmp_path / "a.txt").write_bytes(text.encode())
    np.testing.assert_array_equal(read_tracks(tmp_path, "a")[0].boxes, [[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize("text", ["", "\n\n", "1,2,3\n4,5,6\n", "1,2,3,4\n5,6,7\n", "1,2,3,x\n"])
def test_malformed_files_are_named(text, tmp_path):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ResultError, match=r"a\.txt"):
        read_tracks(tmp_path, "a")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ResultError, match=r"holds no result for a; expected a\.txt"):
        read_tracks(tmp_path, "a")


@pytest.mark.parametrize("write", [write_track, write_toolkit])
def test_nothing_bad_is_written(write, tmp_path):
    with pytest.raises(ResultError, match="a: the box of frame 1 holds NaN"):
        write(tmp_path, "a", Track(np.array([[1, 2, 3, 4], [np.nan] * 4])))
    with pytest.raises(ResultError, match="cannot be a file name"):
        write(tmp_path, "../a", Track(np.ones((2, 4))))
    with pytest.raises(ResultError, match=r"a: results are \(N, 4\)"):
        write(tmp_path, "a", Track(np.ones((2, 5))))
    assert not any(tmp_path.rglob("*.txt"))


def test_a_full_disk_leaves_the_old_result(tmp_path, monkeypatch):
    write_track(tmp_path, "a", Track(np.ones((2, 4))))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_track(tmp_path, "a", Track(np.zeros((2, 4))))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    np.testing.assert_array_equal(read_tracks(tmp_path, "a")[0].boxes, np.ones((2, 4)))


def test_an_archive_that_the_server_would_refuse_is_not_written(track, tmp_path):
    write_track(tmp_path / "r", "a", track(4))
    write_track(tmp_path / "r", "notime", Track(track(4).boxes))
    (tmp_path / "r" / "nan.txt").write_text("1,2,3,4\nnan,2,3,4\n")
    expected = {"a": 5, "b": 4, "nan": 2, "notime": 4}
    with pytest.raises(SubmissionError) as caught:
        pack_got10k(tmp_path / "r", expected)
    for problem in (
        "a: 4 boxes for 5 frames",
        "b: no result",
        "nan: NaN or infinity in frame 1",
        "notime: no times",
    ):
        assert problem in str(caught.value)
    assert not list(tmp_path.glob("*.zip"))
    with pytest.raises(SubmissionError, match="no sequence is expected"):
        pack_trackingnet(tmp_path / "r", {})
    with pytest.raises(SubmissionError, match="is not a folder"):
        pack_trackingnet(tmp_path / "nowhere", {"a": 4})
    assert "a.txt" in archive(pack_trackingnet(tmp_path / "r", {"a": 4}))
