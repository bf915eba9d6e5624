"""The networks: published names and values, several targets at once, what can be left out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from alpha_refine.backbone import extract
from alpha_refine.config import ModelConfig
from alpha_refine.necks import PooledNeck, pixelwise_correlation
from alpha_refine.network import build

RELEASED = ModelConfig()
SMALL = ModelConfig(
    blocks=(1, 1), channels=(16, 32), classes=0, stage=2, size=64, neck_channels=16, head_channels=32, adjusted=(32, 64)
)
VARIANTS = {
    "SEcm_r34": RELEASED,
    "SEcm_r18_derived": replace(RELEASED, blocks=(2, 2, 2, 2)),
    "SEc_r34": replace(RELEASED, mask_head="none"),
    "SEm_r34": replace(RELEASED, box_head="none"),
    "SEex_r34": replace(RELEASED, box_head="extremes"),
    "SErpnm_r34": replace(RELEASED, box_head="anchor_free"),
    "SEcm_r34_Att": replace(RELEASED, neck="attention_first"),
    "SEcm_r34_naive": replace(RELEASED, neck="single_channel"),
    "SEcm_r34_dwcorr": replace(RELEASED, neck="depthwise"),
}


def entries(module: torch.nn.Module) -> list[list]:
    return [
        [name, list(tensor.shape), str(tensor.dtype).removeprefix("torch.")]
        for name, tensor in module.state_dict().items()
    ]


@pytest.mark.parametrize("name", VARIANTS)
def test_published_names(name, conformance_folder):
    published = json.loads((conformance_folder / f"keys_{name}.json").read_text())
    mine = entries(build(VARIANTS[name]))
    if name == "SEcm_r34_dwcorr":
        # The published network has 1024 channels here, those of a ResNet-50, and cannot run.
        wide = ["neck.adjust_layer.0.weight", [64, 1024, 3, 3], "float32"]
        published[published.index(wide)] = ["neck.adjust_layer.0.weight", [64, 256, 3, 3], "float32"]
        mine, published = sorted(mine), sorted(published)
    assert mine == published


def test_published_names_of_the_nonlocal_neck(conformance_folder):
    neck = PooledNeck(256, 64, 16, "pixelwise", "nonlocal")
    assert entries(neck) == json.loads((conformance_folder / "keys_neck_prroi_nonlocal.json").read_text())


def test_size_of_the_released_network(plain_network):
    assert sum(parameter.numel() for parameter in plain_network.parameters()) == 23_825_343


class Taps:
    """Intermediate maps of a network, computed with its own parts."""

    def __init__(self, network, template, search):
        self.maps = dict(
            zip(("conv1", "layer1", "layer2", "layer3"), extract(network.feature_extractor, search, 3), strict=True)
        )
        self.kernel = network.template(template)
        self.corr = pixelwise_correlation(self.kernel, self.maps["layer3"])
        self.post_corr = network.neck.post_corr(self.corr)
        self.output = network.search(search, self.kernel)


class TestPublishedValues:
    def test_plain_weights(self, load_case, plain_network):
        case = load_case("model_eval_plain")
        with torch.inference_mode():
            taps = Taps(plain_network, case.input("template")[0], case.input("search")[0])
        heat = taps.output.scores.flatten(2).softmax(2).view(1, 2, 16, 16)
        found = taps.maps | {
            "kernel": taps.kernel,
            "corr": taps.corr,
            "post_corr": taps.post_corr,
            "fused": taps.output.compared,
            "score_tl": taps.output.scores[:, :1],
            "score_br": taps.output.scores[:, 1:],
            "heat_tl": heat[:, 0],
            "heat_br": heat[:, 1],
            "corner": taps.output.box,
            "mask": taps.output.mask,
        }
        assert set(found) == set(case.arrays)
        for name, value in found.items():
            case.check(name, value)

    def test_reacting_weights(self, load_case, toy_network):
        case = load_case("model_eval_toy")
        with torch.inference_mode():
            taps = Taps(toy_network, case.input("template")[0], case.input("search")[0])
        found = {
            "kernel": taps.kernel,
            "layer3": taps.maps["layer3"],
            "corr": taps.corr,
            "post_corr": taps.post_corr,
            "fused": taps.output.compared,
            "score_tl": taps.output.scores[:, :1],
            "score_br": taps.output.scores[:, 1:],
            "corner": taps.output.box,
            "mask": taps.output.mask,
        }
        assert set(found) == set(case.arrays)
        for name, value in found.items():
            case.check(name, value)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return build(SMALL).eval()


def crops(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


class TestCalls:
    @torch.inference_mode()
    def test_targets_of_a_batch_do_not_touch_each_other(self, small):
        kernels, search = small.template(crops(3)), crops(3, seed=1)
        together = small.search(search, kernels)
        for number in range(3):
            alone = small.search(search[number : number + 1], kernels[number : number + 1])
            torch.testing.assert_close(together.box[number], alone.box[0])
            torch.testing.assert_close(together.mask[number], alone.mask[0])

    @torch.inference_mode()
    def test_one_template_serves_many_crops(self, small):
        kernel, search = small.template(crops(1)), crops(3, seed=1)
        shared = small.search(search, kernel)
        copied = small.search(search, kernel.expand(3, -1, -1, -1))
        torch.testing.assert_close(shared.box, copied.box)

    @torch.inference_mode()
    def test_heads_are_run_when_asked_for(self, small):
        kernel = small.template(crops(1))
        box_alone = small.search(crops(1), kernel, mask=False)
        mask_alone = small.search(crops(1), kernel, box=False)
        assert box_alone.mask is None
        assert mask_alone.box is None
        assert mask_alone.scores is None
        both = small.search(crops(1), kernel)
        torch.testing.assert_close(both.box, box_alone.box)
        torch.testing.assert_close(both.mask, mask_alone.mask)

    @torch.inference_mode()
    def test_forward_is_both_passes(self, small):
        output = small(crops(2), crops(2, seed=1))
        torch.testing.assert_close(output.box, small.search(crops(2, seed=1), small.template(crops(2))).box)
        assert output.mask.shape == (2, 1, 64, 64)
        assert 0 <= output.mask.min() <= output.mask.max() <= 1

    @pytest.mark.parametrize("neck", ["pixelwise", "attention_first", "prroi", "prroi_convolutions", "prroi_nonlocal"])
    @pytest.mark.parametrize("box_head", ["corners", "fine_corners", "shared_corners", "extremes", "deltas"])
    def test_parts_fit_each_other(self, neck, box_head):
        network = build(replace(SMALL, neck=neck, box_head=box_head, mask_head="plain")).eval()
        with torch.inference_mode():
            output = network(crops(2), crops(2, seed=1), torch.tensor([[16.0, 16, 32, 32]]).expand(2, 4))
        assert output.box.shape == (2, 4)
        assert output.mask.shape == (2, 1, 64, 64)

    @pytest.mark.parametrize("neck", ["single_channel", "depthwise"])
    def test_filters(self, neck):
        network = build(replace(SMALL, size=128, neck=neck)).eval()
        images = torch.randn(2, 3, 128, 128)
        with torch.inference_mode():
            assert network(images, images, torch.tensor([[32.0, 32, 64, 64]]).expand(2, 4)).box.shape == (2, 4)

    def test_pooled_templates_need_boxes(self):
        network = build(replace(SMALL, neck="prroi")).eval()
        with pytest.raises(ValueError, match="template boxes"):
            network.template(crops(1))


@pytest.mark.parametrize(("factor", "rows"), [(2.0, (4, 12)), (3.0, (5, 10)), (4.0, (6, 10)), (1.5, (2, 13))])
def test_the_template_follows_the_factor(factor, rows):
    assert replace(RELEASED, factor=factor).template_rows == rows


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"blocks": (2, 2)}, "2 stages of blocks but 4"),
        ({"stage": 5}, "one of the 4 stages"),
        ({"size": 250}, "multiple of the stride 16"),
        ({"factor": 1.0}, "above 1"),
        ({"adjusted": (64, 256)}, "adjusted"),
        ({"adjusted": (64, 256, 500)}, "multiple of 16"),
        ({"box_head": "none", "mask_head": "none"}, "a box head or a mask head"),
        ({"neck": "prroi", "similarity": "cosine"}, "pixelwise necks"),
    ],
)
def test_wrong_configurations(change, says):
    with pytest.raises(ValueError, match=says):
        replace(RELEASED, **change)
