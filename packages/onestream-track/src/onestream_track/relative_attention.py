"""Attention with relative position bias and talking heads over template and search tokens.

Options of the published code base that no published model uses; kept as modules, with its parameter names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _coordinates(side: int) -> Tensor:
    cell = torch.arange(side)
    return torch.cartesian_prod(cell, cell)


def relative_index(queries: list[int], keys: list[int], *, sides: list[int] | None = None) -> Tensor:
    """Number every distinct (row offset, column offset, pair of grids).

    Args:
        queries, keys: sides of the square grids whose tokens, one grid after the other, ask and are asked.
        sides: the grids that are told apart, all of ``queries`` and ``keys`` when None.

    Returns:
        ``(sum of queries squared, sum of keys squared)`` int64; numbers count up in the order of row offset, column
        offset, query grid, key grid.
    """
    grids = sides if sides is not None else sorted({*queries, *keys})

    def tokens(chosen: list[int]) -> tuple[Tensor, Tensor]:
        places = torch.cat([_coordinates(side) for side in chosen])
        grid = torch.cat([torch.full((side * side,), grids.index(side)) for side in chosen])
        return places, grid

    (query_place, query_grid), (key_place, key_grid) = tokens(queries), tokens(keys)
    offset = query_place[:, None] - key_place[None]
    pair = query_grid[:, None] * len(grids) + key_grid[None]
    _, index = torch.cat([offset, pair[..., None]], dim=-1).flatten(0, 1).unique(dim=0, return_inverse=True)
    return index.unflatten(0, (len(query_place), len(key_place)))


class RelativeAttention(nn.Module):
    """Self-attention over template and search tokens with optional relative position bias and talking heads.

    Args:
        width, heads: token width and number of heads.
        template_side, search_side: sides of the two grids in tokens.
        relative: add a learned bias per head and relative position.
        talking: mix the heads linearly before and after the softmax ("Talking-Heads Attention", 2020).
        mask_after_mixing: with ``talking``, apply the padding mask after each mixing. As published it comes before the
            first one, where mixing minus infinities of both signs makes every output NaN.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        template_side: int,
        search_side: int,
        *,
        relative: bool = False,
        talking: bool = False,
        mask_after_mixing: bool = False,
    ):
        super().__init__()
        self.heads = heads
        self.mask_after_mixing = mask_after_mixing
        self.relative_position_bias_table = None
        if relative:
            index = relative_index([template_side, search_side], [template_side, search_side])
            self.relative_position_bias_table = nn.Parameter(torch.empty(heads, int(index.max()) + 1))
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
            self.register_buffer("relative_position_index", index)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.proj_l = nn.Linear(heads, heads) if talking else None
        self.proj_w = nn.Linear(heads, heads) if talking else None

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """``(B, N, C)`` to ``(B, N, C)``; keys where ``padding`` ``(B, N)`` is True are not attended to."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)
        scores = queries @ keys.transpose(-2, -1) * (width // self.heads) ** -0.5
        if self.relative_position_bias_table is not None:
            scores = scores + self.relative_position_bias_table[:, self.relative_position_index]
        if padding is not None and not self.mask_after_mixing:
            scores = scores.masked_fill(padding[:, None, None], float("-inf"))
        if self.proj_l is not None:
            scores = self.proj_l(scores.movedim(1, -1)).movedim(-1, 1)
        if padding is not None and self.mask_after_mixing:
            scores = scores.masked_fill(padding[:, None, None], float("-inf"))
        attention = scores.softmax(dim=-1)
        if self.proj_w is not None:
            attention = self.proj_w(attention.movedim(1, -1)).movedim(-1, 1)
            if padding is not None and self.mask_after_mixing:
                attention = attention.masked_fill(padding[:, None, None], 0.0)  # the second mixing has a bias
        return self.proj((attention @ values).transpose(1, 2).flatten(2))
