"""The network against the published outputs on deterministic weights."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from onestream_track.config import EliminationConfig, ModelConfig
from onestream_track.elimination import box_mask
from onestream_track.network import build
from onestream_track.recipes import get_recipe

MAPS = {"atol": 1e-5, "rtol": 1e-4}
TOKENS = {"atol": 1e-4, "rtol": 1e-4}
TINY = ModelConfig(
    width=64,
    depth=4,
    heads=4,
    head_channels=32,
    drop_path=0.0,
    elimination=EliminationConfig(layers=(1, 2), keep=(0.7, 0.6)),
)


def filled(config, fill, seed):
    network = build(config).eval()
    fill.fill_(network.state_dict(), seed)
    return network


def inputs(fill, meta, config, batch, prefix=""):
    def image(name, size):
        return torch.from_numpy(fill.normal(f"input:{prefix}{name}", (batch, 3, size, size), meta["seed"]))

    return image("template", config.template_size), image("search", config.search_size)


def check_output(case, output, maps, tokens, prefix=""):
    case.check(f"{prefix}score_map", output.maps.score, **maps)
    case.check(f"{prefix}size_map", output.maps.size, **maps)
    case.check(f"{prefix}offset_map", output.maps.offset, **maps)
    case.check(f"{prefix}pred_boxes", output.boxes[:, None], **maps)
    case.check(f"{prefix}backbone_feat", output.features.tokens, **tokens)
    stages = [name for name in case.arrays if name.startswith(f"{prefix}removed_indexes_")]
    assert len(stages) == len(output.features.removed)
    for number, removed in enumerate(output.features.removed):
        case.check(f"{prefix}removed_indexes_{number}", removed)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("vitb256_ce_eval", "vitb_256_mae_ce_32x4_ep300"),
        ("vitb256_noce_eval", "vitb_256_mae_32x4_ep300"),
        pytest.param("vitb384_ce_eval", "vitb_384_mae_ce_32x4_ep300", marks=pytest.mark.slow),
        pytest.param("droptrack_vitb384_ce_eval", "droptrack/vitb_384_mae_ce_32x4_ep300", marks=pytest.mark.slow),
    ],
)
@torch.inference_mode()
def test_published_networks(load_case, fill, name, recipe):
    case = load_case(name)
    config = get_recipe(recipe).model
    network = filled(config, fill, case.meta["seed"])
    entered = []
    for block in network.backbone.blocks:
        block.norm1.register_forward_pre_hook(lambda module, args: entered.append(args[0]))
    network.backbone.norm.register_forward_pre_hook(lambda module, args: entered.append(args[0]))
    batch = case.meta["outputs"]["score_map"]["full_shape"][0]
    output = network(*inputs(fill, case.meta, config, batch), return_attention=True)

    check_output(case, output, MAPS, TOKENS)
    if "attn_last" in case.arrays:
        case.check("attn_last", output.features.attention, atol=1e-5)
    # norm1 also runs for the attention map, so keep the first input each block saw.
    seen = list({id(tensor): tensor for tensor in entered}.values())
    for step, tokens in zip(["in", *range(config.depth)], seen, strict=True):
        name = f"tokens_{step:02d}" if step != "in" else "tokens_in"
        if name in case.arrays:
            case.check(name, tokens, **TOKENS)
    if output.features.removed:
        last = max(config.elimination.layers)
        case.check(f"kept_after_block_{last:02d}", output.features.kept)


@pytest.mark.parametrize("keep", ["0.7", "0.9", "1"])
def test_training_mode_with_passed_keep_rate(load_case, fill, keep):
    case = load_case("vitb256_ce_train")
    config = dataclasses.replace(get_recipe("vitb_256_mae_ce_32x4_ep300").model, drop_path=0.0)
    network = filled(config, fill, case.meta["seed"]).train()
    with torch.no_grad():
        output = network(*inputs(fill, case.meta, config, 2), keep_rate=float(keep), return_attention=True)
    check_output(case, output, {"atol": 5e-5, "rtol": 1e-4}, TOKENS, prefix=f"keep{keep}/")
    case.check(f"keep{keep}/attn_last", output.features.attention, atol=1e-5)
    state = network.state_dict()
    for name in case.arrays:
        if name.startswith(f"keep{keep}/after/"):
            case.check(name, state[name.split("/after/")[1]], atol=1e-5, rtol=1e-4)


def tiny_variants():
    return {
        "noce_direct": {},
        "noce_template_central": {"concatenation": "template_central"},
        "noce_partition": {"concatenation": "partition"},
        "noce_sep_seg": {"segments": True},
        "noce_stride8": {"stride": 8, "template_size": 64, "search_size": 128},
        "ce_ctr_point": {},
        "ce_ctr_rec": {"template_range": "CTR_REC"},
        "ce_all": {"template_range": "ALL"},
        "ce_gt_box": {"template_range": "GT_BOX"},
        "ce_sep_seg_keep0.85": {"segments": True},
        "ce_keep_1": {},
        "ce_384_geometry": {"template_size": 192, "search_size": 384},
    }


@pytest.mark.parametrize("variant", tiny_variants())
@torch.inference_mode()
def test_variants(load_case, fill, variant):
    case = load_case("tiny_variants")
    described = case.meta["variants"][variant]
    changes = dict(tiny_variants()[variant])
    elimination = EliminationConfig()
    if described["candidate_elimination"]:
        elimination = dataclasses.replace(TINY.elimination, template_range=changes.pop("template_range", "CTR_POINT"))
    config = dataclasses.replace(TINY, elimination=elimination, **changes)
    network = filled(config, fill, case.meta["seed"])
    mask = None
    if described["template_box"]:
        mask = box_mask(torch.tensor(described["template_box"]), config.template_size, config.stride)
    output = network(
        *inputs(fill, case.meta, config, described["batch"], f"{variant}/"),
        template_mask=mask,
        keep_rate=described["keep_rate_argument"],
    )
    check_output(case, output, MAPS, {"atol": 5e-5, "rtol": 1e-4}, prefix=f"{variant}/")


@torch.inference_mode()
def test_a_stage_may_drop_tokens_when_the_next_does_not(fill):
    # ceil(255/256 * 256) = 255 and ceil(255/256 * 255) = 255: the published code fails to join the two stages
    network = filled(TINY, fill, 0)
    output = network(torch.zeros(1, 3, 128, 128), torch.randn(1, 3, 256, 256), keep_rate=255 / 256)
    assert [stage.shape[1] for stage in output.features.removed] == [1]
    assert output.features.kept.shape == (1, 255)


@pytest.mark.parametrize(
    ("keys", "config", "parameters"),
    [
        ("ostrack_vitb256", lambda: get_recipe("vitb_256_mae_ce_32x4_ep300").model, 92_518_533),
        ("ostrack_vitb384", lambda: get_recipe("vitb_384_mae_32x4_ep300").model, 92_825_733),
        ("droptrack_vitb384", lambda: get_recipe("droptrack/vitb_384_mae_ce_32x4_ep300").model, 92_827_269),
        ("ostrack_vitl256", lambda: ModelConfig(width=1024, depth=24, heads=16), 311_872_901),
        ("tiny", lambda: TINY, None),
    ],
)
def test_state_dict_has_the_published_names_in_order(conformance_folder, keys, config, parameters):
    with torch.device("meta"):
        network = build(config())
    listed = json.loads((conformance_folder / f"keys_{keys}.json").read_text())
    got = [[name, list(tensor.shape), str(tensor.dtype)] for name, tensor in network.state_dict().items()]
    assert got == [[name, shape, f"torch.{dtype}"] for name, shape, dtype in listed]
    if parameters is not None:
        assert sum(parameter.numel() for parameter in network.parameters()) == parameters
