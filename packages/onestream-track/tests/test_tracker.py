"""The tracker against published trajectories, and on input that is not as it should be."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from onestream_track.backbone import Features
from onestream_track.config import EliminationConfig, ModelConfig, Policy
from onestream_track.elimination import centre_rows
from onestream_track.heads import Maps, decode, find_peak
from onestream_track.loading import create
from onestream_track.network import Output, build
from onestream_track.pictures import elimination_picture
from onestream_track.recipes import get_recipe
from onestream_track.targets import hann_window, normalise
from onestream_track.tracker import MultiTargetTracker, OneStreamTracker
from trackcore.boxes import clip_to_frame
from trackcore.crops import box_from_crop, box_in_crop, crop, crop_window
from trackcore.tracker import MultiTracker, Tracker, create_tracker

SMALL = ModelConfig(width=16, depth=1, heads=2, head_channels=8, template_size=64, search_size=128, position_grid=4)


def formula_network(config):
    """The closed formula that replaces the network in the published trajectories."""

    def network(template, search, *, template_mask=None):
        cells = F.avg_pool2d(search, 16)
        colour = template.mean((2, 3), keepdim=True)
        score = (4 * cells.mean(1, keepdim=True) - 2).sigmoid().clamp(1e-4, 1 - 1e-4)
        size = (0.9 + 0.2 * (cells[:, :2] - colour[:, :2] - 1.4).sigmoid()) / config.search_factor
        maps = Maps(score, size, 0.5 * cells[:, 1:].sigmoid())
        return Output(maps, decode(maps, find_peak(score).index), Features(search))

    return network


def published_network(config, fill, seed):
    """Filled weights with the four documented changes that keep the box stable."""
    network = build(config).eval()
    fill.fill_(network.state_dict(), seed)
    head, ratio = network.box_head, 1 / config.search_factor
    with torch.no_grad():
        head.conv5_size.weight *= 0.2
        head.conv5_size.bias.fill_(math.log(ratio / (1 - ratio)))
        head.conv5_ctr.weight *= 4
        head.conv5_offset.weight *= 0.5
    return network


@pytest.mark.parametrize(
    "name",
    [
        "trajectory_formula_256",
        "trajectory_formula_384_border",
        pytest.param("trajectory_vitb256_ce", marks=pytest.mark.slow),
    ],
)
def test_published_trajectories(load_case, fill, synthetic, name):
    case = load_case(name)
    config = get_recipe(case.meta["config"]).model
    stub = case.meta["network"] == "stub"
    network = formula_network(config) if stub else published_network(config, fill, case.meta["seed"])
    tracker = OneStreamTracker(network, config, diagnostics=True)
    assert isinstance(tracker, Tracker)
    boxes = [np.array(case.meta["initial_box"])]
    tracker.init(synthetic.frame(case.meta["video"], 0), boxes[0])
    predictions = [tracker.update(synthetic.frame(case.meta["video"], t)) for t in range(1, case.meta["frames"])]

    case.check("boxes", boxes + [prediction.box for prediction in predictions], atol=5e-3)
    case.check("peak_index", [prediction.extras["peak"] for prediction in predictions])
    case.check("peak_response", [prediction.extras["response"] for prediction in predictions], atol=1e-4)
    case.check("peak_score", [prediction.score for prediction in predictions], atol=1e-4)
    case.check("score_maps", [prediction.extras["score_map"].ravel() for prediction in predictions], atol=1e-4)
    means = [normalise(prediction.extras["search"].image).mean().item() for prediction in predictions]
    case.check("search_mean", means, atol=1e-5)
    voters = np.zeros(config.template_grid**2)
    voters[centre_rows(config.elimination.template_range, config.template_grid)] = 1
    np.testing.assert_array_equal(voters, case["template_mask"])


@pytest.mark.parametrize("cells", [16, 24])
def test_hann_window(load_case, cells):
    load_case("tracker_postprocess").check(f"hann_{cells}", hann_window(cells), atol=1e-6)


def test_mapping_back_and_clipping(load_case):
    case = load_case("tracker_postprocess")
    mapped = []
    for row in case["map_rows"]:
        state, predicted, scale = row[:4], row[4:8], row[8]
        mapped.append(box_from_crop(predicted * scale / 256, state, scale, 256))
    case.check("mapped", mapped, atol=1e-9)
    case.check("mapped_clipped", [clip_to_frame(box, 240, 320, 10) for box in mapped], atol=1e-9)
    for margin in (0, 10):
        clipped = [clip_to_frame(np.array(box, float), 240, 320, margin) for box in case.meta["clip_boxes"]]
        case.check(f"clip_margin_{margin}", clipped, atol=1e-9)


def test_the_template_box_of_a_tracker(load_case):
    case = load_case("template_mask")
    got = []
    for size in (128, 192):
        for box in case.meta["initial_boxes"]:
            scale = size / crop_window(np.array(box), 2.0).side
            got.append(box_in_crop(box, box, scale, size))
    case.check("tracker_template_box", got, atol=1e-6)


def test_elimination_picture(load_case, fill, synthetic):
    import cv2

    case = load_case("elimination_picture")
    frame = synthetic.frame(case.meta["video"], case.meta["frame"])
    image = cv2.resize(frame, (256, 256), interpolation=cv2.INTER_LINEAR)
    order = np.argsort(fill.uniform("input:perm", (256,), 5))
    picture = elimination_picture(image, [order[:76], order[76:130], order[130:167]], 16)
    case.check("picture", picture.astype(np.float64), atol=1)


@pytest.fixture(scope="module")
def tracker():
    torch.manual_seed(0)
    return OneStreamTracker(build(SMALL).eval(), SMALL)


def test_boxes_that_cannot_be_tracked_are_refused(tracker):
    frame = np.zeros((60, 80, 3), np.uint8)
    for box, message in [
        ([float("nan"), 0, 5, 5], "NaN"),
        ([5, 5, 0, 5], "no area"),
        ([100, 5, 10, 10], "outside the frame"),
        ([1, 2, 3], "four numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            tracker.init(frame, np.array(box))


def test_a_box_partly_outside_starts_unclipped(tracker):
    frame = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    tracker.init(frame, np.array([-5.0, -5.0, 30.0, 20.0]))
    box = tracker.update(frame).box
    assert np.isfinite(box).all()
    assert (box[:2] + box[2:] <= [80, 60]).all()


@pytest.mark.parametrize(
    "frame",
    [np.zeros((60, 80), np.uint8), np.zeros((60, 80, 3), np.uint16), np.zeros((60, 80, 4), np.uint8), "frame.jpg"],
)
def test_frames_of_other_kinds_are_refused(tracker, frame):
    with pytest.raises(ValueError, match="to_rgb"):
        tracker.init(frame, np.array([5, 5, 20, 20]))


def test_update_before_init_says_so():
    with pytest.raises(RuntimeError, match="init"):
        OneStreamTracker(build(SMALL).eval(), SMALL).update(np.zeros((60, 80, 3), np.uint8))


def test_damaged_weights_are_noticed():
    network = build(SMALL).eval()
    with torch.no_grad():
        network.backbone.norm.weight.fill_(float("nan"))
    tracker = OneStreamTracker(network, SMALL)
    frame = np.zeros((60, 80, 3), np.uint8)
    tracker.init(frame, np.array([5.0, 5, 20, 20]))
    with pytest.raises(RuntimeError, match="not finite"):
        tracker.update(frame)


def test_set_box_moves_the_search(tracker):
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    tracker.init(frame, np.array([10.0, 10, 20, 20]))
    tracker.set_box(np.array([100.0, 70, 20, 20]))
    assert abs(tracker.update(frame).box[0] - 100) < 60
    with pytest.raises(ValueError, match="corrected box"):
        tracker.set_box(np.array([1, 2, 0, 4]))


def test_gt_box_voters_follow_the_target():
    config = dataclasses.replace(SMALL, elimination=EliminationConfig((0,), (0.5,), template_range="GT_BOX"))
    tracker = OneStreamTracker(build(config).eval(), config, diagnostics=True)
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    tracker.init(frame, np.array([50.0, 40, 30, 10]))
    assert len(tracker.update(frame).extras["removed"][0]) == 32


def test_bf16_tracks_close_to_fp32():
    config = get_recipe("debug").model
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    torch.manual_seed(1)
    network = build(config).eval()
    scores = []
    for dtype in (torch.float32, torch.bfloat16):
        network.backbone.to(dtype)
        tracker = OneStreamTracker(network, config)
        tracker.init(frame, np.array([50.0, 40, 30, 30]))
        scores.append(tracker.update(frame).score)
    assert scores[0] == pytest.approx(scores[1], abs=0.02)


def test_creating_by_name():
    tracker = create_tracker("onestream", recipe="debug", device="cpu")
    assert isinstance(tracker, Tracker)
    with pytest.raises(ValueError, match="fp32, bf16, fp16, int8"):
        create(recipe="debug", precision="fp64")
    with pytest.raises(ValueError, match="backend onnx or openvino"):
        create(recipe="debug", precision="int8")
    with pytest.raises(ValueError, match="has no losst_below"):
        create(recipe="debug", policy={"losst_below": 0.1})
    with pytest.raises(ValueError, match="did you mean 'tiny'"):
        create(recipe="tini")


def test_published_files_tell_their_network(conformance_folder):
    with pytest.raises(ValueError, match="name its recipe"):
        create(conformance_folder / "checkpoint_fixture.pth.tar")


FRAME = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
BOXES = [np.array(box, float) for box in ([10, 10, 20, 20], [60, 40, 30, 15], [100, 70, 12, 40])]


@pytest.mark.parametrize("template_range", ["CTR_POINT", "GT_BOX"])
def test_several_targets_are_what_each_would_be_alone(template_range):
    elimination = EliminationConfig((0,), (0.7,), template_range=template_range)
    config = dataclasses.replace(SMALL, elimination=elimination)
    torch.manual_seed(0)
    network = build(config).eval()
    together = MultiTargetTracker(network, config)
    assert isinstance(together, MultiTracker)
    together.init(FRAME, BOXES)
    alone = [OneStreamTracker(network, config) for _ in BOXES]
    for tracker, box in zip(alone, BOXES, strict=True):
        tracker.init(FRAME, box)
    for shift in (2, 5):
        frame = np.roll(FRAME, shift, 1)
        for one, other in zip(together.update(frame), [tracker.update(frame) for tracker in alone], strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=1e-3)
            assert one.score == pytest.approx(other.score, abs=1e-5)


def test_targets_come_and_go(tracker):
    several = MultiTargetTracker(tracker.network, SMALL)
    assert several.update(FRAME) == []
    several.init(FRAME, BOXES[:2])
    assert several.add(FRAME, BOXES[2]) == 2
    several.remove(1)
    assert several.numbers == (0, 2)
    assert len(several.update(FRAME)) == 2
    assert several.add(FRAME, BOXES[1]) == 3  # numbers are not used again
    several.set_box(3, BOXES[0])
    with pytest.raises(KeyError):
        several.remove(1)
    with pytest.raises(ValueError, match="no area"):
        several.init(FRAME, [BOXES[0], np.zeros(4)])
    assert several.numbers == (0, 2, 3)


class Scripted:
    """A network that says what score the target has, just off the middle of the window, and what it was given."""

    def __init__(self, *scores):
        self.scores, self.given = list(scores), []

    def __call__(self, template, search, *, template_mask=None):
        self.given.append((template, search))
        score = torch.full((1, 1, 8, 8), 1e-4)
        score[0, 0, 4, 4] = self.scores[len(self.given) - 1]
        maps = Maps(score, torch.full((1, 2, 8, 8), 0.25), torch.full((1, 2, 8, 8), 0.4))
        return Output(maps, decode(maps, find_peak(score).index), Features(search))


def play(policy, *scores):
    """The tracker, its network and what it predicted."""
    network = Scripted(*scores)
    tracker = OneStreamTracker(network, SMALL, policy=policy, diagnostics=True)
    tracker.init(FRAME, BOXES[1])
    return network, [tracker.update(FRAME) for _ in scores]


def test_lost_with_hysteresis():
    scores = [0.9, 0.1, 0.3, 0.1, 0.1, 0.3, 0.5, 0.1, 0.9]
    wanted = [False, False, False, False, True, True, False, False, False]
    _, predictions = play(Policy(lost_below=0.2, found_above=0.4, patience=2), *scores)
    assert [prediction.lost for prediction in predictions] == wanted
    # judging changes no box
    _, others = play(Policy(lost_below=0, found_above=1), *scores)
    assert not any(prediction.lost for prediction in others)
    np.testing.assert_array_equal([p.box for p in predictions], [p.box for p in others])


def test_a_lost_target_is_looked_for_in_a_growing_window():
    policy = Policy(patience=2, grow=1.5, grow_to=2)
    _, predictions = play(policy, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9)
    cuts = [prediction.extras["search"] for prediction in predictions]
    usual = crop_window(BOXES[1], SMALL.search_factor).side
    sides = [SMALL.search_size / cut.scale for cut in cuts]
    assert sides[0] == pytest.approx(usual, rel=0.02)
    place = predictions[0].box  # the last one without doubt
    about = crop_window(place, SMALL.search_factor).side
    np.testing.assert_allclose(sides[3:6], [1.5 * about, 2 * about, 2 * about], rtol=0.03)
    assert [prediction.lost for prediction in predictions] == [False, False, True, True, True, False, False]
    found = crop_window(predictions[5].box, SMALL.search_factor).side
    assert sides[6] == pytest.approx(found, rel=0.03)


def test_far_peaks_count_if_asked():
    def network(template, search, *, template_mask=None):
        score = torch.full((1, 1, 8, 8), 1e-4)
        score[0, 0, 4, 4], score[0, 0, 7, 7] = 0.5, 0.9
        maps = Maps(score, torch.full((1, 2, 8, 8), 0.25), torch.full((1, 2, 8, 8), 0.4))
        return Output(maps, decode(maps, find_peak(score).index), Features(search))

    scores = {}
    for share in (0, 0.2, 1):
        tracker = OneStreamTracker(network, SMALL, policy=Policy(window=share))
        tracker.init(FRAME, BOXES[1])
        prediction = tracker.update(FRAME)
        scores[share] = prediction.score
        weight = 1 - share * (1 - hann_window(8)[7, 7].item()) if share < 1 else hann_window(8)[4, 4].item()
        assert prediction.extras["response"] == pytest.approx(weight * prediction.score, rel=1e-5)
    assert scores == pytest.approx({0: 0.9, 0.2: 0.9, 1: 0.5})


def test_sizes_follow_slowly_if_asked():
    _, predictions = play(Policy(size_rate=0.5), 0.9, 0.9)
    _, free = play(Policy(), 0.9)
    (first, second), box = (prediction.box for prediction in predictions), BOXES[1]
    np.testing.assert_allclose(first[2:], np.sqrt(box[2:] * free[0].box[2:]), rtol=1e-6)
    np.testing.assert_allclose(first[:2] + first[2:] / 2, free[0].box[:2] + free[0].box[2:] / 2, atol=1e-6)
    assert (np.abs(second[2:] - first[2:]) > 0).all()


def test_the_template_follows_the_target_if_asked():
    policy = Policy(template_rate=0.25, template_every=2, template_above=0.8)
    network, predictions = play(policy, 0.9, 0.9, 0.5, 0.5, 0.9, 0.9)
    templates = [template for template, _ in network.given]
    changed = [not torch.equal(*pair) for pair in pairwise(templates)]
    assert changed == [False, True, False, False, True]
    cut = crop(FRAME, predictions[1].box, SMALL.template_factor, SMALL.template_size)
    torch.testing.assert_close(templates[2], 0.75 * templates[0] + 0.25 * normalise(cut.image))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lost_below": 0.5}, "found_above"),
        ({"grow": 0.5}, "grow must be"),
        ({"template_rate": 2}, r"\[0, 1\]"),
        ({"size_rate": 0}, "size_rate"),
    ],
)
def test_policies_that_make_no_sense(changes, says):
    with pytest.raises(ValueError, match=says):
        Policy(**changes)


def moving_square():
    """Frames of a bright square on speckled ground, and its box in the first."""
    ground = np.random.default_rng(0).integers(0, 80, (120, 160, 3)).astype(np.uint8)
    frames = []
    for step in range(5):
        frame = ground.copy()
        frame[40:60, 50 + 3 * step : 74 + 3 * step] = 220
        frames.append(frame)
    return frames, np.array([50.0, 40, 24, 20])


def boxes_of(tracker):
    frames, box = moving_square()
    tracker.init(frames[0], box)
    return np.array([tracker.update(frame).box for frame in frames[1:]])


def test_crops_cut_on_the_device(network_with_random_head):
    found = boxes_of(OneStreamTracker(network_with_random_head, SMALL, crop="device"))
    np.testing.assert_allclose(found, boxes_of(OneStreamTracker(network_with_random_head, SMALL)), atol=0.5)
    shown = OneStreamTracker(network_with_random_head, SMALL, crop="device", diagnostics=True)
    np.testing.assert_array_equal(boxes_of(shown), found)
    with pytest.raises(ValueError, match="crop must be host or device, got 'gpu'"):
        OneStreamTracker(network_with_random_head, SMALL, crop="gpu")


@pytest.fixture
def network_with_random_head():
    torch.manual_seed(0)
    return build(SMALL).eval().requires_grad_(False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_graphs_give_the_same(network_with_random_head):
    network = network_with_random_head.cuda()
    eager = boxes_of(OneStreamTracker(network, SMALL, device="cuda"))
    graphed = OneStreamTracker(network, SMALL, device="cuda", graph=True)
    np.testing.assert_allclose(boxes_of(graphed), eager, atol=1e-3)
    np.testing.assert_allclose(boxes_of(graphed), eager, atol=1e-3)  # from the second target on nothing is captured
