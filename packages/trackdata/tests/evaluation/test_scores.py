"""Scores print, save and load; means, rates and failures."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from trackdata.evaluation import comparison_table
from trackdata.evaluation.conventions import Default, Got10k, Pytracking
from trackdata.evaluation.metrics import show
from trackdata.evaluation.records import PredictionError, Track, Truth
from trackdata.evaluation.scores import Scores, evaluate
from trackdata.evaluation.sequence_scores import frame_rate


@pytest.fixture
def scores(world) -> Scores:
    truths = [world.truth(name, visible=True) for name in ("plain", "absent", "all_absent")]
    tracks = {truth.name: Track(world.boxes(truth.name, 1), times=np.full(len(truth), 0.02)) for truth in truths}
    return evaluate(Default(), tracks, truths, "mine", "world", {"lost": "frame 3 is missing"})


@pytest.mark.parametrize("convention", [Default(), Got10k(), Pytracking("ostrack", "lasot")])
def test_save_and_load(convention, world, tmp_path):
    truths = [world.truth(name) for name in ("plain", "all_absent", "single")]
    saved = evaluate(
        convention, {truth.name: world.track(truth.name, 0) for truth in truths}, truths, "a", "b", {"x": "y"}
    )
    saved.save(tmp_path / "scores.json")
    loaded = Scores.load(tmp_path / "scores.json")
    assert (loaded.tracker, loaded.dataset, loaded.convention, loaded.failures) == (
        "a",
        "b",
        convention.name,
        {"x": "y"},
    )
    np.testing.assert_equal(loaded.values, dict(saved.values))
    for before, after in zip(saved.sequences, loaded.sequences, strict=True):
        np.testing.assert_equal(vars(after), vars(before))
    np.testing.assert_equal(loaded.curves, dict(saved.curves))


def test_load_something_else(tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match=r"other\.json does not hold saved scores"):
        Scores.load(tmp_path / "other.json")


def test_prints(scores):
    console = Console(width=120)
    with console.capture() as captured:
        console.print(scores)
    text = captured.get()
    assert "world, convention default" in text
    assert show("AO", scores.values["AO"]) in text
    assert "mine on world (default, 3 sequences): AO" in str(scores)
    assert comparison_table([scores, scores]).row_count == 2


def test_counts(scores, world):
    assert scores.frames == 120 + 150 + 30
    assert scores.absent == 30 + 29
    assert [entry.frames for entry in scores.sequences] == [120, 150, 30]
    assert scores.failures == {"lost": "frame 3 is missing"}


def test_missing_results_are_not_passed_over(world):
    with pytest.raises(PredictionError, match="mine has no result for sequence plain of world"):
        evaluate(Default(), {}, [world.truth("plain")], "mine", "world")


def test_no_sequence_at_all():
    empty = evaluate(Default(), {}, [Truth("s", np.ones((2, 4)))], failures={"s": "broken"})
    assert empty.values == {}
    assert comparison_table([empty]).row_count == 1


def test_rate_is_all_frames_over_all_time():
    tracks = [
        Track(np.ones((3, 4)), times=np.array([9.0, 0.1, 0.3])),
        Track(np.ones((2, 4)), times=np.array([9.0, 0.6])),
    ]
    assert frame_rate(tracks) == (pytest.approx(3.0), pytest.approx(1.0))
    rate, seconds = frame_rate([Track(np.ones((3, 4)))])
    assert np.isnan(rate)
    assert seconds == 0
    assert np.isnan(frame_rate([Track(np.ones((2, 4)), times=np.array([0.0, 5e-324]))])[0])


def test_rates_of_sequences_are_weighted_by_time(world):
    truths = [world.truth("plain"), world.truth("two")]
    tracks = {
        "plain": Track(world.boxes("plain", 0), times=np.full(120, 0.01)),
        "two": Track(world.boxes("two", 0), times=np.array([5.0, 1.0])),
    }
    assert evaluate(Default(), tracks, truths).values["fps"] == pytest.approx(120 / (119 * 0.01 + 1.0))
