"""Training samples against published ones; masks, refusals, and samples by number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alpha_refine.config import DataConfig, ModelConfig
from alpha_refine.crops import cut, window_of
from alpha_refine.processing import Draws, SampleSource, draw_numbers, process
from alpha_refine.recipes import get_recipe
from trackdata.faults import RejectedSample, SamplingError
from trackdata.pairs import RegionParameters, jitter_box
from trackdata.sampling import EnoughForMasks, MixtureSampler, WindowSampler
from trackdata.sequences import Sequence, SequenceList

MODEL = ModelConfig()
DATA = DataConfig((), ())


@pytest.mark.parametrize("name", ["processing", "processing_gray"])
class TestPublishedSamples:
    @pytest.fixture
    def drawn(self, load_case, synthetic, name):
        """The case, its two frames and boxes, the search mask, and its random numbers."""
        case = load_case(name)
        kind, numbers = case.config["kind"], case.config["draws"]
        frames = [synthetic.frame(time, kind=kind) for time in case.config["frames"]]
        boxes = [np.array(synthetic.truth(time, kind), float) for time in case.config["frames"]]
        masks = [synthetic.ellipse(time, kind=kind) for time in case.config["frames"]]
        search = RegionParameters(tuple(numbers["randn"][1]), tuple(numbers["rand"][1]), numbers["brightness"][1])
        draws = Draws(numbers["gray"] < 0.05, search, numbers["brightness"][0])
        return case, frames, boxes, masks, draws

    def test_jitter(self, drawn):
        case, _, boxes, _, draws = drawn
        around = jitter_box(boxes[1], draws.search, DATA.center_jitter, DATA.scale_jitter)
        case.check("jittered", np.stack([boxes[0], around]))

    def test_sample(self, drawn):
        case, frames, boxes, masks, draws = drawn
        sample = process(frames[0], boxes[0], frames[1], boxes[1], draws, MODEL, DATA, masks[1].astype(bool))
        for output in ("template", "search", "template_box", "search_box"):
            case.check(output, getattr(sample, output))
        case.check("search_mask", sample.mask.astype(np.uint8))
        template = cut(masks[0], window_of(boxes[0], MODEL.factor, MODEL.size))
        assert [template.sum(), sample.mask.sum()] == case["mask_sums"].tolist()


class TestRefusals:
    frame = np.zeros((40, 60, 3), np.uint8)
    box = np.array([10.0, 10, 20, 20])

    @pytest.mark.parametrize(
        ("box", "reason"),
        [((np.nan, 0, 1, 1), "empty_crop"), ((5, 5, 0, 5), "empty_crop"), ((500, 5, 9, 9), "outside")],
    )
    def test_boxes(self, box, reason):
        for boxes in ((box, self.box), (self.box, box)):
            with pytest.raises(RejectedSample) as caught:
                process(self.frame, np.array(boxes[0]), self.frame, np.array(boxes[1]), Draws(), MODEL, DATA)
            assert caught.value.reason == reason

    def test_masks_of_another_size(self):
        with pytest.raises(RejectedSample, match=r"mask of \(60, 40\) does not fit a frame of \(40, 60\)"):
            process(self.frame, self.box, self.frame, self.box, Draws(), MODEL, DATA, np.zeros((60, 40), bool))


def test_validation_keeps_the_brightness():
    rng = np.random.default_rng(0)
    drawn = [draw_numbers(rng, DATA, training=False) for _ in range(20)]
    assert {draws.search.brightness for draws in drawn} == {draws.template_brightness for draws in drawn} == {1.0}
    assert len({draws.search.normal for draws in drawn}) == 20


def test_ranges_of_the_random_numbers():
    rng = np.random.default_rng(1)
    drawn = [draw_numbers(rng, DATA) for _ in range(2000)]
    brightness = np.array([(draws.search.brightness, draws.template_brightness) for draws in drawn])
    assert brightness.min() == pytest.approx(0.8, abs=0.01)
    assert brightness.max() == pytest.approx(1.2, abs=0.01)
    assert abs(np.corrcoef(brightness.T)[0, 1]) < 0.1  # each picture has its own
    assert np.mean([draws.gray for draws in drawn]) == pytest.approx(0.05, abs=0.02)


class PaintedFrames:
    """Ten frames of a bright square on noise; frame 3 cannot be read."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        from trackdata.errors import FrameError

        if index == 3:
            raise FrameError("frame 3 is damaged")
        image = np.random.default_rng(index).integers(0, 60, (48, 64, 3)).astype(np.uint8)
        image[10:26, 10 + index : 34 + index] = 220
        return image


def square(index: int) -> np.ndarray:
    mask = np.zeros((48, 64), bool)
    mask[10:26, 10 + index : 34 + index] = True
    return mask


def read(name: str) -> Sequence:
    boxes = np.array([(10.0 + index, 10, 24, 16) for index in range(10)])
    valid = np.ones(10, bool)
    if name == "wrong":
        return Sequence(name, PaintedFrames(), boxes, valid, masks=lambda index: square(index).T)
    return Sequence(name, PaintedFrames(), boxes, valid, masks=square if name == "masked" else None)


def source(name: str, learn_masks: bool = True, **changes) -> SampleSource:
    recipe = get_recipe("debug")
    acceptance = EnoughForMasks(min_length=2)
    mixture = MixtureSampler([SequenceList(name, [name], read)], strategy=WindowSampler(3), acceptance=acceptance)
    return SampleSource(mixture, (learn_masks,), replace(recipe.model, **changes), recipe.data, seed=5, max_attempts=20)


class TestSampleSource:
    def test_samples_by_number(self):
        samples = source("masked")
        one, same, other = samples(1, 7), samples(1, 7), samples(1, 8)
        assert one["template"].shape == one["search"].shape == (3, 64, 64)
        for key in one:
            np.testing.assert_array_equal(one[key], same[key])
        assert not np.array_equal(one["search"], other["search"])

    def test_mask_and_box_show_the_target(self):
        for index in range(20):
            sample = source("masked")(1, index)
            assert sample["has_mask"]
            rows, columns = np.nonzero(sample["mask"])
            x, y, w, h = sample["search_box"]
            found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            np.testing.assert_allclose(found, (x, y, x + w, y + h), atol=1.5)  # half a frame pixel is a crop pixel
            brightness = sample["search"].mean(axis=0)
            assert brightness[sample["mask"]].min() > brightness[~sample["mask"]].mean()

    def test_damaged_frames_are_counted_and_drawn_again(self):
        faults = sum(source("masked")(1, index)["faults"] for index in range(40))
        assert faults.sum() > 0

    def test_masks_only_where_they_are_wanted(self):
        for samples in (source("masked", learn_masks=False), source("plain")):
            sample = samples(1, 0)
            assert not sample["has_mask"]
            assert not sample["mask"].any()
        assert "mask" not in source("masked", mask_head="none")(1, 0)

    def test_masks_of_another_size_are_refused(self):
        with pytest.raises(SamplingError, match=r"20 attempts.*annotation"):
            source("wrong")(1, 0)
