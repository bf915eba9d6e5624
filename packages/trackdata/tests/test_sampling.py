"""The samplers against the distributions of the published ones, and what they do when data is bad."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from trackdata.sampling import (
    REASONS,
    CausalSampler,
    EnoughForMasks,
    FaultCounts,
    MixtureSampler,
    SamplingError,
    TridentSampler,
    WindowSampler,
    dry_run,
    sample_generator,
)
from trackdata.sampling.onestream import base_candidates, search_candidates, template_candidates
from trackdata.sequences import AnnotationError, Sequence

VECTORS = Path(__file__).parent / "conformance"
CAUSAL = np.load(VECTORS / "sampler_causal.npz")
CAUSAL_VIDEOS = json.loads(str(CAUSAL["meta"]))["videos"]
SAMPLERS = np.load(VECTORS / "samplers.npz")
CASES = json.loads(str(SAMPLERS["meta"]))["cases"]
MODES = {"trident": "visible", "trident_pro": "all", "stark": "valid"}


@pytest.mark.parametrize("pick", ["first", "middle", "last"])
@pytest.mark.parametrize("video", CAUSAL_VIDEOS)
def test_causal_candidates_of_every_draw(video, pick):
    visible = np.array(CAUSAL_VIDEOS[video]["visible"], bool)
    gap = CAUSAL_VIDEOS[video]["max_gap"]
    rows = [row[row >= 0].tolist() for row in CAUSAL[f"out/{video}/{pick}/candidates"]]
    template, search = CAUSAL[f"out/{video}/{pick}/frames"].tolist()
    place = {"first": lambda c: c[0], "middle": lambda c: c[len(c) // 2], "last": lambda c: c[-1]}[pick]

    draws = []
    while True:
        bases = base_candidates(visible, 1, 1)
        base = place(bases)
        draws.append(bases.tolist())
        searches = search_candidates(visible, base, gap)
        # A search draw without candidates is not a draw: the reference skips it, and so does the record of draws.
        if len(searches):
            draws.append(searches.tolist())
            break
        gap += 5
    assert draws == rows
    assert (base, place(searches)) == (template, search)


def strategy_of(case):
    if "mode" not in case:
        return WindowSampler(case["max_gap"])  # Alpha-Refine's
    if case["mode"] == "causal":
        return CausalSampler(case["max_gap"], case["templates"], case["searches"])
    return TridentSampler(tuple(case["max_gap"]), MODES[case["mode"]])


def chi_square_is_plausible(observed, expected):
    """True when the chi-square statistic is below its 1e-4 quantile (Wilson-Hilferty); rare cells are pooled."""
    order = np.argsort(expected)
    cells, rest = [], [0.0, 0.0]
    for index in order:
        rest = [rest[0] + observed[index], rest[1] + expected[index]]
        if rest[1] >= 5:
            cells.append(rest)
            rest = [0.0, 0.0]
    if rest[1] > 0:
        cells[-1] = [cells[-1][0] + rest[0], cells[-1][1] + rest[1]]
    seen, wanted = np.array(cells).T
    freedom = len(cells) - 1
    statistic = ((seen - wanted) ** 2 / wanted).sum()
    z = 3.719  # standard normal quantile of 1 - 1e-4
    return statistic < freedom * (1 - 2 / (9 * freedom) + z * np.sqrt(2 / (9 * freedom))) ** 3


def draw_counts(name, draws):
    visibility = name.split("/")[1]
    visible, valid = (SAMPLERS[f"in/{visibility}/{flag}"].astype(bool) for flag in ("visible", "valid"))
    strategy, rng = strategy_of(CASES[name]), np.random.default_rng(20)
    return Counter(
        (*choice.templates, *choice.searches) for choice in (strategy.draw(rng, visible, valid) for _ in range(draws))
    )


@pytest.mark.parametrize("name", CASES)
def test_distribution_matches_the_published_sampler(name):
    draws = 20_000
    check_distribution(name, draws, draw_counts(name, draws))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_distribution_matches_with_many_draws(name):
    check_distribution(name, 200_000, draw_counts(name, 200_000))


def check_distribution(name, draws, counts):
    probability = SAMPLERS[f"out/{name}/probability"]
    support = [tuple(row) for row in SAMPLERS[f"out/{name}/frames"].tolist()]
    if CASES[name]["total"] > 1 - 1e-6:  # otherwise rare combinations were cut off from the enumeration
        assert set(counts) <= set(support)
    likely = {row for row, p in zip(support, probability, strict=True) if p * draws > 25}
    assert likely <= set(counts)
    observed = np.array([counts[row] for row in support])
    assert chi_square_is_plausible(observed, probability * draws)


def test_the_chi_square_test_can_fail():
    expected = np.full(20, 1000.0)
    shifted = expected + np.where(np.arange(20) % 2, 80, -80)
    assert chi_square_is_plausible(expected + np.where(np.arange(20) % 2, 20, -20), expected)
    assert not chi_square_is_plausible(shifted, expected)


def test_template_candidates_are_before_the_base():
    visible = np.array([1, 0, 1, 1, 1, 1], bool)
    assert template_candidates(visible, 4, 2).tolist() == [2, 3]
    assert template_candidates(visible, 4, 10).tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("visible", "templates"),
    [([0, 0, 0], 1), ([1], 1), ([0, 0, 1], 1), ([1, 0, 0], 1), ([1, 1, 0], 2), ([], 1)],
    ids=["none", "one frame", "only the last", "only the first", "two for three", "empty"],
)
def test_causal_refuses_what_it_cannot_do(visible, templates):
    with pytest.raises(SamplingError, match="visible frames"):
        CausalSampler(10, templates).draw(np.random.default_rng(0), np.array(visible, bool))


def test_trident_takes_a_number_and_refuses_invisible_sequences():
    assert TridentSampler(5) == TridentSampler((5,))
    with pytest.raises(SamplingError):
        TridentSampler(5).draw(np.random.default_rng(0), np.zeros(30, bool))
    with pytest.raises(SamplingError, match="extra template"):
        TridentSampler(5, "valid", 10).draw(np.random.default_rng(0), np.ones(9, bool), np.zeros(9, bool))


@pytest.mark.parametrize("options", [{"max_gap": 0}, {"templates": 0}, {"searches": 0}])
def test_causal_refuses_senseless_numbers(options):
    with pytest.raises(ValueError, match="at least 1"):
        CausalSampler(**options)


class NoFrames:
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        raise AssertionError("choosing frames must not read them")


def video(name, visible):
    visible = np.array(visible, bool)
    boxes = np.tile([1.0, 2.0, 3.0, 4.0], (len(visible), 1))
    return Sequence(name, NoFrames(len(visible)), boxes, np.ones(len(visible), bool), visible)


@dataclass
class Fake:
    name: str
    sequences: list
    still: bool = False

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, index):
        if isinstance(self.sequences[index], Exception):
            raise self.sequences[index]
        return self.sequences[index]


def test_acceptance_of_sequences():
    for length, visible, templates, searches, accepted in SAMPLERS["out/accept/rows"].tolist():
        flags = np.arange(length) < visible
        mixture = MixtureSampler([Fake("a", [video("v", flags)])], strategy=CausalSampler(10, templates, searches))
        assert (mixture.refusal(mixture.datasets[0][0]) is None) == bool(accepted)


def test_a_still_image_with_several_boxes_gives_each_of_them():
    image = video("image", np.ones(3))
    mixture = MixtureSampler([Fake("stills", [image], still=True)])
    drawn = Counter(mixture.draw(sample_generator(0, 0, index)).frames for index in range(300))
    assert {(choice.template, choice.search) for choice in drawn} == {(0, 0), (1, 1), (2, 2)}
    assert min(drawn.values()) > 70


def test_acceptance_of_alpha_refine():
    rows = np.load(VECTORS / "sampler_alpha_refine.npz")["out/accept"].tolist()
    for is_video, has_masks, visible, length, accepted in rows:
        sequence = video("v", np.arange(length) < visible)
        sequence = replace(sequence, masks=(lambda index: None) if has_masks else None)
        assert (EnoughForMasks().refusal(sequence, not is_video) is None) == bool(accepted), (visible, length)


def test_weights_decide_about_datasets_and_bad_sequences_do_not_change_them():
    good, short, hidden = video("good", np.ones(30)), video("short", np.ones(19)), video("hidden", np.zeros(30))
    mixture = MixtureSampler([Fake("a", [good]), Fake("b", [good, short, hidden])], [1, 3], CausalSampler(10))
    run = dry_run(mixture, 4000, seed=1)
    assert run.draws.sum() == 4000
    assert abs(run.draws[0] / 4000 - 0.25) < 0.04
    assert {row[:2] for row in run.faults.rows()} == {("b", "too_short"), ("b", "few_visible")}
    assert run.distances[0].min() == 1
    assert run.distances[0].max() == 9


def test_a_weight_of_zero_is_never_drawn():
    mixture = MixtureSampler([Fake("a", [video("v", np.ones(30))]), Fake("b", [video("v", np.ones(30))])], [0, 1])
    assert dry_run(mixture, 200).draws.tolist() == [0, 200]


def test_a_still_image_is_paired_with_itself_whatever_its_flags():
    mixture = MixtureSampler([Fake("stills", [video("image", [False])], still=True)])
    frames = mixture.draw(np.random.default_rng(0)).frames
    assert (frames.template, frames.search) == (0, 0)


def test_unreadable_annotations_are_counted_and_skipped():
    mixture = MixtureSampler([Fake("a", [AnnotationError("groundtruth.txt is gone"), video("v", np.ones(30))])])
    faults = mixture.faults()
    names = {mixture.draw(sample_generator(0, 0, index), faults).sequence.name for index in range(50)}
    assert names == {"v"}
    assert faults.counts[0, REASONS.index("annotation")] > 5


def test_a_hopeless_mixture_ends_with_the_reasons():
    mixture = MixtureSampler([Fake("dark", [video("v", np.zeros(30))])], max_attempts=7)
    with pytest.raises(SamplingError, match=r"7 attempts \(dark: 7 x too few frames"):
        mixture.draw(np.random.default_rng(0))
    broken = MixtureSampler([Fake("broken", [AnnotationError("x.txt is gone")])], max_attempts=3)
    with pytest.raises(SamplingError, match=r"annotation missing.*x\.txt is gone"):
        broken.draw(np.random.default_rng(0))


def test_a_sample_depends_on_seed_epoch_and_index_only():
    mixture = MixtureSampler([Fake("a", [video(str(n), np.ones(200)) for n in range(50)])])

    def draws(seed, epoch, indices):
        result = (mixture.draw(sample_generator(seed, epoch, index)) for index in indices)
        return [(draw.sequence.name, draw.frames) for draw in result]

    forward = draws(3, 1, range(20))
    assert draws(3, 1, reversed(range(20))) == forward[::-1]
    assert draws(3, 2, range(20)) != forward
    assert draws(4, 1, range(20)) != forward
    assert len(set(forward)) == 20


@pytest.mark.parametrize(
    ("datasets", "weights", "message"),
    [
        ([], None, "at least one dataset"),
        ([Fake("empty", [])], None, "empty has no sequences"),
        ([Fake("a", [None])], [1, 2], "1 datasets"),
        ([Fake("a", [None])], [0], "not all zero"),
        ([Fake("a", [None])], [float("nan")], "finite"),
        ([Fake("a", [None]), Fake("b", [None])], [2, -1], "not negative"),
    ],
)
def test_senseless_mixtures_are_refused(datasets, weights, message):
    with pytest.raises(ValueError, match=message):
        MixtureSampler(datasets, weights)


def test_fault_counts_print_and_check_their_shape():
    faults = FaultCounts(("a", "b"))
    assert str(faults) == "none"
    faults.add(1, "frame", "x.jpg is gone")
    assert faults.rows() == [("b", "frame", 1)]
    assert "b: 1 x image missing" in str(faults)
    assert faults.last == "x.jpg is gone"
    with pytest.raises(ValueError, match="shape"):
        FaultCounts(("a",), np.zeros((2, 2)))
