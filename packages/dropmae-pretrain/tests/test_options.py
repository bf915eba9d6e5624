"""What the network does beyond the published cases: independent oracles, options, initial values, wrong input."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from timm.models.vision_transformer import Block as TimmBlock
from torch import nn

from dropmae_pretrain.config import ModelConfig, ObjectiveConfig
from dropmae_pretrain.masking import choose_visible
from dropmae_pretrain.network import Draws, build
from dropmae_pretrain.objective import patchify, reconstruction_loss, target, unpatchify
from dropmae_pretrain.profile import macs
from dropmae_pretrain.recipes import get_recipe
from trackcore.ops.ranked_dropout import drop_pairs

TINY = ModelConfig(64, 16, width=96, depth=3, heads=4, decoder_width=64, decoder_depth=2, decoder_heads=4)


def frames(batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, 3, 64, 64, generator=generator) for _ in range(2)]


@torch.inference_mode()
def test_without_dropout_it_is_a_chain_of_timm_blocks(fill):
    network = build(TINY, ObjectiveConfig(drop=0.0))
    fill.fill_(network.state_dict(), 1)
    state = network.state_dict()

    def chain(tokens, prefix, heads, depth):
        for number in range(depth):
            block = TimmBlock(
                tokens.shape[2], heads, mlp_ratio=4, qkv_bias=True, norm_layer=partial(nn.LayerNorm, eps=1e-6)
            )
            start = f"{prefix}.{number}."
            block.load_state_dict(
                {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
            )
            tokens = block.eval()(tokens)
        return tokens

    noise = torch.rand(2, TINY.tokens, generator=torch.Generator().manual_seed(2))
    first, second = frames()
    output = network(first, second, Draws(noise=noise))
    order = noise.argsort(1)
    keep = order[:, :8]
    tokens = network.embed(first, second)
    seen = torch.stack([sample[index] for sample, index in zip(tokens, keep, strict=True)])
    latent = network.decoder_embed(network.norm(chain(seen, "blocks", 4, 3)))
    # the published way of putting tokens back: append mask tokens, then undo the shuffle
    full = torch.cat([latent, network.mask_token.expand(2, TINY.tokens - 8, -1)], 1)
    full = full.gather(1, order.argsort(1).unsqueeze(-1).expand(-1, -1, 64))
    places = network.decoder_pos_embed[:, 1:]
    full = full + torch.cat(
        [network.decoder_temporal_pos_embed_x + places, network.decoder_temporal_pos_embed_z + places], 1
    )
    expected = network.decoder_pred(network.decoder_norm(chain(full, "decoder_blocks", 4, 2)))
    torch.testing.assert_close(output.prediction, expected, rtol=1e-5, atol=1e-5)


class TestDropout:
    def predictions(self, objective, training, seeds=(0, 1)):
        torch.manual_seed(9)
        network = build(TINY, objective).train(training)
        noise = torch.rand(2, TINY.tokens)
        found = []
        for seed in seeds:
            torch.manual_seed(seed)
            with torch.no_grad():
                found.append(network(*frames(), Draws(noise=noise)).prediction)
        return found

    def test_draws_anew_in_training(self):
        first, second, again = self.predictions(ObjectiveConfig(drop=0.3), True, seeds=(0, 1, 0))
        assert not torch.equal(first, second)
        assert torch.equal(first, again)

    @pytest.mark.parametrize(("published", "same"), [(False, True), (True, False)])
    def test_in_evaluation_it_is_off_unless_asked_for(self, published, same):
        first, second = self.predictions(ObjectiveConfig(drop=0.3, drop_in_evaluation=published), False)
        assert torch.equal(first, second) == same

    def test_a_share_too_small_for_one_pair_is_none(self):
        objective = ObjectiveConfig(drop=0.05)
        assert objective.dropped_pairs(16) == 0  # int(0.05 x 15); the published code fails here
        first, second = self.predictions(objective, True)
        assert torch.equal(first, second)

    @pytest.mark.parametrize(
        ("drop", "each"), [(0.05, 9), (0.1, 19), (0.15, 29), (0.2, 39), (0.3, 58), (0.5, 97), (1.0, 195)]
    )
    def test_published_numbers_of_pairs(self, drop, each):
        assert ObjectiveConfig(drop=drop).dropped_pairs(196) == each * 392

    def test_layers_and_samples_draw_for_themselves(self, monkeypatch):
        from dropmae_pretrain import network as networks

        seen = []
        attend = networks.ranked_dropout_attention

        def note(*args, **kwargs):
            output = attend(*args, **kwargs)
            seen.append(output[1])
            return output

        monkeypatch.setattr(networks, "ranked_dropout_attention", note)
        frame = frames(1)[0].expand(2, -1, -1, -1)
        build(TINY, ObjectiveConfig(drop=0.3))(frame, frame, Draws(noise=torch.rand(1, TINY.tokens).expand(2, -1)))
        assert len(seen) == 2
        rows = torch.cat(seen)
        assert len(rows) == 2 * 2 * 4
        assert len({tuple(row.flatten().tolist()) for row in rows}) == len(rows)


class TestMasks:
    def test_per_frame_hides_the_same_number_in_each(self):
        objective = ObjectiveConfig(masking="per_frame")
        network = build(TINY, objective)
        hidden = network.mask(50).hidden.view(50, 2, -1).sum(2)
        assert hidden.unique().tolist() == [12.0]
        assert build(TINY).mask(50).hidden.view(50, 2, -1).sum(2).unique().numel() > 1  # jointly it varies

    def test_asymmetric_hides_the_second_frame(self):
        objective = ObjectiveConfig(masking="asymmetric", mask_ratio=0.9, first_mask_ratio=0.0)
        network = build(TINY, objective)
        hidden = network.mask(20).hidden.view(20, 2, -1).sum(2)
        assert hidden.unique(dim=0).tolist() == [[0.0, 15.0]]
        output = network(*frames())
        loss = reconstruction_loss(output.prediction, target(*frames(), 16), output.hidden)
        loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.requires_grad)

    def test_the_smallest_noise_of_each_frame_is_seen(self):
        noise = torch.tensor([[0.3, 0.1, 0.2, 0.9, 0.8, 0.7]])
        assert choose_visible(noise, (2, 1)).visible.tolist() == [[1, 2, 5]]
        assert choose_visible(noise, 3).visible.tolist() == [[1, 2, 0]]
        assert choose_visible(noise, (2, 1)).hidden.tolist() == [[1, 0, 0, 1, 1, 0]]

    @pytest.mark.parametrize(
        ("objective", "message"),
        [
            (ObjectiveConfig(mask_ratio=0.99), r"mask_ratio 0.99 \(joint\) leaves no token of 32 visible: lower it"),
            (ObjectiveConfig(mask_ratio=0.0), "leaves every token of 32 visible: raise it"),
            (ObjectiveConfig(mask_ratio=0.95, masking="per_frame"), "leaves no token"),
        ],
    )
    def test_something_is_visible_and_something_hidden(self, objective, message):
        with pytest.raises(ValueError, match=message):
            build(TINY, objective)


def test_initial_values():
    torch.manual_seed(0)
    network = build(ModelConfig(width=192, depth=2, heads=3, decoder_width=96, decoder_depth=1, decoder_heads=3))
    state = network.state_dict()
    for name in ("temporal_pos_embed_x", "temporal_pos_embed_z"):
        assert state[name].std().item() == pytest.approx(1.0, abs=0.15)
        assert state[f"decoder_{name}"].std().item() == pytest.approx(1.0, abs=0.25)
    assert state["mask_token"].std().item() == pytest.approx(0.02, rel=0.25)
    # Xavier: uniform within sqrt(6 / (in + out)), the convolution seen as (width, 3 p^2), qkv as one matrix
    for name, bound in (
        ("patch_embed.proj.weight", (6 / (192 + 768)) ** 0.5),
        ("blocks.1.attn.qkv.weight", (6 / (192 + 576)) ** 0.5),
        ("decoder_pred.weight", (6 / (96 + 768)) ** 0.5),
    ):
        largest = state[name].abs().max().item()
        assert 0.98 * bound < largest <= bound
    assert 0 < state["patch_embed.proj.bias"].abs().max() <= 768**-0.5
    zero = [name for name in state if name.endswith(".bias") and name != "patch_embed.proj.bias"]
    assert not any(state[name].any() for name in zero)
    assert all((state[name] == 1).all() for name in state if "norm" in name and name.endswith("weight"))
    assert not state["pos_embed"][0, 0].any()
    assert [name for name, parameter in network.named_parameters() if not parameter.requires_grad] == [
        "pos_embed",
        "decoder_pos_embed",
    ]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((2, 3, 64, 64), (2, 3, 64, 48), r"second frames must be \(2, 3, 64, 64\), got \(2, 3, 64, 48\)"),
        ((2, 3, 224, 224), (2, 3, 224, 224), r"first frames must be .*\(image_size\)"),
        ((3, 64, 64), (3, 64, 64), "first frames must be"),
        ((2, 3, 64, 64), (1, 3, 64, 64), "second frames must be"),
    ],
)
def test_frames_of_another_size_are_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        build(TINY)(torch.zeros(first), torch.zeros(second))


def test_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"mask noise must be \(2, 32\), got \(2, 16\)"):
        build(TINY)(*frames(), Draws(noise=torch.rand(2, 16)))


def test_patches_of_no_frame_are_refused():
    with pytest.raises(ValueError, match="are no patches of side 16"):
        unpatchify(torch.zeros(1, 3, 768), 16)


def test_predicting_zero_costs_what_it_should():
    first, second = frames()
    wanted = target(first, second, 16)
    loss = reconstruction_loss(torch.zeros_like(wanted), wanted, torch.ones(2, 32))
    assert loss.item() == pytest.approx((768 - 1) / 768, abs=1e-5)
    assert patchify(first, 16).shape == (2, 16, 768)


def test_bfloat16_stays_near_float32(fill):
    """The bounds stated in the README, for the same dropped pairs: 0.1 for predictions, 1 per cent for the loss."""
    network = build(TINY, ObjectiveConfig(drop=0.2))
    fill.fill_(network.state_dict(), 0)
    generator = torch.Generator().manual_seed(0)
    dropped = [drop_pairs(torch.zeros(8, 32, 32), network.count, generator=generator) for _ in range(2)]
    draws = Draws(torch.rand(2, TINY.tokens, generator=generator), dropped=dropped)
    first, second = frames()
    with torch.no_grad():
        full = network(first, second, draws)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(first, second, draws)
    difference = (half.prediction.float() - full.prediction).abs().max()
    wanted = target(first, second, 16)
    losses = [reconstruction_loss(output.prediction, wanted, output.hidden).item() for output in (full, half)]
    assert 0.001 < difference < 0.1
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)


def test_it_compiles_whole():
    network = build(replace(TINY, depth=1, decoder_depth=1), ObjectiveConfig(drop=0.2))
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    draws = Draws(noise=torch.rand(2, TINY.tokens))
    torch.manual_seed(1)
    expected = network(*frames(), draws).prediction
    torch.manual_seed(1)
    got = compiled(*frames(), draws).prediction
    torch.testing.assert_close(got, expected)
    got.square().mean().backward()
    assert network.decoder_blocks[0].attn.qkv.weight.grad.isfinite().all()


@pytest.mark.parametrize("name", ["tiny", "debug"])
def test_counted_operations_are_those_of_the_layers(name):
    recipe = get_recipe(name)
    network = build(recipe.model, recipe.objective)
    counted = {"encoder": 0, "decoder": 0}

    def count(module, inputs, output, part):
        work = module.weight[0].numel() * output.numel()
        counted[part] += work

    for full_name, module in network.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            part = "decoder" if "decoder" in full_name else "encoder"
            module.register_forward_hook(lambda *args, part=part: count(*args, part))
    side = recipe.model.image_size
    with torch.inference_mode():
        network(torch.zeros(1, 3, side, side), torch.zeros(1, 3, side, side))
    found = macs(recipe.model, recipe.objective)
    assert (found.encoder_linear, found.decoder_linear) == (counted["encoder"], counted["decoder"])


def test_the_published_network_costs_what_is_said():
    found = macs(ModelConfig())
    assert [round(2e-9 * part, 1) for part in (found.total, found.encoder, found.decoder)] == [40.1, 17.5, 22.6]
