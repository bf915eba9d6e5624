"""The stored numbers of OSTrack's and pytracking's analysis: per frame, per sequence, per dataset."""

from __future__ import annotations

import numpy as np
import pytest

from trackdata.evaluation.conventions import Pytracking
from trackdata.evaluation.records import PredictionError, Track, TruthError
from trackdata.evaluation.scores import evaluate

TAGS = ("otb", "uav", "lasot", "lasot_extension_subset")
CURVES = {
    "success": "ave_success_rate_plot_overlap",
    "precision": "ave_success_rate_plot_center",
    "norm_precision": "ave_success_rate_plot_center_norm",
}
FRAMES = {"iou": "overlap", "center": "center", "norm_center": "relative", "valid": "valid"}
SETTINGS = {"default": {}, "exclude": {"exclude_invalid": True}, "fine": {"gap": 0.01}}
FIGURES = {"AUC": "AUC", "OP50": "OP50", "OP75": "OP75", "Precision": "P", "NormPrecision": "P_norm"}


@pytest.mark.parametrize("rule", ["ostrack", "pytracking"])
@pytest.mark.parametrize("tag", TAGS)
def test_every_sequence(rule, tag, world, stored):
    arrays, meta = stored(f"ope_seq_{rule}")
    convention = Pytracking(rule, tag)
    compared = 0
    for name in world.names:
        for j in range(3):
            case = f"{name}/{tag}/t{j}"
            truth, track = world.truth(name, visible=tag.startswith("lasot")), world.track(name, j)
            if case in meta["raises"]:
                with pytest.raises((PredictionError, TruthError), match=name):
                    convention.score([track], truth)
                continue
            scores = convention.score([track], truth)
            for curve in CURVES:
                np.testing.assert_allclose(
                    scores.curves[curve], arrays[f"{case}/{curve}"], atol=1e-6, rtol=0, err_msg=case
                )
                compared += 1
            errors = convention.errors(track, truth)
            for quantity, attribute in FRAMES.items():
                if f"{case}/{quantity}" in arrays:
                    mine, theirs = getattr(errors, attribute), arrays[f"{case}/{quantity}"]
                    special = ~np.isfinite(theirs.astype(float)) | (theirs == -1)
                    np.testing.assert_array_equal(mine[special], theirs[special], err_msg=f"{case}/{quantity}")
                    np.testing.assert_allclose(
                        mine[~special], theirs[~special], atol=1e-12, rtol=0, err_msg=f"{case}/{quantity}"
                    )
                    compared += 1
    assert compared == sum(f"/{tag}/" in key for key in arrays)


@pytest.mark.parametrize("rule", ["ostrack", "pytracking"])
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", ["float", "int"])
def test_every_dataset(rule, setting, kind, world, stored):
    arrays, meta = stored(f"ope_dataset_{rule}")
    for group, names in meta["groups"].items():
        if group == "otb/single_frame":
            continue  # the reference cannot score it; see test_one_frame
        convention = Pytracking(rule, group, **SETTINGS[setting])
        truths = [world.truth(name, visible=group.startswith("lasot")) for name in names]
        runs = [{name: Track(_written(world.boxes(name, j), kind)) for name in names} for j in range(3)]
        separate = [evaluate(convention, run, truths) for run in runs]
        for curve, label in CURVES.items():
            if f"{group}/{kind}/{setting}/{label}" in arrays:
                mine = [[entry.sequences[s].curves[curve] for entry in separate] for s in range(len(names))]
                np.testing.assert_allclose(mine, arrays[f"{group}/{kind}/{setting}/{label}"], atol=1e-6, rtol=0)
        if f"{group}/{kind}/{setting}/avg_overlap_all" in arrays:
            overlap = [[entry.sequences[s].values["overlap"] for entry in separate] for s in range(len(names))]
            np.testing.assert_allclose(overlap, arrays[f"{group}/{kind}/{setting}/avg_overlap_all"], atol=1e-6, rtol=0)
        both = evaluate(convention, {name: [runs[1][name], runs[2][name]] for name in names}, truths)
        for variant, scored in (("runs", separate), ("merged", [separate[0], both])):
            for label, figure in FIGURES.items():
                expected = meta["scores"][f"{group}/{kind}/{setting}/{variant}"][label]
                np.testing.assert_allclose(
                    [100 * entry.values[figure] for entry in scored],
                    expected,
                    atol=1e-3,
                    rtol=0,
                    err_msg=f"{group} {label}",
                )


@pytest.mark.parametrize("rule", ["ostrack", "pytracking"])
def test_everything_stored_is_compared(rule, stored):
    arrays, meta = stored(f"ope_dataset_{rule}")
    settings = {"default": list(CURVES.values()), "exclude": list(CURVES.values()), "fine": [CURVES["success"]]}
    stored_for = {("float", "default"), ("float", "exclude"), ("float", "fine"), ("int", "default")}
    compared = {
        f"{tag}/{kind}/{setting}/{label}"
        for tag in TAGS
        for kind, setting in stored_for
        for label in (*settings[setting], *(["avg_overlap_all"] if setting != "fine" else []))
    }
    assert compared == set(arrays)
    places = {f"{tag}/{kind}/{setting}" for tag in TAGS for kind in ("float", "int") for setting in SETTINGS}
    scored = {f"{place}/{variant}" for place in places for variant in ("runs", "merged")}
    rest = {key for key in meta["scores"] if key not in scored}
    assert all(key.endswith("/report") or key.startswith("otb/single_frame/") for key in rest)


@pytest.mark.parametrize("rule", ["ostrack", "pytracking"])
def test_printed_table(rule, world, stored):
    _, meta = stored(f"ope_dataset_{rule}")
    for group in ("lasot", "uav", "otb", "lasot_extension_subset"):
        names = meta["groups"][group]
        truths = [world.truth(name, visible=group.startswith("lasot")) for name in names]
        lines = meta["scores"][f"{group}/report"].strip().splitlines()
        printed = [[float(cell) for cell in line.split("|")[1:-1]] for line in lines[-2:]]
        first = {name: Track(_written(world.boxes(name, 0), "float")) for name in names}
        second = {name: [Track(_written(world.boxes(name, j), "float")) for j in (1, 2)] for name in names}
        scored = [evaluate(Pytracking(rule, group), tracks, truths) for tracks in (first, second)]
        mine = [[round(100 * entry.values[figure], 2) for figure in FIGURES.values()] for entry in scored]
        np.testing.assert_allclose(mine, printed, atol=0.0101)


@pytest.mark.parametrize("rule", ["ostrack", "pytracking"])
def test_one_frame(rule, world):
    scores = evaluate(Pytracking(rule), {"single": world.track("single", 1)}, [world.truth("single")])
    assert scores.values["AUC"] == pytest.approx(20 / 21)
    assert scores.values["P"] == scores.values["P_norm"] == 1.0


def _written(boxes: np.ndarray, kind: str) -> np.ndarray:
    return np.trunc(boxes) if kind == "int" else np.array([[float(f"{value:.2f}") for value in row] for row in boxes])
