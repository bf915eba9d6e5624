"""Pair processing against the published one, number by number."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trackdata.faults import RejectedSample
from trackdata.pairs import (
    PairConfig,
    PairParameters,
    Region,
    RegionParameters,
    draw_parameters,
    flip_box,
    jitter_box,
    normalise,
    process_pair,
    to_gray,
)

VECTORS = Path(__file__).parent / "conformance"


def load_module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


synthetic = load_module(VECTORS / "synthetic.py")
TRANSFORMS = np.load(VECTORS / "transforms.npz")
TRANSFORMS_META = json.loads(str(TRANSFORMS["meta"]))
PROCESSING = np.load(VECTORS / "train_processing.npz")
PROCESSING_META = json.loads(str(PROCESSING["meta"]))
VIDEO = PROCESSING_META["video"]

SMALL = PairConfig()
LARGE = PairConfig(template=Region(192, 2.0), search=Region(384, 5.0, center_jitter=4.5, scale_jitter=0.5))
CONFIGS = {"vitb_256_mae_ce_32x4_ep300": SMALL, "vitb_384_mae_ce_32x4_ep300": LARGE}


def sliced(array, spec):
    if spec == "all":
        return array
    parts = [part.strip() for part in spec.strip("[]").split(",")]
    return array[tuple(slice(*(int(n) if n else None for n in part.split(":"))) for part in parts)]


def parameters_of(draws):
    def region(name):
        return RegionParameters(
            tuple(draws[f"{name}_normal"]),
            tuple(draws[f"{name}_uniform"]),
            draws[f"{name}_brightness"],
            draws[f"{name}_flip"],
        )

    return PairParameters(draws["gray"], draws["flip"], region("template"), region("search"))


def box_mask(box):
    mask = np.zeros(VIDEO["size"], np.float32)
    x, y, w, h = box
    mask[y : y + h, x : x + w] = 1
    return mask


@pytest.mark.parametrize("name", PROCESSING_META["runs"])
def test_process_pair(name):
    run = PROCESSING_META["runs"][name]
    config = CONFIGS[run["config"]]
    if not run["training"]:
        config = PairConfig(config.template, config.search, training=False)
    frames = [synthetic.frame(VIDEO, run[f"{part}_frame"]) for part in ("template", "search")]
    boxes = [synthetic.target_box(VIDEO, run[f"{part}_frame"]) for part in ("template", "search")]
    pair = process_pair(
        frames[0],
        boxes[0],
        frames[1],
        boxes[1],
        parameters_of(run["draws"]),
        config,
        masks=(box_mask(boxes[0]), box_mask(boxes[1])),
    )
    for part, view in (("template", pair.template), ("search", pair.search)):

        def expected(quantity, part=part):
            return PROCESSING[f"out/{name}/{part}_{quantity}"]

        def stored(quantity, array, part=part):
            return sliced(array[None], PROCESSING_META["outputs"][f"{name}/{part}_{quantity}"]["slice"])

        assert view.image.dtype == np.float32
        assert view.image.flags.c_contiguous
        np.testing.assert_allclose(stored("images", view.image), expected("images"), atol=2e-6, rtol=0)
        np.testing.assert_allclose(view.image.mean((1, 2), np.float64), expected("mean"), atol=2e-6, rtol=0)
        np.testing.assert_allclose(view.box[None], expected("anno"), atol=1e-6, rtol=0)
        np.testing.assert_array_equal(stored("att", view.padding), expected("att").astype(bool))
        np.testing.assert_allclose(stored("masks", view.mask), expected("masks"), atol=1e-6, rtol=0)


@pytest.mark.parametrize("case", PROCESSING_META["rejections"], ids=lambda case: case["name"])
def test_rejections(case):
    frame, box = synthetic.frame(VIDEO, 0), synthetic.target_box(VIDEO, 0)
    if case["result"]:
        pair = process_pair(frame, box, frame, case["search_box"], PairParameters(), SMALL)
        assert np.isfinite(pair.search.image).all()
    else:
        with pytest.raises(RejectedSample) as caught:
            process_pair(frame, box, frame, case["search_box"], PairParameters(), SMALL)
        assert caught.value.reason == {"empty box": "empty_crop", "mostly outside": "outside"}[case["name"]]


@pytest.mark.parametrize("box", [[np.nan] * 4, [0, 0, 0, 0], [5, 5, -3, 4], [5, 5, np.inf, 4]])
def test_boxes_that_are_none_are_rejected(box):
    frame, good = synthetic.frame(VIDEO, 0), synthetic.target_box(VIDEO, 0)
    for boxes in ((box, good), (good, box)):
        with pytest.raises(RejectedSample) as caught:
            process_pair(frame, boxes[0], frame, boxes[1], PairParameters(), SMALL)
        assert caught.value.reason == "empty_crop"


def test_a_crop_with_padding_in_every_sampled_cell_is_rejected():
    # A frame 4 pixels wide under a window of 80 that starts at -41: it shows in columns 131 to 141 of the crop, between
    # the sampled columns 128 and 144.
    frame, box = np.full((200, 4, 3), 90, np.uint8), [-11, 90, 20, 20]
    good, inside = np.full((200, 200, 3), 90, np.uint8), [90, 90, 20, 20]
    with pytest.raises(RejectedSample) as caught:
        process_pair(good, inside, frame, box, PairParameters(), SMALL)
    assert caught.value.reason == "padded_cells"


def test_single_transforms():
    frame = synthetic.frame(TRANSFORMS_META["video"], TRANSFORMS_META["frame"])
    specs = {name: output["slice"] for name, output in TRANSFORMS_META["outputs"].items()}
    boxes = np.array(TRANSFORMS_META["boxes_xywh"])

    def check(name, value, **tolerance):
        np.testing.assert_allclose(sliced(value, specs[name]), TRANSFORMS[f"out/{name}"], **tolerance)

    check("gray", to_gray(frame), atol=0)
    check("flip_image", frame[:, ::-1], atol=0)
    check("flip_box_pixels", np.array([flip_box(box, 300 - 1) for box in boxes]), atol=1e-5)
    check("flip_box_normalised", np.array([flip_box(box / 300, 1) for box in boxes]), atol=1e-5)
    for factor in (0.8, 1.0, 1.2):
        check(f"brightness_{factor}", normalise(frame, (0, 0, 0), (1, 1, 1), factor), atol=1e-5)
    jittered = [
        jitter_box(
            np.array([100.0, 80, 40, 25]),
            RegionParameters(tuple(row["normal"]), tuple(row["uniform"])),
            row["center_jitter"],
            row["scale_jitter"],
        )
        for row in TRANSFORMS_META["jitter_rows"]
    ]
    # The published jitter is float32, whose spacing is 1.5e-5 at the largest of these numbers.
    check("jittered_boxes", np.array(jittered), atol=1e-5, rtol=1e-6)


def test_normalise_equals_the_plain_formula():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    plain = np.clip(image / 255 * 1.13, 0, 1)
    plain = ((plain - SMALL.mean) / SMALL.std).transpose(2, 0, 1)
    np.testing.assert_allclose(normalise(image, SMALL.mean, SMALL.std, 1.13), plain, atol=1e-6)


def test_frames_and_boxes_are_left_alone():
    frame, box = synthetic.frame(VIDEO, 0), np.array(synthetic.target_box(VIDEO, 0), float)
    before = frame.copy(), box.copy()
    parameters = PairParameters(True, True, RegionParameters(brightness=1.2, flip=True), RegionParameters(flip=True))
    process_pair(frame, box, frame, box, parameters, SMALL)
    np.testing.assert_array_equal(frame, before[0])
    np.testing.assert_array_equal(box, before[1])


@pytest.mark.parametrize("joint", [True, False], ids=["joint flip", "second flip"])
def test_consistent_flips_move_the_box_as_the_pixels_move(joint):
    """The offset between a bright rectangle's centre of mass and its box survives mirroring; as published it shifts."""
    frame = np.zeros((400, 400, 3), np.uint8)
    frame[180:220, 140:200] = 255
    box = np.array([140.0, 180, 60, 40])
    region = Region(size=256, factor=4.0)
    flips = PairParameters(flip=True) if joint else PairParameters(search=RegionParameters(flip=True))

    def offset(parameters, convention):
        config = PairConfig(region, region, brightness=0, flip_convention=convention)
        view = process_pair(frame, box, frame, box, parameters, config).search
        bright = view.image[0] - view.image[0].min()
        centre = (bright.sum(0) * np.arange(256)).sum() / bright.sum()
        return centre - (view.box[0] + view.box[2] / 2) * 256

    one_pixel = 256 / 196 if joint else 1.0  # of the frame or of the crop, in pixels of the crop
    assert offset(PairParameters(), "consistent") == pytest.approx(0, abs=0.02)
    assert offset(flips, "consistent") == pytest.approx(0, abs=0.02)
    assert abs(offset(flips, "published")) == pytest.approx(one_pixel, abs=0.05)


def test_drawn_parameters_follow_the_configuration():
    rng = np.random.default_rng(5)
    drawn = [draw_parameters(rng, SMALL) for _ in range(4000)]
    assert np.mean([p.gray for p in drawn]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([p.flip for p in drawn]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([p.template.flip != p.search.flip for p in drawn]) == pytest.approx(0.5, abs=0.04)
    brightness = np.array([[p.template.brightness, p.search.brightness] for p in drawn])
    assert 0.8 <= brightness.min() < 0.81
    assert 1.19 < brightness.max() <= 1.2
    assert np.std([p.search.normal for p in drawn]) == pytest.approx(1, abs=0.05)
    assert np.mean([p.search.uniform for p in drawn]) == pytest.approx(0.5, abs=0.02)


def test_validation_draws_neither_brightness_nor_a_second_flip():
    config = PairConfig(training=False)
    drawn = [draw_parameters(np.random.default_rng(seed), config) for seed in range(50)]
    assert all(not p.template.flip and not p.search.flip and p.search.brightness == 1 for p in drawn)
    assert any(p.flip for p in drawn)


def test_colour_is_rgb():
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[..., 0] = 255
    view = process_pair(frame, [40, 40, 20, 20], frame, [40, 40, 20, 20], PairParameters(), SMALL).template
    assert view.image[0].mean() > 2 > 0 > view.image[2].mean()
    assert cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[0, 0] == to_gray(frame)[0, 0, 0] == 76


@pytest.mark.parametrize(
    "options",
    [{"flip_convention": "both"}, {"gray_probability": 1.5}, {"flip_probability": -0.1}, {"brightness": 2}],
)
def test_senseless_configurations_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        PairConfig(**options)


@pytest.mark.parametrize("options", [{"size": 0}, {"factor": 0}, {"center_jitter": -1}, {"scale_jitter": -1}])
def test_senseless_regions_are_refused(options):
    with pytest.raises(ValueError, match="must be positive"):
        Region(**{"size": 128, "factor": 2.0, **options})
