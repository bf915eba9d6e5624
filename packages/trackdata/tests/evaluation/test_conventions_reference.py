"""Every convention against a slow, obvious one, on worlds that have no stored numbers; and what ``default`` mends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackdata.evaluation.conventions import (
    CONVENTIONS,
    Default,
    Got10k,
    LasotOfficial,
    Pysot,
    Pytracking,
    Toolkit,
    TrackingNet,
    convention,
)
from trackdata.evaluation.curves import count_above, count_from, count_within, steps
from trackdata.evaluation.records import PredictionError, Track, Truth, TruthError
from trackdata.evaluation.scores import evaluate


def slow_pytracking(boxes, truth: Truth, rule: str, tag: str) -> tuple[list[float], list[float], list[float]]:
    """The three curves, one frame and one threshold at a time, in the published order of operations."""
    rows = [list(row) for row in boxes]
    annotated = [list(row) for row in truth.boxes]
    frames = len(annotated)
    for i in range(1, min(len(rows), frames)):
        if (rows[i][2] == 0 or rows[i][3] == 0) and not any(map(math.isnan, annotated[i])):
            rows[i] = rows[i - 1]
    rows = rows[:frames] + [[0.0] * 4] * (frames - len(rows))
    rows[0] = annotated[0]
    hits = {"success": [0] * 21, "precision": [0] * 51, "norm": [0] * 51}
    for p, g, seen in zip(
        rows, annotated, truth.visible if truth.visible is not None else [True] * frames, strict=True
    ):
        valid = seen and (g[2] > 0 and g[3] > 0 if rule == "ostrack" else all(v > 0 for v in g))
        if valid:
            w = max(0.0, min(p[0] + p[2] - 1, g[0] + g[2] - 1) - max(p[0], g[0]) + 1)
            h = max(0.0, min(p[1] + p[3] - 1, g[1] + g[3] - 1) - max(p[1], g[1]) + 1)
            overlap = w * h / (p[2] * p[3] + g[2] * g[3] - w * h)
            (px, py), (gx, gy) = [(b[0] + 0.5 * (b[2] - 1), b[1] + 0.5 * (b[3] - 1)) for b in (p, g)]
            center = math.sqrt((px - gx) ** 2 + (py - gy) ** 2)
            norm = math.sqrt((px / g[2] - gx / g[2]) ** 2 + (py / g[3] - gy / g[3]) ** 2)
        else:
            overlap, norm, center = -1.0, -1.0, -1.0 if tag == "uav" else math.inf
            if tag == "lasot" and not seen:
                center = norm = math.inf
        for k in range(21):
            hits["success"][k] += overlap > k * 0.05
        for k in range(51):
            hits["precision"][k] += center <= k
            hits["norm"][k] += norm <= k / 100
    return tuple([count / frames for count in counts] for counts in hits.values())


@pytest.mark.parametrize("k", [1, 4, 9])
@pytest.mark.parametrize("rule", ["ostrack", "pytracking"])
@pytest.mark.parametrize("tag", ["otb", "uav", "lasot", "lasot_extension_subset"])
def test_other_worlds(rule, tag, k, world):
    for name in world.names:
        if (name == "nan_gt" and tag != "uav") or (name == "short_pred" and tag == "lasot"):
            continue  # refused
        truth, boxes = world.truth(name, k, visible=tag.startswith("lasot")), world.boxes(name, 1, k)
        scores = Pytracking(rule, tag).score([Track(boxes)], truth)
        for mine, slow in zip(scores.curves.values(), slow_pytracking(boxes, truth, rule, tag), strict=True):
            np.testing.assert_allclose(mine, slow, atol=1e-12, err_msg=f"{name} k={k}")


@pytest.mark.parametrize("k", [0, 3, 8])
def test_got10k_pools_frames(k, world):
    names = [name for name in world.names if name not in ("nan_gt", "short_pred", "long_pred")]
    truths = [world.truth(name, k) for name in names]
    pooled = []
    for name, truth in zip(names, truths, strict=True):
        for p, g in list(zip(world.boxes(name, 2, k), truth.boxes, strict=True))[1:]:
            p, g = _kept_inside(p), _kept_inside(g)
            w = max(0.0, min(p[0] + p[2], g[0] + g[2]) - max(p[0], g[0]))
            h = max(0.0, min(p[1] + p[3], g[1] + g[3]) - max(p[1], g[1]))
            union = p[2] * p[3] + g[2] * g[3] - w * h
            pooled.append(w * h / union if union else 0.0)
    scores = evaluate(Got10k(), {name: world.track(name, 2, k) for name in names}, truths)
    assert scores.values["AO"] == pytest.approx(np.mean(pooled), abs=1e-9)
    assert scores.values["SR0.5"] == pytest.approx(np.mean([value > 0.5 for value in pooled]), abs=1e-9)
    assert scores.values["SR0.75"] == pytest.approx(np.mean([value > 0.75 for value in pooled]), abs=1e-9)


def slow_lasot(boxes, truth: Truth) -> list[list[float]]:
    """The three curves of LaSOT's own toolkit, frame by frame."""
    rows, hits = [list(row) for row in boxes], ([0] * 21, [0] * 51, [0] * 51)
    for i in range(1, len(rows)):
        if any(map(math.isnan, rows[i])) or rows[i][2] <= 0 or rows[i][3] <= 0:
            rows[i] = rows[i - 1]
    rows[0] = list(truth.boxes[0])
    for i, g in enumerate(truth.boxes):
        if truth.visible is None or truth.visible[i]:
            _add_hits(hits, *(_slow_errors(rows[i], g) if min(g) > 0 else (-1, -1, -1)))
    return [[count / len(truth) for count in kind] for kind in hits]


def slow_pysot(boxes, truth: Truth, kind: str) -> list[list[float]]:
    """The three curves of PySOT, frame by frame."""
    hits = ([0] * 21, [0] * 51, [0] * 51)
    for i, (p, g) in enumerate(zip(boxes, truth.boxes, strict=True)):
        if kind == "lasot" and truth.visible is not None and not truth.visible[i]:
            continue
        (px, py), (gx, gy) = [(b[0] + 0.5 * (b[2] - 1), b[1] + 0.5 * (b[3] - 1)) for b in (p, g)]
        w, h = g[2] + 1e-16, g[3] + 1e-16
        overlap = _slow_errors(p, g)[0] if all(g > 0) else -1
        center = math.sqrt((px - gx) ** 2 + (py - gy) ** 2) if gx > 0 and gy > 0 else -1
        norm = math.sqrt((px / w - gx / w) ** 2 + (py / h - gy / h) ** 2) if gx / w > 0 and gy / h > 0 else -1
        _add_hits(hits, overlap, center, norm)
    return [[count / len(truth) for count in kind] for kind in hits]


def slow_trackingnet(boxes, truth: Truth) -> tuple[float, float, float, float]:
    """Coverage and the three areas of the server, frame by frame, as fractions."""
    rounded = [[round(v) for v in row] for row in truth.boxes]
    rows = [rounded[0]] + [[round(v) for v in row] for row in boxes[1 : len(truth)]]
    hits, covered = ([0] * 21, [0] * 21, [0] * 21), 0
    for p, g in zip(rows, rounded, strict=False):
        covered += sum(p) > 0
        overlap = _slow_errors(p, g)[0]
        dx, dy = p[0] + (p[2] + 1) / 2 - (g[0] + (g[2] + 1) / 2), p[1] + (p[3] + 1) / 2 - (g[1] + (g[3] + 1) / 2)
        center, norm = math.sqrt(dx**2 + dy**2), math.sqrt((dx / g[2]) ** 2 + (dy / g[3]) ** 2)
        for k in range(21):
            hits[0][k] += overlap >= np.linspace(0, 1, 21)[k]
            hits[1][k] += center <= 2.5 * k
            hits[2][k] += norm <= np.linspace(0, 0.5, 21)[k]
    areas = [sum(kind[k] + kind[k + 1] for k in range(20)) / 40 / len(truth) for kind in hits]
    return covered / len(truth), *areas


def _slow_errors(p, g) -> tuple[float, float, float]:
    w = max(0.0, min(p[0] + p[2] - 1, g[0] + g[2] - 1) - max(p[0], g[0]) + 1)
    h = max(0.0, min(p[1] + p[3] - 1, g[1] + g[3] - 1) - max(p[1], g[1]) + 1)
    (px, py), (gx, gy) = [(b[0] + 0.5 * (b[2] - 1), b[1] + 0.5 * (b[3] - 1)) for b in (p, g)]
    norm = math.sqrt((px / g[2] - gx / g[2]) ** 2 + (py / g[3] - gy / g[3]) ** 2)
    return w * h / (p[2] * p[3] + g[2] * g[3] - w * h), math.sqrt((px - gx) ** 2 + (py - gy) ** 2), norm


def _add_hits(hits, overlap, center, norm) -> None:
    for k in range(21):
        hits[0][k] += overlap > k * 0.05
    for k in range(51):
        hits[1][k] += center <= k
        hits[2][k] += norm <= k / 100


@pytest.mark.parametrize("k", [1, 2, 3])
def test_lasot_official_on_other_worlds(k, world):
    for name in world.names:
        if name in ("nan_gt", "short_pred"):
            continue
        truth, boxes = world.truth(name, k, visible=True), world.boxes(name, 2, k)[: len(world.truth(name, k))]
        mine = LasotOfficial().score([Track(boxes)], truth).curves
        for curve, slow in zip(mine.values(), slow_lasot(boxes, truth), strict=True):
            np.testing.assert_allclose(curve, slow, atol=1e-12, err_msg=f"{name} k={k}")


@pytest.mark.parametrize("kind", ["otb", "lasot"])
@pytest.mark.parametrize("k", [0, 1, 2])
def test_pysot_on_other_worlds(k, kind, world):
    for name in world.names:
        truth, boxes = world.truth(name, k, visible=True), world.boxes(name, 1, k)
        if len(boxes) != len(truth):
            with pytest.raises(PredictionError, match=rf"{name}: \d+ predicted boxes for"):
                Pysot(kind).score([Track(boxes)], truth)
            continue
        mine = Pysot(kind).score([Track(boxes)], truth).curves
        for curve, slow in zip(mine.values(), slow_pysot(boxes, truth, kind), strict=True):
            np.testing.assert_allclose(curve, slow, atol=1e-12, err_msg=f"{name} k={k}")


@pytest.mark.parametrize("k", [1, 2, 3])
def test_trackingnet_on_other_worlds(k, world):
    for name in world.names:
        truth, boxes = world.truth(name, k), world.boxes(name, 2, k)
        if (truth.boxes[:, 2:] <= 0).any() or not truth.annotated.all():
            continue  # the server's annotation has a box in every frame
        mine = TrackingNet().score([Track(boxes)], truth).values
        figures = [mine[figure] for figure in ("coverage", "S_area", "P_area", "P_norm_area")]
        assert figures == pytest.approx(slow_trackingnet(boxes, truth), abs=1e-12), f"{name} k={k}"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-2, 2) | st.just(math.inf) | st.just(math.nan), max_size=40), st.sampled_from([0.05, 0.01, 0.3])
)
def test_counting(values, gap):
    values, thresholds = np.array(values, dtype=float), steps(gap)
    np.testing.assert_array_equal(count_above(values, thresholds), [(values > t).sum() for t in thresholds])
    np.testing.assert_array_equal(count_within(values, thresholds), [(values <= t).sum() for t in thresholds])
    np.testing.assert_array_equal(count_from(values, thresholds), [(values >= t).sum() for t in thresholds])


def test_default_on_a_plain_sequence_agrees_with_the_published_ones(world):
    truth, track = world.truth("plain"), world.track("plain", 1)
    mine = Default().score([track], truth).values
    published = Pytracking("ostrack").score([track], truth).values | Got10k().score([track], truth).values
    for figure in ("AO", "SR0.5", "SR0.75", "mAO", "AUC", "P", "P_norm"):
        assert mine[figure] == pytest.approx(published[figure], abs=1e-12), figure


def test_default_does_not_reward_unannotated_frames(world):
    truth, track = world.truth("nan_gt"), world.track("nan_gt", 2)
    mine, published = Default().score([track], truth), Pytracking("ostrack", "uav").score([track], truth)
    assert mine.unannotated == 11
    assert mine.scored == len(truth) - 11
    hits = published.values["P"] * len(truth) - 11
    assert mine.values["P"] == pytest.approx(hits / mine.scored)


def test_default_counts_invisible_frames_as_missed(world):
    truth, track = world.truth("absent", visible=True), world.track("absent", 1)
    published = Pytracking("ostrack", "lasot_extension_subset").score([track], truth).values
    mine, visible_only = Default().score([track], truth).values, Default(visible_only=True).score([track], truth).values
    invisible = np.mean(~truth.visible)
    assert mine["P_norm"] == pytest.approx(published["P_norm"] - invisible)
    assert mine["AUC"] == pytest.approx(published["AUC"])
    assert visible_only["AUC"] == pytest.approx(mine["AUC"] / (1 - invisible))


@pytest.mark.parametrize("name", ["short_pred", "long_pred"])
def test_default_length_policies(name, world):
    truth, track = world.truth(name), world.track(name, 1)
    with pytest.raises(PredictionError, match=rf"{name}: \d+ predicted boxes for 64 frames"):
        Default().score([track], truth)
    padded = Default(lengths="pad").score([track], truth)
    truncated = Default(lengths="truncate").score([track], truth)
    if name == "short_pred":
        assert (padded.repairs.padded, padded.scored, truncated.scored) == (10, 64, 54)
        assert padded.values["P"] == pytest.approx(truncated.values["P"] * 54 / 64)
        assert padded.values["AUC"] < truncated.values["AUC"]
    else:
        assert (padded.repairs.cut, truncated.repairs.cut) == (7, 7)
        assert padded.values == truncated.values


def test_default_truncates_several_runs_to_the_shortest(world):
    truth, boxes = world.truth("plain"), world.boxes("plain", 1)
    both = Default(lengths="truncate").score([Track(boxes[:90]), Track(boxes[:70])], truth)
    alone = Default(lengths="truncate").score([Track(boxes[:70])], truth)
    assert both.scored == 70
    assert both.values == pytest.approx(alone.values, nan_ok=True)


def test_default_without_a_frame_size_and_with_nothing_to_find(world):
    boxes = np.tile([10.0, 10.0, 20.0, 20.0], (5, 1))
    assert Default().score([Track(boxes)], Truth("s", boxes)).values["AO"] == pytest.approx(1.0)
    with pytest.raises(TruthError, match="s: GOT-10k overlaps need the frame size"):
        Got10k().score([Track(boxes)], Truth("s", boxes))
    empty = Truth("gone", np.full((4, 4), np.nan))
    nothing = evaluate(Default(), {"gone": Track(boxes[:4])}, [empty])
    assert all(math.isnan(value) for value in nothing.values.values())


@pytest.mark.parametrize(
    "name", [name for name in CONVENTIONS if name != "lasot_official"]
)  # which repeats the row before
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[0, 0, 5, 5], [0, np.nan, 5, 5]], r"s: the box predicted for frame 1 holds NaN"),
        ([[0, 0, 5, 5], [0, 0, np.inf, 5]], r"s: the box predicted for frame 1 holds NaN or infinity"),
        ([[0, 0, 5, 5], [0, 0, -3, 5]], r"s: the box predicted for frame 1 has a negative size"),
    ],
)
def test_bad_predictions(name, bad, message):
    with pytest.raises(PredictionError, match=message):
        convention(name).score([Track(np.array(bad, dtype=float))], _small())


@pytest.mark.parametrize("name", CONVENTIONS)
@pytest.mark.parametrize("bad", [[0, 0, 5, 5], np.empty((0, 4)), [[0, 0, 5]] * 2])
def test_what_is_no_table_of_boxes(name, bad):
    with pytest.raises(PredictionError, match=r"s: predictions must be \(M, 4\)"):
        convention(name).score([Track(np.array(bad, dtype=float))], _small())


def _small() -> Truth:
    return Truth("s", np.tile([0.0, 0.0, 5.0, 5.0], (2, 1)), frame_size=(20, 20))


def test_bad_truths():
    with pytest.raises(TruthError, match=r"s: annotations must be \(N, 4\)"):
        Truth("s", np.empty((0, 4)))
    with pytest.raises(TruthError, match=r"s: visible has shape \(3,\) for 2 boxes"):
        Truth("s", np.ones((2, 4)), visible=np.ones(3, bool))


@pytest.mark.parametrize("value", [np.nan, np.inf, -3.0])
def test_policies_for_predictions_that_cannot_be_scored(value):
    truth = Truth("s", np.tile([5.0, 5.0, 5.0, 5.0], (4, 1)), frame_size=(20, 20))
    boxes = truth.boxes.copy()
    boxes[2, 3] = value
    missed = Default(invalid="miss").score([Track(boxes)], truth)
    assert missed.repairs.replaced == 1
    assert missed.values["P"] == 0.75
    assert missed.values["AO"] == pytest.approx(2 / 3)
    repeated = LasotOfficial().score([Track(boxes)], truth)
    assert repeated.repairs.replaced == 1
    assert repeated.values["P"] == 1.0


def test_names():
    assert convention("ostrack/lasot") == Pytracking("ostrack", "lasot")
    assert convention("lasot_toolkit") == Toolkit("lasot")
    for rules in (
        *CONVENTIONS.values(),
        Pytracking("pytracking", "uav", exclude_invalid=True),
        Pysot("lasot"),
        Default(visible_only=True, lengths="pad", invalid="miss"),
    ):
        assert convention(rules.name) == rules
    for wrong in ("default/pads", "ostrack/", "ostrack/lasot/visible", "got10k/lasot", "pysot/uav"):
        with pytest.raises(ValueError, match=r"no convention|PySOT reports"):
            convention(wrong)
    with pytest.raises(ValueError, match="no convention 'got10'; did you mean 'got10k'"):
        convention("got10")
    with pytest.raises(ValueError, match="gap between thresholds must lie in"):
        steps(0)


def test_conventions_of_datasets_exist():
    from trackdata.datasets import list_datasets

    for info in list_datasets():
        assert convention(info.convention).name.startswith(info.convention)


def _kept_inside(box) -> list[float]:
    x, y = min(max(box[0], 0), 320), min(max(box[1], 0), 240)
    return [x, y, min(max(box[2], 0), 320 - x), min(max(box[3], 0), 240 - y)]
