"""The network and its weights against the published ones."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from dropseg_vos.aggregation import aggregate, aggregate_logits, log_odds
from dropseg_vos.config import ModelConfig
from dropseg_vos.network import build
from dropseg_vos.published import config_of, from_published, is_published, start_from_encoder, to_published
from trackcore.checkpoints import Checkpoint, CheckpointError

SMALL = ModelConfig(
    image_size=32, patch=8, width=16, depth=2, heads=2, start_grid=2, pyramid=(8, 8), decoder=(8, 8, 8), drop_path=0.0
)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return build(SMALL).eval().requires_grad_(False)


def discs(case) -> torch.Tensor:
    if case.meta["case"] != "net_pair_384":
        return (case.input("mask", uniform=True) > 0.6).float()
    y, x = torch.meshgrid(torch.arange(384), torch.arange(384), indexing="ij")
    return ((y - 200) ** 2 + (x - 170) ** 2 <= 90**2).float()[None, None, None]


@pytest.mark.parametrize(
    "name", ["net_pair_rect", "net_two_memory", pytest.param("net_pair_384", marks=pytest.mark.slow)]
)
def test_forward_pass(load_case, published_network, name):
    case = load_case(name)
    network = published_network(case.seed)
    memory, query, masks = case.input("memory"), case.input("query"), discs(case)
    batch, times = memory.shape[:2]
    references = network.embed_reference(memory.flatten(0, 1), masks.flatten(0, 1))
    references, frames = references.unflatten(0, (batch, times)).flatten(1, 2), network.embed_query(query)
    tokens = torch.cat([references, frames], dim=1)
    case.check("embed", tokens)
    for number, block in enumerate(network.blocks):
        tokens = block(tokens)
        if f"block{number}" in case.arrays:
            case.check(f"block{number}", tokens)
    height, width = query.shape[2] // 16, query.shape[3] // 16
    encoded = network.encode(references, frames)
    full = encoded.transpose(1, 2).unflatten(2, (height, width))
    case.check("m16", full)
    case.check("m8", network.fpn2(full))
    case.check("m4", network.fpn1(full))
    logits = network.decode(encoded, height, width)
    case.check("logit", logits)
    case.check("prob", logits.sigmoid())
    torch.testing.assert_close(network(memory, masks.transpose(1, 2).movedim(1, 2), query), logits, rtol=0, atol=1e-5)


def test_decoder(load_case, published_network):
    case = load_case("net_decoder")
    network = published_network(case.seed)
    decoder = network.stcn_decoder
    full, half, quarter = case.input("m16"), case.input("m8"), case.input("m4")
    compressed = decoder.compress(full)
    case.check("compress", compressed)
    joined = decoder.up_16_8(half, compressed)
    case.check("up_16_8", joined)
    case.check("up_8_4", decoder.up_8_4(quarter, joined))
    case.check("logit", decoder(full, half, quarter))
    case.check("fpn2", network.fpn2(case.input("pyramid")))
    case.check("fpn1", network.fpn1(case.input("pyramid")))


def test_positions(load_case, published_state, fill):
    case = load_case("pos_embed")
    state = published_state(case.seed)
    network = build(ModelConfig(depth=1))
    network.position_grid.copy_(state["pos_embed_two_frame"][:, 1:577])
    first = state["pos_embed_two_frame"][:, :1]
    for name in case.arrays:
        kind, _, size = name.partition("_")
        if kind == "eval":
            grid = network.positions(*map(int, size.split("x")))
            case.check(name, torch.cat([first, grid, grid], dim=1))
        else:
            start = state["pos_embed"]
            fresh = build(ModelConfig(depth=1, image_size=16 * int(size)))
            fresh.set_positions(start)
            case.check(name, torch.cat([start[:, :1], fresh.position_grid, fresh.position_grid], dim=1))


def test_aggregation(load_case):
    case = load_case("aggregate")
    for objects in (1, 2, 5):
        probabilities = case.input(f"prob{objects}", (objects, 1, 6, 11), uniform=True)
        probabilities[:, 0, 0, 0] = 0
        probabilities[:, 0, 0, 1] = 1
        probabilities[:, 0, 0, 2] = torch.eye(objects)[0]
        for column, value in ((3, 0.5), (4, 1e-8), (5, 1 - 1e-8)):
            probabilities[:, 0, 0, column] = value
        found = aggregate(probabilities[:, 0])
        case.check(f"eval_k{objects}", found[:, None])
    pair = case.input("pair", uniform=True) * torch.tensor(case.config["selector"])[..., None, None]
    case.check("train_logits", log_odds(pair))
    case.check("train_prob", log_odds(pair).softmax(dim=1)[:, 1:])


def test_aggregation_is_in_float32_whatever_the_network_computes_in():
    logits = torch.tensor([-20.0, 0, 9, 12]).reshape(1, 1, 4)  # all of them numbers of bfloat16
    found = log_odds(logits.to(torch.bfloat16).float().sigmoid())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[1, 0, 1:3], logits[0, 0, 1:3], rtol=0, atol=1e-2)
    assert found[1, 0, 3] > found[1, 0, 2] + 2  # half precision would make both a probability of 1
    exact = aggregate(logits.double().sigmoid())
    torch.testing.assert_close(aggregate_logits(logits.to(torch.bfloat16)).double(), exact, rtol=0, atol=1e-6)


class TestNames:
    def test_published_names_both_ways(self, conformance_keys, published_state):
        published = published_state(0)
        own = from_published(published)
        network = build(ModelConfig())
        network.load_state_dict(own)  # strict
        again = to_published(network.state_dict())
        assert [(name, list(tensor.shape)) for name, tensor in again.items()] == conformance_keys
        for name, tensor in again.items():
            if not name.startswith(("cls_token", "fc_norm", "head")):
                if name == "pos_embed_two_frame":
                    tensor[:, :1] = published[name][:, :1]
                if name != "pos_embed_three_frame":
                    torch.testing.assert_close(tensor, published[name], rtol=0, atol=0, msg=name)
        assert is_published(again)
        assert not is_published(own)
        assert config_of(own) == ModelConfig()

    def test_parameters(self):
        with torch.device("meta"):
            network = build(ModelConfig())
        trained = sum(parameter.numel() for parameter in network.parameters())
        assert round(trained / 1e6, 2) == 107.09

    def test_untied_positions_are_refused(self, published_state):
        state = published_state(0)
        state["pos_embed_two_frame"][0, -1, 0] += 1
        with pytest.raises(CheckpointError, match="halves of pos_embed_two_frame differ"):
            from_published(state)


class TestStartingFromDropMAE:
    def encoder(self, conformance_folder, fill):
        expected = json.loads((conformance_folder / "dropmae_loading.json").read_text())
        shapes = {**dict(expected["loaded"]), "mask_token": [1, 1, 512]}
        shapes |= {name: [1] for name in expected["dropped_because_name_contains_decoder"]}
        state = {name: torch.from_numpy(fill.weight(name, tuple(shape), 7)) for name, shape in shapes.items()}
        return expected, Checkpoint(state, "DropMAE pre-training checkpoint", None, {}, "k700.pth")

    def test_what_is_taken(self, conformance_folder, fill):
        expected, checkpoint = self.encoder(conformance_folder, fill)
        network = build(ModelConfig())
        fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        started = start_from_encoder(network, checkpoint)
        assert sorted(started.loaded) == sorted(name for name, _ in expected["loaded"])
        assert list(started.ignored) == expected["ignored_unexpected"]
        unused = ("cls_token", "head.", "fc_norm.")
        left = [name for name in expected["left_at_initialisation"] if not name.startswith(unused)]
        assert sorted(started.fresh) == sorted(left)
        state = network.state_dict()
        for name in started.loaded:
            assert torch.equal(state[name], checkpoint.state[name]), name
        for name in started.fresh:
            assert torch.equal(state[name], fresh[name]), name

    def test_another_size_is_refused_and_nothing_is_changed(self, conformance_folder, fill):
        _, checkpoint = self.encoder(conformance_folder, fill)
        network = build(SMALL)
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        with pytest.raises(CheckpointError, match=r"another size: .* is \[.*768"):
            start_from_encoder(network, checkpoint)
        assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())

    def test_no_encoder(self, small):
        checkpoint = Checkpoint({"weight": torch.zeros(1)}, "plain state dict", None, {}, "x.pth")
        with pytest.raises(CheckpointError, match=r"x.pth is: plain state dict; it is no encoder .* lacks"):
            start_from_encoder(small, checkpoint)


def test_frames_and_objects_share_a_pass(small):
    """Segmenting K objects in B frames at once is what one at a time gives, and forward() is the same function."""
    frame, frames = torch.randn(1, 3, 24, 40), torch.randn(3, 3, 24, 40)
    masks = (torch.rand(2, 1, 24, 40) > 0.5).float()
    references = small.embed_reference(frame, masks)
    together = small.segment(references, frames)
    assert together.shape == (3, 2, 24, 40)
    for number in range(3):
        for which in range(2):
            alone = small(frame, masks[which : which + 1, 0][None], frames[number : number + 1])
            torch.testing.assert_close(together[number, which], alone[0, 0], rtol=0, atol=1e-5)


def test_using_a_network_does_not_change_it(small):
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    small.segment(small.embed_reference(torch.randn(1, 3, 40, 24), torch.ones(1, 1, 40, 24)), torch.randn(1, 3, 40, 24))
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.state_dict().items())


def test_stochastic_depth_reaches_the_last_block():
    """All its branches dropped, the last block hands its input on."""
    network = build(replace(SMALL, drop_path=0.999999)).train()
    del network.blocks[0]
    query = torch.randn(1, 12, 16)
    torch.testing.assert_close(network.encode(torch.randn(1, 12, 16), query), network.norm(query))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 6}, "patch must be a multiple of 4"),
        ({"image_size": 100}, "not a multiple of the patch side"),
        ({"heads": 7}, "multiple of heads"),
        ({"drop_path": 1.0}, "drop_path"),
    ],
)
def test_impossible_sizes(change, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**change)
