"""The network: a ViT over the tokens of reference frames with a mask and of the current frame, and a mask decoder.

DropSeg of "DropMAE: Masked Autoencoders with Spatial-Attention Dropout for Tracking Tasks" (CVPR 2023). State-dict
names are the published ones; what published files hold beside them takes no part (see :mod:`dropseg_vos.published`).
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed
from torch import Tensor, nn

from dropseg_vos.config import ModelConfig
from dropseg_vos.decoder import Decoder, half_pyramid, quarter_pyramid
from trackcore.positions import SCRATCH_SCALE, grid_of, resample_grid, sincos_2d
from trackcore.stems import ConvolutionalStem
from trackcore.vit import Block, drop_path_rates, init_linear, init_mimetic


class SegmentationNetwork(nn.Module):
    """One-shot segmentation: where in a frame is what the mask marks in another one?

    A reference is a frame with the mask of one object. Frames are ImageNet-normalised, masks lie in [0, 1]; height and
    width are multiples of the patch. Nothing changes when the network is used: grids of other sizes are resampled from
    ``position_grid`` and not kept here.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        width = config.width
        # Both tables are constants: positions are never trained. Row 0 of the first belongs to a class token.
        self.register_buffer("pos_embed", torch.empty(1, 1 + config.start_grid**2, width))
        self.register_buffer("position_grid", torch.empty(1, config.grid**2, width))
        self.temporal_pos_embed_x = nn.Parameter(torch.empty(1, 1, width))
        self.temporal_pos_embed_z = nn.Parameter(torch.empty(1, 1, width))
        patches = partial(PatchEmbed, img_size=None, patch_size=config.patch, embed_dim=width, strict_img_size=False)
        self.patch_embed = (
            ConvolutionalStem(config.patch, width) if config.stem == "convolutional" else patches(in_chans=3)
        )
        self.blocks = nn.ModuleList(
            Block(width, config.heads, mlp_ratio=config.mlp_ratio, drop_path=rate)
            for rate in drop_path_rates(config.drop_path, config.depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mask_patch_embed = patches(in_chans=1)
        self.fpn1 = quarter_pyramid(width, config.pyramid[1])
        self.fpn2 = half_pyramid(width, config.pyramid[0])
        self.stcn_decoder = Decoder(width, config.pyramid, config.decoder, config.patch // 4)
        self._init_weights()

    @torch.no_grad()
    def _init_weights(self) -> None:
        """Fresh weights: of the ViT as usual; patch embeddings, pyramid and decoder keep the convolutions' default."""
        side = self.config.start_grid
        self.pos_embed.copy_(sincos_2d(self.config.width, side, side, class_slot=True))
        self.set_positions(self.pos_embed)
        for vector in (self.temporal_pos_embed_x, self.temporal_pos_embed_z):
            nn.init.trunc_normal_(vector, std=0.02)
        self.blocks.apply(init_linear)
        if self.config.start == "scratch":
            for block in self.blocks:
                init_mimetic(block.attn)
            self.pos_embed.mul_(SCRATCH_SCALE)
            self.position_grid.mul_(SCRATCH_SCALE)

    @torch.no_grad()
    def set_positions(self, table: Tensor) -> None:
        """Resample a pre-training table ``(1, 1 + g^2, C)`` to the position grid (bicubic, 14 x 14 to 24 x 24)."""
        grid = (self.config.grid, self.config.grid)
        self.position_grid.copy_(resample_grid(table[:, 1:], grid_of(table, class_slot=True), grid))

    def positions(self, height: int, width: int) -> Tensor:
        """``(1, height * width, C)``, the position grid resampled to a frame of so many cells."""
        side = self.config.grid
        if (height, width) == (side, side):
            return self.position_grid
        return resample_grid(self.position_grid, (side, side), (height, width))

    def embed_reference(self, frames: Tensor, masks: Tensor, positions: Tensor | None = None) -> Tensor:
        """Tokens of reference frames; they do not depend on the frames to be segmented.

        Args:
            frames: ``(B, 3, H, W)``, or ``(1, 3, H, W)`` for B masks of the same frame.
            masks: ``(B, 1, H, W)`` in [0, 1]; soft values are taken as they are.
            positions: what :meth:`positions` gives for this size, where it is known already.

        Returns:
            ``(B, n, C)`` with ``n = H W / patch^2``, row by row.
        """
        tokens = self.patch_embed(frames) + self.mask_patch_embed(masks) + self.temporal_pos_embed_z
        return tokens + (self._positions_of(frames) if positions is None else positions)

    def embed_query(self, frames: Tensor, positions: Tensor | None = None) -> Tensor:
        """Tokens ``(B, n, C)`` of the frames ``(B, 3, H, W)`` to be segmented; ``positions`` as above."""
        tokens = self.patch_embed(frames) + self.temporal_pos_embed_x
        return tokens + (self._positions_of(frames) if positions is None else positions)

    def _positions_of(self, frames: Tensor) -> Tensor:
        height, width = (side // self.config.patch for side in frames.shape[-2:])
        return self.positions(height, width)

    def encode(self, reference: Tensor, query: Tensor) -> Tensor:
        """Let reference and query look at each other in every block.

        Args:
            reference: ``(B, T n, C)``, the tokens of one or several reference frames.
            query: ``(B, n, C)``.

        Returns:
            ``(B, n, C)`` normalised tokens of the query. Nobody reads the reference's tokens after the last block, so
            that it does not compute them.
        """
        count = query.shape[1]
        tokens = torch.cat([reference, query], dim=1)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        last = self.blocks[-1]
        queries, keys, values = last.attn.heads_of(last.norm1(tokens))
        attended = last.attn.merge(F.scaled_dot_product_attention(queries[:, :, -count:], keys, values))
        return self.norm(last.transform(tokens[:, -count:] + last.drop_path(attended)))

    def decode(self, tokens: Tensor, height: int, width: int) -> Tensor:
        """Logits ``(B, 1, H, W)`` from the query's tokens ``(B, height * width, C)``, row by row."""
        full = tokens.transpose(1, 2).unflatten(2, (height, width))
        return self.stcn_decoder(full, self.fpn2(full), self.fpn1(full))

    def segment(self, references: Tensor, frames: Tensor, positions: Tensor | None = None) -> Tensor:
        """Every object in every frame, in one pass.

        Args:
            references: ``(K, T n, C)``, tokens of K objects, see :meth:`embed_reference`.
            frames: ``(B, 3, H, W)``.
            positions: what :meth:`positions` gives for this size, where it is known already.

        Returns:
            Logits ``(B, K, H, W)``.
        """
        batch, objects = len(frames), len(references)
        query = self.embed_query(frames, positions)
        repeated = query[:, None].expand(-1, objects, -1, -1).flatten(0, 1)
        tokens = self.encode(references.repeat(batch, 1, 1), repeated)
        height, width = (side // self.config.patch for side in frames.shape[-2:])
        return self.decode(tokens, height, width).unflatten(0, (batch, objects))[:, :, 0]

    def forward(self, references: Tensor, masks: Tensor, frames: Tensor) -> Tensor:
        """A training pass: K objects of each of B pairs of frames.

        Args:
            references: ``(B, 3, H, W)``, or ``(B, T, 3, H, W)`` for several of each.
            masks: ``(B, K, H, W)``, or ``(B, T, K, H, W)``, of the objects in the references.
            frames: ``(B, 3, H, W)``.

        Returns:
            Logits ``(B, K, H, W)``.
        """
        if references.ndim == 4:
            references, masks = references[:, None], masks[:, None]
        batch, times, objects = masks.shape[:3]
        repeated = references[:, None].expand(-1, objects, -1, -1, -1, -1).flatten(0, 2)
        memory = self.embed_reference(repeated, masks.transpose(1, 2).flatten(0, 2)[:, None])
        memory = memory.unflatten(0, (batch * objects, times)).flatten(1, 2)
        query = self.embed_query(frames)[:, None].expand(-1, objects, -1, -1).flatten(0, 1)
        height, width = (side // self.config.patch for side in frames.shape[-2:])
        return self.decode(self.encode(memory, query), height, width).unflatten(0, (batch, objects))[:, :, 0]


def build(config: ModelConfig) -> SegmentationNetwork:
    """A network with fresh weights."""
    return SegmentationNetwork(config)
