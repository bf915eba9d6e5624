"""The stored numbers of the DAVIS 2017 evaluation: per mask, per object, per dataset."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from trackdata.evaluation.segmentation import (
    boundary_accuracy,
    boundary_map,
    boundary_radius,
    combine,
    label_measures,
    mask_protocol,
    measure_video,
    region_similarity,
    sequence_statistics,
)
from trackdata.videos import SegmentedVideo

TOLERANCE = 1e-9
COLUMNS = ("J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay")
GLOBAL = ("J&F", *COLUMNS)


@pytest.fixture(scope="module")
def case(conformance_folder):
    def load(name: str) -> tuple[dict[str, np.ndarray], dict]:
        with np.load(conformance_folder / f"{name}.npz") as stored:
            return {key: stored[key] for key in stored.files if key != "meta"}, json.loads(str(stored["meta"]))

    return load


def video(name: str, truth: np.ndarray) -> SegmentedVideo:
    """A video of label maps ``(N, H, W)``, its objects those of the first one, as DAVIS has it."""
    objects = tuple(number for number in np.unique(truth[0]).tolist() if number not in (0, 255))
    return SegmentedVideo(
        name=name,
        frames=truth,
        frame_names=tuple(f"{index:05d}" for index in range(len(truth))),
        objects=objects,
        labels=lambda index: truth[index],
        annotated=np.ones(len(truth), bool),
        first_frames=dict.fromkeys(objects, 0),
        classes=dict.fromkeys(objects),
        size=truth.shape[1:],
        wanted=np.ones(len(truth), bool),
    )


def scores_of(sequences: dict[str, tuple[np.ndarray, np.ndarray]], protocol: str):
    """Scores of results given as label maps, by name of the video: (truth, result)."""
    rules = mask_protocol(protocol)
    measured = []
    for name, (truth, result) in sequences.items():
        given = video(name, truth)
        measured.append((given, measure_video(given, lambda _, frame, size, maps=result: maps[int(frame)], rules)))
    return combine(measured, rules)


def test_edges(case):
    arrays, meta = case("metrics_edges")
    width = int(arrays["in/shape"][2])
    maps = {key: np.unpackbits(arrays[f"in/{key}"], axis=-1)[..., :width].astype(bool) for key in ("gt", "res", "void")}
    for index, label in enumerate(meta["config"]["labels"]):
        height, width = arrays["in/size"][index]
        truth, result, void = (maps[key][index, :height, :width] for key in ("gt", "res", "void"))
        hidden = void if meta["config"]["has_void"][index] else None
        threshold = meta["config"]["bound_th"][index]
        measured = [
            region_similarity(truth, result, hidden),
            boundary_accuracy(truth, result, hidden, threshold),
            boundary_radius((height, width), threshold),
        ]
        expected = [arrays[f"out/{key}"][index] for key in ("J", "F", "radius")]
        np.testing.assert_allclose(measured, expected, atol=TOLERANCE, rtol=0, err_msg=label)
        cleared = [mask & ~void if hidden is not None else mask for mask in (truth, result)]
        assert [int(boundary_map(mask).sum()) for mask in cleared] == arrays["out/boundary_pixels"][index].tolist()


def test_frames(case):
    arrays, _ = case("metrics_frames")
    radius = boundary_radius(arrays["in/gt"].shape[1:])
    pairs = [(number, number) for number in (1, 2, 3)]
    measured = np.array(
        [
            label_measures(truth, result, pairs, radius)
            for truth, result in zip(arrays["in/gt"], arrays["in/res"], strict=True)
        ]
    )
    for column, measure in enumerate("JF"):
        np.testing.assert_allclose(measured[:, :, column].T, arrays[f"out/{measure}"], atol=TOLERANCE, rtol=0)
        for number in range(3):
            statistics = sequence_statistics(measured[:, number, column])
            for part, value in statistics._asdict().items():
                assert value == pytest.approx(arrays[f"out/{part}"][column, number], abs=TOLERANCE)


def test_statistics(case):
    arrays, meta = case("metrics_statistics")
    digest = hashlib.sha256(f"{meta['seed']}:input:scores".encode()).digest()
    state = np.random.RandomState(int.from_bytes(digest[:4], "little"))
    scores = state.random_sample(400).astype(np.float32).astype(np.float64)
    inputs = [scores[:length] for length in meta["config"]["lengths"]]
    some, many = scores[:40].copy(), scores[:40].copy()
    some[[0, 5, 39]], many[:11] = np.nan, np.nan
    inputs += [some, many, np.full(20, 0.5)]
    for output, eight_bit in (("values", False), ("official_uint8_limits", True)):
        found = [sequence_statistics(values, eight_bit) for values in inputs]
        np.testing.assert_allclose(found, arrays[f"out/{output}"], atol=TOLERANCE, rtol=0)


def test_dataset(case):
    arrays, meta = case("metrics_dataset")
    names = meta["config"]["sequences"]
    sequences = {name: (arrays[f"in/gt_{name}"], arrays[f"in/res_{name}"]) for name in names}
    scores = scores_of(sequences, "davis2017/strict")
    assert [row.name for row in scores.sequences] == meta["config"]["objects"]
    _compare(scores, arrays)


def test_unsupervised(case):
    arrays, meta = case("metrics_unsupervised")
    sequences = {"shuffled": (arrays["in/gt_shuffled"], arrays["in/res_shuffled"])}
    scores = scores_of(sequences, "davis2017-unsupervised/strict")
    assert [row.name for row in scores.sequences] == meta["config"]["objects"]
    _compare(scores, arrays)
    # Without the fault the rows are those of the objects: proposals 1, 2 and 3 are objects 2, 3 and 1.
    mended = scores_of(sequences, "davis2017-unsupervised")
    table = [[row.values[column] for column in COLUMNS] for row in mended.sequences]
    np.testing.assert_allclose(table, arrays["out/per_object"][[2, 0, 1]], atol=TOLERANCE, rtol=0)
    assert mended.values["J&F"] == pytest.approx(scores.values["J&F"])


SEQUENCES = ("small", "wide", "long", "late")


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_frame_of_another_set(name, case):
    arrays, _ = case("davis_jf")
    truth, result = arrays[f"in/{name}/gt"], arrays[f"in/{name}/pred"]
    radius = boundary_radius(truth.shape[1:])
    measured = np.array([label_measures(a, b, [(1, 1), (2, 2)], radius) for a, b in zip(truth, result, strict=True)])
    for number in (1, 2):
        for column, measure in enumerate("JF"):
            values = measured[:, number - 1, column]
            place = f"out/{name}/obj{number}/{measure}"
            np.testing.assert_allclose(values, arrays[place], atol=TOLERANCE, rtol=0)
            statistics = sequence_statistics(values[1:-1], eight_bit=True)
            np.testing.assert_allclose(statistics, arrays[f"{place}_stats"], atol=TOLERANCE, rtol=0)
    expected = np.unpackbits(arrays[f"out/{name}/boundary_frame3_obj1"])[: truth[3].size].reshape(truth[3].shape)
    np.testing.assert_array_equal(boundary_map(truth[3] == 1), expected)


def test_another_set(case):
    arrays, meta = case("davis_jf")
    sequences = {name: (arrays[f"in/{name}/gt"], arrays[f"in/{name}/pred"]) for name in SEQUENCES}
    scores = scores_of(sequences, "davis2017/strict")
    names = list(meta["dataset_level"]["J"]["M_per_object"])
    assert [row.name for row in scores.sequences] == names
    for measure in "JF":
        for part, short in (("mean", "M"), ("recall", "R"), ("decay", "D")):
            found = [row.values[f"{measure}_{part}"] for row in scores.sequences]
            np.testing.assert_allclose(found, meta["dataset_level"][measure][short], atol=TOLERANCE, rtol=0)
    expected = meta["global_scores"]
    found = {key: scores.values["J&F" if key == "JF_mean" else key] for key in expected}
    assert found == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)
    # The decay of the long video is lost in 8 bits only.
    assert not np.isnan(scores_of(sequences, "davis2017").values["J_decay"])


def test_everything_stored_is_compared(case):
    parts = [f"{m}{s}" for m in "JF" for s in ("", "_stats")]
    outputs = {f"out/{n}/obj{k}/{part}" for n in SEQUENCES for k in (1, 2) for part in parts}
    outputs |= {f"out/{name}/boundary_frame3_obj1" for name in SEQUENCES}
    assert outputs == {key for key in case("davis_jf")[0] if key.startswith("out/")}


def _compare(scores, arrays) -> None:
    table = [[row.values[column] for column in COLUMNS] for row in scores.sequences]
    np.testing.assert_allclose(table, arrays["out/per_object"], atol=TOLERANCE, rtol=0)
    found = [scores.values[figure] for figure in GLOBAL]
    np.testing.assert_allclose(found, arrays["out/global"], atol=TOLERANCE, rtol=0)
