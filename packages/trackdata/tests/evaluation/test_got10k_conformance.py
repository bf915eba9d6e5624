"""The stored numbers of the GOT-10k toolkit: per frame, its OTB, UAV123 and LaSOT style reports, and GOT-10k itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trackdata.evaluation.conventions import Got10k, Toolkit
from trackdata.evaluation.overlap import center_distance, continuous_overlap, toolkit_relative_center_distance
from trackdata.evaluation.records import PredictionError, Track
from trackdata.evaluation.scores import evaluate

FIGURES = {
    "success_score": "AUC",
    "success_rate": "OP50",
    "precision_score": "P",
    "normalized_precision_score": "P_norm_mean",
}
CURVES = {"success_curve": "success", "precision_curve": "precision", "normalized_precision_curve": "norm_precision"}
RUNS = (1, 3, 2)  # how often each tracker ran on GOT-10k


def test_every_frame(world, stored):
    arrays, _ = stored("got10k_toolkit")
    for name in world.names:
        truth, boxes = world.truth(name).boxes, world.boxes(name, 1)
        length = min(len(truth), len(boxes))
        truth, boxes = truth[:length], boxes[:length]
        mine = {
            "iou": continuous_overlap(boxes, truth),
            "iou_bounded": continuous_overlap(boxes, truth, (320, 240)),
            "center": center_distance(boxes, truth),
            "norm_center": toolkit_relative_center_distance(boxes, truth),
        }
        for quantity, values in mine.items():
            np.testing.assert_allclose(
                values, arrays[f"frame/{name}/{quantity}"], atol=1e-12, rtol=0, err_msg=f"{name}/{quantity}"
            )


@pytest.mark.parametrize("kind", ["otb", "uav123", "lasot"])
def test_reports(kind, world, stored):
    arrays, meta = stored("got10k_toolkit")
    names = meta["sequences"][kind]
    for j in range(3):
        tracks = {
            name: Track(_written(world.boxes(name, j)), None if s == 1 else _times(len(world.boxes(name, j)), s, j))
            for s, name in enumerate(names)
        }
        scores = evaluate(Toolkit(kind), tracks, [world.truth(name) for name in names])
        entries = {"overall": scores} | {f"seq/{entry.name}": entry for entry in scores.sequences}
        for place, entry in entries.items():
            _compare(f"{kind}/trk{j}/{place}", entry, FIGURES, CURVES, arrays, meta)


@pytest.mark.parametrize("j", [0, 1, 2])
def test_got10k(j, world, stored):
    arrays, meta = stored("got10k_toolkit")
    names = meta["got10k_sequences"]
    tracks = {}
    for s, name in enumerate(names):
        boxes = [_written(world.boxes(name, (j + run) % 3)) for run in range(RUNS[j])]
        times = np.stack([_times(len(boxes[0]), s + run, j) for run in range(RUNS[j])], axis=1)
        times[3, 0] = np.nan
        tracks[name] = [Track(rows, None if s == 3 else times[:, run]) for run, rows in enumerate(boxes)]
    truths = [replace(world.truth(name), cover=arrays[f"in/got10k/{name}/cover"]) for name in names]
    scores = evaluate(Got10k(), tracks, truths)
    figures = {"ao": "AO", "sr": "SR0.5"}
    _compare(f"got10k/trk{j}/overall", scores, figures, {"succ_curve": "success"}, arrays, meta)
    for s, entry in enumerate(scores.sequences):
        assert meta["scores"][f"got10k/trk{j}/seq/{entry.name}/length"] == entry.frames - 1
        if s == 3:
            # The reference repeats the previous sequence's speed where a time file is missing; here it is unknown.
            assert np.isnan(entry.values["fps"])
            repeated = meta["scores"][f"got10k/trk{j}/seq/{entry.name}/speed_fps"]
            assert repeated == pytest.approx(scores.sequences[2].values["fps"], abs=1e-6)
        _compare(f"got10k/trk{j}/seq/{entry.name}", entry, figures, {}, arrays, meta, speed=s != 3)


def test_everything_stored_is_compared(world, stored):
    arrays, meta = stored("got10k_toolkit")
    frames = {f"frame/{name}/{q}" for name in world.names for q in ("iou", "iou_bounded", "center", "norm_center")}
    curves = {"otb": list(CURVES)[:2], "uav123": list(CURVES)[:2], "lasot": list(CURVES)}
    reports = {
        f"{kind}/trk{j}/{place}/{curve}"
        for kind, kept in curves.items()
        for j in range(3)
        for place in ("overall", *(f"seq/{name}" for name in meta["sequences"][kind]))
        for curve in kept
    }
    pooled = {f"got10k/trk{j}/overall/succ_curve" for j in range(3)}
    assert frames | reports | pooled == {key for key in arrays if not key.startswith("in/")}
    assert set(meta["raises"]) == {
        "otb/single_frame",  # scored here: test_one_frame_is_scored
        "got10k/missing_result",
        "got10k/short_result",  # both: test_refused_inputs
        "got10k/no_time_file_for_the_first_sequence",  # the speed is unknown: test_got10k
    }


def test_refused_inputs(world):
    truth = world.truth("plain")
    with pytest.raises(PredictionError, match=r"no result for sequence plain"):
        evaluate(Got10k(), {}, [truth])
    with pytest.raises(PredictionError, match=r"plain: 50 predicted boxes for 120 frames"):
        evaluate(Got10k(), {"plain": Track(world.boxes("plain", 0)[:50])}, [truth])


def test_one_frame_is_scored(world):
    single = world.truth("single")
    report = evaluate(Toolkit("otb"), {"single": world.track("single", 1)}, [single])
    assert report.values["AUC"] == pytest.approx(20 / 21)
    pooled = evaluate(Got10k(), {"single": world.track("single", 1)}, [single])
    assert np.isnan(pooled.values["AO"])  # the first frame does not count and there is no other


def test_inputs_stay_as_they_are(world):
    truth, boxes = world.truth("negative_xy"), world.boxes("negative_xy", 1)
    before = truth.boxes.copy(), boxes.copy()
    Got10k().score([Track(boxes)], truth)
    Toolkit("lasot").score([Track(boxes)], truth)
    np.testing.assert_array_equal(truth.boxes, before[0])
    np.testing.assert_array_equal(boxes, before[1])


def _compare(place, entry, figures, curves, arrays, meta, speed=True) -> None:
    for label, figure in figures.items():
        if f"{place}/{label}" in meta["scores"]:
            expected = meta["scores"][f"{place}/{label}"]
            expected = np.nan if expected is None else expected
            np.testing.assert_allclose(entry.values[figure], expected, atol=1e-9, rtol=0, err_msg=f"{place}/{label}")
    for label, curve in curves.items():
        if f"{place}/{label}" in arrays:
            np.testing.assert_allclose(
                entry.curves[curve], arrays[f"{place}/{label}"], atol=1e-6, rtol=0, err_msg=f"{place}/{label}"
            )
    if speed:
        rate = entry.values["fps"]
        mine = -1.0 if np.isnan(rate) else rate
        assert mine == pytest.approx(meta["scores"][f"{place}/speed_fps"], abs=1e-6), place


def _times(frames: int, s: int, j: int) -> np.ndarray:
    t = np.arange(frames)
    return np.where(t % 9 == 4, 0.0, ((7 * t + s) % 5 + 1 + j) / 64)


def _written(boxes: np.ndarray) -> np.ndarray:
    return np.array([[float(f"{value:.3f}") for value in row] for row in boxes])
