"""The network: a masked auto-encoder of two frames whose decoder drops spatial attention.

"DropMAE: Masked Autoencoders with Spatial-Attention Dropout for Tracking Tasks" (CVPR 2023). State-dict names are the
published ones. The first frame is the earlier one; tokens of the joint sequence are the first frame's, row by row, then
the second's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed
from torch import Tensor, nn

from dropmae_pretrain.config import ModelConfig, ObjectiveConfig
from dropmae_pretrain.masking import Mask, choose_visible
from trackcore.ops.ranked_dropout import ranked_dropout_attention
from trackcore.positions import SCRATCH_SCALE, sincos_2d
from trackcore.stems import ConvolutionalStem
from trackcore.vit import Attention, Block, init_mimetic


class Reconstruction(NamedTuple):
    """Output of the network.

    Attributes:
        prediction: ``(B, L, 3 p^2)``, of visible patches too.
        hidden: ``(B, L)`` float32, 1 for the patches that were hidden.
    """

    prediction: Tensor
    hidden: Tensor


@dataclass(frozen=True)
class Draws:
    """The random numbers of one forward pass; what is None comes from torch's default generator.

    Attributes:
        noise: ``(B, L)`` uniform; the tokens of smallest noise stay visible.
        clocks: per decoder layer Exp(1) variables ``(B heads, L n)``, head fastest; see
            :func:`trackcore.ops.ranked_dropout.drop_pairs`.
        dropped: per decoder layer the pairs themselves, ``(B heads, L, n)`` bool, in place of ``clocks``.
    """

    noise: Tensor | None = None
    clocks: Sequence[Tensor] | None = None
    dropped: Sequence[Tensor] | None = None


class DroppingAttention(Attention):
    """Self-attention over two frames with spatial-attention dropout."""

    def forward(
        self, tokens: Tensor, count: int = 0, clocks: Tensor | None = None, dropped: Tensor | None = None
    ) -> Tensor:
        """``(B, L, C)`` to ``(B, L, C)``; ``count`` pairs of each sample and head are dropped, see :class:`Draws`."""
        queries, keys, values = self.heads_of(tokens)
        if count == 0 and dropped is None:
            return self.merge(F.scaled_dot_product_attention(queries, keys, values))
        attended, _ = ranked_dropout_attention(queries, keys, values, count, clocks=clocks, dropped=dropped)
        return self.merge(attended)


class DecoderBlock(Block):
    """Transformer block with :class:`DroppingAttention`."""

    def __init__(self, width: int, heads: int, *, mlp_ratio: float = 4.0):
        super().__init__(width, heads, mlp_ratio=mlp_ratio)
        self.attn = DroppingAttention(width, heads)

    def forward(
        self, tokens: Tensor, count: int = 0, clocks: Tensor | None = None, dropped: Tensor | None = None
    ) -> Tensor:
        """``(B, L, C)`` to ``(B, L, C)``, arguments as in :meth:`DroppingAttention.forward`."""
        return self.transform(tokens + self.attn(self.norm1(tokens), count, clocks, dropped))


class DropMAE(nn.Module):
    """Auto-encoder of frame pairs.

    Args:
        config: sizes.
        objective: what is hidden and dropped.

    Raises:
        ValueError: the mask ratio leaves no token or every token visible.
    """

    def __init__(self, config: ModelConfig, objective: ObjectiveConfig | None = None):
        super().__init__()
        self.config, self.objective = config, objective or ObjectiveConfig()
        self.keep = self.objective.visible(config.frame_tokens)
        self.count = self.objective.dropped_pairs(config.frame_tokens)
        width, inner, places = config.width, config.decoder_width, config.frame_tokens + 1
        # Place 0 of both tables belongs to a class token that does not exist; published files have it.
        self.pos_embed = nn.Parameter(torch.empty(1, places, width), requires_grad=False)
        self.temporal_pos_embed_x = nn.Parameter(torch.empty(1, 1, width))
        self.temporal_pos_embed_z = nn.Parameter(torch.empty(1, 1, width))
        self.mask_token = nn.Parameter(torch.empty(1, 1, inner))
        self.decoder_pos_embed = nn.Parameter(torch.empty(1, places, inner), requires_grad=False)
        self.decoder_temporal_pos_embed_x = nn.Parameter(torch.empty(1, 1, inner))
        self.decoder_temporal_pos_embed_z = nn.Parameter(torch.empty(1, 1, inner))
        if config.stem == "convolutional":
            self.patch_embed = ConvolutionalStem(config.patch, width)
        else:
            self.patch_embed = PatchEmbed(
                img_size=None, patch_size=config.patch, embed_dim=width, strict_img_size=False
            )
        self.blocks = nn.ModuleList(Block(width, config.heads, mlp_ratio=config.mlp_ratio) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_embed = nn.Linear(width, inner)
        self.decoder_blocks = nn.ModuleList(
            DecoderBlock(inner, config.decoder_heads, mlp_ratio=config.mlp_ratio) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(inner, eps=1e-6)
        self.decoder_pred = nn.Linear(inner, 3 * config.patch**2)
        self._init_weights()

    @torch.no_grad()
    def _init_weights(self) -> None:
        """Initial values as published: frame-identity vectors of full size, fifty times that of the mask token."""
        for table in (self.pos_embed, self.decoder_pos_embed):
            table.copy_(sincos_2d(table.shape[2], self.config.grid, self.config.grid, class_slot=True))
        kernel = self.patch_embed.proj.weight  # its bias keeps the convolution's default
        nn.init.xavier_uniform_(kernel.view(len(kernel), -1))
        nn.init.normal_(self.mask_token, std=0.02)
        for frames in (self._frame_identity, self._decoder_frame_identity):
            for vector in frames:
                nn.init.normal_(vector)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        if self.config.start == "scratch":
            for block in self.blocks:
                init_mimetic(block.attn)
            for table in (self.pos_embed, *self._frame_identity):
                table.mul_(SCRATCH_SCALE)

    @property
    def _frame_identity(self) -> tuple[Tensor, Tensor]:
        return self.temporal_pos_embed_x, self.temporal_pos_embed_z

    @property
    def _decoder_frame_identity(self) -> tuple[Tensor, Tensor]:
        return self.decoder_temporal_pos_embed_x, self.decoder_temporal_pos_embed_z

    def embed(self, first: Tensor, second: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Tokens ``(B, L, D)`` of both frames ``(B, 3, S, S)``, with frame identities and positions.

        Args:
            first, second: the frames.
            hidden: ``(B, L)``, 1 where a patch must not be seen. A convolutional stem sees black there; tokens of a
                linear one depend on their own patch alone, so it need not know.

        Raises:
            ValueError: a frame has another shape than the network was made for.
        """
        side = self.config.image_size
        for name, frames in (("first", first), ("second", second)):
            if frames.ndim != 4 or tuple(frames.shape[1:]) != (3, side, side) or len(frames) != len(first):
                raise ValueError(
                    f"{name} frames must be ({len(first)}, 3, {side}, {side}), got {tuple(frames.shape)}; other sizes "
                    "need a network made for them (image_size)"
                )
        if hidden is not None and self.config.stem == "convolutional":
            shown = 1 - hidden.unflatten(1, (2, self.config.grid, self.config.grid))
            shown = shown.repeat_interleave(self.config.patch, 2).repeat_interleave(self.config.patch, 3)
            first, second = first * shown[:, :1], second * shown[:, 1:]
        places = self.pos_embed[:, 1:]
        frames = zip((first, second), self._frame_identity, strict=True)
        return torch.cat([self.patch_embed(frame) + vector + places for frame, vector in frames], dim=1)

    def encode(self, tokens: Tensor) -> Tensor:
        """Encoder output ``(B, V, D)``, normalised, of those embedded tokens that are given."""
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def decode(self, latent: Tensor, visible: Tensor, draws: Draws | None = None) -> Tensor:
        """Predictions ``(B, L, 3 p^2)`` from encoded tokens ``(B, V, D)`` and their places ``(B, V)``.

        Attention is dropped in training mode, and in evaluation mode if the objective says so or ``draws`` holds the
        pairs.
        """
        draws = draws or Draws()
        latent = self.decoder_embed(latent)
        hidden = self.mask_token.to(latent.dtype).expand(len(latent), self.config.tokens, -1)
        tokens = hidden.scatter(1, visible.unsqueeze(-1).expand_as(latent), latent)
        places = self.decoder_pos_embed[:, 1:]
        tokens = tokens + torch.cat([vector + places for vector in self._decoder_frame_identity], dim=1)
        count = self.count if self.training or self.objective.drop_in_evaluation else 0
        for number, block in enumerate(self.decoder_blocks):
            clocks = draws.clocks[number] if draws.clocks is not None else None
            dropped = draws.dropped[number] if draws.dropped is not None else None
            tokens = block(tokens, count, clocks, dropped)
        return self.decoder_pred(self.decoder_norm(tokens))

    def mask(self, batch: int, noise: Tensor | None = None) -> Mask:
        """Choose the visible tokens of ``batch`` samples; ``noise`` as in :class:`Draws`."""
        if noise is None:
            noise = torch.rand(batch, self.config.tokens, device=self.mask_token.device)
        if noise.shape != (batch, self.config.tokens):
            raise ValueError(f"mask noise must be {(batch, self.config.tokens)}, got {tuple(noise.shape)}")
        return choose_visible(noise, self.keep)

    def forward(self, first: Tensor, second: Tensor, draws: Draws | None = None) -> Reconstruction:
        """Hide tokens of two frames and predict them.

        Args:
            first: ``(B, 3, S, S)`` normalised, the earlier frames.
            second: the later frames.
            draws: random numbers given from outside.
        """
        mask = self.mask(len(first), draws.noise if draws is not None else None)
        tokens = self.embed(first, second, mask.hidden)
        seen = tokens.gather(1, mask.visible.unsqueeze(-1).expand(-1, -1, tokens.shape[2]))
        return Reconstruction(self.decode(self.encode(seen), mask.visible, draws), mask.hidden)


def build(config: ModelConfig, objective: ObjectiveConfig | None = None) -> DropMAE:
    """A network with fresh weights."""
    return DropMAE(config, objective)
