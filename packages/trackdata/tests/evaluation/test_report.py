"""Reports: files, contents, self-containedness."""

from __future__ import annotations

import csv
import json
import re
from urllib.parse import unquote

import numpy as np
import pytest

from trackdata.evaluation import Scores, Track, write_report, write_track
from trackdata.evaluation.figures import Line, plot_curves, side_by_side, strip


@pytest.fixture
def toys(made):
    return made.Listed([made.make_sequence("easy", 12, step=0.1), made.make_sequence("hard & <fast>", 12, step=3.0)])


@pytest.fixture
def results(made, toys, tmp_path):
    """Folders of a perfect tracker and one that stays, the latter without a result for one sequence."""
    perfect, still = tmp_path / "perfect", tmp_path / "still"
    for sequence in toys.sequences:
        times = np.full(len(sequence), 0.01)
        write_track(perfect, sequence.name, Track(sequence.boxes, times))
        if sequence.name != "easy":
            write_track(still, sequence.name, Track(np.tile(sequence.boxes[0], (len(sequence), 1)), times))
    return perfect, still


def test_report(results, toys, tmp_path):
    perfect, still = results
    report = write_report([("perfect", perfect), ("still <1>", still)], toys, tmp_path / "report", title="A & B")
    page = report.html.read_text()
    assert "<title>A &amp; B</title>" in page
    assert "hard &amp; &lt;fast&gt;" in page
    assert "hard & <fast>" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # nothing outside the file
    assert page.count("data:image/svg+xml") == 3
    assert page.count("data:image/jpeg") == 12
    assert "no result" in page
    text = report.markdown.read_text()
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert len(pictures) == 5
    assert all((tmp_path / "report" / unquote(picture)).is_file() for picture in pictures)
    assert (tmp_path / "report" / "worst" / "easy.jpg").stat().st_size > 500
    assert "| perfect | 100.0 | 100.0 | 100.0 |" in text
    assert "convention **default**" in text


def test_numbers_beside_it(results, toys, tmp_path):
    report = write_report([("perfect", results[0]), ("still", results[1])], toys, tmp_path / "report")
    trackers = list(csv.DictReader(report.trackers_csv.open()))
    assert [row["tracker"] for row in trackers] == ["perfect", "still"]
    assert float(trackers[0]["AO"]) == pytest.approx(1, abs=1e-6)
    assert float(trackers[0]["fps"]) == pytest.approx(100)
    assert [row["failures"] for row in trackers] == ["0", "1"]
    rows = list(csv.DictReader(report.sequences_csv.open()))
    assert [(row["tracker"], row["sequence"], row["failure"]) for row in rows] == [
        ("perfect", "easy", ""),
        ("perfect", "hard & <fast>", ""),
        ("still", "hard & <fast>", ""),
        ("still", "easy", "no result"),
    ]
    saved = json.loads(report.json.read_text())
    assert Scores.from_json(saved["trackers"][0]).values["AO"] == report.scores[0].values["AO"]


def test_worst_come_first(made, toys, tmp_path):
    for sequence in toys.sequences:
        write_track(tmp_path / "still", sequence.name, Track(np.tile(sequence.boxes[0], (12, 1))))
    report = write_report([("still", tmp_path / "still")], toys, tmp_path / "report", worst=1)
    assert [path.name for path in (tmp_path / "report" / "worst").iterdir()] == ["hard & <fast>.jpg"]
    assert np.isnan(report.scores[0].values["fps"])


@pytest.mark.parametrize("name", ["got10k", "ostrack/lasot", "lasot_toolkit"])
def test_other_conventions(name, results, toys, tmp_path):
    report = write_report([("perfect", results[0])], toys, tmp_path / "report", convention=name)
    assert report.scores[0].convention == name
    assert name in report.markdown.read_text()


def test_unreadable_frames_do_not_stop_a_report(made, tmp_path):
    data = made.Listed([made.make_sequence("torn", 12, broken=(11,))])
    write_track(tmp_path / "r", "torn", Track(data[0].boxes))
    report = write_report([("r", tmp_path / "r")], data, tmp_path / "report")
    assert "No pictures: frame 11 cannot be read" in report.html.read_text()


def test_one_frame(made, tmp_path):
    data = made.Listed([made.make_sequence("single", 1)])
    write_track(tmp_path / "r", "single", Track(data[0].boxes))
    report = write_report([("r", tmp_path / "r")], data, tmp_path / "report")
    assert report.scores[0].values["AUC"] == pytest.approx(20 / 21)


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_trackers_need_different_names(names, toys, tmp_path):
    with pytest.raises(ValueError, match="one or more trackers with different names"):
        write_report([(name, tmp_path) for name in names], toys, tmp_path / "report")


def test_plots_are_the_same_every_time():
    x = np.linspace(0, 1, 21)
    lines = [Line("a [AUC 50.0]", "#2970ff", 1 - x)]
    first = plot_curves("Success", "overlap", x, lines)
    assert first == plot_curves("Success", "overlap", x, lines)
    assert first.startswith("<?xml")


def test_boxes_are_drawn_where_they_are(made):
    frames = made.ArrayFrames(3, size=(90, 120))
    truth = np.array([[10.0, 20.0, 40.0, 30.0], [np.nan] * 4, [0.0, 0.0, 0.0, 0.0]])
    stills = strip(frames, truth, {"t": truth[:1] + 15}, {"t": "#ff0000"}, count=3, width=240)
    assert [still.index for still in stills] == [0, 1, 2]
    assert stills[0].image.shape == (180, 240, 3)
    picture = stills[0].image.astype(int)
    near = picture[60:80, 17:24].max(axis=(0, 1))  # around the left edge of the annotation at x = 20
    assert near[1] > 150  # green
    assert (stills[1].image == 1).all()  # nothing to draw
    assert side_by_side(stills).shape == (180, 3 * 240 + 2 * 4, 3)
