"""Parts of the network on their own: heads, elimination, template masks, relative attention."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from onestream_track.config import EliminationConfig, ModelConfig
from onestream_track.elimination import box_mask, centre_rows, eliminate, keep_count, keep_rate, rank, token_counts
from onestream_track.heads import CenterHead, CornerHead, Maps, PerceptronHead, decode, find_peak
from onestream_track.network import build
from onestream_track.relative_attention import RelativeAttention, relative_index
from trackcore.vit import Block, attention_rows

HEADS = {"atol": 2e-5, "rtol": 1e-4}


def normal(fill, name, shape, seed):
    return torch.from_numpy(fill.normal(f"input:{name}", shape, seed))


def uniform(fill, name, shape, seed):
    return torch.from_numpy(fill.uniform(f"input:{name}", shape, seed))


@pytest.mark.parametrize("mode", ["eval", "train"])
@torch.no_grad()
def test_center_head(load_case, fill, mode):
    case = load_case("heads")
    seed = case.meta["seed"]
    head = CenterHead(48, 64)
    assert list(head.state_dict()) == case.meta["state_dict_names"]["center"]
    fill.fill_(head.state_dict(), seed)
    head.train(mode == "train")
    maps = head(normal(fill, "feature", (2, 48, 16, 16), seed))
    peak = find_peak(maps.score)
    name = f"center_{mode}"
    case.check(f"{name}/score_map", maps.score, **HEADS)
    case.check(f"{name}/size_map", maps.size, **HEADS)
    case.check(f"{name}/offset_map", maps.offset, **HEADS)
    case.check(f"{name}/boxes", decode(maps, peak.index), **HEADS)
    case.check(f"{name}/max_score", peak.score[:, None], **HEADS)
    # The published second decoder returns size * F and offset at the peak.
    cells = maps.size.flatten(2).gather(2, peak.index[:, None, None].expand(-1, 2, 1))
    case.check(f"{name}/get_pred_size", cells * 16, **HEADS)
    offset = maps.offset.flatten(2).gather(2, peak.index[:, None, None].expand(-1, 2, 1))[:, :, 0]
    case.check(f"{name}/get_pred_offset", offset, **HEADS)
    if mode == "eval":
        given = find_peak(uniform(fill, "gt_score", (2, 16, 16), seed))
        case.check("center_eval/boxes_from_given_score", decode(maps, given.index), **HEADS)


@torch.no_grad()
def test_corner_and_perceptron_heads(load_case, fill):
    case = load_case("heads")
    seed = case.meta["seed"]
    features = normal(fill, "feature", (2, 48, 16, 16), seed)
    corner = CornerHead(48, 64, cells=16, stride=16).eval()
    assert list(corner.state_dict()) == case.meta["state_dict_names"]["corner"]
    fill.fill_(corner.state_dict(), seed)
    boxes, (top_left, bottom_right) = corner(features)
    case.check("corner/boxes_xyxy", boxes, **HEADS)
    case.check("corner/prob_tl", top_left, **HEADS)
    case.check("corner/prob_br", bottom_right, **HEADS)
    case.check("corner/logits_tl", corner.logits(features)[0], **HEADS)
    for name, batch_norm in (("mlp", False), ("mlp_bn", True)):
        head = PerceptronHead(48, 48, 4, 3, batch_norm=batch_norm).eval()
        assert list(head.state_dict()) == case.meta["state_dict_names"][name]
        fill.fill_(head.state_dict(), seed)
        case.check(f"{name}/out", head(features.mean((2, 3))), **HEADS)


def test_decoding_takes_the_first_of_equal_peaks(load_case, fill):
    case = load_case("heads")
    seed = case.meta["seed"]
    maps = Maps(
        score=torch.from_numpy(case["decode/score"]),
        size=uniform(fill, "size", (5, 2, 16, 16), seed),
        offset=normal(fill, "offset", (5, 2, 16, 16), seed),
    )
    case.check("decode/boxes", decode(maps, find_peak(maps.score).index), **HEADS)
    assert find_peak(torch.ones(1, 1, 16, 16)).index.item() == 0


def test_half_precision_keeps_scores_below_one():
    head = CenterHead(16, 16).eval().to(torch.bfloat16)
    with torch.no_grad():
        head.conv5_ctr.bias.fill_(50.0)
        score = head(torch.zeros(1, 16, 4, 4, dtype=torch.bfloat16)).score
    assert score.dtype == torch.float32
    assert torch.isfinite((1 - score).log()).all()


@pytest.mark.parametrize("name", ["all_0.7", "mask_0.5", "noop", "keep_ceil", "keep_small"])
def test_elimination(load_case, fill, name):
    case = load_case("candidate_elimination")
    given, seed = case.meta["parameters"][name], case.meta["seed"]
    batch, template, search = given["batch"], given["template_tokens"], given["search_tokens"]
    total = template + search
    attention = uniform(fill, f"{name}/attention", (batch, given["heads"], total, total), seed)
    tokens = normal(fill, f"{name}/tokens", (batch, total, 6), seed)
    indices = torch.from_numpy(np.argsort(fill.uniform("input:perm", (batch, search), seed), axis=1))
    mask = None
    if given["mask"]:
        mask = torch.zeros(batch, template, dtype=torch.bool)
        mask[:, given["mask"]] = True
    keep = keep_count(search, given["keep_ratio"])
    if keep == search:
        assert name == "noop"
        return
    left, kept, removed = eliminate(tokens, indices, rank(attention[:, :, :template, template:], mask), keep)
    case.check(f"{name}/tokens", left)
    case.check(f"{name}/kept", kept)
    case.check(f"{name}/removed", removed)


@pytest.mark.parametrize("size", [112, 128, 192, 224])
@pytest.mark.parametrize("template_range", ["CTR_POINT", "CTR_REC"])
def test_fixed_voters(load_case, size, template_range):
    case = load_case("template_mask")
    name = f"{template_range}_{size}"
    if name not in case.arrays:
        pytest.skip("the published code has no such mask")
    mask = np.zeros((size // 16) ** 2, np.uint8)
    mask[centre_rows(template_range, size // 16)] = 1
    np.testing.assert_array_equal(mask, case[name])


@pytest.mark.parametrize("size", [128, 192])
def test_voters_of_a_box(load_case, size):
    case = load_case("template_mask")
    boxes = torch.tensor(case.meta["boxes_xywh_normalised"])
    case.check(f"GT_BOX_{size}", box_mask(boxes, size, 16).to(torch.uint8))


def test_each_sample_is_ranked_by_its_own_voters():
    rows = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False, False, False], [False, False, False, True, False]])
    together = rank(rows, mask)
    for sample in range(2):
        alone = rank(rows[sample : sample + 1], mask[sample : sample + 1])
        assert torch.equal(together[sample : sample + 1], alone)


def test_a_sample_without_voters_is_ranked_by_all():
    rows = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rank(rows, torch.zeros(1, 5, dtype=torch.bool)), rank(rows))


@pytest.mark.parametrize(("name", "warm"), [("full", 80), ("got10k", 50)])
def test_keep_rate_schedule(load_case, name, warm):
    case = load_case("keep_rate_schedule")
    config = EliminationConfig((3, 6, 9), (0.7, 0.7, 0.7), warm_epochs=warm)
    rates = [keep_rate(config, epoch) for epoch in range(1, len(case[name]) + 1)]
    np.testing.assert_allclose(rates, case[name], rtol=1e-9)
    for tokens in (256, 576):
        counts = [token_counts(tokens, config.keep, rate) for rate in rates]
        np.testing.assert_array_equal(counts, case[f"{name}_tokens_{tokens}"])


def test_relative_indices(load_case):
    case = load_case("attention")
    np.testing.assert_array_equal(relative_index([4, 7], [4, 7]), case["index_self"])
    np.testing.assert_array_equal(relative_index([7], [4, 7]), case["index_cross"])
    np.testing.assert_array_equal(relative_index([4], [7]), case["index_plain"])


@pytest.mark.parametrize("kind", ["plain", "rpe", "talking"])
@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_relative_attention(load_case, fill, kind, masked):
    case = load_case("attention")
    seed = case.meta["seed"]
    module = RelativeAttention(32, 4, 4, 7, relative=kind != "plain", talking=kind == "talking")
    state = module.state_dict()
    assert [[name, list(tensor.shape)] for name, tensor in state.items()] == case.meta["state_dict_names"][kind]
    fill.fill_(state, seed)
    mask = uniform(fill, "mask", (2, 65), seed) > 0.8 if masked else None
    output = module(normal(fill, "tokens", (2, 65, 32), seed), mask)
    case.check(f"{kind}_masked" if masked else kind, output, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_talking_heads_can_be_masked_sensibly(fill):
    module = RelativeAttention(32, 4, 4, 7, talking=True, mask_after_mixing=True)
    tokens, mask = normal(fill, "tokens", (2, 65, 32), 0), torch.zeros(2, 65, dtype=torch.bool)
    mask[:, 40:] = True
    changed = tokens.clone()
    changed[:, 40:] += 1
    output = module(tokens, mask)
    assert torch.isfinite(output).all()
    torch.testing.assert_close(module(changed, mask)[:, :40], output[:, :40])


@torch.no_grad()
def test_block(load_case, fill):
    case = load_case("attention")
    seed = case.meta["seed"]
    block = Block(32, 4, norm_eps=1e-5)
    assert [name for name, _ in case.meta["state_dict_names"]["block"]] == list(block.state_dict())
    fill.fill_(block.state_dict(), seed)
    case.check("block_eps1e-5", block(normal(fill, "tokens", (2, 65, 32), seed)), atol=1e-5, rtol=1e-4)


def test_impossible_configurations_are_refused():
    with pytest.raises(ValueError, match="direct"):
        ModelConfig(concatenation="partition", elimination=EliminationConfig((3,), (0.7,)))
    with pytest.raises(ValueError, match="keep ratios"):
        EliminationConfig((3,), ())
    with pytest.raises(ValueError, match=r"0\.\.11"):
        ModelConfig(elimination=EliminationConfig((12,), (0.7,)))
    with pytest.raises(ValueError, match="multiple of the stride"):
        ModelConfig(search_size=250)
    config = ModelConfig(
        width=16, depth=1, heads=2, head_channels=8,
        elimination=EliminationConfig((0,), (0.7,), template_range="GT_BOX"),
    )  # fmt: skip
    with pytest.raises(ValueError, match="template_mask"):
        build(config)(torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 256, 256))


def test_starting_from_scratch_makes_like_attend_to_like():
    torch.manual_seed(0)
    config = ModelConfig(width=64, depth=1, heads=2, head_channels=8, drop_path=0.0)
    shares = {}
    for start in ("published", "scratch"):
        network = build(dataclasses.replace(config, start=start))
        tokens = torch.randn(1, 50, 64)
        queries, keys, _ = network.backbone.blocks[0].attn.heads_of(tokens)
        shares[start] = attention_rows(queries, keys).diagonal(dim1=2, dim2=3).mean().item()
    assert shares["published"] < 0.05  # uniform attention would give 0.02
    assert shares["scratch"] > 0.2


def test_starting_from_scratch_scores_low_everywhere():
    torch.manual_seed(0)
    network = build(ModelConfig(width=32, depth=1, heads=2, head_channels=8, start="scratch")).eval()
    with torch.inference_mode():
        score = network(torch.randn(2, 3, 128, 128), torch.randn(2, 3, 256, 256)).maps.score
    assert score.max() < 0.1


def test_starting_from_scratch_keeps_frame_identities_small():
    config = ModelConfig(width=32, depth=1, heads=2, head_channels=8, frame_identity=True)
    sizes = {}
    for start in ("published", "scratch"):
        torch.manual_seed(0)
        backbone = build(dataclasses.replace(config, start=start)).backbone
        sizes[start] = torch.cat([backbone.temporal_pos_embed_x, backbone.temporal_pos_embed_z])
    torch.testing.assert_close(sizes["scratch"], sizes["published"] / 10)
