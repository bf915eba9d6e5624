"""The strategies of Alpha-Refine, SparseTT and DropSeg, negative pairs, and passes over lists of videos."""

import pickle
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from trackdata.sampling import (
    REASONS,
    AtLeast,
    BoxFilter,
    CausalSampler,
    ForwardSampler,
    GrowingJump,
    LooseSampler,
    MixtureSampler,
    PairMixture,
    PassSampler,
    SamplingError,
    WindowSampler,
    dry_run,
    sample_generator,
)
from trackdata.sampling.windows import widened_candidates
from trackdata.sequences import Sequence

VECTORS = Path(__file__).parent / "conformance"
SAMPLERS = np.load(VECTORS / "samplers.npz")
ALPHA_REFINE = np.load(VECTORS / "sampler_alpha_refine.npz")
DROPSEG = np.load(VECTORS / "sampling_dropseg.npz")


@dataclass
class Images:
    """Frames of one size that count how often they are read."""

    count: int
    size: tuple[int, int] = (240, 320)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.zeros((*self.size, 3), np.uint8)


@dataclass
class Fake:
    name: str
    sequences: list
    still: bool = False

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, index):
        return self.sequences[index]


def video(name, boxes):
    boxes = np.array(boxes, np.float64)
    return Sequence(name, Images(len(boxes)), boxes, (boxes[:, 2:] > 0).all(axis=1))


def plain(name, frames):
    return video(name, np.tile([10.0, 10.0, 40.0, 30.0], (frames, 1)))


def test_windows_of_alpha_refine():
    visible = ALPHA_REFINE["out/visible"].astype(bool)
    for frame, gap, extra, count, first, last, total in ALPHA_REFINE["out/window"].tolist():
        found, grown = widened_candidates(visible, frame, gap)
        assert (grown, len(found), found[0], found[-1], found.sum()) == (extra, count, first, last, total)


def test_a_window_is_closed_on_the_left_and_open_on_the_right():
    draws = {WindowSampler(2).draw(np.random.default_rng(seed), np.ones(9, bool)) for seed in range(400)}
    assert {choice.search - choice.template for choice in draws} == {-2, -1, 0, 1}
    with pytest.raises(SamplingError, match="none of the 5 frames"):
        WindowSampler(2).draw(np.random.default_rng(0), np.zeros(5, bool))
    with pytest.raises(SamplingError, match="none of the 5 frames"):
        widened_candidates(np.zeros(5, bool), 0, 3)


@pytest.mark.parametrize(("frames", "gap"), [(5, 100), (30, 10), (150, 100), (12, 3)])
def test_partners_of_sparsett(frames, gap):
    first, last, count = (
        SAMPLERS[f"out/sparsett_pair/L{frames}_d{gap}/{column}"].tolist()
        for column in ("first_choice", "last_choice", "count")
    )
    for template in range(frames):
        partners = LooseSampler(gap).partners(template, frames)
        assert (partners[0], partners[-1], len(partners)) == (first[template], last[template], count[template])


def test_the_bounded_option_of_sparsett():
    assert LooseSampler(3, bounded=True).partners(5, 12) == range(2, 9)
    assert LooseSampler(3, bounded=True).partners(11, 12) == range(8, 12)
    hidden = np.zeros(40, bool)  # visibility plays no part
    draws = [LooseSampler(5, bounded=True).draw(np.random.default_rng(seed), hidden) for seed in range(500)]
    assert {choice.search - choice.template for choice in draws} == set(range(-5, 6))
    with pytest.raises(SamplingError, match="no frames"):
        LooseSampler().draw(np.random.default_rng(0), np.ones(0, bool))


def test_box_filter_of_sparsett():
    for height, width, *box, rejected in SAMPLERS["out/sparsett_filter/rows"].tolist():
        assert BoxFilter().refuses(np.array(box), (height, width)) == bool(rejected), box


def test_box_filter_that_limits_the_area():
    strict = BoxFilter(limit_area=True)
    assert strict.refuses([0, 0, 320, 240], (240, 320))
    assert strict.refuses([5, 5, 8, 8], (240, 320))
    assert not strict.refuses([5, 5, 9, 9], (240, 320))
    assert BoxFilter().refuses([np.nan, 0, 10, 10])
    with pytest.raises(ValueError, match="takes the size of the frame"):
        strict.refuses([5, 5, 9, 9])


def sparsett(datasets, weights=None, **options):
    mixture = MixtureSampler(datasets, weights, LooseSampler(100), acceptance=AtLeast(1))
    return PairMixture(mixture, **options)


def test_a_third_of_the_pairs_are_negative_and_frames_of_those_are_independent():
    sampler = sparsett([Fake("a", [plain("a0", 8)]), Fake("b", [plain("b0", 8), plain("b1", 8)])], [1, 3])
    draws = [sampler.draw(sample_generator(5, 0, index)) for index in range(6000)]
    negatives = [draw for draw in draws if not draw.positive]
    assert abs(len(negatives) / 6000 - 0.33) < 0.02
    names = Counter((draw.template.sequence.name, draw.search.sequence.name) for draw in negatives)
    share = {"a0": 0.25, "b0": 0.375, "b1": 0.375}
    for first, p in share.items():
        for second, q in share.items():
            assert abs(names[first, second] / len(negatives) - p * q) < 0.035, (first, second)
    assert {draw.template.frame for draw in negatives} == set(range(8))
    assert all(draw.template.sequence is draw.search.sequence for draw in draws if draw.positive)
    run = dry_run(sampler, 6000, seed=5)
    assert run.negatives == len(negatives)
    assert run.draws.sum() == 6000


def test_refused_boxes_are_drawn_again_and_counted():
    boxes = [[10, 10, 40, 30], [10, 10, 0, 0], [10, 10, 100, 5]]
    sampler = sparsett([Fake("a", [video("v", boxes)])])
    faults = sampler.faults()
    draws = [sampler.draw(sample_generator(0, 0, index), faults) for index in range(50)]
    assert {draw.template.frame for draw in draws} == {draw.search.frame for draw in draws} == {0}
    assert faults.counts[0, REASONS.index("filtered")] > 100
    assert "is refused by BoxFilter" in faults.last
    hopeless = sparsett([Fake("a", [video("v", boxes[1:])])], max_attempts=5)
    with pytest.raises(SamplingError, match="box of an extreme shape"):
        hopeless.draw(np.random.default_rng(0))


def test_limiting_the_area_asks_the_frame_for_its_size():
    boxes = [[0, 0, 300, 230], [10, 10, 40, 30]]
    sampler = sparsett([Fake("a", [video("v", boxes)])], boxes=BoxFilter(limit_area=True))
    assert {sampler.draw(sample_generator(0, 0, index)).template.frame for index in range(20)} == {1}
    anything = sparsett([Fake("a", [video("v", boxes)])], boxes=None)
    assert {anything.draw(sample_generator(0, 0, index)).template.frame for index in range(20)} == {0, 1}


def test_pair_mixtures_refuse_nonsense():
    mixture = MixtureSampler([Fake("a", [plain("v", 30)])], strategy=CausalSampler(10, templates=2))
    with pytest.raises(ValueError, match="one template and one search"):
        PairMixture(mixture)
    with pytest.raises(ValueError, match="probability"):
        sparsett([Fake("a", [plain("v", 30)])], negative=1.5)


def test_pairs_of_dropseg():
    for frames, jump, start, first, last in DROPSEG["out/pair_ranges"].tolist():
        partners = ForwardSampler(jump).partners(start, frames)
        assert (partners[0], partners[-1]) == (first, last), (frames, jump, start)


def test_forward_draws_are_uniform_and_half_of_them_turned_round():
    sampler, rng = ForwardSampler(3), np.random.default_rng(0)
    draws = Counter(sampler.draw(rng, np.ones(5, bool)) for _ in range(20_000))
    pairs = {(a, b) for a in range(4) for b in range(a + 1, min(5, a + 3))}
    assert {(choice.template, choice.search) for choice in draws} == pairs | {(b, a) for a, b in pairs}
    for choice, count in draws.items():
        start = min(choice.template, choice.search)
        options = min(5, start + 3) - start - 1
        assert abs(count / 20_000 - 1 / 4 / options / 2) < 0.01


def test_triples_follow_each_other():
    sampler = ForwardSampler(4, following=2, reverse=0.0)
    draws = {sampler.draw(np.random.default_rng(seed), np.ones(6, bool)) for seed in range(500)}
    chosen = [(*choice.templates, *choice.searches) for choice in draws]
    assert all(0 < later - earlier < 4 for frames in chosen for earlier, later in pairwise(frames))
    assert {frames[0] for frames in chosen} == {0, 1, 2, 3}
    assert max(frames[-1] for frames in chosen) == 5
    with pytest.raises(SamplingError, match="2 frames hold no reference with 2"):
        sampler.draw(np.random.default_rng(0), np.ones(2, bool))


@pytest.mark.parametrize("epochs", [10, 37, 150, 233])
def test_growing_jump_of_stcn(epochs):
    expected = DROPSEG[f"out/growing_skip_{epochs}"].tolist()
    assert [GrowingJump().at(epoch, epochs) for epoch in range(epochs)] == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: ForwardSampler(0),
        lambda: ForwardSampler(reverse=2.0),
        lambda: LooseSampler(-1),
        lambda: WindowSampler(0),
        lambda: GrowingJump((0.5, 0.1), (1, 2)),
        lambda: PassSampler([0, 0]),
        lambda: PassSampler([3], [1, 2]),
        lambda: PassSampler([3], [-1]),
    ],
)
def test_senseless_numbers_are_refused(make):
    with pytest.raises(ValueError):
        make()


def test_a_pass_shows_every_video_as_often_as_asked():
    sampler = PassSampler([3, 4], [5, 1], seed=2)
    assert len(sampler) == 19
    for epoch in (0, 1):
        seen = Counter((item.dataset, item.video) for item in (sampler.item(epoch, index) for index in range(19)))
        assert seen == {(0, v): 5 for v in range(3)} | {(1, v): 1 for v in range(4)}
    orders = [[sampler.item(epoch, index) for index in range(19)] for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    again = pickle.loads(pickle.dumps(sampler))
    assert [again.item(1, index) for index in range(19)] == orders[1]
    in_order = PassSampler([2, 1], shuffle=False)
    assert [(item.dataset, item.video) for item in map(in_order.item, [0] * 3, range(3))] == [(0, 0), (0, 1), (1, 0)]
    with pytest.raises(IndexError, match="sample 19 of a pass of 19"):
        sampler.item(0, 19)
