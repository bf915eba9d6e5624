"""Starting from MAE and DropMAE encoders, and loading trackers strictly."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from onestream_track.config import EliminationConfig, ModelConfig
from onestream_track.network import build
from onestream_track.pretrained import load_pretraining, load_start_weights, load_tracker
from onestream_track.recipes import get_recipe
from trackcore import checkpoints
from trackcore.positions import resample_grid, resize_patch_kernel, sincos_2d

TINY = ModelConfig(width=16, depth=2, heads=2, head_channels=8, elimination=EliminationConfig((1,), (0.7,)))


@pytest.mark.parametrize("sizes", ["112_224", "128_256", "192_384"])
@pytest.mark.parametrize("source", ["filled", "sincos"])
def test_position_tables(load_case, fill, source, sizes):
    case = load_case("pos_embed")
    if source == "filled":
        table = torch.from_numpy(fill.weight("pos_embed", (1, 197, 768), case.meta["seed"]))
    else:
        table = sincos_2d(768, 14, 14, class_slot=True)
    for name, size in zip(("template", "search"), sizes.split("_"), strict=True):
        side = int(size) // 16
        case.check(f"{source}_{sizes}/{name}", resample_grid(table[:, 1:], (14, 14), (side, side)), atol=1e-6)


def test_patch_kernel_of_another_stride(load_case, fill):
    case = load_case("pos_embed")
    kernel = torch.from_numpy(fill.weight("patch_embed.proj.weight", (768, 3, 16, 16), case.meta["seed"]))
    case.check("patch_weight_16_to_8", resize_patch_kernel(kernel, 8), atol=1e-6)


@pytest.mark.parametrize(
    ("file", "source", "recipe", "seed"),
    [
        ("pretrained_mae_to_ostrack", "mae_256", "vitb_256_mae_ce_32x4_ep300", 31),
        ("pretrained_mae_to_ostrack", "dropmae_into_ostrack_256", "vitb_256_mae_ce_32x4_ep300", 32),
        ("pretrained_dropmae_to_droptrack", "dropmae_384", "droptrack/vitb_384_mae_ce_32x4_ep300", 33),
    ],
)
@torch.no_grad()
def test_published_encoders(load_case, fill, file, source, recipe, seed):
    case = load_case(file)
    described = case.meta["keys"][source]
    state = {
        name: torch.from_numpy(np.asarray(fill.weight(name, tuple(shape), seed)))
        for name, shape in described["checkpoint_tensors"]
    }
    config = get_recipe(recipe).model
    network = build(config).eval()
    report = load_pretraining(network, state)
    assert sorted(report.missing) == sorted(described["missing"])
    assert sorted(report.unexpected) == sorted(described["unexpected"])

    def image(name, size):
        return torch.from_numpy(fill.normal(f"input:{source}/{name}", (1, 3, size, size), seed))

    template, search = image("template", config.template_size), image("search", config.search_size)
    case.check(f"{source}/pos_embed_x", network.backbone.pos_embed_x, atol=1e-5)
    case.check(f"{source}/tokens_in", torch.cat(network.backbone.embed(template, search), 1), atol=1e-5)
    case.check(f"{source}/backbone_feat", network.backbone(template, search).tokens, atol=1e-4)


def test_a_published_training_checkpoint_loads_and_tracks(conformance_folder, fill):
    layout = json.loads((conformance_folder / "checkpoint_layout.json").read_text())
    checkpoint = checkpoints.load(conformance_folder / "checkpoint_fixture.pth.tar")
    assert checkpoint.epoch == layout["epoch"]
    network = build(TINY).eval()
    load_tracker(network, checkpoint)
    network.backbone.voters = torch.arange(64)  # the stored output was computed without a template mask
    with torch.inference_mode():
        output = network(
            torch.from_numpy(fill.normal("input:template", (1, 3, 128, 128), 60)),
            torch.from_numpy(fill.normal("input:search", (1, 3, 256, 256), 60)),
        )
    np.testing.assert_allclose(output.boxes[0], layout["check"]["pred_boxes"], atol=1e-5)
    assert output.maps.score.sum().item() == pytest.approx(layout["check"]["score_map_sum"], abs=1e-3)


def test_a_wrong_checkpoint_is_named(conformance_folder, tmp_path):
    checkpoint = checkpoints.load(conformance_folder / "checkpoint_fixture.pth.tar")
    bigger = build(ModelConfig(width=16, depth=2, heads=2, head_channels=8, template_size=192, search_size=384))
    with pytest.raises(checkpoints.CheckpointMismatchError, match=r"OSTrack 256.*network is OSTrack 384"):
        load_tracker(bigger, checkpoint)
    torch.save({"model": {"pos_embed": torch.zeros(1, 197, 16)}}, tmp_path / "mae.pth")
    with pytest.raises(checkpoints.CheckpointMismatchError, match="needs a tracker checkpoint"):
        load_tracker(build(TINY), checkpoints.load(tmp_path / "mae.pth"))
    with pytest.raises(checkpoints.CheckpointMismatchError, match="no pre-trained encoder"):
        load_start_weights(build(TINY), tmp_path / "mae.pth")


def test_starting_from_a_tracker_copies_it(conformance_folder):
    network = build(TINY)
    load_start_weights(network, conformance_folder / "checkpoint_fixture.pth.tar")
    state = checkpoints.load(conformance_folder / "checkpoint_fixture.pth.tar").state
    assert torch.equal(network.backbone.pos_embed_x, state["backbone.pos_embed_x"])
