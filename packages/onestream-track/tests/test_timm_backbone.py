"""ViTs of timm as backbones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from onestream_track.cli import main
from onestream_track.config import EliminationConfig, ModelConfig
from onestream_track.loading import create
from onestream_track.network import build
from onestream_track.pretrained import load_start_weights
from onestream_track.profile import macs
from onestream_track.timm_backbone import TimmBackbone, create_vit, load_vit, resolve
from trackcore.checkpoints import CheckpointMismatchError
from trackdata.synth import preset, write_got10k

# small ones of each kind, with random weights
KINDS = {
    "class token": "test_vit",
    "norm behind an average": "test_vit2",
    "attention pooling": "test_vit3",
    "registers": "vit_wee_patch16_reg1_gap_256",
    "norm in front": "vit_xsmall_patch16_clip_224",
    "no class token": "vit_base_patch16_siglip_gap_224",
}


def config_of(name, **changes):
    elimination = EliminationConfig((0,), (0.7,))
    return replace(ModelConfig(backbone=name, head_channels=8, elimination=elimination, drop_path=0.0), **changes)


@pytest.mark.parametrize(
    ("name", "width", "stride", "prefix", "grid"),
    [
        ("vit_base_patch16_224.mae", 768, 16, 1, (8, 16)),
        ("vit_base_patch14_dinov2.lvd142m", 768, 14, 1, (9, 18)),
        ("vit_base_patch14_reg4_dinov2.lvd142m", 768, 14, 5, (9, 18)),
        ("vit_base_patch16_clip_224.openai", 768, 16, 1, (8, 16)),
        ("vit_base_patch16_siglip_224", 768, 16, 0, (8, 16)),
        ("vit_so400m_patch14_siglip_384", 1152, 14, 0, (9, 18)),
    ],
)
def test_sizes_follow_from_the_name(name, width, stride, prefix, grid):
    config = resolve(ModelConfig(backbone=name))
    assert (config.width, config.stride) == (width, stride)
    assert (config.template_grid, config.search_grid) == grid
    assert resolve(config) == config
    with torch.device("meta"):
        assert build(config).backbone.prefix == prefix


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_halves_of_blocks_add_up(name):
    """Keeping all tokens through the two halves of a block is the block."""
    torch.manual_seed(0)
    backbone = build(config_of(name)).eval().backbone
    tokens = torch.randn(2, 30, backbone.config.width)
    with torch.inference_mode():
        for block in backbone.blocks:
            attended, _ = backbone._attend_and_rank(block, tokens, 20, None)
            torch.testing.assert_close(backbone._transform(block, attended), block(tokens), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_a_single_crop_is_seen_as_timm_sees_it(name, tmp_path):
    """With the search crop's tokens alone the backbone is the ViT."""
    torch.manual_seed(0)
    vit = create_vit(name).eval()
    side = vit.patch_embed.img_size[0]
    config = config_of(
        name, elimination=EliminationConfig(), search_size=side, template_size=vit.patch_embed.patch_size[0]
    )
    backbone = build(config).eval().backbone
    save_file(vit.state_dict(), tmp_path / "vit.safetensors")
    load_vit(backbone, tmp_path / "vit.safetensors")
    image = torch.randn(1, 3, side, side)
    with torch.inference_mode():
        _, x = backbone.embed(torch.zeros(1, 3, config.template_size, config.template_size), image)
        tokens = backbone._concatenate(x[:, :0], x)
        for block in backbone.blocks:
            tokens = block(tokens)
        wanted = vit.forward_features(image)
        wanted = vit.fc_norm(wanted) if isinstance(vit.norm, nn.Identity) else wanted
        torch.testing.assert_close(backbone.norm(tokens), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_forward_and_backward(name):
    torch.manual_seed(0)
    network = build(config_of(name))
    config = network.config
    template, search = (torch.randn(2, 3, side, side) for side in (config.template_size, config.search_size))
    output = network(template, search)
    cells = config.search_grid
    assert output.maps.score.shape == (2, 1, cells, cells)
    assert output.features.tokens.shape == (2, config.template_grid**2 + cells**2, config.width)
    assert output.features.kept.shape == (2, -(-7 * cells**2 // 10))
    (output.maps.score.mean() + output.maps.size.mean()).backward()
    assert network.backbone.pos_embed_x.grad.abs().sum() > 0
    assert network.backbone.blocks[0].attn.qkv.weight.grad.abs().sum() > 0


def test_elimination_is_decided_by_the_centre_of_the_template():
    """Class and register tokens come first, and do not vote."""
    network = build(config_of(KINDS["registers"])).eval()
    backbone, config = network.backbone, network.config
    middle = (config.template_grid - 1) // 2
    assert backbone.prefix == 1
    assert backbone.voters.tolist() == [backbone.prefix + middle * config.template_grid + middle]
    crops = [torch.randn(1, 3, side, side) for side in (config.template_size, config.search_size)]
    point = torch.zeros(1, config.template_grid**2, dtype=torch.bool)
    point[0, middle * config.template_grid + middle] = True
    with torch.inference_mode():
        kept = [network(*crops, template_mask=mask).features.kept for mask in (None, point)]
    assert torch.equal(*kept)


def test_multiply_adds():
    """Of MAE's ViT they are those of the published network, and of its class token."""
    elimination = EliminationConfig((3, 6, 9), (0.7, 0.7, 0.7))
    published = macs(ModelConfig(elimination=elimination))
    other = macs(ModelConfig(backbone="vit_base_patch16_224.mae", elimination=elimination))
    assert other.head == published.head
    assert other.total == pytest.approx(published.total, rel=0.01)
    assert other.total > published.total


def test_start_weights(tmp_path):
    name = KINDS["registers"]
    torch.manual_seed(1)
    vit = timm.create_model(name)  # with its head
    save_file(vit.state_dict(), tmp_path / "vit.safetensors")
    network = build(config_of(name))
    report = load_start_weights(network, tmp_path / "vit.safetensors")
    assert all("head" in tensor or "norm" in tensor for tensor in report.unexpected)
    torch.testing.assert_close(network.backbone.blocks[1].mlp.fc1.weight, vit.blocks[1].mlp.fc1.weight)
    torch.testing.assert_close(network.backbone.reg_token, vit.reg_token)
    assert network.backbone.pos_embed_x.abs().sum() > 0
    with pytest.raises(CheckpointMismatchError, match="no weights of test_vit2"):
        load_start_weights(build(config_of("test_vit2")), tmp_path / "vit.safetensors")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backbone": "vit_bas_patch16"}, "timm has no model 'vit_bas_patch16'"),
        ({"backbone": "vit_base_patch16_dinov3"}, "is a Eva"),
        ({"backbone": "resnet18"}, "is a ResNet"),
        ({"backbone": "vit_base_patch16_rpn_224"}, "plain ViTs"),
        ({"backbone": "test_vit", "stem": "convolutional"}, "leave it at 'linear'"),
        ({"backbone": "test_vit", "elimination": EliminationConfig((50,), (0.7,))}, "must lie in"),
    ],
)
def test_backbones_that_cannot_be_used(changes, says):
    with pytest.raises(ValueError, match=says):
        build(ModelConfig(**changes))


@pytest.mark.slow
def test_train_export_and_track(tmp_path, capsys):
    write_got10k(tmp_path / "data", "train", 2, preset("easy", frames=20, size=(96, 72)), seed=0)
    write_got10k(tmp_path / "data", "val", 1, preset("easy", frames=20, size=(96, 72)), seed=1)
    run = tmp_path / "run"
    words = ["train", "debug", "--root", str(tmp_path / "data"), "--output", str(run), "--loop.epochs", "1"]
    words += ["--model.backbone", KINDS["registers"], "--model.stem", "linear", "--model.start", "published"]
    assert main(words) == 0
    tracker = create(run / "weights.safetensors", device="cpu")
    assert isinstance(tracker.network.backbone, TimmBackbone)
    frame = np.random.default_rng(0).integers(0, 255, (72, 96, 3), np.uint8)
    tracker.init(frame, np.array([30.0, 20, 20, 20]))
    wanted = tracker.update(frame).box
    pytest.importorskip("onnxruntime")
    words = ["export", "--weights", str(run / "weights.safetensors"), "--output", str(tmp_path / "onnx")]
    assert main([*words, "--format", "onnx"]) == 0
    other = create(tmp_path / "onnx", backend="onnx")
    other.init(frame, np.array([30.0, 20, 20, 20]))
    np.testing.assert_allclose(other.update(frame).box, wanted, atol=0.5)
    assert "largest differences" in capsys.readouterr().out
