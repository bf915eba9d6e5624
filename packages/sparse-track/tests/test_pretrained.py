"""Weights from elsewhere: published names of Microsoft's, timm's and SparseTT's files, and files that do not fit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from timm.models.swin_transformer import SwinTransformer

from sparse_track.config import BackboneConfig, ModelConfig
from sparse_track.network import build
from sparse_track.pretrained import (
    BACKBONE,
    convert_swin,
    load_start_weights,
    load_swin,
    load_tracker,
    resample_positions,
)
from sparse_track.recipes import get_recipe
from trackcore import checkpoints

LAYOUTS = ["microsoft", "timm"]
DEBUG = get_recipe("debug").model


def entries(conformance_folder, layout):
    """(name in the classifier's file, shape, name here, operation) of every tensor."""
    return json.loads((conformance_folder / f"keymap_{layout}.json").read_text())["entries"]


def unfolded(tensor):
    """As the key maps describe it: view (4, C), take rows 0, 2, 1, 3, transpose to (C, 4), flatten."""
    rows = tensor.reshape(-1, 4, tensor.shape[-1] // 4)
    return torch.stack([row[[0, 2, 1, 3]].T.flatten() for row in rows]).reshape(tensor.shape)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_and_orders(conformance_folder, layout):
    told = entries(conformance_folder, layout)
    torch.manual_seed(0)
    state = {name: torch.randn(shape) for name, shape, _, _ in told}
    converted = convert_swin(state)
    expected = {
        here.removeprefix(BACKBONE): state[name] if operation == "copy" else unfolded(state[name])
        for name, _, here, operation in told
        if operation != "drop"
    }
    assert converted.keys() == expected.keys()
    assert all(torch.equal(converted[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_published_key_lists_load_into_the_backbone(conformance_folder, layout):
    network = build(ModelConfig())
    report = load_swin(network, {name: torch.zeros(shape) for name, shape, _, _ in entries(conformance_folder, layout)})
    assert not report.unexpected
    assert {name for name in report.missing if "index" not in name} == {"norm2.weight", "norm2.bias"}


@torch.no_grad()
def test_a_converted_classifier(load_case, conformance_folder, fill):
    case = load_case("swin_convert")
    state = {
        name: torch.from_numpy(fill.weight(name, tuple(shape), case.seed))
        for name, shape, _, operation in entries(conformance_folder, "microsoft")
        if operation != "drop"
    }
    converted = convert_swin(state)
    for number in range(3):
        case.check(f"reduction{number}", converted[f"stages.{number}.downsample.reduction.weight"])
        case.check(f"mergenorm{number}", converted[f"stages.{number}.downsample.norm.weight"])
    network = build(ModelConfig()).eval()
    load_swin(network, state)
    images = case.inputs(fill)
    swin = network.basemodel.net
    case.check("stage2_224", swin.stage_tokens(images["x"])[-1].flatten(1, 2))
    case.check("norm2_289", swin(images["x289"]))


def timm_swin(width=8):
    """timm's classifier of the size of ``FOUR_STAGES``."""
    torch.manual_seed(3)
    return SwinTransformer(
        img_size=224, window_size=7, embed_dim=width, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2), num_classes=5
    ).eval()


FOUR_STAGES = replace(DEBUG, backbone=BackboneConfig(width=8, depths=(1, 1, 2, 1), heads=(1, 1, 2, 2), drop_path=0.0))


@torch.no_grad()
def test_what_timm_computes():
    """On maps that need no padding both agree."""
    classifier = timm_swin()
    network = build(FOUR_STAGES).eval()
    load_swin(network, classifier.state_dict())
    images = torch.randn(1, 3, 224, 224)
    features = classifier.patch_embed(images)
    for stage in classifier.layers[:3]:
        features = stage(features)
    torch.testing.assert_close(network.basemodel.net.stage_tokens(images)[-1], features, rtol=1e-4, atol=1e-5)


def test_networks_without_the_unused_stage_take_a_classifier_too():
    lean = replace(FOUR_STAGES, backbone=BackboneConfig(width=8, depths=(1, 1, 2), heads=(1, 1, 2)))
    network, classifier = build(lean), timm_swin().state_dict()
    load_swin(network, classifier)
    assert torch.equal(
        network.basemodel.net.stages[0].blocks[0].attn.w_msa.qkv.weight, classifier["layers.0.blocks.0.attn.qkv.weight"]
    )


def test_tables_of_another_window_are_resampled():
    classifier = timm_swin().state_dict()
    table = "layers.0.blocks.0.attn.relative_position_bias_table"
    classifier[table] = torch.linspace(0, 1, 13)[:, None].expand(13, 13).reshape(-1, 1).contiguous()
    config = replace(FOUR_STAGES, backbone=replace(FOUR_STAGES.backbone, window=5))
    network = build(config)
    load_swin(network, classifier)
    found = network.basemodel.net.stages[0].blocks[0].attn.w_msa.relative_position_bias_table.detach().view(9, 9)
    torch.testing.assert_close(found[:, :1].expand(9, 9), found)  # still a ramp along the rows
    assert (found.diff(dim=0) > 0).all()


class TestStartWeights:
    def test_a_classifier(self, tmp_path):
        classifier = timm_swin()
        torch.save({"model": classifier.state_dict()}, tmp_path / "swin.pth")
        network = build(FOUR_STAGES)
        load_start_weights(network, tmp_path / "swin.pth")
        block = network.basemodel.net.stages[2].blocks[1]
        assert torch.equal(block.ffn.layers[1].weight, classifier.layers[2].blocks[1].mlp.fc2.weight)
        assert torch.equal(network.basemodel.net.norm2.weight, torch.ones(32))

    def test_a_tracker(self, tmp_path):
        trained, fresh = build(DEBUG), build(DEBUG)
        torch.save({"epoch": 19, "model_state_dict": trained.state_dict()}, tmp_path / "epoch-19.pkl")
        load_start_weights(fresh, tmp_path / "epoch-19.pkl")
        for name, tensor in trained.state_dict().items():
            assert torch.equal(fresh.state_dict()[name], tensor), name

    @pytest.mark.parametrize(
        ("state", "says"),
        [
            (lambda: {"conv1.weight": torch.zeros(2, 2)}, "no Swin classifier for this backbone of width 8"),
            (lambda: timm_swin(width=16).state_dict(), "other shapes"),
            (lambda: {"blocks.0.attn.qkv.weight": torch.zeros(6, 2)}, "missing in the checkpoint"),
        ],
        ids=["a ResNet", "a wider Swin", "a ViT"],
    )
    def test_something_else(self, tmp_path, state, says):
        torch.save(state(), tmp_path / "other.pth")
        with pytest.raises(checkpoints.CheckpointMismatchError, match=says):
            load_start_weights(build(FOUR_STAGES), tmp_path / "other.pth")


def checkpoint_of(state):
    return checkpoints.Checkpoint(state=state, kind="SparseTT tracker", epoch=None, meta={}, path="tracker.pkl")


class TestTrackers:
    def test_what_no_output_depends_on_may_be_missing(self):
        """A published file without the unused stage, indices and counters."""
        network = build(FOUR_STAGES)
        state = {
            name: torch.full_like(tensor, 0.5)
            for name, tensor in network.state_dict().items()
            if "stages.3" not in name and "stages.2.downsample" not in name
            and not name.endswith(("relative_position_index", "num_batches_tracked"))
        }  # fmt: skip
        centres = network.head.fm_ctr.clone()
        load_tracker(network, checkpoint_of(state))
        assert network.basemodel.net.norm2.bias[0] == 0.5
        assert torch.equal(network.head.fm_ctr, centres)

    def test_anything_else_may_not(self):
        network = build(DEBUG)
        state = network.state_dict()
        del state["neck.decoder.decoder_layers.0.norm1.weight"]
        with pytest.raises(checkpoints.CheckpointMismatchError, match=r"missing in the checkpoint \(1\)"):
            load_tracker(network, checkpoint_of(state))

    def test_another_network(self):
        wider = replace(DEBUG, neck=replace(DEBUG.neck, width=32))
        with pytest.raises(checkpoints.CheckpointMismatchError, match="the network wants"):
            load_tracker(build(DEBUG), checkpoint_of(build(wider).state_dict()))

    def test_other_crops_interpolate_the_positions(self):
        larger = build(replace(DEBUG, search_size=191))
        state = build(DEBUG).state_dict()
        load_tracker(larger, checkpoint_of(state))
        name = "neck.decoder.spatial_position_encoding.row_embed.weight"
        before, after = state[name], larger.state_dict()[name]
        assert (len(before), len(after)) == (8, 12)
        torch.testing.assert_close(after[[0, -1]], before[[0, -1]])

    def test_positions_are_interpolated_linearly(self):
        table = torch.arange(5.0)[:, None] * torch.tensor([1.0, -2.0])
        found = resample_positions(table, 9)
        torch.testing.assert_close(found, torch.arange(0, 4.5, 0.5)[:, None] * torch.tensor([1.0, -2.0]))
        assert resample_positions(table, 5) is table
