"""Frame pairs and crops against the published implementation's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from dropmae_pretrain.augment import CropParameters, augment, cut
from dropmae_pretrain.pair_config import CropConfig, PairConfig
from dropmae_pretrain.pairs import FramePairSource
from trackdata.sampling import ForwardSampler

CONFIG = CropConfig()


def published_choice(state: np.random.RandomState, frames: int, gap: int) -> tuple[int, int]:
    """The frames that the published code draws from NumPy's legacy generator; a single frame makes both."""
    if frames == 1:
        return 0, 0
    start = state.randint(0, frames - 1)
    return start, state.randint(start + 1, min(frames, start + gap))


def test_pairs_of_the_published_stream(load_case):
    case = load_case("pairs")
    state = np.random.RandomState(case.seed)
    rows = [
        (video, *published_choice(state, frames, case.config["frame_gap"]))
        for _ in range(case.config["draws"])
        for video, frames in enumerate(case.config["lengths"])
    ]
    np.testing.assert_array_equal(rows, case["pairs"])


@pytest.mark.parametrize("frames", [2, 3, 7, 12])
def test_every_pair_has_its_published_probability(load_case, frames):
    case = load_case("pairs")
    sampler = ForwardSampler(case.config["frame_gap"], reverse=0)
    exact = np.zeros((frames, frames))
    for start in range(frames - 1):
        partners = sampler.partners(start, frames)
        exact[start, list(partners)] = 1 / (frames - 1) / len(partners)
    np.testing.assert_allclose(exact, case[f"pmf_n{frames}"], atol=1e-15)


def test_draws_follow_these_probabilities(load_case):
    expected = load_case("pairs")["pmf_n7"]
    source = FramePairSource([None], PairConfig())
    rng, draws = np.random.default_rng(1), 20_000
    counts = np.zeros_like(expected)
    for _ in range(draws):
        counts[source.choose(rng, 7)] += 1
    assert (counts[expected == 0] == 0).all()
    spread = np.sqrt(draws * expected * (1 - expected))
    assert (np.abs(counts - draws * expected) <= 4.5 * spread).all()


@pytest.mark.parametrize("number", range(4))
def test_crops_of_given_parameters(load_case, inputs, number):
    case = load_case("augment")
    crop = case.config["crops"][str(number)]
    frame = inputs.frame(crop["video"], crop["t"], crop["height"], crop["width"])
    parameters = CropParameters(crop["top"], crop["left"], crop["crop_height"], crop["crop_width"], crop["flip"])
    image = cut(frame, parameters, CONFIG.size)
    case.check(f"{number}_uint8", image, described_as="<n>_uint8")
    np.testing.assert_array_equal(image.sum(axis=(0, 1), dtype=np.int64), case[f"{number}_sum"])
    case.check(f"{number}_tensor", augment(frame, parameters, CONFIG), atol=1e-5, described_as="<n>_tensor")


def test_a_stream_of_torchvisions_random_numbers(load_case, inputs):
    """The published order of draws: frames from NumPy, then for each frame crop and flip from torch."""
    case = load_case("augment")
    videos = [name.removesuffix(".mp4").split("_") for name in case.config["rng_videos"]]
    state = np.random.RandomState(case.seed)
    before = torch.random.get_rng_state()
    torch.manual_seed(case.seed)
    for item in range(len(videos)):
        at = item
        while "bad" in videos[at] or videos[at][1] == "0":
            at = (at + 1) % len(videos)
        frames, (height, width) = int(videos[at][1]), map(int, videos[at][-1].split("x"))
        pair = published_choice(state, frames, case.config["frame_gap"])
        np.testing.assert_array_equal((item, *pair), case["rng_pairs"][item])
        for number, (name, index) in enumerate(zip("xz", pair, strict=True)):
            image = inputs.frame(int(videos[at][0].removeprefix("v")), index, height, width)
            box = RandomResizedCrop.get_params(torch.empty(3, height, width), list(CONFIG.area), list(CONFIG.aspect))
            np.testing.assert_array_equal(box, case["rng_crops"][item, number])
            parameters = CropParameters(*box, flip=bool(torch.rand(1) < CONFIG.flip_probability))
            np.testing.assert_allclose(
                augment(image, parameters, CONFIG)[:, ::9, ::9], case[f"rng_{name}"][item], atol=1e-5
            )
    torch.random.set_rng_state(before)
