"""The network against the published outputs on deterministic weights and inputs."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from dropmae_pretrain import network as networks
from dropmae_pretrain.config import ModelConfig, ObjectiveConfig, visible_count
from dropmae_pretrain.masking import choose_visible
from dropmae_pretrain.network import DecoderBlock, Draws, build
from dropmae_pretrain.objective import patchify, reconstruction_loss, target, unpatchify
from trackcore.ops.ranked_dropout import drop_pairs, hide_pairs, sampling_weights
from trackcore.positions import resample_grid, sincos_2d
from trackcore.vit import Block

VARIANTS = {
    "vitb": ModelConfig(),
    "vitl": ModelConfig(width=1024, depth=24, heads=16),
    "vith": ModelConfig(patch=14, width=1280, depth=32, heads=16),
    "tiny": ModelConfig(64, 16, width=96, depth=3, heads=4, decoder_width=64, decoder_depth=2, decoder_heads=4),
    "alt": ModelConfig(48, 8, width=80, depth=2, heads=5, decoder_width=48, decoder_depth=3, decoder_heads=3),
}
FORWARD = [
    "forward_tiny_forced",
    "forward_tiny_full_drop",
    "forward_tiny_none",
    "forward_tiny_raw_pixels",
    "forward_tiny_sampled",
    "forward_alt_forced",
    *(pytest.param(f"forward_vitb_{kind}", marks=pytest.mark.slow) for kind in ("forced", "none", "sampled")),
]


def filled(case, fill):
    """The network of a case with its weights, in training mode."""
    config = VARIANTS[case.config["model"]]
    for name, field in (("img_size", "image_size"), ("patch_size", "patch"), ("embed_dim", "width")):
        assert case.config[name] == getattr(config, field)
    objective = ObjectiveConfig(
        drop=case.config.get("P", 0.0),
        mask_ratio=case.config["mask_ratio"] or 0.75,  # the cases without a mask only encode
        normalise_target=case.config.get("norm_pix_loss", True),
    )
    network = build(config, objective)
    fill.fill_(network.state_dict(), case.seed)
    return network


def frames(case, fill, config):
    shape = (case.config["batch"], 3, config.image_size, config.image_size)
    return [torch.from_numpy(fill.normal(f"input:frame_{name}", shape, case.seed)) for name in "xz"]


def draws_of(case, inputs, network, tag=""):
    """The random numbers of a case, as its description of ``drop`` says."""
    config, batch = network.config, case.config["batch"]
    rows, layers = batch * config.decoder_heads, range(config.decoder_depth)
    noise = torch.from_numpy(inputs.mask_noise(batch, config.tokens, case.seed, tag))
    clocks = dropped = None
    if case.config["drop"] in ("given pairs", "forced"):
        pairs = [inputs.forced_drop(layer, rows, config.tokens, network.count, case.seed, tag) for layer in layers]
        dropped = [torch.from_numpy(pair) for pair in pairs]
    elif network.count:
        drawn = [inputs.drop_noise(layer, rows, config.tokens, case.seed, tag) for layer in layers]
        clocks = [torch.from_numpy(clock) for clock in drawn]
    return Draws(noise, clocks, dropped)


def packed(mask):
    return np.packbits(np.asarray(mask).astype(bool), axis=1)


def gradient_norms(module):
    """Norms of all gradients in float64, in state-dict order."""
    return [parameter.grad.double().norm().item() for parameter in module.parameters() if parameter.requires_grad]


@pytest.mark.parametrize("name", FORWARD)
def test_forward(load_case, fill, inputs, monkeypatch, name):
    case = load_case(name)
    network = filled(case, fill)
    draws = draws_of(case, inputs, network)
    if name.endswith("full_drop"):
        draws = dataclasses.replace(draws, clocks=None)  # P = 1 leaves nothing to chance
    seen, pairs = {}, []
    for step, module in {
        "enc0": network.blocks[0], "latent": network.norm, "embedded": network.decoder_embed,
        "dec0": network.decoder_blocks[0], "decoded": network.decoder_norm,
    }.items():  # fmt: skip
        module.register_forward_hook(lambda _, __, output, step=step: seen.setdefault(step, output))
    attend = networks.ranked_dropout_attention

    def attend_and_note(*args, **kwargs):
        output, dropped = attend(*args, **kwargs)
        pairs.append(dropped)
        return output, dropped

    monkeypatch.setattr(networks, "ranked_dropout_attention", attend_and_note)
    first, second = frames(case, fill, network.config)
    output = network(first, second, draws)
    wanted = target(first, second, network.config.patch, normalise=network.objective.normalise_target)
    loss = reconstruction_loss(output.prediction, wanted, output.hidden)
    loss.backward()

    tolerance = case.meta["tolerance"]
    np.testing.assert_array_equal(packed(output.hidden), case["mask"])
    for step, tokens in seen.items():
        case.check(step, tokens, atol=tolerance["tokens_abs"])
    case.check("pred", output.prediction, atol=tolerance["pred_abs"])
    case.check("loss", loss, atol=tolerance["loss_abs"])
    np.testing.assert_allclose(gradient_norms(network), case["grad_norm"], rtol=tolerance["grad_norm_rel"])
    if "drop_count" in case.arrays:
        case.check("drop_count", torch.stack(pairs).sum((2, 3)))
    if "drop_per_query" in case.arrays:
        case.check("drop_per_query", torch.stack(pairs).sum(3))


@pytest.mark.parametrize("name", ["encode_full_tiny", pytest.param("encode_full_vitb", marks=pytest.mark.slow)])
@torch.inference_mode()
def test_encoding_without_a_mask(load_case, fill, name):
    case = load_case(name)
    network = filled(case, fill)
    tokens = network.encode(network.embed(*frames(case, fill, network.config)))
    case.check("tokens", tokens, atol=case.meta["tolerance"]["abs"])


@pytest.mark.parametrize("name", ["blocks_tiny", "blocks_tiny_sampled"])
def test_blocks(load_case, fill, inputs, name):
    case = load_case(name)
    config, seed = VARIANTS["tiny"], case.seed
    rows = case.config["batch"] * config.decoder_heads
    count = ObjectiveConfig(drop=case.config["P"]).dropped_pairs(config.frame_tokens)
    if case.config["drop"] == "forced":
        choice = {"dropped": torch.from_numpy(inputs.forced_drop(0, rows, config.tokens, count, seed))}
    else:
        choice = {"clocks": torch.from_numpy(inputs.drop_noise(0, rows, config.tokens, seed))}
    encoder, decoder = Block(config.width, config.heads), DecoderBlock(config.decoder_width, config.decoder_heads)
    tolerance = case.meta["tolerance"]
    for module, output, kind, prefix, arguments in (
        (encoder, "enc_block", "enc", "blocks.0.", {}),
        (decoder.attn, "dec_attn", "dec", "decoder_blocks.0.attn.", {"count": count, **choice}),
        (decoder, "dec_block", "dec", "decoder_blocks.0.", {"count": count, **choice}),
    ):
        fill.fill_(module.state_dict(), seed, rename=lambda leaf, prefix=prefix: prefix + leaf)
        module.zero_grad()
        shape = case[output].shape
        tokens = torch.from_numpy(fill.normal(f"input:{kind}_tokens", shape, seed)).requires_grad_()
        result = module(tokens, **arguments)
        result.backward(torch.from_numpy(fill.normal(f"input:{kind}_grad", shape, seed)))
        stem = output if output != "enc_block" else "enc"
        case.check(output, result, atol=tolerance["abs"])
        case.check(f"{stem}_grad_input", tokens.grad, atol=tolerance["abs"])
        norms = case[f"{stem}_grad_norm"]
        np.testing.assert_allclose(gradient_norms(module), norms, rtol=tolerance["grad_norm_rel"], atol=1e-5)


@pytest.mark.parametrize("name", ["dropmask_l32", "dropmask_l392"])
def test_dropped_pairs(load_case, fill, inputs, name):
    case = load_case(name)
    rows, tokens, count = (case.config[key] for key in ("rows", "L", "count_per_row"))
    half = tokens // 2
    assert ObjectiveConfig(drop=case.config["P"]).dropped_pairs(half) == count
    for variant in case.config["variants"]:
        logits = torch.from_numpy(fill.normal(f"input:logits:{variant}", (rows, tokens, tokens), case.seed))
        same_frame = torch.block_diag(torch.ones(half, half), torch.ones(half, half)).bool()
        logits = {
            "flat": 0 * logits, "plain": logits, "sharp": 6 * logits,
            "spatial": logits + 4 * same_frame, "temporal": logits + 4 * ~same_frame,
        }[variant]  # fmt: skip
        clocks = torch.from_numpy(inputs.drop_noise(0, rows, tokens, case.seed, tag=f":{variant}"))
        dropped = drop_pairs(logits, count, clocks)
        expected = np.unpackbits(case[f"{variant}_mask"], axis=1, count=tokens * tokens).astype(bool)
        np.testing.assert_array_equal(
            inputs.expand_drop(dropped.numpy()), expected.reshape(rows, tokens, tokens), err_msg=variant
        )
        case.check(f"{variant}_count", dropped.sum(2))
        tolerance = case.meta["tolerance"]
        case.check(
            f"{variant}_weights", sampling_weights(logits), rtol=tolerance["weights_rel"],
            described_as="<variant>_weights",
        )  # fmt: skip
        case.check(
            f"{variant}_attention", hide_pairs(logits, dropped).softmax(-1), atol=tolerance["attention_abs"],
            described_as="<variant>_attention",
        )  # fmt: skip


def test_inclusion_probabilities(load_case, fill):
    case = load_case("dropmask_stats")
    tokens, count = case.config["L"], case.config["count_per_row"]
    logits = 1.5 * torch.from_numpy(fill.normal("input:logits:stats", (1, tokens, tokens), case.seed))
    case.check("weights", sampling_weights(logits)[0], rtol=1e-5)
    many, pairs = 200_000, torch.zeros(tokens, tokens // 2)
    counts = []
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        dropped = drop_pairs(logits.expand(many // 20, -1, -1), count, generator=generator)
        pairs += dropped.sum(0)
        counts.append(dropped.sum(2))
    share = torch.block_diag(*(pairs / many).chunk(2)).numpy()
    expected = case["inclusion"].astype(np.float64)
    error = np.sqrt(expected * (1 - expected) * (1 / case.config["draws"] + 1 / many))
    assert (np.abs(share - expected) <= 5 * error).all()
    drops = torch.cat(counts).double()
    np.testing.assert_allclose(drops.mean(0), case["count_mean"], atol=0.02)
    np.testing.assert_allclose(drops.var(0), case["count_var"], rtol=0.05)


def test_masks(load_case, inputs):
    case = load_case("masking")
    for number, combination in enumerate(case.config["combos"]):
        batch, tokens = combination["B"], combination["L"]
        noise = torch.from_numpy(inputs.mask_noise(batch, tokens, case.seed, f":{number}"))
        keep = visible_count(tokens, combination["mask_ratio"])
        mask = choose_visible(noise, keep)
        case.check(f"{number}_ids_keep", mask.visible)
        np.testing.assert_array_equal(packed(mask.hidden), case[f"{number}_mask"])
        # the visible tokens are the first of the published order, in which the stored inverse puts them
        restored = torch.from_numpy(case[f"{number}_ids_restore"].astype(np.int64))
        assert torch.equal(restored.gather(1, mask.visible), torch.arange(keep).expand(batch, keep))
    for tokens, ratio, keep in case["len_keep_table"]:
        assert visible_count(int(tokens), float(ratio)) == keep


@pytest.mark.parametrize("name", ["patchify_p16", "patchify_p8"])
def test_patches_target_and_loss(load_case, fill, name):
    case = load_case(name)
    side, patch, batch = (case.config[key] for key in ("img_size", "patch_size", "batch"))
    first, second = (
        torch.from_numpy(fill.normal(f"input:frame_{name}", (batch, 3, side, side), case.seed)) for name in "xz"
    )
    first[0, :, :patch, :patch] = 0.5
    patches = patchify(first, patch)
    case.check("patches_x", patches)
    assert torch.equal(unpatchify(patches, patch), first)
    shape = (batch, 2 * (side // patch) ** 2, 3 * patch * patch)
    hidden = torch.from_numpy(fill.uniform("input:mask", shape[:2], case.seed) < 0.75).float()
    tolerance = {"atol": case.meta["tolerance"]["abs"], "rtol": case.meta["tolerance"]["rel"]}
    for kind, normalise in (("norm", True), ("raw", False)):
        prediction = torch.from_numpy(fill.normal("input:pred", shape, case.seed)).requires_grad_()
        wanted = target(first, second, patch, normalise=normalise)
        loss = reconstruction_loss(prediction, wanted, hidden)
        loss.backward()
        case.check(f"loss_{kind}", loss, **tolerance)
        case.check(f"grad_pred_{kind}", prediction.grad, described_as="grad_pred_norm", **tolerance)
        if normalise:
            case.check("target_norm", wanted, **tolerance)
            assert not wanted[0, 0].any()


def test_position_tables(load_case):
    case = load_case("posembed")
    for width, grid in case.config["specs"]:
        table = sincos_2d(width, grid, grid, class_slot=True)[0]
        case.check(f"d{width}_g{grid}", table, atol=case.meta["tolerance"]["abs"])


def test_resampled_position_tables(load_case, fill):
    case = load_case("export_pos_embed")
    tables = {
        "filled": torch.from_numpy(fill.weight("pos_embed", (1, 197, 768), case.seed)),
        "sincos": sincos_2d(768, 14, 14, class_slot=True),
    }
    for name in case.arrays:
        kind, side = name.split("_")
        table = resample_grid(tables[kind][:, 1:], (14, 14), (int(side), int(side)))
        case.check(name, table[0], atol=case.meta["tolerance"]["abs"])


@pytest.mark.parametrize(
    ("name", "parameters", "trainable"),
    [
        ("vitb", 111_909_632, 111_657_472),
        ("vitl", 329_543_936, 329_241_344),
        ("vith", 657_076_812, 656_616_268),
        ("tiny", None, None),
        ("alt", None, None),
    ],
)
def test_state_dict_has_the_published_names_in_order(conformance_folder, name, parameters, trainable):
    with torch.device("meta"):
        network = build(VARIANTS[name])
    listed = json.loads((conformance_folder / f"keys_{name}.json").read_text())
    got = [[key, list(tensor.shape), str(tensor.dtype)] for key, tensor in network.state_dict().items()]
    assert got == [[key, shape, f"torch.{dtype.removeprefix('torch.')}"] for key, shape, dtype in listed]
    if parameters is not None:
        assert sum(parameter.numel() for parameter in network.parameters()) == parameters
        assert sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) == trainable
