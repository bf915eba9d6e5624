"""The one-pass runner: protocol, resuming, failures, processes."""

from __future__ import annotations

import json
from functools import partial
from itertools import count

import numpy as np
import pytest

from trackdata.evaluation import run, score, tracker_identity
from trackdata.evaluation.passes import TrackingError, track_sequence
from trackdata.evaluation.results import ResultError, read_tracks
from trackdata.evaluation.runner import Progress, TrackerStartError, tracker_folder
from trackdata.sequences import AnnotationError


@pytest.fixture
def toys(made):
    return made.Listed([made.make_sequence("a", 4), made.make_sequence("b", 6), made.make_sequence("c", 1)])


def test_protocol_of_one_pass(made):
    tracker, clock = made.Still(), count().__next__
    done = track_sequence(tracker, made.make_sequence("a", 4), clock=clock)
    assert tracker.calls == ["init", "update", "update", "update"]
    np.testing.assert_array_equal(done.track.boxes, np.tile([5.0, 6.0, 10.0, 8.0], (4, 1)))
    np.testing.assert_array_equal(done.track.times, [1, 1, 1, 1])  # one tick each: decoding is not in it
    assert done.decode_seconds == 4
    np.testing.assert_array_equal(done.track.scores, [np.nan, 0.5, 0.5, 0.5])
    assert track_sequence(made.Still(score=None), made.make_sequence("a", 4)).track.scores is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([1, 2, np.nan, 4]), "frame 2: the tracker's box .* holds NaN"),
        (np.array([1, 2, 3]), "frame 2: the tracker's box has 3 numbers"),
        (np.array([1, 2, -3, 4]), "frame 2: the tracker's box .* has a negative size"),
    ],
)
def test_bad_predictions_name_the_frame(made, value, message):
    with pytest.raises(TrackingError, match=message):
        track_sequence(made.Faulty(value=value), made.make_sequence("a", 4))


def test_results_and_records(made, toys, tmp_path):
    seen: list[Progress] = []
    result = run("still", made.Still, toys, tmp_path, on_progress=seen.append)
    assert result.folder == tmp_path / "still" / "toy"
    assert [(item.done, item.total, item.outcome.sequence) for item in seen] == [(1, 3, "a"), (2, 3, "b"), (3, 3, "c")]
    assert [outcome.frames for outcome in result.outcomes] == [4, 6, 1]
    assert result.failures == {}
    [track] = read_tracks(result.folder, "b")
    assert len(track.boxes) == len(track.times) == len(track.scores) == 6
    assert json.loads((result.folder / "run.json").read_text())["tracker"] == "still"


def test_a_second_run_does_nothing(made, toys, tmp_path):
    run("still", made.Still, toys, tmp_path)
    again = run("still", made.no_tracker, toys, tmp_path)  # a tracker is not even built
    assert all(outcome.reused for outcome in again.outcomes)
    assert [outcome.frames for outcome in again.outcomes] == [4, 6, 1]


def _shorten(folder):
    (folder / "b.txt").write_text("5,6,10,8\n")


def _damage(folder):
    (folder / "b.txt").write_text("5,6,10\n5,6")


def _lose(folder):
    (folder / "b.txt").unlink()


def _lose_record(folder):
    (folder / "records" / "b.json").unlink()


def _damage_record(folder):
    (folder / "records" / "b.json").write_text('{"fingerprint":')


@pytest.mark.parametrize("harm", [_shorten, _damage, _lose, _lose_record, _damage_record])
def test_incomplete_results_are_made_again(made, toys, tmp_path, harm):
    folder = run("still", made.Still, toys, tmp_path).folder
    before = (folder / "b.txt").read_text()
    harm(folder)
    again = run("still", made.Still, toys, tmp_path)
    assert [outcome.reused for outcome in again.outcomes] == [True, False, True]
    assert (folder / "b.txt").read_text() == before


def test_results_of_another_tracker_are_not_reused(made, toys, tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"one")
    first = tracker_identity("still", {"weights": weights, "window": 0.5})
    run("still", made.Still, toys, tmp_path / "out", identity=first)
    moved = tmp_path / "moved.pth"
    moved.write_bytes(b"one")
    same = run(
        "still",
        made.Still,
        toys,
        tmp_path / "out",
        identity=tracker_identity("still", {"weights": moved, "window": 0.5}),
    )
    assert all(outcome.reused for outcome in same.outcomes)
    weights.write_bytes(b"two")
    other = run(
        "still",
        made.Still,
        toys,
        tmp_path / "out",
        identity=tracker_identity("still", {"weights": weights, "window": 0.5}),
    )
    assert not any(outcome.reused for outcome in other.outcomes)
    changed = made.Listed([made.make_sequence("a", 4, step=2.0), *toys.sequences[1:]])
    annotated = run(
        "still",
        made.Still,
        changed,
        tmp_path / "out",
        identity=tracker_identity("still", {"weights": weights, "window": 0.5}),
    )
    assert [outcome.reused for outcome in annotated.outcomes] == [False, True, True]


def test_a_folder_is_known_by_the_files_in_it(tmp_path):
    def identity(folder):
        return tracker_identity("exported", {"weights": str(folder)})

    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        (folder / "cache").mkdir(parents=True)
        (folder / "box.xml").write_text("graph")
        (folder / "box.bin").write_bytes(b"numbers")
    (two / "cache" / "compiled").write_bytes(b"by the runtime")
    first = identity(one)
    assert first == identity(two)
    (two / "box.bin").write_bytes(b"others")
    assert identity(two) != first
    (one / "box.bin").rename(one / "mask.bin")
    assert identity(one) != first


def test_results_of_two_trackers_are_not_scored_as_one(made, toys, tmp_path):
    run("still", made.Still, toys, tmp_path, identity={"epoch": 1})
    faulty = partial(made.Faulty, at=4, value=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run("still", faulty, toys, tmp_path, identity={"epoch": 2})
    scores = score(tmp_path / "still", toys)
    assert [entry.name for entry in scores.sequences] == ["a"]
    assert list(scores.failures) == ["b", "c"]
    assert "other options or weights than the latest run" in scores.failures["b"]
    run("still", made.Still, toys, tmp_path, identity={"epoch": 2})
    assert not score(tmp_path / "still", toys).failures


def test_overwrite_and_limit(made, toys, tmp_path):
    run("still", made.Still, toys, tmp_path)
    again = run("still", made.Still, toys, tmp_path, overwrite=True, limit=2)
    assert [(outcome.sequence, outcome.reused) for outcome in again.outcomes] == [("a", False), ("b", False)]


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_sequence_does_not_stop_the_others(made, tmp_path, workers):
    data = made.Listed(
        [made.make_sequence("a", 4), made.make_sequence("bad", 6, broken=(3,)), made.make_sequence("c", 2)]
    )
    result = run("still", made.Still, data, tmp_path, workers=workers)
    assert result.failures == {"bad": "OSError: frame 3 cannot be read"}
    assert [outcome.error is None for outcome in result.outcomes] == [True, False, True]
    assert not (result.folder / "bad.txt").exists()
    scores = score(result, data)
    assert [entry.name for entry in scores.sequences] == ["a", "c"]
    assert scores.failures == {"bad": "OSError: frame 3 cannot be read"}
    mended = made.Listed([data[0], made.make_sequence("bad", 6), data[2]])
    again = run("still", made.Still, mended, tmp_path)
    assert [outcome.reused for outcome in again.outcomes] == [True, False, True]
    assert again.failures == {}


def test_a_tracker_that_raises_is_recorded(made, toys, tmp_path):
    result = run("faulty", partial(made.Faulty, at=5, value=ValueError("lost my mind")), toys, tmp_path)
    assert result.failures == {"b": "ValueError: lost my mind"}


def test_unreadable_annotation_is_a_failure(made, toys, tmp_path):
    class Torn(made.Listed):
        sequence_names = ("a", "b", "c")

        def __getitem__(self, index):
            if index == 1:
                raise AnnotationError("b/groundtruth.txt: line 3: 'x' is not a number")
            return super().__getitem__(index)

    data = Torn(toys.sequences)
    result = run("still", made.Still, data, tmp_path)
    assert result.failures == {"b": "AnnotationError: b/groundtruth.txt: line 3: 'x' is not a number"}
    assert list(score(result, data).failures) == ["b"]
    assert list(score(result.folder, data).failures) == ["b"]


@pytest.mark.parametrize("box", [[5, 6, 0, 8], [np.nan] * 4, [500, 6, 10, 8]])
def test_a_first_box_that_no_tracker_can_start_from(made, tmp_path, box):
    sequence = made.make_sequence("a", 3)
    sequence.boxes[0] = box
    result = run("still", made.Still, made.Listed([sequence]), tmp_path)
    assert result.failures["a"].startswith("ValueError: the box")


def test_workers_share_the_work_and_agree(made, tmp_path):
    data = made.Listed([made.make_sequence(f"s{i}", 3 + i) for i in range(6)])
    log = tmp_path / "log.txt"
    alone = run("still", made.Still, data, tmp_path / "one")
    together = run("still", partial(made.Still, log=log), data, tmp_path / "two", workers=2)
    assert [o.sequence for o in together.outcomes] == [o.sequence for o in alone.outcomes]
    for sequence in data.sequences:
        text = (alone.folder / f"{sequence.name}.txt").read_text()
        assert (together.folder / f"{sequence.name}.txt").read_text() == text
    built = log.read_text().split()
    assert len(built) == len(set(built)) <= 2  # one tracker per process


def test_a_tracker_that_cannot_start(made, toys, tmp_path):
    for workers in (1, 2):
        with pytest.raises(TrackerStartError, match="could not be built: RuntimeError: the weights are missing"):
            run("none", made.no_tracker, toys, tmp_path, workers=workers)
    with pytest.raises(TrackerStartError, match="must be picklable"):
        run("none", lambda: made.Still(), toys, tmp_path, workers=2)


def test_bad_arguments(made, toys, tmp_path):
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        run("still", made.Still, toys, tmp_path, workers=0)
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        run("still", made.Still, toys, tmp_path, limit=0)
    with pytest.raises(ResultError, match=r"sequence name 'x/y' cannot be a file name"):
        run("still", made.Still, made.Listed([made.make_sequence("x/y", 2)]), tmp_path)
    assert tracker_folder("opencv:mil") == "opencv-mil"


def test_scoring_folders(made, toys, tmp_path):
    result = run("still", made.Still, toys, tmp_path)
    by_result, by_folder, by_tracker = score(result, toys), score(result.folder, toys), score(tmp_path / "still", toys)
    np.testing.assert_equal(by_folder.values, by_result.values)
    np.testing.assert_equal(by_tracker.values, by_result.values)
    assert by_tracker.tracker == "still"
    (result.folder / "a.txt").unlink()
    assert score(result.folder, toys).failures == {"a": "no result"}
    with pytest.raises(ResultError, match="holds no result for any of the 3 sequences of toy"):
        score(tmp_path, made.Listed(toys.sequences, name="toy2"))
    with pytest.raises(ResultError, match="is not a folder of results"):
        score(tmp_path / "nothing", toys)


def test_an_interrupted_run_goes_on_where_it_was(made, toys, tmp_path):
    whole = run("still", made.Still, toys, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run("still", partial(made.Faulty, at=4, value=KeyboardInterrupt()), toys, tmp_path / "cut")
    again = run("still", made.Still, toys, tmp_path / "cut")
    assert [outcome.reused for outcome in again.outcomes] == [True, False, False]
    for sequence in toys.sequences:
        text = (whole.folder / f"{sequence.name}.txt").read_text()
        assert (again.folder / f"{sequence.name}.txt").read_text() == text
