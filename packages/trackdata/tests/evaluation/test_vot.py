"""The VOT measures against slow, obvious ones, on worlds that have no stored numbers; and their corner cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackdata.evaluation.records import PredictionError, TruthError
from trackdata.evaluation.vot import (
    LongTerm,
    MultiStart,
    Supervised,
    Trajectory,
    VotTruth,
    challenge,
    region_overlap,
    region_overlaps,
    score_longterm,
    score_multistart,
    score_supervised,
)
from trackdata.evaluation.vot.multistart import first_streak
from trackdata.regions import FAILURE, NOTHING, START, Code, Mask, Polygon, Rectangle, region_mask

SIZE = (320, 240)


def slow_overlap(a, b) -> float:
    """Of rectangles or codes, by sets of columns and rows."""
    columns, rows = [], []
    for region in (a, b):
        empty = isinstance(region, Code)
        x, y, w, h = (0, 0, 0, 0) if empty else map(round, (region.x, region.y, region.width, region.height))
        columns.append({i for i in range(x, x + w) if 0 <= i < SIZE[0]})
        rows.append({i for i in range(y, y + h) if 0 <= i < SIZE[1]})
    shared = len(columns[0] & columns[1]) * len(rows[0] & rows[1])
    union = len(columns[0]) * len(rows[0]) + len(columns[1]) * len(rows[1]) - shared
    return shared / union if union else 1.0


def sequence(world, name: str, k: int) -> VotTruth:
    """A sequence of ``synth.py`` with anchors at both ends and in between; in ``plain`` the target is gone once."""
    boxes = world.truth(name, k).boxes
    regions = [Rectangle(*box) for box in boxes.tolist()]
    if name == "plain":
        regions[30:36] = [NOTHING] * 6
    anchors = np.zeros(len(boxes), int)
    anchors[[0, 20]], anchors[[45, -1]] = 1, -1
    return VotTruth(name, regions, SIZE, anchors)


NAMES = ("plain", "partly_outside", "negative_xy")


@pytest.mark.parametrize("j", [1, 2])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_multistart_on_other_worlds(k, j, world):
    truths = [sequence(world, name, k) for name in NAMES]
    rules = MultiStart(interval=(15, 60))
    results, slow = {}, []  # slow: per sequence, per run, (overlaps, progress)
    for truth in truths:
        predicted = [Rectangle(*box) for box in world.boxes(truth.name, j, k).tolist()]
        runs, slow_runs = [], []
        for start, backward in truth.starts:
            frames = list(range(start, -1, -1)) if backward else list(range(start, len(truth)))
            regions = [START] + [predicted[frame] for frame in frames[1:]]
            overlaps = [slow_overlap(region, truth.regions[f]) for region, f in zip(regions, frames, strict=True)]
            progress, bad = len(frames), 0
            for position, frame in enumerate(frames):
                bad = bad + 1 if overlaps[position] <= 0.1 and truth.regions[frame] != NOTHING else 0
                if bad == 10:
                    progress = position - 9
                    break
            runs.append(Trajectory(regions))
            slow_runs.append((overlaps, progress))
        results[truth.name] = runs
        slow.append(slow_runs)
    accuracy = sum(sum(o[:p]) for runs in slow for o, p in runs) / sum(p for runs in slow for _, p in runs)
    robustness = sum(
        len(truth) * sum(p for _, p in runs) / sum(len(o) for o, _ in runs)
        for truth, runs in zip(truths, slow, strict=True)
    ) / sum(map(len, truths))
    curve = [0.0]
    for length in range(1, 60):
        values = []
        for overlaps, progress in (run for runs in slow for run in runs):
            kept = overlaps[:progress] + [0.0] * (len(overlaps) - progress)
            if length < len(overlaps):
                values.append(sum(kept[1 : length + 1]) / length)
            elif progress < len(overlaps):
                values.append(sum(kept[1:]) / (length - 1))
        curve.append(sum(values) / len(values) if values else 0.0)
    scores = score_multistart(results, truths, rules)
    np.testing.assert_allclose(scores.curves["expected_overlap"], curve, atol=1e-12)
    expected = {"EAO": np.mean(curve[15:60]), "A": accuracy, "R": robustness}
    assert scores.values == pytest.approx(expected, abs=1e-12)


def supervised_lines(truth: VotTruth, predicted) -> list:
    """What a tracker that repeats ``predicted`` leaves in a supervised run."""
    lines = []
    while len(lines) < len(truth):
        lines.append(START)
        while len(lines) < len(truth):
            frame = len(lines)
            if slow_overlap(predicted[frame], truth.regions[frame]) == 0 and truth.regions[frame] != NOTHING:
                lines += [FAILURE, *[NOTHING] * 4]
                break
            lines.append(predicted[frame])
    return lines[: len(truth)]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_supervised_on_other_worlds(k, world):
    truths = [sequence(world, name, k) for name in NAMES]
    rules = Supervised(interval=(10, 40), burn_in=3)
    results, fragments, accuracies, counts = {}, [], [], []
    for truth in truths:
        lines = supervised_lines(truth, [Rectangle(*box) for box in world.boxes(truth.name, 2, k).tolist()])
        overlaps = [slow_overlap(line, region) for line, region in zip(lines, truth.regions, strict=True)]
        since, counted, fragment = 0, [], []
        for line, overlap in zip(lines, overlaps, strict=True):
            since = 0 if line == START else since + 1
            if line == START:
                fragment = []
            if line == FAILURE:
                fragments.append((fragment, True))
                fragment = None
            elif fragment is not None:
                fragment.append(overlap)
                if since >= 3:
                    counted.append(overlap)
        if fragment is not None:
            fragments.append((fragment, False))
        results[truth.name] = [Trajectory(lines)]
        accuracies.append(np.mean(counted))
        counts.append(lines.count(FAILURE))
    lengths = np.array([len(truth) for truth in truths])
    failures = np.average(counts, weights=lengths)
    assert failures > 1
    longest = max(len(fragment) for fragment, _ in fragments)
    curve = [np.mean([fragment[0] for fragment, _ in fragments])]
    for length in range(1, longest):
        values = []
        for fragment, failed in fragments:
            if failed:
                values.append(np.mean((fragment[1:] + [0.0] * longest)[:length]))
            elif length < len(fragment):
                values.append(np.mean(fragment[1 : length + 1]))
        curve.append(np.mean(values))
    scores = score_supervised(results, truths, rules)
    np.testing.assert_allclose(scores.curves["expected_overlap"], curve, atol=1e-12)
    expected = {
        "EAO": np.mean(curve[10:41]),
        "A": np.average(accuracies, weights=lengths),
        "R": math.exp(-30 * failures / lengths.mean()),
        "failures": failures,
    }
    assert scores.values == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_longterm_on_other_worlds(k, world):
    truths = [sequence(world, name, k) for name in NAMES]
    results, curves, overlaps = {}, [], {}
    everything = []
    for truth in truths:
        frames = np.arange(len(truth))
        confidence = ((frames * 29 + 7 * k) % 83) / 83
        confidence[0] = np.nan
        regions = [START] + [Rectangle(*box) for box in world.boxes(truth.name, 2, k).tolist()[1:]]
        for frame in range(9 + k, len(truth), 17):
            regions[frame] = NOTHING
        results[truth.name] = [Trajectory(regions, confidence)]
        overlaps[truth.name] = [slow_overlap(a, b) for a, b in zip(regions, truth.regions, strict=True)]
        everything += confidence[1:].tolist()
    everything.sort(reverse=True)
    step = len(everything) // 18
    ranks = [round(step + i * (len(everything) - 2 * step) / 17) for i in range(18)]
    thresholds = [math.inf, *(everything[rank] for rank in ranks), -math.inf]
    for threshold in thresholds:
        precision, recall = [], []
        for truth in truths:
            [run] = results[truth.name]
            counted = [o for o, c in zip(overlaps[truth.name], run.confidence, strict=True) if c >= threshold]
            precision.append(np.mean(counted) if counted else 1.0)
            recall.append(sum(counted) / sum(region != NOTHING for region in truth.regions))
        curves.append((np.mean(precision), np.mean(recall)))
    best = max(2 * p * r / (p + r) for p, r in curves)
    scores = score_longterm(results, truths, LongTerm(resolution=20))
    np.testing.assert_allclose(scores.curves["precision_by_confidence"], [p for p, _ in curves], atol=1e-12)
    np.testing.assert_allclose(scores.curves["recall_by_confidence"], [r for _, r in curves], atol=1e-12)
    assert scores.values["F"] == pytest.approx(best, abs=1e-12)


coordinates = st.floats(-20, 40).map(lambda value: round(value * 4) / 4)
rectangles = st.builds(Rectangle, coordinates, coordinates, st.floats(0, 30), st.floats(0, 30))
masks = st.builds(
    lambda seed, w, h, x, y: Mask(np.random.default_rng(seed).random((h, w)) < 0.6, x, y),
    *[st.integers(0, 99), st.integers(0, 12), st.integers(0, 12), st.integers(-5, 20), st.integers(-5, 20)],
)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=6).map(lambda p: Polygon(tuple(p)))
regions = st.one_of(rectangles, masks, polygons, st.just(NOTHING))


@given(regions, regions)
def test_overlaps_are_those_of_whole_drawings(a, b):
    size = (32, 24)
    drawn_a, drawn_b = region_mask(a, size), region_mask(b, size)
    union = (drawn_a | drawn_b).sum()
    if isinstance(a, Code) or isinstance(b, Code):
        expected = float(a == b)
    elif union:
        expected = (drawn_a & drawn_b).sum() / union
    else:
        expected = float(not any(_pixels(region) for region in (a, b)))  # outside is not the same as nothing
    assert region_overlap(a, b, size) == pytest.approx(expected)
    assert region_overlap(b, a, size) == pytest.approx(expected)


def _pixels(region) -> int:
    """How many pixels a region has in an image that is large enough."""
    return int(region_mask(region, (200, 200), (-80, -80)).sum())


def test_overlaps_without_an_image():
    far = Rectangle(-1000, 5000, 10, 10)
    assert region_overlap(far, far) == 1.0
    assert region_overlap(far, far, (100, 100)) == 0.0
    assert region_overlap(far, NOTHING) == 0.0
    assert region_overlap(NOTHING, NOTHING) == 1.0
    assert region_overlap(Rectangle(0, 0, 4, 4), Rectangle(0, 0, 4, 2), None) == 0.5
    assert region_overlaps([], []).shape == (0,)


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 6))
def test_first_streak(bad, length):
    starts = [at for at in range(len(bad) - length + 1) if all(bad[at : at + length])]
    assert first_streak(np.array(bad, bool), length) == (starts[0] if starts else len(bad))


def test_a_perfect_tracker_and_one_that_fails_at_once():
    truth = VotTruth("s", [Rectangle(10 + i, 10, 20, 20) for i in range(40)], SIZE, np.eye(1, 40, dtype=int)[0])
    perfect = Trajectory([START, *truth.regions[1:]])
    lost = Trajectory([START] + [Rectangle(200, 200, 5, 5)] * 39)
    rules = MultiStart(interval=(5, 30))
    scores = score_multistart({"s": [perfect]}, [truth], rules)
    assert scores.values == pytest.approx({"EAO": 1.0, "A": 39 / 40, "R": 1.0})
    scores = score_multistart({"s": [lost]}, [truth], rules)
    # The start itself overlaps nothing, so it is the first of the bad frames: there is no progress and no accuracy.
    assert scores.values == pytest.approx({"EAO": 0.0, "A": math.nan, "R": 0.0}, nan_ok=True)
    supervised = score_supervised({"s": [Trajectory([START, FAILURE, *[NOTHING] * 38])]}, [truth])
    assert supervised.values["failures"] == 1
    assert supervised.values["A"] == 0.0


def test_results_that_do_not_fit():
    truth = VotTruth("s", [Rectangle(0, 0, 5, 5)] * 4, SIZE, np.array([1, 0, 0, -1]))
    short = Trajectory([START, NOTHING])
    with pytest.raises(PredictionError, match="s: 1 runs for 2 anchors"):
        score_multistart({"s": [short]}, [truth])
    with pytest.raises(PredictionError, match="s, run from frame 0: 2 regions for 4 frames"):
        score_multistart({"s": [short, short]}, [truth])
    with pytest.raises(PredictionError, match="s: 2 regions for 4 frames, run it again"):
        score_supervised({"s": [short]}, [truth])
    with pytest.raises(PredictionError, match="s: the run has no confidences"):
        score_longterm({"s": [Trajectory([START] * 4)]}, [truth])
    with pytest.raises(TruthError, match="s: multi-start runs need anchors"):
        score_multistart({"s": [short]}, [VotTruth("s", truth.regions, SIZE)])


def test_anchors_for_datasets_without():
    regions = [Rectangle(0, 0, 5, 5)] * 120
    regions[50] = NOTHING
    truth = VotTruth("s", regions, SIZE).with_anchors(spacing=50)
    assert truth.starts == ((0, False), (49, False), (100, True), (119, True))
    with pytest.raises(TruthError, match="no frame shows the target"):
        VotTruth("s", [NOTHING], SIZE).with_anchors()


def test_challenges():
    assert challenge("vot2018").experiment == Supervised(interval=(100, 356))
    assert challenge("vot2019").experiment == Supervised(interval=(46, 291))
    assert challenge("vot2022").experiment == MultiStart(interval=(115, 755))
    with pytest.raises(ValueError, match="no VOT challenge 'vot202'; did you mean"):
        challenge("vot202")
