"""Results of other programs, taken over."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from trackdata.cli import main
from trackdata.datasets import open_dataset
from trackdata.evaluation import ResultError, Track, run, score, write_track
from trackdata.evaluation.importing import import_results, scan
from trackdata.evaluation.importing.matching import NameMatcher
from trackdata.evaluation.results import read_tracks, write_runs
from trackdata.evaluation.vot.trajectories import Trajectory, write_trajectory
from trackdata.regions import FAILURE, NOTHING, START, Mask, Polygon

BOXES = np.array([[11, 22, 33, 44], [11.5, 17.75, 30.999, 39.87512345], [1e-7, -7.5, 12.49, 0]])


def put(path: Path, rows: np.ndarray, separator: str = ",", form: str = "%r") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.asarray(rows, float).reshape(len(rows), -1)
    path.write_text("".join(separator.join(form % value for value in row) + "\n" for row in rows.tolist()))


def taken(report) -> list[tuple]:
    return [(entry.tracker, entry.group, entry.layout, entry.sequences, entry.runs) for entry in report.taken]


def left(report) -> dict[str, str]:
    return {entry.path.name: entry.reason for entry in report.left}


def test_pytracking(tmp_path):
    base = tmp_path / "tracking_results" / "dimp"
    for number in range(2):
        for name in ("Basketball", "uav_bike1"):
            put(base / f"dimp50_{number:03d}" / f"{name}.txt", np.trunc(BOXES) + number, "\t", "%d")
            put(base / f"dimp50_{number:03d}" / f"{name}_time.txt", [0.5, 0.25, 0.125 * (number + 1)])
    put(base / "dimp50_000" / "Basketball_all_scores.txt", [0.25, 0.5, 1])
    put(base / "dimp50_000" / "Basketball_all_boxes.txt", BOXES)
    put(base / "super_256" / "got10k" / "GOT-10k_Test_000001.txt", BOXES, "\t")  # as OSTrack has it
    report = import_results(tmp_path / "tracking_results", tmp_path / "out")
    assert taken(report) == [
        ("dimp-dimp50", None, "pytracking", 2, 4),
        ("dimp-super_256", None, "pytracking", 1, 1),
    ]
    assert report.left == ()
    first, second = read_tracks(tmp_path / "out" / "dimp-dimp50", "Basketball")
    np.testing.assert_array_equal(second.boxes, np.trunc(BOXES) + 1)
    np.testing.assert_array_equal(second.times, [0.5, 0.25, 0.25])
    np.testing.assert_array_equal(first.scores, [0.25, 0.5, 1])
    assert second.scores is None
    # At any level.
    assert taken(import_results(base / "super_256" / "got10k", tmp_path / "again", name="mine"))[0][0] == "mine"


def test_the_got10k_toolkit(tmp_path):
    for dataset, name in (("OTB2015", "Basketball"), ("UAV123", "bike1")):
        put(tmp_path / "r" / dataset / "SiamFC" / f"{name}.txt", BOXES, form="%.3f")
        put(tmp_path / "r" / dataset / "SiamFC" / "times" / f"{name}_time.txt", [0.5, 0.25, 0.125])
    folder = tmp_path / "r" / "GOT-10k" / "SiamFC" / "GOT-10k_Val_000001"
    for number in range(1, 4):
        put(folder / f"GOT-10k_Val_000001_{number:03d}.txt", BOXES + number)
    put(folder / "GOT-10k_Val_000001_time.txt", [[0.1, 0.2, 0.3]] * 3)
    report = import_results(tmp_path / "r", tmp_path / "out")
    assert taken(report) == [
        ("SiamFC", "GOT-10k", "got10k", 1, 3),
        ("SiamFC", "OTB2015", "got10k", 1, 1),
        ("SiamFC", "UAV123", "got10k", 1, 1),
    ]
    runs = read_tracks(tmp_path / "out" / "SiamFC" / "GOT-10k", "GOT-10k_Val_000001")
    assert [track.times[0] for track in runs] == [0.1, 0.2, 0.3]
    assert [track.boxes[0, 0] for track in runs] == [12, 13, 14]


def test_pysot_keeps_every_digit(tmp_path):
    put(tmp_path / "results" / "OTB100" / "siamrpn_r50" / "Basketball.txt", BOXES)
    polygon = [[0, 0, 4, 1, 4, 5, 1, 5]]
    put(tmp_path / "results" / "OTB100" / "siamrpn_r50" / "turned.txt", polygon)
    report = import_results(tmp_path / "results", tmp_path / "out")
    assert taken(report) == [("siamrpn_r50", "OTB100", "pysot", 2, 2)]
    folder = tmp_path / "out" / "siamrpn_r50" / "OTB100"
    np.testing.assert_array_equal(read_tracks(folder, "Basketball")[0].boxes, BOXES)
    np.testing.assert_array_equal(read_tracks(folder, "turned")[0].boxes, [[0, 0, 4, 5]])


def test_vot(made, tmp_path):
    data = made.Listed([made.make_sequence("ants1", 3), made.make_sequence("ball", 3)], name="vot2022")
    masks = [START, Mask(np.ones((2, 3), bool), 7, 5), Polygon(((0, 0), (4, 1), (1, 5)))]
    base = tmp_path / "results" / "mil"
    confidence, times = np.array([np.nan, 0.5, 0.25]), np.array([0, 0.1, 0.2])
    write_trajectory(base / "baseline" / "ants1", "ants1_00000000", Trajectory(masks, confidence, times))
    write_trajectory(base / "baseline" / "ants1", "ants1_00000002", Trajectory([START]))
    binary = bytes.fromhex("0100030000000001000000" + "010000964200006c420000b8410000b841" * 2)
    (base / "unsupervised" / "ball").mkdir(parents=True)
    (base / "unsupervised" / "ball" / "ball_001.bin").write_bytes(binary)
    restarted = [START, FAILURE, NOTHING]
    write_trajectory(base / "supervised" / "ball", "ball_001", Trajectory(restarted, times=times))
    report = import_results(tmp_path / "results", tmp_path / "out", dataset=data)
    assert taken(report) == [("mil-baseline", "vot2022", "vot", 1, 1), ("mil-unsupervised", "vot2022", "vot", 1, 1)]
    assert left(report) == {
        "ants1_00000002.txt": "starts in the middle of the sequence",
        "ball_001.txt": "no single pass: it holds codes of failures and restarts",
    }
    [track] = read_tracks(tmp_path / "out" / "mil-baseline" / "vot2022", "ants1")
    np.testing.assert_array_equal(track.boxes, [[5, 6, 10, 8], [7, 5, 3, 2], [0, 0, 4, 5]])
    np.testing.assert_array_equal(track.scores, confidence)
    np.testing.assert_array_equal(track.times, times)
    assert report.taken[0].missing == ("ball",)
    [track] = read_tracks(tmp_path / "out" / "mil-unsupervised" / "vot2022", "ball")
    np.testing.assert_array_equal(track.boxes, [[5, 6, 10, 8], [75, 59, 23, 23], [75, 59, 23, 23]])
    with pytest.raises(ResultError, match="does not hold the first box, which is read from the dataset"):
        import_results(base / "unsupervised", tmp_path / "without")


def test_what_is_left(tmp_path):
    flat = tmp_path / "r" / "set" / "tracker"
    put(flat / "good.txt", BOXES)
    put(flat / "torn.txt", [[1, 2, 3]])
    put(flat / "nan.txt", [[1, 2, 3, 4], [np.nan] * 4])
    put(flat / "corners.txt", [[1, 2, -3, 4]])
    (flat / "README.txt").write_text("hello")
    (flat / "empty.txt").write_text("")
    (flat / "results.mat").write_bytes(b"MATLAB 5.0")
    put(flat / "good_time.txt", [1, 2])
    put(tmp_path / "r" / "set" / "own" / "a.txt", BOXES)
    (tmp_path / "r" / "set" / "own" / "run.json").write_text("{}")
    report = import_results(tmp_path / "r", tmp_path / "out", layout="pysot")
    assert taken(report) == [("tracker", "set", "pysot", 1, 1)]
    assert report.taken[0].timed == 0
    reasons = left(report)
    assert reasons.keys() == {
        *("torn.txt", "nan.txt", "corners.txt", "README.txt", "empty.txt", "results.mat", "good_time.txt", "own")
    }
    assert "a box has 4 numbers" in reasons["torn.txt"]
    assert "the box of frame 1 holds NaN" in reasons["nan.txt"]
    assert "negative size" in reasons["corners.txt"]
    assert "is not a number" in reasons["README.txt"]
    assert "holds no boxes" in reasons["empty.txt"]
    assert reasons["good_time.txt"] == "2 times for 3 frames"
    saved = json.loads((tmp_path / "out" / "import.json").read_text())
    assert len(saved["left"]) == 8
    assert saved["taken"][0]["frames"] == 3


def test_nothing_to_take(made, tmp_path):
    with pytest.raises(NotADirectoryError, match="is not a folder of results"):
        import_results(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ResultError, match="no result files in a known layout"):
        import_results(tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match="layout is one of pytracking, got10k, pysot, vot, got 'matlab'"):
        scan(tmp_path, "matlab")
    for tracker in ("a", "b"):
        put(tmp_path / "r" / "set" / tracker / "x.txt", BOXES)
    with pytest.raises(ResultError, match=r"several trackers \(a, b\), which cannot share a name"):
        import_results(tmp_path / "r", tmp_path / "out", name="c")
    with pytest.raises(ResultError, match="in the layout of pysot"):
        import_results(tmp_path / "r", tmp_path / "out", layout="vot")
    run("a", made.Still, made.Listed([made.make_sequence("x", 2)], name="set"), tmp_path / "out")
    with pytest.raises(ResultError, match="holds results of a run, not imported ones"):
        import_results(tmp_path / "r", tmp_path / "out")


def test_names():
    match = NameMatcher(["bike1", "Jogging_1", "Jogging_2", "nfs_Gymnastics", "a-b", "a_b"])
    assert match("bike1") == "bike1"
    assert match("uav_bike1") == "bike1"
    assert match("Jogging.1") == match("jogging-1") == "Jogging_1"
    assert match("gymnastics") == "nfs_Gymnastics"
    assert match("a_b") == "a_b"
    assert match("a.b") is None  # which one?
    assert match("car1") is None


def test_only_the_sequences_of_a_dataset(made, tmp_path):
    data = made.Listed([made.make_sequence(name, 3) for name in ("bike1", "bike2", "car1")])
    for name in ("uav_bike1", "bike2", "Basketball"):
        put(tmp_path / "r" / "UAV" / "t" / f"{name}.txt", BOXES)
    put(tmp_path / "r" / "UAV" / "t" / "uav-bike1.txt", BOXES)
    report = import_results(tmp_path / "r", tmp_path / "out", dataset=data)
    [entry] = report.taken
    assert (entry.folder, entry.sequences) == (tmp_path / "out" / "t" / "toy", 2)
    assert entry.missing == ("car1",)
    assert left(report) == {
        "Basketball.txt": "no sequence of the dataset",
        "uav_bike1.txt": "another result is bike1 already",
    }
    assert entry.renamed == {"uav-bike1": "bike1"}
    scores = score(tmp_path / "out" / "t", data, "ostrack")
    assert scores.tracker == "t"
    assert [row.name for row in scores.sequences] == ["bike1", "bike2"]


def test_repeated_runs_come_back(tmp_path):
    runs = [Track(BOXES, np.array([1.0, 2, 3])), Track(BOXES[:2] + 1, None, np.array([np.nan, 0.5])), Track(BOXES + 2)]
    write_track(tmp_path, "s", Track(BOXES))
    write_runs(tmp_path, "s", runs)
    assert not (tmp_path / "s.txt").exists()
    back = read_tracks(tmp_path, "s")
    assert [len(track.boxes) for track in back] == [3, 2, 3]
    np.testing.assert_array_equal(back[0].times, [1, 2, 3])
    np.testing.assert_array_equal(back[1].scores, [np.nan, 0.5])
    assert back[1].times is back[2].times is back[0].scores is None
    write_runs(tmp_path, "s", runs[:1])
    assert [len(track.boxes) for track in read_tracks(tmp_path, "s")] == [3]
    assert not list((tmp_path / "s").iterdir())
    with pytest.raises(ResultError, match="s: no runs to write"):
        write_runs(tmp_path, "s", [])


def test_from_import_to_report(conformance_folder, tmp_path, capsys):
    """The files that OSTrack's own writer left, on the miniature TrackingNet."""
    case = json.loads((conformance_folder / "result_files.json").read_text())
    for name, text in case["results"]["writer"]["files"].items():
        path = tmp_path / "ostrack" / "vitb_256" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    command = ["import", str(tmp_path / "ostrack"), "--output", str(tmp_path / "out")]
    assert main([*command, "--from", "ostrack"]) == 0
    told = capsys.readouterr()
    assert "ostrack-vitb_256 (pytracking): 5 sequences, 5 runs (5 with times), 22 frames: " in told.out
    assert "left: 2 scores for 4 frames: " in told.err
    assert len(list((tmp_path / "out" / "ostrack-vitb_256").glob("*.txt"))) == 5
    assert main([*command, "--dataset", "got10k"]) == 2
    assert "--dataset and --root go together" in capsys.readouterr().err


def test_a_report_of_imported_results(tmp_path, capsys):
    video = tmp_path / "video"
    flags = ["--split", "val", "--sequences", "2", "--frames", "4", "--size", "64x48"]
    assert main(["synth", "--output", str(video), *flags]) == 0
    data = open_dataset("got10k", video, "val")
    for sequence in data:
        for number in range(1, 3):
            put(tmp_path / "r" / "GOT-10k" / "t" / sequence.name / f"{sequence.name}_{number:03d}.txt", sequence.boxes)
    source = ["--dataset", "got10k", "--root", str(video), "--split", "val"]
    put(tmp_path / "r" / "GOT-10k" / "t" / "GOT-10k_Val_000009" / "GOT-10k_Val_000009_001.txt", BOXES)
    assert main(["import", str(tmp_path / "r"), "--output", str(tmp_path / "out"), *source]) == 0
    assert "left: no sequence of the dataset: " in capsys.readouterr().err
    report = ["report", str(tmp_path / "out" / "t"), *source, "--output", str(tmp_path / "report")]
    assert main([*report, "--convention", "got10k"]) == 0
    assert "100.0" in capsys.readouterr().out
