"""Necks and heads against published values, one by one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from alpha_refine import necks
from alpha_refine.heads import AnchorFreeHead, CornerHead, DeltaHead, ExtremeHead, SharedCornerHead, expected_place
from alpha_refine.mask_heads import PlainMaskHead
from alpha_refine.necks import NonLocalBlock, PixelwiseNeck, PooledNeck, cosine_correlation, pixelwise_correlation


@pytest.fixture
def filled(fill):
    """A module in eval mode with the deterministic weights of its published names."""

    def filled(module: nn.Module, prefix: str, seed: int) -> nn.Module:
        fill.fill_(module.state_dict(), seed, rename=lambda name: prefix + name)
        return module.eval().requires_grad_(False)

    return filled


def test_pixelwise_neck(load_case, toy_network):
    case, neck = load_case("neck_pixelwise"), toy_network.neck
    kernel = neck.kernel(case.input("z"))
    correlation = pixelwise_correlation(kernel, case.input("x"))
    case.check("kernel", kernel)
    case.check("corr", correlation)
    case.check("post_corr", neck.post_corr(correlation))
    case.check("fused", neck(kernel, case.input("x")))
    case.check("fused_wide", neck(kernel, case.input("x_wide")))


def test_correlation_is_a_sum_over_channels():
    kernel, features = torch.randn(2, 5, 3, 3).double(), torch.randn(2, 5, 4, 6).double()
    correlation = pixelwise_correlation(kernel, features)
    assert correlation.shape == (2, 9, 4, 6)
    expected = sum(kernel[1, c, 2, 0] * features[1, c, 3, 5] for c in range(5))
    torch.testing.assert_close(correlation[1, 6, 3, 5], expected)


def test_cosines_tell_positions_apart_that_point_the_same_way():
    features = 5 + torch.randn(1, 32, 6, 6).double()
    kernel = features[:, :, 1:3, 2:4]
    correlation = cosine_correlation(kernel, features)
    assert correlation.abs().max() <= 1 + 1e-9
    torch.testing.assert_close(correlation[0, 0, 1, 2].item(), 1.0)  # the position itself
    best = correlation.flatten(2).argmax(2)[0]
    assert best.tolist() == [6 + 2, 6 + 3, 12 + 2, 12 + 3]
    others = correlation[0, 0].flatten().sort().values[:-1]
    assert others.max() < 0.8
    product = pixelwise_correlation(kernel, features)[0, 0].flatten()
    assert product.min() > 0.8 * product.max()


OTHER_NECKS = {
    "prroi_nonlocal": lambda: PooledNeck(256, 64, 16, "pixelwise", "nonlocal"),
    "prroi_convs": lambda: PooledNeck(256, 64, 16, "pixelwise", "convolutions"),
    "prroi_plain": lambda: PooledNeck(256, 64, 16, "pixelwise", "none"),
    "naive": lambda: PooledNeck(256, 64, 16, "single_channel", "nonlocal"),
    "attention_first": lambda: PixelwiseNeck((4, 12), 64, attention_first=True),
}


@pytest.mark.parametrize("name", OTHER_NECKS)
def test_other_necks(load_case, filled, name):
    case = load_case("necks_other")
    neck = filled(OTHER_NECKS[name](), "neck.", case.seed)
    kernel = neck.kernel(0.25 * case.input("z"), torch.tensor(case.config["boxes"][0]))
    if name == "prroi_plain":
        case.check("pooled", kernel)
    case.check(name, neck(kernel, 0.25 * case.input("x")))


def test_depthwise_neck(load_case, filled):
    case = load_case("necks_other")
    neck = filled(PooledNeck(1024, 64, 16, "depthwise", "nonlocal"), "neck.", case.seed)
    kernel = neck.kernel(0.25 * case.input("z1024"), torch.tensor(case.config["boxes"][0][:1]))
    case.check("depthwise_1024", neck(kernel, 0.25 * case.input("x1024")))


def test_corner_head(load_case, toy_network):
    case = load_case("corner_head")
    corners = toy_network.corner_head(case.input("fused"))
    heat = corners.scores.flatten(2).softmax(2).view(-1, 2, 16, 16)
    for number, corner in enumerate(("tl", "br")):
        case.check(f"score_{corner}", corners.scores[:, number : number + 1])
        case.check(f"heat_{corner}", heat[:, number])
    case.check("corner", corners.box)


def test_expected_place(load_case):
    """A peak, flat maps, ties, scores of 1e4 and an offset of -2000; and the gradient."""
    case = load_case("soft_argmax")
    scores = torch.from_numpy(case["scores"]).requires_grad_()
    place = expected_place(scores[:, 0], 16)
    case.check("x", place[:, 0])
    case.check("y", place[:, 1])
    (place[0, 0] + 2 * place[1, 0] - place[0, 1] + 0.5 * place[1, 1]).backward()
    case.check("grad", scores.grad[:2])


def test_places_are_exact_under_autocast():
    scores = torch.full((1, 16, 16), -1e4)
    scores[0, 5, 13], scores[0, 5, 14] = 1.0, 0.0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        place = expected_place(scores, 16)
    torch.testing.assert_close(place, expected_place(scores, 16), rtol=0, atol=1e-4)


def test_merging_mask_head(load_case, toy_network):
    case = load_case("mask_head")
    head = toy_network.mask_head
    maps = [case.input(name) for name in ("conv1", "layer1", "layer2")]
    finer = [adjust(features) for adjust, features in zip(toy_network.feat_adjust, maps, strict=True)]
    for level, features in enumerate(finer):
        case.check(f"adjust{level}", features)
    stages: dict[str, torch.Tensor] = {}
    hooks = [
        getattr(head, f"post{step}").register_forward_hook(
            lambda module, inputs, output, step=step: stages.update({f"stage{step}": output})
        )
        for step in range(3)
    ]
    case.check("mask", head(case.input("fused2"), finer, (256, 256)))
    for hook in hooks:
        hook.remove()
    assert len(stages) == 3
    for name, value in stages.items():
        case.check(name, value)


class TestOtherHeads:
    @pytest.fixture
    def case(self, load_case):
        return load_case("heads_other")

    @pytest.mark.parametrize(
        ("name", "build"),
        [
            ("extreme", lambda: ExtremeHead(64, 256, 16)),
            ("corner_fine", lambda: CornerHead(64, 256, 16, fine=True)),
            ("corner_shared", lambda: SharedCornerHead(64, 128, 16)),
        ],
    )
    def test_boxes(self, case, filled, name, build):
        head = filled(build(), case.config["prefixes"][name], case.seed)
        case.check(name, head(case.input("feat")).box)

    @pytest.mark.parametrize(
        ("name", "build"), [("se", lambda: necks._channel_attention(64)), ("nonlocal", lambda: NonLocalBlock(64))]
    )
    def test_attention(self, case, filled, name, build):
        case.check(name, filled(build(), case.config["prefixes"][name], case.seed)(case.input("feat")))

    def test_anchor_free(self, case, filled):
        head = filled(AnchorFreeHead(64, 256, 16), case.config["prefixes"]["rpn_box"], case.seed)
        offsets, confidence = head.maps(case.input("feat"))
        case.check("rpn_map", offsets)
        case.check("rpn_conf", confidence)
        case.check("rpn_box", head(case.input("feat")).box)
        case.check("rpn_decoded", head.read(offsets, torch.tensor([5 * 16 + 9, 15 * 16])))

    def test_plain_mask(self, case, filled):
        head = filled(PlainMaskHead(64, 256), case.config["prefixes"]["mask_simple"], case.seed)
        case.check("mask_simple", head(case.input("feat"), [], (256, 256)))

    @pytest.mark.parametrize(("name", "rectified"), [("bbox", True), ("bbox_anchor", False)])
    def test_deltas(self, case, filled, name, rectified):
        head = filled(DeltaHead(64, 64, 256, 128.0, rectified=rectified), case.config["prefixes"][name], case.seed)
        case.check(name, head.deltas(case.input("feat")))
        deltas = torch.tensor([(0, 0, 0, 0), (0.1, -0.2, 0.3, -0.4), (-0.5, 0.25, -1, 0.75)])
        corners = head.decode(deltas)
        case.check("delta", torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1))

    def test_a_head_without_maps_has_none(self):
        corners = DeltaHead(64, 64, 256, 128.0).eval()(torch.randn(2, 64, 16, 16))
        assert corners.scores.shape == (2, 0, 16, 16)


def test_places_are_left_upper_pixels_of_cells():
    scores = torch.full((1, 16, 16), -1e4)
    scores[0, 3, 15] = 1e4
    assert expected_place(scores, 16)[0].tolist() == [240, 48]
