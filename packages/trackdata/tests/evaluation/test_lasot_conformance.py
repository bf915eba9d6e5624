"""The stored numbers of four programs on the same LaSOT sequences: generated ones and three real annotations."""

from __future__ import annotations

import numpy as np
import pytest

from trackdata.evaluation.conventions import LasotOfficial, Pytracking, Toolkit
from trackdata.evaluation.records import PredictionError, Track, Truth
from trackdata.evaluation.scores import evaluate

CURVES = ("success", "precision", "norm_precision")
CONVENTIONS = {
    "official": LasotOfficial(),
    "ostrack": Pytracking("ostrack", "lasot"),
    "pytracking": Pytracking("pytracking", "lasot"),
    "toolkit": Toolkit("lasot"),
}


@pytest.fixture(scope="module")
def real(stored):
    """Annotations of the real sequences by name, from x, y, w, h and packed flags of absence."""
    arrays, meta = stored("lasot_conventions")
    truths = {}
    for name in meta["real"]:
        boxes = arrays[f"in/real/{name}/gt"].astype(np.float64)
        absent = np.unpackbits(arrays[f"in/real/{name}/absent"])[: len(boxes)].astype(bool)
        truths[name] = Truth(name, boxes, visible=~absent, absent=absent)
    return truths


@pytest.mark.parametrize("j", [0, 1, 2])
def test_generated_sequences(j, world, stored):
    arrays, meta = stored("lasot_conventions")
    names = meta["synthetic"]
    truths = [world.truth(name, visible=True) for name in names]
    scores = evaluate(LasotOfficial(), {name: world.track(name, j) for name in names}, truths)
    for curve in CURVES:
        mine = [entry.curves[curve] for entry in scores.sequences]
        np.testing.assert_allclose(mine, arrays[f"synthetic/{curve}"][j], atol=1e-6, rtol=0)
        np.testing.assert_allclose(scores.curves[curve], arrays[f"synthetic/overall/{curve}"][j], atol=1e-6, rtol=0)
    assert scores.repairs.replaced == 5  # rows 1, 2 and 50-52 of zero_pred
    assert scores.repairs.cut == 7
    assert scores.absent == sum(int(truth.gone.sum()) for truth in truths)


@pytest.mark.parametrize("program", CONVENTIONS)
def test_real_sequences(program, world, real, stored):
    arrays, meta = stored("lasot_conventions")
    rules = CONVENTIONS[program]
    figures = meta["scores_on_real"][program]
    for j in range(3):
        tracks = {name: Track(world.synth.carried_prediction(truth.boxes, j)) for name, truth in real.items()}
        scores = evaluate(rules, tracks, list(real.values()))
        for curve in CURVES:
            mine = [entry.curves[curve] for entry in scores.sequences]
            np.testing.assert_allclose(mine, arrays[f"real/{program}/{curve}"][j], atol=1e-6, rtol=0)
        mine = [
            scores.values["AUC"],
            scores.values["P"],
            scores.curves["norm_precision"][20],
            scores.curves["norm_precision"].mean(),
        ]
        expected = [figures[figure][j] for figure in ("AUC", "P", "Pnorm_at_0_2", "Pnorm_auc")]
        np.testing.assert_allclose(100 * np.array(mine), expected, atol=1e-3, rtol=0)


def test_everything_stored_is_compared(stored):
    arrays, _ = stored("lasot_conventions")
    compared = {f"synthetic/{place}{curve}" for place in ("", "overall/") for curve in CURVES}
    compared |= {f"real/{program}/{curve}" for program in CONVENTIONS for curve in CURVES}
    assert compared == {key for key in arrays if not key.startswith("in/")}


def test_short_results_are_refused(world):
    with pytest.raises(PredictionError, match="short_pred: 54 predicted boxes for 64 frames, track it again"):
        LasotOfficial().score([world.track("short_pred", 0)], world.truth("short_pred"))


def test_sequences_of_zeros_are_left_out_of_the_mean(world):
    """A curve that is zero throughout leaves the mean, also when others of the sequence are not."""
    gone = Truth("gone", world.truth("plain").boxes, absent=np.ones(120, bool))
    plain = world.truth("plain")
    both = evaluate(LasotOfficial(), {n: world.track("plain", 1) for n in ("plain", "gone")}, [plain, gone])
    alone = evaluate(LasotOfficial(), {"plain": world.track("plain", 1)}, [plain])
    assert both.values == pytest.approx(alone.values, nan_ok=True)
