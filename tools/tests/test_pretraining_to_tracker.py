"""What dropmae-pretrain converts, onestream-track starts from. The packages meet in files alone."""

from __future__ import annotations

import pytest
import torch

from dropmae_pretrain import config as dropmae_config
from dropmae_pretrain import network as dropmae
from dropmae_pretrain import recipes as dropmae_recipes
from dropmae_pretrain.cli import main
from onestream_track import network as onestream
from onestream_track import recipes as onestream_recipes
from onestream_track.config import ModelConfig
from onestream_track.pretrained import load_start_weights
from trackcore import checkpoints
from trackcore.positions import resample_grid


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """An auto-encoder of 64-pixel frames, saved as training saves it, and its state dict."""
    config = dropmae_config.ModelConfig(
        64, 16, width=32, depth=2, heads=2, decoder_width=16, decoder_depth=1, decoder_heads=2
    )
    torch.manual_seed(0)
    state = dropmae.build(config).state_dict()
    path = tmp_path_factory.mktemp("pretrained") / "weights.safetensors"
    return checkpoints.save_weights(path, state, {"kind": "DropMAE auto-encoder"}), state


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
@pytest.mark.parametrize("frame_identity", [True, False], ids=["droptrack", "ostrack"])
def test_a_tracker_starts_from_a_converted_encoder(pretrained, tmp_path, ending, frame_identity):
    source, state = pretrained
    output = tmp_path / f"encoder{ending}"
    assert main(["convert", str(source), "--to", "onestream", "--output", str(output)]) == 0
    network = onestream.build(
        ModelConfig(width=32, depth=2, heads=2, head_channels=16, frame_identity=frame_identity, position_grid=4)
    )
    report = load_start_weights(network, output)
    own = network.backbone.state_dict()
    taken = [name for name in own if name in state]
    assert {"pos_embed", "patch_embed.proj.weight", "blocks.1.mlp.fc2.bias", "norm.weight"} <= set(taken)
    assert ("temporal_pos_embed_z" in taken) == frame_identity
    assert all(torch.equal(own[name], state[name]) for name in taken)
    vectors = () if frame_identity else ("temporal_pos_embed_x", "temporal_pos_embed_z")
    assert set(report.unexpected) == {"mask_token", *vectors}
    for table, side in (("pos_embed_z", 8), ("pos_embed_x", 16)):
        expected = resample_grid(state["pos_embed"][:, 1:], (4, 4), (side, side))
        torch.testing.assert_close(own[table], expected)


def test_a_tracker_of_another_size_refuses_it(pretrained, tmp_path):
    network = onestream.build(ModelConfig(width=64, depth=2, heads=2, head_channels=16, position_grid=4))
    with pytest.raises(checkpoints.CheckpointMismatchError, match="no pre-trained encoder for this network"):
        load_start_weights(network, pretrained[0])


@pytest.mark.parametrize("name", ["tiny", "droptrack/tiny", "debug", "droptrack/debug"])
def test_encoders_fit_trackers_of_the_same_name(tmp_path, name):
    recipe = dropmae_recipes.get_recipe(name.removeprefix("droptrack/"))
    state = dropmae.build(recipe.model, recipe.objective).state_dict()
    source = checkpoints.save_weights(tmp_path / "weights.safetensors", state, {"kind": "DropMAE auto-encoder"})
    assert main(["convert", str(source), "--to", "onestream", "--output", str(tmp_path / "encoder.safetensors")]) == 0
    network = onestream.build(onestream_recipes.get_recipe(name).model)
    load_start_weights(network, tmp_path / "encoder.safetensors")
    for part in ("blocks.1.mlp.fc1.weight", "patch_embed.layers.0.weight", "patch_embed.layers.7.running_mean"):
        assert torch.equal(network.backbone.state_dict()[part], state[part])
