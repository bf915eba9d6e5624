"""What training draws and what results are scored by, in the shared packages, against the published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_refine.recipes import get_recipe
from alpha_refine.training import sample_source
from trackdata.evaluation.conventions.pysot import Pysot
from trackdata.evaluation.records import Track, Truth
from trackdata.frames import Frames
from trackdata.sampling.windows import window_candidates
from trackdata.sequences import Sequence


class Nothing(Frames):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        raise AssertionError("nobody should look")


@pytest.fixture
def mixture(monkeypatch):
    """What the released recipe draws from, without its datasets."""

    class Empty:
        still = False

        def __init__(self, name):
            self.name = name

        def __len__(self):
            return 1

        def __getitem__(self, index):
            raise AssertionError("nobody should look")

    monkeypatch.setattr("alpha_refine.training.open_dataset", lambda name, root, split: Empty(name))
    recipe = get_recipe("SEcm_r34")
    return sample_source(recipe, recipe.data.train, "nowhere", training=True).mixture


def test_weights(load_case, mixture):
    assert list(mixture.weights) == load_case("sampler").config["p_datasets"]


def test_windows(load_case, mixture):
    """Rows whose template is visible, as drawn templates are: the window needs no growth there."""
    case = load_case("sampler")
    visible = case["visible"].astype(bool)
    rows = [row for row in case["window"].tolist() if visible[row[0]]]
    assert any(gap == mixture.strategy.max_gap for _, gap, *_ in rows)
    for frame, gap, extra, count, first, last, total in rows:
        found = window_candidates(visible, frame, gap)
        assert (0, len(found), found[0], found[-1], found.sum()) == (extra, count, first, last, total)


def test_acceptance(load_case, mixture):
    for is_video, has_masks, visible, length, accepted in load_case("sampler")["accept"].tolist():
        flags = np.arange(length) < visible
        boxes = np.tile([10.0, 10, 40, 30], (length, 1))
        masks = (lambda index: None) if has_masks else None
        sequence = Sequence("s", Nothing(length), boxes, flags, visible=flags, masks=masks)
        assert (mixture.refusal(sequence, not is_video) is None) == bool(accepted), (visible, length)


@pytest.mark.parametrize(("tag", "kind"), [("all", "otb"), ("lasot", "lasot")])
def test_scores(load_case, tag, kind):
    case = load_case("metrics")
    truth = Truth("sequence", case["gt"], absent=case["present"] == 0)
    convention = Pysot(kind)
    scores = convention.score([Track(case["pred"])], truth)
    case.check(f"{tag}_success", scores.curves["success"])
    case.check(f"{tag}_precision", scores.curves["precision"])
    case.check(f"{tag}_norm", scores.curves["norm_precision"])
    errors = convention.errors(Track(case["pred"]), truth)
    np.testing.assert_allclose(errors.overlap[errors.valid].mean(), case[f"{tag}_iou"], atol=1e-9)
