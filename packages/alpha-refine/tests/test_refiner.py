"""The refiner: published calls, several targets and boxes at once, hostile input, weights by name, folding."""

from __future__ import annotations

import copy
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from alpha_refine.confidence import confidence
from alpha_refine.config import ModelConfig
from alpha_refine.folding import prepare
from alpha_refine.geometry import first_box
from alpha_refine.loading import load_refiner
from alpha_refine.network import build
from alpha_refine.recipes import get_recipe
from alpha_refine.refiner import Refiner, join
from alpha_refine.weights import load_network, model_of
from trackcore import checkpoints
from trackcore.recipes import to_yaml

SMALL = get_recipe("debug").model
FRAME = (120, 160)


def scene(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*FRAME, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return prepare(build(SMALL))


@pytest.fixture
def refiner(small):
    return Refiner(small, SMALL, border="exact", coordinates="exact")


@pytest.fixture(scope="module")
def found(load_case, toy_network, synthetic):
    case = load_case("refine_calls")
    refiner = Refiner(prepare(copy.deepcopy(toy_network)), toy_network.config)  # as a loaded one is
    template = refiner.init(synthetic.frame(0), first_box(synthetic.truth(0)))
    results = [
        refiner.refine(synthetic.frame(int(time)), template, box, mask=True)
        for time, box in zip(case["frames"], case["boxes"], strict=True)
    ]
    return case, template, results


class TestPublishedCalls:
    """Ten boxes: inside, huge, tiny, across every border, wholly outside."""

    def test_kernel(self, found):
        case, template, _ = found
        case.check("kernel", template.kernel)

    def test_boxes(self, found):
        case, _, results = found
        case.check("corner", np.concatenate([result.corners for result in results]))
        case.check("refined", np.concatenate([result.boxes for result in results]))
        assert all(result.refused == (None,) for result in results)

    def test_masks(self, found):
        case, _, results = found
        masks = np.concatenate([result.masks for result in results])
        case.check("mask", masks)
        sums = masks.sum(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(sums, case["mask_sum"][:, 0], rtol=1e-4)
        for column, threshold in ((1, 0.5), (2, 0.65)):
            np.testing.assert_allclose((masks > threshold).sum(axis=(1, 2)), case["mask_sum"][:, column], atol=10)


class TestBatches:
    boxes = np.array([[20.0, 30, 40, 30], [60, 50, 30, 50], [-10, 40, 50, 50]])

    def test_boxes_of_one_target(self, refiner):
        template = refiner.init(scene(), self.boxes[0])
        together = refiner.refine(scene(1), template, self.boxes, mask=True)
        for number, box in enumerate(self.boxes):
            alone = refiner.refine(scene(1), template, box, mask=True)
            np.testing.assert_allclose(together.boxes[number], alone.boxes[0], atol=1e-3)
            np.testing.assert_allclose(together.confidence[number], alone.confidence[0], atol=1e-5)
            np.testing.assert_allclose(together.masks[number], alone.masks[0], atol=1e-5)

    def test_several_targets(self, refiner):
        separate = [refiner.init(scene(), box) for box in self.boxes]
        np.testing.assert_allclose(refiner.init(scene(), self.boxes).kernel, join(separate).kernel, atol=1e-5)
        together = refiner.refine(scene(1), join(separate), self.boxes)
        assert together.masks is None
        for number, (template, box) in enumerate(zip(separate, self.boxes, strict=True)):
            np.testing.assert_allclose(
                together.boxes[number], refiner.refine(scene(1), template, box).boxes[0], atol=1e-3
            )

    def test_masks_alone(self, refiner):
        template = refiner.init(scene(), self.boxes[0])
        refined = refiner.refine(scene(1), template, self.boxes[0], box=False, mask=True)
        np.testing.assert_array_equal(refined.boxes, self.boxes[:1])
        both = refiner.refine(scene(1), template, self.boxes[0], mask=True)
        np.testing.assert_allclose(refined.masks, both.masks, atol=1e-6)

    def test_numbers_must_agree(self, refiner):
        template = refiner.init(scene(), self.boxes[:2])
        with pytest.raises(ValueError, match="2 targets goes with as many boxes, got 3"):
            refiner.refine(scene(1), template, self.boxes)


class TestHostileInput:
    @pytest.mark.parametrize(
        ("box", "says"),
        [
            ((np.nan, 1, 2, 3), "NaN"),
            ((1, 1, 0, 5), "too small"),
            ((1, 1, 5, -5), "too small"),
            ((1, 1, 1e7, 1e7), "too large"),
            ((500, 10, 20, 20), "shows nothing"),
            ((10, -500, 20, 20), "shows nothing"),
        ],
    )
    def test_such_boxes_are_refused_and_others_refined(self, refiner, box, says):
        template = refiner.init(scene(), np.array([20.0, 30, 40, 30]))
        boxes = np.array([box, (20.0, 30, 40, 30)])
        refined = refiner.refine(scene(), template, boxes, mask=True)
        assert says in refined.refused[0]
        assert refined.refused[1] is None
        np.testing.assert_array_equal(refined.boxes[0], boxes[0])
        assert refined.confidence[0] == 0
        assert not refined.masks[0].any()
        alone = refiner.refine(scene(), template, boxes[1])
        np.testing.assert_allclose(refined.boxes[1], alone.boxes[0], atol=1e-3)

    def test_only_refused_boxes(self, refiner):
        template = refiner.init(scene(), np.array([20.0, 30, 40, 30]))
        refined = refiner.refine(scene(), template, np.array([np.nan, 0, 0, 0]), mask=True)
        assert refined.refused[0] is not None
        assert refined.masks.shape == (1, *FRAME)

    @pytest.mark.parametrize("size", [(1, 160), (120, 1), (1, 1)])
    def test_frames_of_one_row(self, refiner, size):
        frame = np.full((*size, 3), 90, np.uint8)
        template = refiner.init(frame, np.array([0.0, 0, size[1], size[0]]))
        refined = refiner.refine(frame, template, np.array([0.0, 0, size[1], size[0]]), mask=True)
        assert np.isfinite(refined.boxes).all()
        assert refined.masks.shape == (1, *size)

    def test_frames_that_are_none(self, refiner):
        template = refiner.init(scene(), np.array([20.0, 30, 40, 30]))
        with pytest.raises(ValueError, match="RGB uint8"):
            refiner.refine(scene()[..., 0], template, np.array([20.0, 30, 40, 30]))
        with pytest.raises(ValueError, match="RGB uint8"):
            refiner.init(scene().astype(float), np.array([20.0, 30, 40, 30]))

    @pytest.mark.parametrize("box", [(1, 2, 3), (np.nan, 2, 3, 4), (10, 10, 0, 5), (500, 10, 5, 5)])
    def test_first_boxes_that_cannot_be_used(self, refiner, box):
        with pytest.raises(ValueError, match="box"):
            refiner.init(scene(), np.array(box))

    def test_damaged_weights_are_named(self, small):
        broken = copy.deepcopy(small)
        broken.corner_head.conv5_tl.bias.fill_(float("nan"))
        refiner = Refiner(broken, SMALL)
        template = refiner.init(scene(), np.array([20.0, 30, 40, 30]))
        with pytest.raises(RuntimeError, match="not finite"):
            refiner.refine(scene(), template, np.array([20.0, 30, 40, 30]))


class TestConfidence:
    @pytest.mark.parametrize("kind", ["peak", "entropy"])
    def test_from_flat_to_sure(self, kind):
        scores = torch.zeros(3, 2, 4, 4)
        scores[1, :, 1, 2] = 3.0
        scores[2, :, 1, 2] = 1e4
        flat, peaked, sure = confidence(scores, kind).tolist()
        assert flat < peaked < sure == pytest.approx(1.0)
        assert flat == pytest.approx(1 / 16 if kind == "peak" else 0.0, abs=1e-6)

    def test_no_maps(self):
        assert confidence(torch.zeros(2, 0, 4, 4)).isnan().all()

    def test_unknown_kind(self):
        with pytest.raises(ValueError, match="'peak' or 'entropy'"):
            confidence(torch.zeros(1, 2, 4, 4), "margin")


class TestPreparing:
    @pytest.mark.parametrize("neck", ["pixelwise", "prroi_nonlocal"])
    @torch.no_grad()
    def test_computes_the_same(self, fill, neck):
        config = replace(SMALL, blocks=(1, 1, 1), channels=(16, 16, 16), classes=10, neck=neck, similarity="product")
        network = build(config).eval()
        fill.fill_(network.state_dict())
        images, boxes = torch.randn(2, 3, 64, 64), torch.tensor([[16.0, 16, 32, 32]]).expand(2, 4)
        before = network(images, images.flip(0), boxes)
        count = sum(parameter.numel() for parameter in network.parameters())
        after = prepare(network)(images, images.flip(0), boxes)
        torch.testing.assert_close(after.box, before.box, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(after.mask, before.mask, atol=1e-4, rtol=1e-4)
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
        assert sum(parameter.numel() for parameter in network.parameters()) < count

    @pytest.mark.parametrize("mask_head", ["none", "plain"])
    @torch.no_grad()
    def test_adjusters_without_use_go(self, mask_head):
        network = prepare(build(replace(SMALL, mask_head=mask_head)))
        assert not list(network.feat_adjust.parameters())
        assert network(torch.randn(1, 3, 64, 64), torch.randn(1, 3, 64, 64)).box.shape == (1, 4)

    def test_released(self, toy_network, load_case):
        case = load_case("model_eval_toy")
        network = prepare(copy.deepcopy(toy_network))
        assert sum(parameter.numel() for parameter in network.parameters()) == 10_188_823
        with torch.inference_mode():
            output = network(case.input("template")[0], case.input("search")[0])
        case.check("corner", output.box, atol=0.02)
        case.check("mask", output.mask, atol=2e-4)


def published_file(path, network, constructor="ltr.models.SEx_beta.SEcm_r34"):
    """A checkpoint as the published program writes it, with objects of its own classes in it."""
    module = types.ModuleType("ltr.admin.model_constructor")
    kind = type("NetConstructor", (), {"__module__": module.__name__})
    module.NetConstructor = kind
    note = kind()
    note.fun_name, note.fun_module, note.args, note.kwds = "SEcm_resnet34", constructor, (), {"pool_size": 8}
    parents = {name: types.ModuleType(name) for name in ("ltr", "ltr.admin")}
    sys.modules.update(parents | {module.__name__: module})
    try:
        content = {"epoch": 40, "net_type": "SEcmnet", "net": network.state_dict(), "constructor": note, "stats": note}
        torch.save(content, path)
    finally:
        for name in (*parents, module.__name__):
            del sys.modules[name]
    return path


class TestWeights:
    def test_published_file(self, tmp_path, toy_network, load_case, synthetic):
        path = published_file(tmp_path / "SEcmnet_ep0040.pth.tar", toy_network)
        network = load_network(path)
        assert network.config == ModelConfig()
        for name, tensor in toy_network.state_dict().items():
            assert torch.equal(network.state_dict()[name], tensor), name
        refiner = load_refiner(path, device="cpu")
        case = load_case("refine_calls")
        template = refiner.init(synthetic.frame(0), first_box(synthetic.truth(0)))
        refined = refiner.refine(synthetic.frame(int(case["frames"][0])), template, case["boxes"][0])
        np.testing.assert_allclose(refined.boxes[0], case["refined"][0], atol=0.05)

    VARIANTS = (
        {"neck": "single_channel"},
        {"neck": "depthwise"},
        {"neck": "prroi_nonlocal"},
        {"neck": "prroi_convolutions"},
        {"box_head": "shared_corners"},
        {"box_head": "extremes"},
        {"box_head": "anchor_free"},
        {"box_head": "deltas"},
        {"box_head": "none"},
        {"mask_head": "none"},
        {"mask_head": "plain"},
        {"blocks": (2, 2, 2, 2)},
    )

    @pytest.mark.parametrize("change", VARIANTS, ids=str)
    def test_variants_are_told_by_names(self, tmp_path, change):
        config = replace(ModelConfig(blocks=(1, 1, 1, 1), channels=(16, 32, 64, 64)), **change)
        path = tmp_path / "net.pth"
        torch.save({"net": build(config).state_dict()}, path)
        assert model_of(checkpoints.load(path)) == replace(
            config, head_channels=256 if config.box_head == "none" else config.head_channels
        )

    def test_the_constructor_tells_where_the_attention_is(self, tmp_path):
        config = ModelConfig(blocks=(1, 1, 1, 1), channels=(16, 32, 64, 64), neck="attention_first")
        path = published_file(tmp_path / "a.pth.tar", build(config), "ltr.models.ar_legacy.SE_other.SEcm_r34_Att")
        assert model_of(checkpoints.load(path)).neck == "attention_first"

    def test_own_file(self, tmp_path):
        config = replace(SMALL, neck="prroi", similarity="product")
        network = build(config)
        path = checkpoints.save_weights(tmp_path / "own.safetensors", network.state_dict(), {"model": to_yaml(config)})
        refiner = load_refiner(path, device="cpu")
        assert refiner.config == config
        assert (refiner.border, refiner.coordinates) == ("exact", "exact")

    def test_another_network(self, tmp_path):
        path = tmp_path / "net.pth"
        torch.save({"net": build(SMALL).state_dict()}, path)
        with pytest.raises(checkpoints.CheckpointMismatchError, match="SEcm_r34"):
            load_network(path, "SEcm_r34")

    def test_no_refiner(self, tmp_path):
        path = tmp_path / "net.pth"
        torch.save({"net": {"backbone.weight": torch.zeros(1)}}, path)
        with pytest.raises(checkpoints.CheckpointError, match="holds no refiner"):
            load_network(path)

    @pytest.mark.parametrize("options", [{}, {"recipe": "debug", "precision": "fp8"}, {"recipe": "SEcm_r35"}])
    def test_wrong_options(self, options):
        with pytest.raises(ValueError, match=r"give weights|precision|SEcm_r34"):
            load_refiner(**options)

    def test_half_precision_of_the_backbone(self, small):
        torch.manual_seed(0)
        refiner = load_refiner(recipe="debug", device="cpu", precision="bf16")
        torch.manual_seed(0)
        exact = load_refiner(recipe="debug", device="cpu")
        boxes = []
        for one in (refiner, exact):
            template = one.init(scene(), np.array([20.0, 30, 40, 30]))
            assert template.kernel.dtype == torch.float32
            boxes.append(one.refine(scene(1), template, np.array([20.0, 30, 40, 30])).boxes)
        np.testing.assert_allclose(*boxes, atol=3)
