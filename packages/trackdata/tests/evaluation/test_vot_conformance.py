"""The stored numbers of the VOT toolkit, from stored trajectories."""

from __future__ import annotations

import json

import numpy as np
import pytest

from trackdata.evaluation.vot import (
    LongTerm,
    MultiStart,
    Supervised,
    Trajectory,
    VotTruth,
    region_overlap,
    score_longterm,
    score_multistart,
    score_supervised,
)
from trackdata.regions import NOTHING, START, Rectangle, parse_region, region_mask

TRACKERS = (0, 1, 2)
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def toolkit(conformance_folder):
    """(sequences, experiments) as stored, and the image's size."""
    with np.load(conformance_folder / "vot_toolkit.npz") as case:
        size = tuple(json.loads(str(case["meta"]))["size"])
        return json.loads(str(case["in/json"])), json.loads(str(case["out/json"])), size


@pytest.fixture(scope="module")
def truths(toolkit):
    sequences, _, size = toolkit
    return [
        VotTruth(
            name,
            [NOTHING if box is None else Rectangle(*box) for box in sequence["gt"]],
            size,
            np.array(sequence["anchor"]),
        )
        for name, sequence in sequences.items()
    ]


def test_drawn_regions(conformance_folder):
    """Pixels of polygons and rectangles that the toolkit draws, found out through overlaps with masks."""
    stored = json.loads((conformance_folder / "vot_regions.json").read_text())
    for case in stored["drawn"]:
        region = parse_region(",".join(map(str, case["numbers"])))
        drawn = region_mask(region, tuple(stored["size"])).astype(int)
        assert drawn.sum() == case["pixels"]
        joined = np.add.reduceat(np.add.reduceat(drawn, [0, *range(2, 18)], axis=0), [0, *range(2, 24)], axis=1)
        np.testing.assert_array_equal(joined, case["counts"], err_msg=str(case["numbers"]))


def test_overlaps_of_all_kinds(conformance_folder):
    stored = json.loads((conformance_folder / "vot_regions.json").read_text())
    for first, second, overlap in stored["overlaps"]:
        found = region_overlap(parse_region(first), parse_region(second), tuple(stored["size"]))
        assert found == pytest.approx(overlap, abs=TOLERANCE), (first, second)


@pytest.mark.parametrize("j", TRACKERS)
def test_multistart(j, toolkit, truths):
    sequences, stored, _ = toolkit
    score, curve, measures = stored["baseline"]["parameters"]["analyses"]
    rules = MultiStart((score["low"], score["high"]), score["threshold"], score["grace"])
    assert curve["high"] == score["high"]
    runs = {}
    for truth in truths:
        boxes = sequences[truth.name][f"pred{j}"]
        visits = [truth.run_frames(*start) for start in truth.starts]
        runs[truth.name] = [Trajectory([START, *(Rectangle(*boxes[i]) for i in frames[1:])]) for frames in visits]
    scores = score_multistart(runs, truths, rules)
    eao, curves, (accuracy, robustness, pair, progress, frames) = (
        result[j] for result in stored["baseline"]["results"]
    )
    assert measures["type"].endswith("AverageAccuracyRobustness")
    assert scores.values["EAO"] == pytest.approx(eao[0], abs=TOLERANCE)
    np.testing.assert_allclose(scores.curves["expected_overlap"], curves[0], atol=TOLERANCE, rtol=0)
    assert [scores.values["A"], scores.values["R"]] == pytest.approx([accuracy, robustness], abs=TOLERANCE)
    assert pair == [robustness, accuracy]
    assert sum(row.weights["A"] for row in scores.sequences) == progress
    assert scores.frames == frames


@pytest.mark.parametrize("j", TRACKERS)
def test_supervised(j, toolkit, truths):
    sequences, stored, _ = toolkit
    parameters = stored["supervised"]["parameters"]
    measures, score, curve = parameters["analyses"]
    rules = Supervised(
        interval=(score["low"], score["high"]),
        skip=parameters["skip_initialize"],
        failure_overlap=parameters["failure_overlap"],
        burn_in=measures["burnin"],
        sensitivity=measures["sensitivity"],
    )
    assert curve["burnin"] == score["burnin"] == rules.burn_in
    runs = {name: [_reported(sequence[f"supervised{j}"])] for name, sequence in sequences.items()}
    scores = score_supervised(runs, truths, rules)
    (accuracy, failures, pair, length), eao, curves = (result[j] for result in stored["supervised"]["results"])
    found = [scores.values[name] for name in ("A", "failures", "R", "EAO")]
    assert found == pytest.approx([accuracy, failures, pair[0], eao[0]], abs=TOLERANCE)
    assert pair[1] == accuracy
    np.testing.assert_allclose(scores.curves["expected_overlap"], curves[0], atol=TOLERANCE, rtol=0)
    assert scores.frames / len(truths) == pytest.approx(length)


@pytest.mark.parametrize("j", TRACKERS)
def test_longterm(j, toolkit, truths):
    sequences, stored, _ = toolkit
    analyses = stored["longterm"]["parameters"]["analyses"]
    rules = LongTerm(analyses[0]["resolution"])
    runs = {
        name: [_reported(sequence[f"longterm{j}"], np.array(sequence[f"confidence{j}"]))]
        for name, sequence in sequences.items()
    }
    scores = score_longterm(runs, truths, rules)
    best, (pairs, _), (measure, second), accuracy = (result[j] for result in stored["longterm"]["results"])
    found = [scores.values[name] for name in ("precision", "recall", "F")]
    assert found == pytest.approx(best, abs=TOLERANCE)
    curves = np.stack([scores.curves["recall_by_confidence"], scores.curves["precision_by_confidence"]], axis=1)
    np.testing.assert_allclose(curves, pairs, atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(scores.curves["F_by_confidence"], measure, atol=TOLERANCE, rtol=0)
    assert second == pairs[1]  # the toolkit gives the second point of the other curve where thresholds belong
    assert scores.values["A"] == pytest.approx(accuracy[0], abs=TOLERANCE)


@pytest.mark.parametrize("j", TRACKERS)
def test_thresholds(j, toolkit):
    """As stored, with the six decimals that the files of confidences have."""
    from trackdata.evaluation.vot.longterm import confidence_thresholds

    sequences, stored, _ = toolkit
    reported = np.concatenate([sequence[f"confidence{j}"] for sequence in sequences.values()])
    thresholds = confidence_thresholds(reported, 100)
    np.testing.assert_allclose(thresholds, stored["longterm"]["results"][1][j][1], atol=TOLERANCE)


def _reported(lines, confidence=None) -> Trajectory:
    return Trajectory([parse_region(line) for line in lines], confidence)
