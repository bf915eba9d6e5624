"""Auto-encoders whose tokens come from a stem of overlapping convolutions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dropmae_pretrain.config import ModelConfig, ObjectiveConfig
from dropmae_pretrain.export import convert
from dropmae_pretrain.features import frame_features
from dropmae_pretrain.loading import load_network
from dropmae_pretrain.network import Draws, build
from trackcore import checkpoints
from trackcore.recipes import to_yaml

CONFIG = ModelConfig(
    image_size=32, patch=8, width=32, depth=1, heads=2, decoder_width=16, decoder_depth=1, decoder_heads=2,
    stem="convolutional",
)  # fmt: skip


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build(CONFIG, ObjectiveConfig(drop=0.0)).eval()


def test_hidden_patches_are_not_seen(network):
    first, second = torch.randn(2, 1, 3, 32, 32).unbind(0)
    noise = torch.rand(1, 32)
    hidden = network.mask(1, noise).hidden
    place = int(hidden[0, :16].argmax())  # a hidden patch of the first frame
    row, column = divmod(place, 4)
    changed = first.clone()
    changed[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 100
    outputs = [network(frame, second, Draws(noise=noise)).prediction for frame in (first, changed)]
    assert torch.equal(*outputs)
    place = int((1 - hidden[0, :16]).argmax())  # a visible one matters
    row, column = divmod(place, 4)
    changed = first.clone()
    changed[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 1
    assert not torch.equal(outputs[0], network(changed, second, Draws(noise=noise)).prediction)


def test_overlapping_kernels_would_see_them(network):
    # why they are blanked: without that, a token changes with the patch beside it
    frame = torch.randn(1, 3, 32, 32)
    changed = frame.clone()
    changed[:, :, :8, :8] += 1
    before, after = (network.embed(image, frame)[0, 1] for image in (frame, changed))
    assert not torch.equal(before, after)


def test_files_tell_the_stem(network, tmp_path):
    card = {"kind": "DropMAE auto-encoder", "model": to_yaml(CONFIG)}
    path = checkpoints.save_weights(tmp_path / "weights.safetensors", network.state_dict(), card)
    loaded = load_network(path).network
    assert loaded.config == CONFIG
    assert convert(path, "onestream", tmp_path / "encoder.safetensors")["patch"] == 8
    with pytest.raises(checkpoints.CheckpointError, match="a stem that timm's ViT does not have"):
        convert(path, "timm", tmp_path / "timm.safetensors")


def test_a_start_from_scratch_lets_tokens_show_what_they_look_like():
    torch.manual_seed(0)
    published = build(CONFIG)
    torch.manual_seed(0)
    scratch = build(replace(CONFIG, start="scratch"))
    for name in ("pos_embed", "temporal_pos_embed_x", "temporal_pos_embed_z"):
        torch.testing.assert_close(getattr(scratch, name), getattr(published, name) / 10)
    assert torch.equal(scratch.decoder_pos_embed, published.decoder_pos_embed)  # all that hidden tokens begin with
    tokens = torch.randn(1, 8, 32)
    queries, keys, _ = scratch.blocks[0].attn.heads_of(tokens)
    scores = (queries @ keys.mT).mean(1)[0]  # without training, tokens attend to what is like them
    assert (scores.argmax(1) == torch.arange(8)).all()
    with pytest.raises(ValueError, match="start is 'published' or 'scratch'"):
        ModelConfig(start="random")


def test_frames_of_any_size_have_features(network):
    image = torch.randint(0, 256, (40, 24, 3), dtype=torch.uint8).numpy()
    with torch.no_grad():
        assert frame_features(network, image).shape == (5, 3, 32)


def test_strides_that_halvings_do_not_reach_are_refused():
    with pytest.raises(ValueError, match="power of two"):
        build(ModelConfig(image_size=36, patch=12, width=32, depth=1, heads=2, stem="convolutional"))
    with pytest.raises(ValueError, match="stem is 'linear' or 'convolutional'"):
        ModelConfig(stem="patch")
