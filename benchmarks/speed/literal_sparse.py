"""SparseTT's network computed as it reads: what `sparse.py` measures the package's forms against.

Windows are padded, rolled and cut with copies, masks and biases are made anew for every frame, the merging after the
third stage and the fourth stage are computed and thrown away, top-k attention sorts, fills a matrix of zeros and
averages weights nobody reads, the template is projected again for every frame, batch norms stand alone, and the
unused boxes are computed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparse_track.head import Predictions
from sparse_track.network import SparseNetwork


def literal_topk(queries: Tensor, keys: Tensor, values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """``(rows, L, d)`` each; attention and its weights."""
    logits = torch.bmm(queries * queries.shape[-1] ** -0.5, keys.mT)
    largest, places = logits.topk(count, dim=-1)
    weights = torch.zeros_like(logits).scatter_(-1, places, largest.softmax(-1))
    return torch.bmm(weights, values), weights


def dense(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """``(rows, L, d)`` each; attention and its weights."""
    weights = torch.bmm(queries * queries.shape[-1] ** -0.5, keys.mT).softmax(-1)
    return torch.bmm(weights, values), weights


def _windows(tokens: Tensor, side: int) -> Tensor:
    batch, height, width, channels = tokens.shape
    tokens = tokens.view(batch, height // side, side, width // side, side, channels)
    return tokens.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side, channels)


def _window_attention(attention: nn.Module, tokens: Tensor) -> Tensor:
    side, shift, heads = attention.window, attention.shift, attention.heads
    batch, height, width, channels = tokens.shape
    tokens = F.pad(tokens, (0, 0, 0, -width % side, 0, -height % side))
    rows, columns = tokens.shape[1:3]
    mask = None
    if shift:
        tokens = tokens.roll((-shift, -shift), (1, 2))
        regions = torch.zeros(1, rows, columns, 1)
        slices = (slice(0, -side), slice(-side, -shift), slice(-shift, None))
        for number, (row, column) in enumerate((row, column) for row in slices for column in slices):
            regions[:, row, column] = number
        regions = _windows(regions, side).squeeze(2)
        mask = (regions[:, None] - regions[:, :, None]).ne(0) * -100.0
    windows = _windows(tokens, side)
    queries, keys, values = (
        attention.qkv(windows).view(len(windows), -1, 3, heads, channels // heads).permute(2, 0, 3, 1, 4)
    )
    logits = (queries * queries.shape[-1] ** -0.5) @ keys.mT
    bias = attention.relative_position_bias_table[attention.relative_position_index.view(-1)]
    logits = logits + bias.view(side * side, side * side, -1).permute(2, 0, 1).contiguous()[None]
    if mask is not None:
        logits = (logits.view(batch, len(mask), heads, *mask.shape[1:]) + mask[:, None]).view(logits.shape)
    windows = attention.proj((logits.softmax(-1) @ values).transpose(1, 2).reshape(windows.shape))
    tokens = windows.view(batch, rows // side, columns // side, side, side, channels).permute(0, 1, 3, 2, 4, 5)
    tokens = tokens.reshape(batch, rows, columns, channels)
    if shift:
        tokens = tokens.roll((shift, shift), (1, 2))
    return tokens[:, :height, :width].contiguous()


def literal_backbone(swin: nn.Module, images: Tensor) -> Tensor:
    """All four stages; the map of the third."""
    tokens = swin.patch_embed(images)
    for number, stage in enumerate(swin.stages):
        for block in stage.blocks:
            tokens = tokens + _window_attention(block.attn.w_msa, block.norm1(tokens))
            tokens = tokens + block.ffn(block.norm2(tokens))
        if number == 2:
            output = swin.norm2(tokens).permute(0, 3, 1, 2).contiguous()
        if hasattr(stage, "downsample"):
            tokens = stage.downsample(tokens)
    return output


def _attention(layer: nn.Module, tokens: Tensor, memory: Tensor, count: int | None) -> Tensor:
    """``(L, B, C)`` tokens, as in the published code."""
    length, batch, channels = tokens.shape
    weights, biases = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    queries, keys, values = (
        F.linear(source, weight, bias).reshape(len(source), batch * layer.heads, -1).transpose(0, 1)
        for source, weight, bias in zip((tokens, memory, memory), weights, biases, strict=True)
    )
    attended, shares = dense(queries, keys, values) if count is None else literal_topk(queries, keys, values, count)
    shares.view(batch, layer.heads, length, -1).mean(1)  # thrown away
    return layer.out_proj(attended.transpose(0, 1).reshape(length, batch, channels))


class LiteralNetwork:
    """The literal form of a network in eval mode, with its weights."""

    def __init__(self, network: SparseNetwork):
        self.network = network

    def remember(self, template: Tensor) -> Tensor:
        """Encoded template tokens ``(Nz, B, C)``."""
        network = self.network
        features = network.feat_adjuster_z(literal_backbone(network.basemodel.net, template))
        return network.neck.encoder(features).transpose(0, 1)

    def locate(self, memory: Tensor, search: Tensor) -> Predictions:
        network = self.network
        features = network.feat_adjuster_x(literal_backbone(network.basemodel.net, search))
        decoder = network.neck.decoder
        tokens = (
            features.flatten(2).permute(2, 0, 1) + decoder.spatial_position_encoding().transpose(0, 1)
        ).contiguous()
        for layer in decoder.decoder_layers:
            count = layer.slf_attn.top_k
            tokens = layer.norm1(tokens + _attention(layer.slf_attn, tokens, tokens, count))
            tokens = layer.norm2(tokens + _attention(layer.enc_attn, tokens, memory, None))
            tokens = layer.pos_ffn(tokens)
        decoded = tokens.permute(1, 2, 0).reshape(features.shape)
        return network.head(torch.cat([decoded, features], dim=1), fc_boxes=True)
