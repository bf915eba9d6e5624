"""Running the VOT experiments: when trackers are started, what is written, what is done again; and reading it back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pytest

from trackcore.tracker import Prediction
from trackdata.evaluation.results import ResultError
from trackdata.evaluation.vot import (
    LongTerm,
    MultiStart,
    Supervised,
    Trajectory,
    read_trajectory,
    run_experiment,
    score_experiment,
    write_trajectory,
)
from trackdata.regions import FAILURE, NOTHING, START, Mask, Rectangle


@dataclass
class Scripted:
    """Gives the annotated box of the frame it is shown, except on frames ``lost``; the frame's colour is its number."""

    boxes: np.ndarray
    lost: tuple[int, ...] = ()
    score: float | None = None
    with_mask: bool = False
    calls: list[tuple[str, int]] = field(default_factory=list)

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        self.calls.append(("init", int(frame[0, 0, 0])))
        self.first = box

    def update(self, frame: np.ndarray) -> Prediction:
        number = int(frame[0, 0, 0])
        self.calls.append(("update", number))
        box = np.array([50.0, 40.0, 4.0, 4.0]) if number in self.lost else self.boxes[number]
        mask = None
        if self.with_mask:
            mask = np.zeros(frame.shape[:2], bool)
            x, y, w, h = box.astype(int)
            mask[y : y + h, x : x + w] = True
        return Prediction(box, self.score, mask)


@pytest.fixture
def toy(made):
    """A dataset of one sequence, 12 frames, whose target is gone in frames 0 and 8."""
    sequence = made.make_sequence("a", 12)
    boxes, valid = sequence.boxes.copy(), sequence.valid.copy()
    boxes[[0, 8]], valid[[0, 8]] = np.nan, False
    return made.Listed([replace(sequence, boxes=boxes, valid=valid)])


def _boxes(toy) -> np.ndarray:
    return np.nan_to_num(toy[0].boxes, nan=1.0)


def test_supervised(toy, tmp_path):
    tracker = Scripted(_boxes(toy), lost=(4, 8, 11))
    result = run_experiment("mine", lambda: tracker, toy, Supervised(skip=3), tmp_path)
    assert result.folder == tmp_path / "mine" / "baseline"
    run = read_trajectory(result.folder / "a", "a_001")
    codes = [region.number if hasattr(region, "number") else "r" for region in run.regions]
    # nothing in frame 0, lost in frame 4; frame 8 has no target to lose, frame 11 is lost again
    assert codes == [0, 1, "r", "r", 2, 0, 0, 1, "r", "r", "r", 2]
    assert [call for call in tracker.calls if call[0] == "init"] == [("init", 1), ("init", 7)]
    assert len(run.times) == 12
    assert run.confidence is None
    assert (result.folder / "a" / "a_001.txt").read_text().splitlines()[2] == "7.0000,6.0000,10.0000,8.0000"


def test_supervised_repetitions(toy, tmp_path):
    result = run_experiment("mine", lambda: Scripted(_boxes(toy)), toy, Supervised(repetitions=2), tmp_path)
    assert sorted(path.name for path in (result.folder / "a").glob("*.txt")) == ["a_001.txt", "a_002.txt"]
    scores = score_experiment(result, toy, Supervised(interval=(1, 5), burn_in=1))
    assert scores.sequences[0].runs == 2
    assert scores.values["failures"] == 0


def test_multistart_runs_forward_and_backward(toy, tmp_path):
    anchors = np.zeros(12)
    anchors[2], anchors[6] = 1, -1
    sequence = replace(toy[0], attributes={"anchors": anchors})
    toy.sequences = [sequence]
    tracker = Scripted(_boxes(toy))
    result = run_experiment("mine", lambda: tracker, toy, MultiStart(interval=(1, 5)), tmp_path)
    assert sorted(path.name for path in (result.folder / "a").glob("*.txt")) == ["a_00000002.txt", "a_00000006.txt"]
    assert tracker.calls == [
        ("init", 2),
        *(("update", frame) for frame in range(3, 12)),
        ("init", 6),
        *(("update", frame) for frame in range(5, -1, -1)),
    ]
    backward = read_trajectory(result.folder / "a", "a_00000006")
    assert backward.regions[0] == START
    assert backward.regions[1] == Rectangle(10, 6, 10, 8)
    scores = score_experiment(tmp_path / "mine", toy, MultiStart(interval=(1, 5)))
    assert scores.tracker == "mine"
    assert scores.values["R"] == 1.0


def test_datasets_without_anchors_get_some(toy, tmp_path):
    rules = MultiStart(interval=(1, 5), spacing=4)
    result = run_experiment("mine", lambda: Scripted(_boxes(toy)), toy, rules, tmp_path)
    assert sorted(path.name for path in (result.folder / "a").glob("*.txt")) == [
        "a_00000001.txt",
        "a_00000004.txt",
        "a_00000007.txt",  # frame 8 has no target
        "a_00000011.txt",
    ]
    assert score_experiment(result, toy, rules).sequences[0].runs == 4


@pytest.mark.parametrize("score", [0.25, None])
def test_longterm(score, made, tmp_path):
    data = made.Listed([made.make_sequence("a", 6)])
    result = run_experiment("mine", lambda: Scripted(data[0].boxes, score=score), data, LongTerm(), tmp_path)
    assert result.folder.name == "longterm"
    run = read_trajectory(result.folder / "a", "a_001")
    np.testing.assert_array_equal(run.confidence, [np.nan] + [score or 1.0] * 5)
    scores = score_experiment(result, data, LongTerm())
    assert scores.values == pytest.approx({"F": 10 / 11, "precision": 1.0, "recall": 5 / 6, "A": 1.0})


def test_masks(made, tmp_path):
    data = made.Listed([made.make_sequence("a", 4)])
    factory = partial(Scripted, data[0].boxes, with_mask=True)
    result = run_experiment("mine", factory, data, Supervised(), tmp_path, masks=True)
    run = read_trajectory(result.folder / "a", "a_001")
    assert run.regions[1:] == [Mask(np.ones((8, 10), bool), 5 + i, 6) for i in (1, 2, 3)]
    assert run.regions[0] == START
    boxes = run_experiment("other", factory, data, Supervised(), tmp_path)
    assert isinstance(read_trajectory(boxes.folder / "a", "a_001").regions[1], Rectangle)


def test_what_is_there_is_not_run_again(made, tmp_path):
    data = made.Listed([made.make_sequence("a", 6), made.make_sequence("b", 4)])
    boxes = data[0].boxes

    def again(**options):
        tracker = Scripted(boxes)
        run = run_experiment("mine", lambda: tracker, data, Supervised(), tmp_path, **options)
        return [outcome.reused for outcome in run.outcomes], len(tracker.calls)

    assert again() == ([False, False], 10)
    assert again() == ([True, True], 0)
    assert again(overwrite=True) == ([False, False], 10)
    assert again(identity={"tracker": "mine", "options": {"weights": "others"}}) == ([False, False], 10)
    lines = (tmp_path / "mine/baseline/a/a_001.txt").read_text().splitlines()
    (tmp_path / "mine/baseline/a/a_001.txt").write_text("\n".join(lines[:-1]))
    assert again(identity={"tracker": "mine", "options": {"weights": "others"}}) == ([False, True], 6)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_sequence_does_not_stop_the_others(workers, made, tmp_path):
    data = made.Listed([made.make_sequence("a", 4), made.make_sequence("b", 6, broken=(3,))])
    result = run_experiment("still", made.Still, data, Supervised(), tmp_path, workers=workers)
    assert result.failures == {"b": "OSError: frame 3 cannot be read"}
    assert not (tmp_path / "still/baseline/b").exists()
    scores = score_experiment(result, data, Supervised(interval=(1, 3)))
    assert [row.name for row in scores.sequences] == ["a"]
    assert scores.failures == {"b": "no result"}


def test_limits_of_arguments(made, tmp_path):
    data = made.Listed([made.make_sequence("a", 4)])
    with pytest.raises(ValueError, match="limit must be at least 1"):
        run_experiment("still", made.Still, data, Supervised(), tmp_path, limit=0)
    with pytest.raises(RuntimeError, match="the tracker could not be built: RuntimeError: the weights are missing"):
        run_experiment("still", made.no_tracker, data, Supervised(), tmp_path)


def test_files(tmp_path):
    confidence = np.array([np.nan, 0.5, 0.25])
    trajectory = Trajectory([START, Rectangle(1, 2, 3, 4.5), NOTHING], confidence, np.array([0.1, 0.2, 0.0]))
    path = write_trajectory(tmp_path, "s_001", trajectory)
    assert path.read_text() == "1\n1.0000,2.0000,3.0000,4.5000\n0\n"
    assert (tmp_path / "s_001_time.value").read_text() == "0.100000\n0.200000\n0.000000\n"
    (tmp_path / "s_001_confidence.value").write_text("\n0.5\n0.25\n")  # the toolkit leaves a line empty
    read = read_trajectory(tmp_path, "s_001")
    assert read.regions == list(trajectory.regions)
    np.testing.assert_array_equal(read.confidence, confidence)
    write_trajectory(tmp_path, "s_001", Trajectory([START, FAILURE, NOTHING]))
    assert read_trajectory(tmp_path, "s_001").confidence is None


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ResultError, match=r"holds no run s_001; expected s_001\.txt or s_001\.bin"):
        read_trajectory(tmp_path, "s_001")
    (tmp_path / "s_001.bin").write_bytes(b"\x00\x01")
    with pytest.raises(ResultError, match=r"s_001\.bin: no binary trajectory, or a damaged one"):
        read_trajectory(tmp_path, "s_001")
    (tmp_path / "s_001.bin").write_bytes(bytes.fromhex("0100020000000001000000010000964200006c420000b8410000b841"))
    assert read_trajectory(tmp_path, "s_001").regions == [START, Rectangle(75, 59, 23, 23)]
    (tmp_path / "s_001.txt").write_text("1\n2,3\n")
    with pytest.raises(ResultError, match=r"s_001\.txt: line 2: '2,3' is no region"):
        read_trajectory(tmp_path, "s_001")
    (tmp_path / "s_001.txt").write_text("1\n0\n")
    (tmp_path / "s_001_time.value").write_text("1\n")
    with pytest.raises(ResultError, match="has 1 values for 2 regions"):
        read_trajectory(tmp_path, "s_001")
    (tmp_path / "s_001_time.value").write_text("1\nx\n")
    with pytest.raises(ResultError, match=r"s_001_time\.value: could not convert"):
        read_trajectory(tmp_path, "s_001")


def test_folders_that_do_not_fit(made, tmp_path):
    data = made.Listed([made.make_sequence("a", 4)])
    with pytest.raises(ResultError, match="is not a folder of results"):
        score_experiment(tmp_path / "nowhere", data, Supervised())
    with pytest.raises(ResultError, match="holds no result for any of the 1 sequences of toy"):
        score_experiment(tmp_path, data, Supervised())


def test_from_the_command_line(tmp_path, capsys):
    from trackdata.cli import main

    assert (
        main(["synth", "--output", str(tmp_path / "data"), "--sequences", "2", "--frames", "12", "--split", "val"]) == 0
    )
    source = ["--dataset", "got10k", "--root", str(tmp_path / "data"), "--split", "val"]
    run = ["vot", "run", "--tracker", "static", *source, "--output", str(tmp_path / "out")]
    assert main(run) == 2
    assert "--challenge names the experiment for got10k" in capsys.readouterr().err
    assert main([*run, "--challenge", "vot2021"]) == 0
    assert "EAO" in capsys.readouterr().out
    analyse = ["vot", "analyse", str(tmp_path / "out" / "static"), *source, "--challenge", "vot2021"]
    files = ["--json", str(tmp_path / "scores.json"), "--csv", str(tmp_path / "scores.csv")]
    assert main([*analyse, *files]) == 0
    [saved] = json.loads((tmp_path / "scores.json").read_text())["trackers"]
    assert saved["convention"] == "vot/multistart"
    assert (tmp_path / "scores.csv").read_text().startswith("tracker,sequence,A,R,frames,scored,absent,failure\n")
    assert main([*analyse[:-1], "vot1999"]) == 2
