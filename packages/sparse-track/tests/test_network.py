"""The network against the published one, part by part and as a whole."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sparse_track.config import BackboneConfig, HeadConfig, ModelConfig, NeckConfig
from sparse_track.head import DoubleHead, fuse_scores
from sparse_track.neck import Attention, Neck
from sparse_track.network import build
from sparse_track.swin import Block, PatchEmbed, PatchMerging, Swin
from sparse_track.windows import window_layout
from trackcore.ops.topk_attention import topk_weights
from trackcore.positions import SCRATCH_SCALE, sincos_2d

PUBLISHED = ModelConfig()


def state_of(network: nn.Module) -> list[list]:
    return [[name, list(tensor.shape), str(tensor.dtype)[6:]] for name, tensor in network.state_dict().items()]


def test_names_shapes_and_order_of_the_published_state(conformance_folder):
    with torch.device("meta"):
        network = build(PUBLISHED)
    assert state_of(network) == json.loads((conformance_folder / "keys_sparsett_swin.json").read_text())
    assert sum(parameter.numel() for parameter in network.parameters()) == 46_329_746


def test_without_the_unused_stage():
    with torch.device("meta"):
        whole = build(PUBLISHED)
        lean = build(replace(PUBLISHED, backbone=BackboneConfig(depths=(2, 2, 6), heads=(3, 6, 12))))
    missing = set(whole.state_dict()) - set(lean.state_dict())
    unused = whole.basemodel.net.unused_parameters()
    assert {name for name, parameter in whole.named_parameters() if parameter in unused} == {
        name for name in missing if not name.endswith("relative_position_index")
    }
    assert len(unused) == 29
    assert not lean.basemodel.net.unused_parameters()


def test_a_shifted_block(load_case, fill_module, fill):
    case = load_case("swin_block")
    config = case.config
    height, width = config["hw"]
    block = Block(config["dim"], config["heads"], config["window"], config["shift"], 4.0, 0.0)
    fill_module(block, case.seed, "basemodel.net.stages.0.blocks.1.")
    tokens = case.inputs(fill)["tokens"].unflatten(1, (height, width))
    case.check("attn", block.attn(tokens).flatten(1, 2))
    case.check("block", block(tokens).flatten(1, 2))
    case.check("relative_position_index", block.attn.w_msa.relative_position_index)
    case.check("mask", window_layout(height, width, 7, 3, torch.device("cpu")).mask)


def test_windows_that_tracking_met_first_serve_training():
    with torch.inference_mode():
        layout = window_layout(23, 29, 7, 3, torch.device("cpu"))
    assert not any(tensor.is_inference() for tensor in (layout.tokens, layout.places, layout.mask))


def test_embedding_and_merging(load_case, fill_module, fill):
    case = load_case("patch_embed_merge")
    inputs = case.inputs(fill)
    embed, merge = PatchEmbed(96), PatchMerging(96)
    fill_module(embed, case.seed, "basemodel.net.patch_embed.")
    fill_module(merge, case.seed, "basemodel.net.stages.0.downsample.")
    tokens = embed(inputs["image"])
    case.check("embed", tokens.flatten(1, 2))
    case.check("embed_hw", tokens.shape[1:3])
    merged = merge(inputs["tokens"].unflatten(1, tuple(case.config["merge_input_hw"])))
    case.check("merge", merged.flatten(1, 2))
    case.check("merge_hw", merged.shape[1:3])


@pytest.mark.parametrize(("name", "image"), [("backbone_search", "x"), ("backbone_template", "z")])
@torch.no_grad()
def test_backbone(load_case, fill_module, fill, name, image):
    case = load_case(name)
    swin = fill_module(Swin(PUBLISHED.backbone), case.seed, "basemodel.net.")
    images = case.inputs(fill)[image]
    reached = swin.stage_tokens(images)
    for stage, tokens in zip(("embed", "stage0", "stage1", "stage2"), reached, strict=True):
        case.check(stage, tokens.flatten(1, 2))
    case.check("norm2", swin(images))


def sparse_attention(case, fill_module, k):
    attention = Attention(case.config["embed"], case.config["heads"], 0.0, top_k=None if k == "dense" else k)
    return fill_module(attention, case.seed, "slf_attn.")


def averaged_weights(attention, tokens, memory=None):
    """Weights over all keys, averaged over the heads: ``(B, N, S)``."""
    (queries,) = attention._project(tokens, 0, 1)
    keys, _ = attention.keys_values(tokens if memory is None else memory)
    return topk_weights(queries, keys, attention.top_k or keys.shape[2]).mean(1)


@pytest.mark.parametrize("k", [1, 3, 8, 32, 48, 49, "dense"])
def test_sparse_attention(load_case, fill_module, fill, k):
    case = load_case("sparse_attention")
    attention = sparse_attention(case, fill_module, k)
    tokens = case.inputs(fill)["tokens"].transpose(0, 1)
    name = k if k == "dense" else f"k{k}"
    case.check(f"out_{name}", attention(tokens).transpose(0, 1))
    case.check(f"avgw_{name}", averaged_weights(attention, tokens))


def test_sparse_cross_attention_and_padding(load_case, fill_module, fill):
    from trackcore.ops.topk_attention import topk_attention

    case = load_case("sparse_attention")
    attention = sparse_attention(case, fill_module, 8)
    inputs = {name: tensor.transpose(0, 1) for name, tensor in case.inputs(fill).items()}
    crossed = attention(inputs["tokens"], attention.keys_values(inputs["memory"]))
    case.check("cross_k8", crossed.transpose(0, 1))
    mask = torch.zeros(2, 1, 1, 49)
    mask[0, ..., ::3] = mask[1, ..., 10:25] = float("-inf")
    attended = topk_attention(*attention._project(inputs["tokens"], 0, 3), 8, mask=mask)
    case.check("padmask_k8", attention.out_proj(attended.transpose(1, 2).flatten(2)).transpose(0, 1))


def test_gradients_of_sparse_attention(load_case, fill_module, fill):
    case = load_case("sparse_attention")
    attention = sparse_attention(case, fill_module, 8)
    inputs = {name: tensor.transpose(0, 1) for name, tensor in case.inputs(fill).items()}
    tokens = inputs["tokens"].requires_grad_()
    (attention(tokens) * inputs["cotangent"]).sum().backward()
    case.check("grad_tokens", tokens.grad.transpose(0, 1))
    case.check("grad_in_proj_weight", attention.in_proj_weight.grad[::3, ::2])
    tensors = [tokens, attention.in_proj_weight, attention.in_proj_bias, *attention.out_proj.parameters()]
    case.check("grad_norms", [tensor.grad.norm().item() for tensor in tensors], 0, rtol=1e-4)


def test_sparse_attention_of_the_published_size(load_case, fill_module, fill):
    case = load_case("sparse_attention_full")
    attention = fill_module(Attention(256, 8, 0.0, 32), case.seed, "neck.decoder.decoder_layers.0.slf_attn.")
    tokens = case.inputs(fill)["tokens"].transpose(0, 1)
    case.check("out", attention(tokens).transpose(0, 1))
    case.check("avgw", averaged_weights(attention, tokens))


def published_neck(case, fill_module, top_k=32):
    config = replace(PUBLISHED.neck, top_k=top_k)
    return fill_module(Neck(config, PUBLISHED.template_cells, PUBLISHED.search_cells), case.seed, "neck.")


@torch.no_grad()
def test_neck(load_case, fill_module, fill):
    case = load_case("neck")
    neck, inputs = published_neck(case, fill_module), case.inputs(fill)
    reached = {}
    neck.encoder.encoder_layers[0].register_forward_hook(lambda *call: reached.update(enc_layer0=call[-1]))
    neck.decoder.decoder_layers[0].register_forward_hook(lambda *call: reached.update(dec_layer0=call[-1]))
    case.check("enc", neck.encoder(inputs["f_z"]).transpose(0, 1))
    joined = neck(inputs["f_x"], neck.remember(inputs["f_z"]))
    case.check("dec", joined[:, :256])
    assert torch.equal(joined[:, 256:], inputs["f_x"])
    for name, tokens in reached.items():
        case.check(name, tokens.transpose(0, 1))
    for name, part, cells in (("pos_z", neck.encoder, 8), ("pos_x", neck.decoder, 19)):
        case.check(name, part.spatial_position_encoding().transpose(1, 2).unflatten(2, (cells, cells)))


@pytest.mark.parametrize(("name", "top_k"), [("dec_k4", 4), ("dec_k361", 361), ("dec_dense", None)])
@torch.no_grad()
def test_neck_with_other_numbers_of_keys(load_case, fill_module, fill, name, top_k):
    case = load_case("neck_topk")
    neck, inputs = published_neck(case, fill_module, top_k), case.inputs(fill)
    case.check(name, neck(inputs["f_x"], neck.remember(inputs["f_z"]))[:, :256])


@torch.no_grad()
def test_head(load_case, fill_module, fill):
    case = load_case("head")
    head = fill_module(DoubleHead(512, 19, 289, HeadConfig()), case.seed, "head.")
    found = head(case.inputs(fill)["f"])
    case.check("cls_fc", found.fc_logits[..., None])
    case.check("cls_conv", found.conv_logits[..., None])
    case.check_boxes("bbox_fc", found.fc_boxes)
    case.check_boxes("bbox_conv", found.conv_boxes)
    case.check("fm_ctr", head.fm_ctr)
    assert head(case.inputs(fill)["f"], fc_boxes=False).fc_boxes is None


@pytest.mark.parametrize("name", ["model_test_b1", "model_test_b2"])
@torch.no_grad()
def test_model(load_case, fill_module, fill, name):
    case = load_case(name)
    network = fill_module(build(PUBLISHED), case.seed)
    inputs = case.inputs(fill)
    template = network.feat_adjuster_z(network.basemodel(inputs["z"]))
    case.check("enc", network.neck.encoder(template).transpose(0, 1))
    case.check("f_x", network.feat_adjuster_x(network.basemodel(inputs["x"])))
    found = network(inputs["z"], inputs["x"])
    case.check("score", fuse_scores(found.fc_logits, found.conv_logits)[..., None])
    case.check("cls_fc", found.fc_logits[..., None])
    case.check("cls_conv", found.conv_logits[..., None])
    case.check_boxes("box", found.conv_boxes)
    case.check_boxes("bbox_fc", found.fc_boxes)


def test_fewer_tokens_than_keys_is_dense():
    """Where the published network fails."""
    config = NeckConfig(width=16, heads=2, hidden=32, top_k=32, dropout=0.0)
    torch.manual_seed(0)
    sparse = Neck(config, 3, 4).eval()
    dense = Neck(replace(config, top_k=None), 3, 4).eval()
    dense.load_state_dict(sparse.state_dict())
    template, search = torch.randn(1, 16, 3, 3), torch.randn(1, 16, 4, 4)
    torch.testing.assert_close(sparse(search, sparse.remember(template)), dense(search, dense.remember(template)))


@torch.no_grad()
def test_from_scratch():
    """What an untrained network begins with: it compares tokens, both crops alike, and says little about any cell."""
    config = ModelConfig(
        template_size=63,
        search_size=127,
        start="scratch",
        backbone=BackboneConfig(width=16, depths=(1, 1, 1), heads=(1, 1, 2), drop_path=0.0),
        neck=NeckConfig(width=64, heads=2, hidden=64, top_k=4, dropout=0.0),
        head=HeadConfig(width=32, inner=16, bottlenecks=1),
    )
    torch.manual_seed(0)
    network = build(config)
    layer = network.neck.decoder.decoder_layers[0]
    tokens = torch.randn(1, 64, 64)
    (queries,), (keys, _) = layer.enc_attn._project(tokens, 0, 1), layer.enc_attn.keys_values(tokens)
    logits = queries @ keys.mT
    assert (logits.argmax(-1) == torch.arange(64)).float().mean() > 0.95  # each token finds itself
    for name, tensor in network.feat_adjuster_z.state_dict().items():
        assert torch.equal(tensor, network.feat_adjuster_x.state_dict()[name]), name
    positions = network.neck.decoder.spatial_position_encoding()
    torch.testing.assert_close(positions, SCRATCH_SCALE * sincos_2d(64, 8, 8))
    images = torch.randn(4, 3, 127, 127)
    found = network(images[:, :, :63, :63], images)
    assert fuse_scores(found.fc_logits, found.conv_logits).median() < 0.2
    sides = found.conv_boxes[..., 2:] - found.conv_boxes[..., :2]
    assert 25 < sides.median() < 45


@torch.no_grad()
@pytest.mark.parametrize("stem", ["linear", "convolutional"])
def test_patches_of_another_size(stem):
    backbone = BackboneConfig(width=16, patch=2, stem=stem, depths=(0, 1, 1), heads=(1, 1, 2))
    config = ModelConfig(
        template_size=63,
        search_size=95,
        backbone=backbone,
        neck=NeckConfig(width=32, heads=2, hidden=32, top_k=4),
        head=HeadConfig(width=32, inner=16, bottlenecks=1),
    )
    assert (config.template_cells, config.search_cells) == (8, 12)
    network = build(config).eval()
    images = torch.randn(2, 3, 95, 95)
    found = network(images[:, :, :63, :63], images)
    assert found.conv_boxes.shape == (2, 144, 4)
    centres = network.head.fm_ctr[0]
    assert centres[1].tolist() == [centres[0, 0] + 8, centres[0, 1]]
    torch.testing.assert_close(centres.mean(0), torch.full((2,), 47.0))
    middle = (found.conv_boxes[..., :2] < centres) & (centres < found.conv_boxes[..., 2:])
    assert middle.all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BackboneConfig(depths=(2, 2)), "3 or 4 stages"),
        (lambda: BackboneConfig(width=64), "not divisible by 3 heads"),
        (lambda: NeckConfig(heads=7), "divisible by 7 heads"),
        (lambda: NeckConfig(top_k=0), "at least 1"),
        (lambda: ModelConfig(template_size=16), "larger than 16"),
    ],
)
def test_impossible_sizes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_synthetic_video(synthetic):
    """The generator of the tracker cases is the one they describe."""
    assert synthetic.frame(0)[0, 0].tolist() == [134, 151, 168]
    assert synthetic.frame(5)[100, 150].tolist() == [175, 235, 215]
    assert synthetic.frame(3).sum(dtype=np.int64) == 24435688
    assert synthetic.rectangle(5) == (139, 100, 53, 38)
