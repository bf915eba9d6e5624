"""Bootstrap intervals and paired differences; attributes; figures of different conventions side by side."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from trackdata.evaluation import Scores, Track, compare, comparison_table, load_scores, write_report, write_track
from trackdata.evaluation.attributes import (
    by_attribute,
    by_attribute_frames,
    read_attributes,
    sequences_with_marks,
)
from trackdata.evaluation.bootstrap import Draws
from trackdata.evaluation.scores import ConventionWarning
from trackdata.evaluation.sequence_scores import SequenceScores, mean_value


def scores(tracker: str, values, weights=None, convention: str = "default", names=None) -> Scores:
    """Scores whose sequences have an ``AO`` of ``values``."""
    names = names or [f"s{index}" for index in range(len(values))]
    rows = tuple(
        SequenceScores(name, 10, 10, 0, 0, {"AO": value}, {}, {"AO": weight})
        for name, value, weight in zip(names, values, weights or [1.0] * len(values), strict=True)
    )
    return Scores(tracker, "set", convention, {"AO": mean_value(rows, "AO")}, {}, {}, rows)


def test_means_of_draws_are_those_of_the_sequences_drawn():
    draws = Draws.make(5, samples=200, seed=3)
    values, weights = np.array([0.1, 0.5, np.nan, 0.9, 0.3]), np.array([1.0, 2.0, 5.0, 0.0, 4.0])
    means = draws.means(values, weights)
    for counts, mean in zip(draws.counts.astype(int), means, strict=True):
        assert counts.sum() == 5
        drawn = [index for index, count in enumerate(counts) for _ in range(count) if index != 2]
        total = sum(weights[index] for index in drawn)
        expected = sum(values[index] * weights[index] for index in drawn) / total if total else np.nan
        assert mean == pytest.approx(expected, nan_ok=True)


def test_the_same_seed_gives_the_same_draws():
    np.testing.assert_array_equal(Draws.make(9, 50, seed=1).counts, Draws.make(9, 50, seed=1).counts)
    assert (Draws.make(9, 50, seed=1).counts != Draws.make(9, 50, seed=2).counts).any()
    for wrong in ({"sequences": 0}, {"sequences": 3, "samples": 0}, {"sequences": 3, "level": 1.0}):
        with pytest.raises(ValueError, match=r"bootstrap needs|level of an interval"):
            Draws.make(**wrong)


def test_intervals_have_the_width_they_should():
    """Of a mean of 100 values with a spread of 0.1: about 0.02 to both sides."""
    values = np.random.default_rng(0).normal(0.6, 0.1, 100)
    interval = compare([scores("a", values.tolist())]).intervals["a"]
    assert interval.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / 10
    assert interval.low == pytest.approx(values.mean() - half, abs=0.003)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.003)
    wide = compare([scores("a", values.tolist())], level=0.5).intervals["a"]
    assert interval.low < wide.low < wide.high < interval.high


def test_differences_are_paired():
    """A constant advantage is certain, however much sequences differ."""
    values = np.linspace(0.1, 0.9, 30)
    comparison = compare([scores("a", values.tolist()), scores("b", (values + 0.01).tolist())])
    [difference] = comparison.differences
    assert (difference.tracker, difference.reference) == ("b", "a")
    assert (difference.change.low, difference.change.high) == (pytest.approx(0.01), pytest.approx(0.01))
    assert difference.p_value == 0.0
    assert (difference.wins, difference.losses, difference.ties) == (30, 0, 0)
    assert comparison.intervals["a"].high - comparison.intervals["a"].low > 0.1


def test_a_tracker_like_the_other():
    values = np.linspace(0.1, 0.9, 12).tolist()
    [same] = compare([scores("a", values), scores("b", values)]).differences
    assert (same.change.value, same.p_value, same.ties) == (0.0, 1.0, 12)
    noise = np.random.default_rng(1).normal(0, 0.1, 12)
    noise -= noise.mean()
    [alike] = compare([scores("a", values), scores("b", (np.array(values) + noise).tolist())]).differences
    assert alike.p_value > 0.5
    assert alike.change.low < 0 < alike.change.high


def test_weights_and_sequences_that_one_lacks():
    first = scores("a", [0.2, 0.8, np.nan], [1.0, 3.0, 0.0])
    second = scores("b", [0.9, 0.6], [3.0, 5.0], names=["s1", "other"])
    comparison = compare([first, second])
    assert comparison.sequences == 1
    assert comparison.intervals["a"].value == pytest.approx(0.65)
    assert comparison.intervals["b"].value == pytest.approx((2.7 + 3.0) / 8)
    assert comparison.differences[0].change.value == pytest.approx(0.1)


@given(st.lists(st.floats(0, 1) | st.just(np.nan), min_size=1, max_size=8))
def test_saved_comparisons_are_json(values):
    comparison = compare([scores("a", values), scores("b", values[::-1])], samples=20)
    assert json.loads(json.dumps(comparison.to_json(), allow_nan=False))["sequences"] == len(values)


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match="different names"):
        compare([scores("a", [0.1]), scores("a", [0.2])])
    with pytest.raises(ValueError, match="no sequence in common"):
        compare([scores("a", [0.1]), scores("b", [0.2], names=["other"])])
    with pytest.raises(ValueError, match=r"a has no EAO of every sequence \(default\)"):
        compare([scores("a", [0.1])], "EAO")


def test_different_conventions_are_warned_about_and_shown():
    mixed = [scores("a", [0.1]), scores("b", [0.2], convention="ostrack/lasot")]
    with pytest.warns(ConventionWarning, match="cannot be compared: a: default on set, b: ostrack/lasot on set"):
        compare(mixed)
    with pytest.warns(ConventionWarning):
        table = comparison_table(mixed)
    assert table.title == "counted in different ways: not to be compared"
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table)
    assert "ostrack/lasot, set" in captured.get()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert comparison_table([mixed[0], scores("b", [0.2])]).title == "set, convention default"


def test_prints():
    console = Console(width=100)
    with console.capture() as captured:
        console.print(compare([scores("a", [0.1, 0.3]), scores("b", [0.4, 0.5])]))
    text = captured.get()
    assert "AO with 95 % intervals; differences on 2 sequences" in text
    assert "[40.0, 50.0]" in text
    assert "+25.0 [+20.0, +30.0]" in text
    assert "2/0/0" in text


def test_by_attribute():
    table = by_attribute(
        [scores("a", [0.2, 0.4, 0.9]), scores("b", [0.5], names=["s2"])],
        {"s0": ("Fast Motion",), "s1": ("Fast Motion", "Blur"), "s2": ()},
    )
    assert [(entry.name, entry.sequences) for entry in table] == [("Blur", 1), ("Fast Motion", 2)]
    assert table[1].values["a"]["AO"] == pytest.approx(0.3)
    assert np.isnan(table[1].values["b"]["AO"])
    assert by_attribute([scores("a", [0.2])], {}) == []


@pytest.fixture
def attributed(made):
    """Two sequences with attributes, one of them with marked frames."""
    first, second = made.make_sequence("a", 20, step=0.0), made.make_sequence("b", 20, step=2.0)
    marks = np.zeros(20, bool)
    marks[[0, 5, 6]] = True
    first = replace(first, attributes={"challenges": ("Slow",), "challenge_frames": {"occlusion": marks}})
    second = replace(second, attributes={"challenges": ("Fast", "Slow")})
    return made.Listed([first, second])


def test_frames_that_are_marked(attributed):
    boxes = attributed[0].boxes.copy()
    boxes[6] = [500, 500, 10, 8]
    [entry] = by_attribute_frames({"x": {"a": boxes}, "y": {}}, sequences_with_marks(attributed))
    assert (entry.name, entry.frames) == ("occlusion", 2)  # the first frame does not count
    assert entry.overlap["x"] == pytest.approx(0.5)
    assert np.isnan(entry.overlap["y"])


def test_attributes_of_a_dataset(attributed, made):
    assert read_attributes(attributed) == {"a": ("Slow",), "b": ("Fast", "Slow")}
    assert read_attributes(attributed, limit=1) == {"a": ("Slow",)}
    plain = made.Listed([made.make_sequence("a", 4)])
    assert read_attributes(plain) == {}
    assert sequences_with_marks(plain) == []


def test_report_with_attributes(attributed, tmp_path):
    for name, shift in (("near", 1.0), ("far", 6.0)):
        for sequence in attributed.sequences:
            write_track(tmp_path / name, sequence.name, Track(sequence.boxes + np.array([shift, 0, 0, 0])))
    results = [(name, tmp_path / name) for name in ("near", "far")]
    report = write_report(results, attributed, tmp_path / "report")
    assert [entry.name for entry in report.attributes] == ["Fast", "Slow"]
    assert report.comparison.differences[0].losses == 2
    page = report.html.read_text()
    assert page.count("data:image/svg+xml") == 4
    assert "Attributes of single frames" in page
    assert "near: predictions replaced <b>0</b>, padded <b>0</b>, cut <b>0</b>" in page
    text = report.markdown.read_text()
    assert "| Fast | 1 |" in text
    assert "| occlusion | 2 |" in text
    assert "## AO with 95 % intervals" in text
    assert (tmp_path / "report" / "plots" / "attributes.svg").is_file()
    lines = report.attributes_csv.read_text().splitlines()
    assert lines[0].startswith("attribute,sequences,tracker,AO,")
    assert len(lines) == 1 + 2 * 2
    saved = json.loads(report.json.read_text())
    assert saved["comparison"]["figure"] == "AO"
    assert saved["attribute_frames"][0]["frames"] == 2
    assert [entry.tracker for entry in load_scores(report.json)] == ["near", "far"]
    with pytest.raises(ValueError, match="holds scores of 2 trackers; read them with load_scores"):
        Scores.load(report.json)


def test_saved_scores_from_the_command_line(tmp_path, capsys):
    from trackdata.cli import main

    scores("a", [0.1, 0.3]).save(tmp_path / "a.json")
    scores("b", [0.4, 0.5], convention="got10k").save(tmp_path / "b.json")
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    assert main(["compare", *files, "--json", str(tmp_path / "out.json")]) == 0
    shown = capsys.readouterr()
    assert "differences on 2 sequences" in shown.out
    assert "these figures cannot be compared" in shown.err
    assert json.loads((tmp_path / "out.json").read_text())["differences"][0]["wins"] == 2
    assert main(["compare"]) == 2
    assert main(["compare", *files, "--level", "2"]) == 2
    (tmp_path / "c.json").write_text("[1]")
    assert main(["compare", str(tmp_path / "c.json")]) == 1
    assert "c.json does not hold saved scores" in capsys.readouterr().err
