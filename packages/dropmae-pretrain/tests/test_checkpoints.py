"""Published checkpoints in and out, and encoders for those who use them."""

from __future__ import annotations

import argparse
import json
from functools import partial

import pytest
import torch
from timm.models import load_checkpoint
from timm.models.vision_transformer import VisionTransformer

from dropmae_pretrain.config import ModelConfig, OptimizerConfig
from dropmae_pretrain.export import convert, encoder_state, timm_state
from dropmae_pretrain.network import build
from dropmae_pretrain.published import load_published_optimizer, save_published
from dropmae_pretrain.training import parameter_groups
from trackcore import checkpoints

TINY = ModelConfig(64, 16, width=96, depth=3, heads=4, decoder_width=64, decoder_depth=2, decoder_heads=4)


def filled(fill, config=TINY, seed=0):
    network = build(config)
    fill.fill_(network.state_dict(), seed)
    return network


def timm_vit(**options):
    """timm's network of the same sizes, without classifier."""
    return VisionTransformer(
        img_size=64, patch_size=16, embed_dim=96, depth=3, num_heads=4, num_classes=0,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), **options,
    )  # fmt: skip


def optimizer_after_a_step(network):
    optimizer = torch.optim.AdamW(parameter_groups(network, OptimizerConfig(), 5e-4), betas=(0.9, 0.95))
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.full_like(parameter, 0.1)
    optimizer.step()
    return optimizer


class TestThePublishedLayout:
    def test_what_is_written_is_what_was_published(self, fill, conformance_folder, tmp_path):
        layout = json.loads((conformance_folder / "checkpoint_layout.json").read_text())
        network = filled(fill)
        optimizer = optimizer_after_a_step(network)
        path = save_published(
            tmp_path / "checkpoint-0.pth", network, optimizer, args=dict.fromkeys(layout["args_keys"], 1)
        )
        stored = torch.load(path, weights_only=False)
        assert list(stored) == list(layout["top_level"])
        assert len(stored["model"]) == layout["model_keys"]
        assert isinstance(stored["args"], argparse.Namespace)
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        order = [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
        assert order == layout["optimizer"]["parameter_id_to_name"]
        for group, published in zip(
            stored["optimizer"]["param_groups"], layout["optimizer"]["param_groups"], strict=True
        ):
            first, last, count = published["params"]
            assert group["params"] == list(range(first, last + (0 if count == last - first else 1)))
            for key in ("weight_decay", "lr", "eps", "amsgrad"):
                assert group[key] == published[key]

    def test_it_comes_back_by_the_order_of_parameters(self, fill, tmp_path):
        network = filled(fill)
        optimizer = optimizer_after_a_step(network)
        path = save_published(tmp_path / "checkpoint-40.pth", network, optimizer, epoch=40, args={"P": 0.1})
        checkpoint = checkpoints.load(path)
        assert (checkpoint.kind, checkpoint.epoch) == ("DropMAE pre-training checkpoint, epoch 40", 40)
        assert checkpoint.meta["args"].attributes == {"P": 0.1}
        other = build(TINY)
        checkpoints.load_state(other, checkpoint.state)
        assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())
        fresh = torch.optim.AdamW(parameter_groups(other, OptimizerConfig(), 1.0), betas=(0.9, 0.95))
        load_published_optimizer(fresh, checkpoint)
        assert fresh.param_groups[0]["lr"] == 5e-4
        mine = {
            name: fresh.state[parameter] for name, parameter in other.named_parameters() if parameter in fresh.state
        }
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                torch.testing.assert_close(mine[name], optimizer.state[parameter], rtol=0, atol=0)

    def test_an_optimiser_of_other_parameters_is_refused(self, fill, tmp_path):
        network = filled(fill)
        path = save_published(tmp_path / "a.pth", network, optimizer_after_a_step(network))
        narrow = build(
            ModelConfig(64, 16, width=48, depth=3, heads=4, decoder_width=64, decoder_depth=2, decoder_heads=4)
        )
        shallow = build(
            ModelConfig(64, 16, width=96, depth=2, heads=4, decoder_width=64, decoder_depth=2, decoder_heads=4)
        )
        for other, message in ((narrow, r"parameter 0 has shape \[96\], here \[48\]"), (shallow, "groups of")):
            optimizer = torch.optim.AdamW(parameter_groups(other, OptimizerConfig(), 1.0))
            with pytest.raises(checkpoints.CheckpointError, match=message):
                load_published_optimizer(optimizer, checkpoints.load(path))
        bare = save_published(tmp_path / "b.pth", network)
        with pytest.raises(checkpoints.CheckpointError, match="no optimiser state"):
            load_published_optimizer(
                torch.optim.AdamW(parameter_groups(network, OptimizerConfig(), 1.0)), checkpoints.load(bare)
            )


class TestExport:
    @pytest.fixture
    def published(self, fill, tmp_path):
        path = tmp_path / "checkpoint-1599.pth"
        return save_published(path, filled(fill), epoch=1599, args={"P": 0.1, "mask_ratio": 0.75, "output_dir": None})

    def test_trackers_get_the_published_names(self, conformance_folder):
        with torch.device("meta"):
            state = build(ModelConfig()).state_dict()
        assert list(encoder_state(state)) == json.loads((conformance_folder / "encoder_keys.json").read_text())

    @pytest.mark.parametrize("target", ["onestream", "dropseg"])
    @pytest.mark.parametrize("ending", [".safetensors", ".pth"])
    def test_files_for_trackers(self, published, fill, tmp_path, target, ending):
        output = tmp_path / "out" / f"encoder{ending}"
        card = convert(published, target, output)
        found = checkpoints.load(output)
        expected = encoder_state(filled(fill).state_dict())
        assert found.state.keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in found.state.items())
        stored = found.meta["card"]
        assert stored | card == stored
        assert (card["source"], card["epoch"]) == ("checkpoint-1599.pth", 1599)
        assert card["source_sha256"] == checkpoints.file_hash(published)
        assert card["objective"] == {"P": 0.1, "mask_ratio": 0.75}
        assert "licence" in card["licence"]
        if ending == ".pth":  # no pickled classes: torch's own safe reader takes it
            assert torch.load(output, weights_only=True)["model"].keys() == expected.keys()

    def test_own_weights_keep_what_is_known_of_them(self, fill, tmp_path):
        card = {
            "recipe": "tiny",
            "epoch": 4,
            "step": 99,
            "train": {"total": 0.5},
            "data": {"name": "video"},
            "licence": "free",
        }
        source = checkpoints.save_weights(tmp_path / "weights.safetensors", filled(fill).state_dict(), card)
        kept = convert(source, "onestream", tmp_path / "encoder.safetensors")
        assert (
            kept | {"recipe": "tiny", "epoch": 4, "step": 99, "loss": 0.5, "data": {"name": "video"}, "licence": "free"}
            == kept
        )

    @pytest.mark.parametrize("ending", [".safetensors", ".pth"])
    def test_timm_loads_its_file(self, published, fill, tmp_path, ending):
        output = tmp_path / f"timm{ending}"
        convert(published, "timm", output)
        model = timm_vit()
        load_checkpoint(model, str(output), strict=True)
        expected = filled(fill).state_dict()
        assert torch.equal(model.blocks[2].mlp.fc2.weight, expected["blocks.2.mlp.fc2.weight"])
        assert torch.equal(model.pos_embed, expected["pos_embed"])
        assert not model.cls_token.any()

    @torch.inference_mode()
    def test_timm_computes_the_same(self, fill):
        network = filled(fill).eval()
        model = timm_vit(class_token=False, global_pool="")
        model.load_state_dict(timm_state(network.state_dict(), frame="first", class_token=False))
        frames = torch.randn(2, 3, 64, 64)
        alone = network.embed(frames, frames)[:, : TINY.frame_tokens]
        torch.testing.assert_close(model.eval().forward_features(frames), network.encode(alone), rtol=1e-5, atol=1e-5)

    def test_what_cannot_be_converted_says_why(self, published, tmp_path):
        with pytest.raises(ValueError, match=r"must end in .safetensors or .pth"):
            convert(published, "timm", tmp_path / "encoder.bin")
        torch.save(
            {"net": {"backbone.pos_embed_x": torch.zeros(1)}, "net_type": "OSTrack"}, tmp_path / "tracker.pth.tar"
        )
        with pytest.raises(
            checkpoints.CheckpointError, match=r"is: OSTrack tracker checkpoint; to convert.*lacks pos_embed"
        ):
            convert(tmp_path / "tracker.pth.tar", "timm", tmp_path / "encoder.pth")
        with pytest.raises(checkpoints.CheckpointError, match="there is no checkpoint"):
            convert(tmp_path / "nowhere.pth", "timm", tmp_path / "encoder.pth")
