"""The transformer between template and search region, under the published names.

Tokens are ``(B, N, C)`` here, row-major from maps ``(B, C, s, s)``. Layers are post-norm; the learned position map is
added once, to the input.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparse_track.config import NeckConfig
from trackcore.ops.topk_attention import topk_attention
from trackcore.positions import sincos_2d

NORM_EPS = 1e-6


class KeysValues(NamedTuple):
    """Projected keys and values of a memory, ``(B, heads, N, d)`` each; they can be kept between frames."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Multi-head attention with the parameters of ``torch.nn.MultiheadAttention``.

    Args:
        width, heads: of the tokens.
        dropout: of the attention weights, while training.
        top_k: keys that each query attends to; None for all of them.
    """

    def __init__(self, width: int, heads: int, dropout: float, top_k: int | None = None):
        super().__init__()
        self.heads, self.dropout, self.top_k = heads, dropout, top_k
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def _project(self, tokens: Tensor, first: int, last: int) -> tuple[Tensor, ...]:
        """Some of queries (0), keys (1) and values (2) of ``(B, N, C)`` tokens, each ``(B, heads, N, d)``."""
        width = tokens.shape[-1]
        rows = slice(first * width, last * width)
        projected = F.linear(tokens, self.in_proj_weight[rows], self.in_proj_bias[rows])
        return projected.unflatten(2, (last - first, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Of ``(B, S, C)`` tokens."""
        return KeysValues(*self._project(memory, 1, 3))

    def forward(self, tokens: Tensor, memory: KeysValues | None = None) -> Tensor:
        """``(B, N, C)`` tokens attend to ``memory``, or to themselves; ``(B, N, C)``."""
        if memory is None:
            queries, keys, values = self._project(tokens, 0, 3)
        else:
            (queries,), (keys, values) = self._project(tokens, 0, 1), memory
        dropout = self.dropout if self.training else 0.0
        if self.top_k is None:
            attended = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        else:
            attended = topk_attention(queries, keys, values, self.top_k, dropout=dropout)
        return self.out_proj(attended.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """``layer_norm(x + dropout(w_2(relu(w_1 x))))``."""

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.w_1 = nn.Linear(width, hidden)
        self.w_2 = nn.Linear(hidden, width)
        self.layer_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.w_1, self.w_2):
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layer_norm(tokens + self.dropout(self.w_2(F.relu(self.w_1(tokens)))))


class PositionMap(nn.Module):
    """A learned vector for each place: half of the channels tell the column, half the row."""

    def __init__(self, width: int, cells: int):
        super().__init__()
        self.row_embed = nn.Embedding(cells, width // 2)
        self.col_embed = nn.Embedding(cells, width // 2)
        nn.init.uniform_(self.row_embed.weight)
        nn.init.uniform_(self.col_embed.weight)

    @torch.no_grad()
    def start_from_scratch(self, scale: float) -> None:
        """Sines and cosines, so small that they do not drown what tokens look like."""
        cells, half = self.row_embed.weight.shape
        table = scale * sincos_2d(2 * half, cells, cells).view(cells, cells, 2 * half)
        self.col_embed.weight.copy_(table[0, :, :half])
        self.row_embed.weight.copy_(table[:, 0, half:])

    def forward(self) -> Tensor:
        """``(1, cells * cells, C)``."""
        rows, columns = self.row_embed.weight, self.col_embed.weight
        cells = len(rows)
        grid = torch.cat([columns.expand(cells, -1, -1), rows[:, None].expand(-1, cells, -1)], dim=2)
        return grid.flatten(0, 1)[None]


class EncoderLayer(nn.Module):
    """Template tokens attend to each other."""

    def __init__(self, config: NeckConfig):
        super().__init__()
        self.slf_attn = Attention(config.width, config.heads, config.dropout)
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.pos_ffn = FeedForward(config.width, config.hidden, config.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.pos_ffn(self.norm(tokens + self.slf_attn(tokens)))


class DecoderLayer(nn.Module):
    """Search tokens attend to the best of each other, then to the template."""

    def __init__(self, config: NeckConfig):
        super().__init__()
        self.slf_attn = Attention(config.width, config.heads, config.dropout, config.top_k)
        self.norm1 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.enc_attn = Attention(config.width, config.heads, config.dropout)
        self.norm2 = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.pos_ffn = FeedForward(config.width, config.hidden, config.dropout)

    def forward(self, tokens: Tensor, memory: KeysValues) -> Tensor:
        tokens = self.norm1(tokens + self.slf_attn(tokens))
        tokens = self.norm2(tokens + self.enc_attn(tokens, memory))
        return self.pos_ffn(tokens)


class Encoder(nn.Module):
    """Over the template."""

    def __init__(self, config: NeckConfig, cells: int):
        super().__init__()
        self.spatial_position_encoding = PositionMap(config.width, cells)
        self.encoder_layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, s, s)`` to tokens ``(B, s * s, C)``."""
        tokens = features.flatten(2).transpose(1, 2) + self.spatial_position_encoding()
        for layer in self.encoder_layers:
            tokens = layer(tokens)
        return tokens


class Decoder(nn.Module):
    """Over the search region."""

    def __init__(self, config: NeckConfig, cells: int):
        super().__init__()
        self.spatial_position_encoding = PositionMap(config.width, cells)
        self.decoder_layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))

    def remember(self, tokens: Tensor) -> tuple[KeysValues, ...]:
        """What each layer needs of the encoded template ``(B, Nz, C)``."""
        return tuple(layer.enc_attn.keys_values(tokens) for layer in self.decoder_layers)

    def forward(self, tokens: Tensor, memory: tuple[KeysValues, ...]) -> Tensor:
        """``(B, N, C)`` tokens of the search region to ``(B, N, C)``."""
        tokens = tokens + self.spatial_position_encoding()
        for layer, known in zip(self.decoder_layers, memory, strict=True):
            tokens = layer(tokens, known)
        return tokens


class Neck(nn.Module):
    """Encoder, decoder, and the search features once more beside the decoder's."""

    def __init__(self, config: NeckConfig, template_cells: int, search_cells: int):
        super().__init__()
        self.encoder = Encoder(config, template_cells)
        self.decoder = Decoder(config, search_cells)

    def remember(self, template: Tensor) -> tuple[KeysValues, ...]:
        """What the decoder needs of adjusted template features ``(B, C, sz, sz)``."""
        return self.decoder.remember(self.encoder(template))

    def forward(self, search: Tensor, memory: tuple[KeysValues, ...]) -> Tensor:
        """Adjusted search features ``(B, C, s, s)`` to ``(B, 2 C, s, s)``: the decoder's channels come first."""
        tokens = search.flatten(2).transpose(1, 2)
        joined = torch.cat([self.decoder(tokens, memory), tokens], dim=2)
        return joined.transpose(1, 2).unflatten(2, search.shape[2:])
