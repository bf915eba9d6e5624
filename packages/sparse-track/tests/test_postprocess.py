"""Post-processing against the published one."""

from __future__ import annotations

import numpy as np
import pytest

from sparse_track.config import TrackingConfig
from sparse_track.configurations import CONFIGURATIONS, get_configuration
from sparse_track.head import cell_centres
from sparse_track.postprocess import Target, clip, cosine_window, locate, penalties


@pytest.mark.parametrize("number", range(3))
def test_choice_smoothing_and_clipping(load_case, fill, number):
    case = load_case("postprocess")
    told = case.config["cases"][number]
    inputs = case.inputs(fill)
    scores = inputs[f"score{number}"].numpy()
    reach = 30 * np.exp(0.4 * inputs[f"ltrb{number}"].double().numpy())
    centres = cell_centres(19, 289).double().numpy()
    boxes = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1).astype(np.float32)
    config = get_configuration(told["config"])
    assert (config.test_lr, config.window_influence, config.penalty_k) == (
        told["test_lr"],
        told["window_influence"],
        told["penalty_k"],
    )
    before = Target(np.array(told["pos"]), np.array(told["size"]))
    window = cosine_window(19)
    case.check("window", window)
    penalty = penalties(boxes.astype(float), before.size * told["scale"], config.penalty_k)
    case.check(f"penalty{number}", penalty, case.tolerance["penalty"])
    influence = config.window_influence
    response = penalty * scores * (1 - influence) + window * influence
    case.check(f"pscore{number}", response, case.tolerance["pscore"])
    located = locate(scores, boxes, window, before, told["scale"], 289, config)
    case.check(f"best{number}", [located.cell], case.tolerance["best"])
    assert located.response == pytest.approx(response.max())
    assert located.score == pytest.approx(scores[located.cell])
    for name, target in (("raw_pos_size", located.target), ("pos_size", clip(located.target, told["image_hw"], 10))):
        case.check(f"{name}{number}", np.concatenate([target.centre, target.size]), 1e-4, rtol=2e-6)
    case.check(f"rect{number}", clip(located.target, told["image_hw"], 10).box, 1e-4, rtol=2e-6)


def test_boxes_and_targets():
    box = np.array([10.0, 20, 5, 8])
    target = Target.of_box(box)
    assert target.centre.tolist() == [12.0, 23.5]
    assert target.box.tolist() == box.tolist()


def test_clipping_in_a_frame_smaller_than_the_smallest_side():
    target = clip(Target(np.array([-3.0, 50]), np.array([2.0, 90])), (40, 6), 10)
    assert target.centre.tolist() == [0, 40]
    assert target.size.tolist() == [10, 40]


def test_configurations():
    assert sorted(CONFIGURATIONS) == ["got10k", "lasot", "otb2015", "trackingnet", "uav123"]
    with pytest.raises(ValueError, match="did you mean 'uav123'"):
        get_configuration("uav12")
    with pytest.raises(ValueError, match="window_influence"):
        TrackingConfig(window_influence=1.5)
