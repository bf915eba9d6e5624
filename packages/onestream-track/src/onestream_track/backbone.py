"""The published backbone: a ViT over template and search tokens together, with early candidate elimination.

"Joint Feature Learning and Relation Modeling for Tracking: A One-Stream Framework" (OSTrack, ECCV 2022); with the two
frame-identity vectors it is DropTrack's ("DropMAE", CVPR 2023). State-dict names are the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed
from torch import Tensor, nn

from onestream_track.config import ModelConfig
from onestream_track.elimination import centre_rows, eliminate, keep_count, rank, restore
from trackcore.positions import SCRATCH_SCALE, resample_grid, sincos_2d
from trackcore.stems import ConvolutionalStem
from trackcore.vit import Block, attention_rows, drop_path_rates, init_linear, init_mimetic


@dataclass(frozen=True)
class Features:
    """Output of the backbone.

    Attributes:
        tokens: ``(B, Lz + Lx, C)`` normalised, template first; eliminated search tokens are exact zeros.
        removed: per elimination block the original search indices it dropped, ``(B, k)`` int64 in ranking order; blocks
            that dropped nothing are left out.
        kept: ``(B, n)`` original indices of the search tokens that reached the last block, None without elimination.
        attention: ``(B, heads, N, N)`` of the last block when it was asked for.
    """

    tokens: Tensor
    removed: tuple[Tensor, ...] = ()
    kept: Tensor | None = None
    attention: Tensor | None = None


class Backbone(nn.Module):
    """ViT over the concatenated tokens of template and search region."""

    prefix = 0  # tokens before those of the template that belong to no place

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        width = config.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))  # never used; part of published checkpoints
        # The pre-training's table: only the source of the two tables below.
        self.pos_embed = nn.Parameter(torch.zeros(1, config.position_grid**2 + 1, width))
        if config.frame_identity:
            self.temporal_pos_embed_x = nn.Parameter(torch.randn(1, 1, width))
            self.temporal_pos_embed_z = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed_z = nn.Parameter(torch.zeros(1, config.template_grid**2, width))
        self.pos_embed_x = nn.Parameter(torch.zeros(1, config.search_grid**2, width))
        if config.segments:
            self.template_segment_pos_embed = nn.Parameter(torch.zeros(1, 1, width))
            self.search_segment_pos_embed = nn.Parameter(torch.zeros(1, 1, width))
        if config.stem == "convolutional":
            self.patch_embed = ConvolutionalStem(config.stride, width)
        else:
            self.patch_embed = PatchEmbed(
                img_size=None, patch_size=config.stride, embed_dim=width, strict_img_size=False
            )
        rates = drop_path_rates(config.drop_path, config.depth)
        self.blocks = nn.ModuleList(
            Block(width, config.heads, mlp_ratio=config.mlp_ratio, drop_path=rate) for rate in rates
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self._init_weights()
        rows = [] if config.elimination.template_range == "GT_BOX" else self._voters()
        self.register_buffer("voters", torch.tensor(rows, dtype=torch.long), persistent=False)

    def _voters(self) -> list[int]:
        return centre_rows(self.config.elimination.template_range, self.config.template_grid)

    def _init_weights(self) -> None:
        self.blocks.apply(init_linear)
        for name in ("cls_token", "pos_embed", "template_segment_pos_embed", "search_segment_pos_embed"):
            if (parameter := getattr(self, name, None)) is not None:
                nn.init.trunc_normal_(parameter, std=0.02)
        self.rebuild_position_tables()

    @torch.no_grad()
    def start_from_scratch(self) -> None:
        """Fresh weights for training without pre-training; see ``ModelConfig.start``."""
        for block in self.blocks:
            init_mimetic(block.attn)
        for table, side in self._position_tables():
            table.copy_(SCRATCH_SCALE * sincos_2d(self.config.width, side, side))
        if self.config.frame_identity:
            self.temporal_pos_embed_x.mul_(SCRATCH_SCALE)
            self.temporal_pos_embed_z.mul_(SCRATCH_SCALE)

    def _position_tables(self) -> list[tuple[nn.Parameter, int]]:
        return [(self.pos_embed_z, self.config.template_grid), (self.pos_embed_x, self.config.search_grid)]

    @torch.no_grad()
    def rebuild_position_tables(self) -> None:
        """Resample ``pos_embed`` to the template and to the search grid (after loading pre-training weights)."""
        grid = (self.config.position_grid,) * 2
        places = self.pos_embed[:, -(grid[0] * grid[1]) :]  # what comes before belongs to the class token and its like
        for table, side in self._position_tables():
            table.copy_(resample_grid(places, grid, (side, side)))

    def embed(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens ``(B, Lz, C)`` and ``(B, Lx, C)`` of normalised crops, positions added."""
        z = self.patch_embed(template) + self.pos_embed_z
        x = self.patch_embed(search) + self.pos_embed_x
        if self.config.frame_identity:
            z, x = z + self.temporal_pos_embed_z, x + self.temporal_pos_embed_x
        if self.config.segments:
            z, x = z + self.template_segment_pos_embed, x + self.search_segment_pos_embed
        return z, x

    def _concatenate(self, z: Tensor, x: Tensor) -> Tensor:
        if self.config.concatenation == "template_central":
            half = x.shape[1] // 2
            return torch.cat([x[:, :half], z, x[:, half:]], dim=1)
        if self.config.concatenation == "partition":
            z = _partition(z, self.config.template_grid)
        return torch.cat([z, x], dim=1)

    def _template_first(self, tokens: Tensor) -> Tensor:
        if self.config.concatenation != "template_central":
            return tokens
        z, x = self.config.template_grid**2, self.config.search_grid**2
        half = x // 2
        return torch.cat([tokens[:, half : half + z], tokens[:, :half], tokens[:, half + z :]], dim=1)

    def forward(
        self,
        template: Tensor,
        search: Tensor,
        *,
        template_mask: Tensor | None = None,
        keep_rate: float | None = None,
        return_attention: bool = False,
    ) -> Features:
        """Tokens of both crops; arguments as in :meth:`OneStreamNetwork.forward`."""
        z, x = self.embed(template, search)
        tokens = self._concatenate(z, x)
        elimination = self.config.elimination
        ratios = dict(zip(elimination.layers, elimination.keep, strict=True))
        indices = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
        removed: list[Tensor] = []
        attention = None
        for number, block in enumerate(self.blocks):
            if return_attention and number == len(self.blocks) - 1:
                queries, keys, _ = self._heads(block, tokens)
                attention = attention_rows(queries, keys)
            count = indices.shape[1]
            keep = count
            if number in ratios:
                keep = min(count, keep_count(count, ratios[number] if keep_rate is None else keep_rate))
            if keep == count:
                tokens = block(tokens)
                continue
            tokens, order = self._attend_and_rank(block, tokens, count, template_mask)
            tokens, indices, dropped = eliminate(tokens, indices, order, keep)
            removed.append(dropped)
            tokens = self._transform(block, tokens)
        tokens = self._template_first(self.norm(tokens))
        if not removed:
            return Features(tokens, kept=indices if ratios else None, attention=attention)
        length = z.shape[1]
        grid = restore(tokens[:, length:], indices, x.shape[1])
        return Features(torch.cat([tokens[:, :length], grid], dim=1), tuple(removed), indices, attention)

    def _attend_and_rank(
        self, block: Block, tokens: Tensor, count: int, template_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Attention half of a block, and the ranking of its ``count`` search tokens by the voting template tokens."""
        queries, keys, values = self._heads(block, tokens)
        attended = self._merge(block, F.scaled_dot_product_attention(queries, keys, values))
        template = tokens.shape[1] - count
        if template_mask is not None:
            voters = queries[:, :, self.prefix : template]
        elif self.voters.numel():
            voters = queries[:, :, self.voters]
        else:
            raise ValueError("elimination with template range GT_BOX needs template_mask (elimination.box_mask)")
        rows = attention_rows(voters, keys)[..., template:]
        return tokens + attended, rank(rows, template_mask)

    # What is asked of a block whose halves are not computed at once.

    def _heads(self, block: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each ``(B, heads, N, d)``."""
        return block.attn.heads_of(block.norm1(tokens))

    def _merge(self, block: nn.Module, values: Tensor) -> Tensor:
        """What attended values ``(B, heads, N, d)`` add to the tokens."""
        return block.drop_path(block.attn.merge(values))

    def _transform(self, block: nn.Module, tokens: Tensor) -> Tensor:
        """The second half of the block."""
        return block.transform(tokens)


def _partition(template: Tensor, side: int) -> Tensor:
    """Template tokens as a wide strip: the lower half of the grid moves beside the upper half.

    Odd grids get a row of zeros at the top first. ``(B, side^2, C)`` to ``(B, w * 2 side, C)`` with w = ceil(side / 2).
    """
    window = (side + 1) // 2
    grid = template.unflatten(1, (side, side))
    grid = F.pad(grid, (0, 0, 0, 0, 2 * window - side, 0))
    return torch.cat([grid[:, :window], grid[:, window:]], dim=2).flatten(1, 2)
