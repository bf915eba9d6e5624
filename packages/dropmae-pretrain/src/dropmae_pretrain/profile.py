"""Multiply-adds and parameters of an auto-encoder, by formula.

A block over N tokens of width D takes ``(4 + 2 r) D^2 N`` in linear layers, r being the MLP ratio, and ``2 N^2 D`` in
the two attention products. The encoder sees the visible tokens, the decoder all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from dropmae_pretrain.config import ModelConfig, ObjectiveConfig
from trackcore.stems import stem_macs


@dataclass(frozen=True)
class Macs:
    """Multiply-adds of one forward pass over one pair.

    Attributes:
        encoder_linear: patch embedding of all tokens, and linear layers of the encoder.
        encoder_attention: attention products of the encoder.
        decoder_linear, decoder_attention: the same of the decoder, with its embedding and its prediction.
    """

    encoder_linear: int
    encoder_attention: int
    decoder_linear: int
    decoder_attention: int

    @property
    def encoder(self) -> int:
        """All of the encoder."""
        return self.encoder_linear + self.encoder_attention

    @property
    def decoder(self) -> int:
        """All of the decoder."""
        return self.decoder_linear + self.decoder_attention

    @property
    def total(self) -> int:
        """All of it."""
        return self.encoder + self.decoder


def macs(config: ModelConfig, objective: ObjectiveConfig | None = None) -> Macs:
    """Multiply-adds of a pair; what the dropout computes on its own is no product and not counted."""
    keep = (objective or ObjectiveConfig()).visible(config.frame_tokens)
    visible = keep if isinstance(keep, int) else sum(keep)
    pixels = 3 * config.patch**2
    stem = stem_macs(config.patch, config.width, convolutional=config.stem == "convolutional")

    def linear(tokens: int, width: int, depth: int) -> int:
        return depth * tokens * width * (4 * width + 2 * int(width * config.mlp_ratio))

    def attention(tokens: int, width: int, depth: int) -> int:
        return depth * 2 * tokens * tokens * width

    inner = config.decoder_width
    return Macs(
        config.tokens * stem + linear(visible, config.width, config.depth),
        attention(visible, config.width, config.depth),
        visible * config.width * inner
        + linear(config.tokens, inner, config.decoder_depth)
        + config.tokens * inner * pixels,
        attention(config.tokens, inner, config.decoder_depth),
    )
