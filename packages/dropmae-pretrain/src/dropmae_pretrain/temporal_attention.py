"""How much of its attention each layer gives to the other frame.

The paper's argument (Wu et al., CVPR 2023, section 3.2) is that reconstruction alone lets the decoder attend within the
frame, and that dropping spatial attention makes it match between the frames; this is the quantity that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dropmae_pretrain.network import Draws, DropMAE
from trackcore.vit import attention_rows

METRIC = "attention/{part}_{layer:02d}"  # how the ratios are called in a run's metrics


class TemporalAttention(NamedTuple):
    """Attention to the tokens of the other frame over attention to those of the own frame, per layer.

    1 is what a layer gives that looks everywhere alike. A token's attention to itself counts as its own frame's.
    """

    encoder: tuple[float, ...]
    decoder: tuple[float, ...]

    def metrics(self) -> dict[str, float]:
        """The ratios by name, for a training log."""
        return {
            METRIC.format(part=part, layer=layer): ratio
            for part, ratios in (("encoder", self.encoder), ("decoder", self.decoder))
            for layer, ratio in enumerate(ratios)
        }


@torch.no_grad()
def temporal_attention(
    network: DropMAE, first: Tensor, second: Tensor, noise: Tensor | None = None
) -> TemporalAttention:
    """Measure the ratios on a batch of pairs, with the mask that training uses and without dropped attention.

    One sample's attention of one layer is in memory at a time. The network's mode is as before afterwards.

    Args:
        network: the auto-encoder.
        first, second: ``(B, 3, S, S)`` normalised frames.
        noise: ``(B, L)`` that decides the mask; drawn from torch's default generator when None.
    """
    training = network.training
    network.eval()
    if noise is None:
        noise = torch.rand(len(first), network.config.tokens, device=first.device)
    later = torch.arange(network.config.tokens, device=first.device) >= network.config.frame_tokens
    visible = network.mask(len(first), noise).visible
    encoder = _watch((block.attn for block in network.blocks), later[visible])
    decoder = _watch((block.attn for block in network.decoder_blocks), later.expand(len(first), -1))
    try:
        network(first, second, Draws(noise=noise))
    finally:
        for watched in (*encoder, *decoder):
            watched.remove()
        network.train(training)
    return TemporalAttention(*(tuple(watched.ratio for watched in part) for part in (encoder, decoder)))


class _Watched:
    """The ratio of one attention module, measured from what it is given."""

    def __init__(self, attention: nn.Module, later: Tensor) -> None:
        self.ratio = float("nan")
        self._later = later
        self.remove: Callable[[], None] = attention.register_forward_pre_hook(self._measure).remove

    def _measure(self, attention: nn.Module, arguments: tuple[Any, ...]) -> None:
        queries, keys, _ = attention.heads_of(arguments[0])
        shares = []
        for sample, later in enumerate(self._later):
            rows = attention_rows(queries[sample : sample + 1], keys[sample : sample + 1])
            other = later[:, None] != later[None, :]
            shares.append((rows * other).sum(-1).mean())
        share = float(torch.stack(shares).mean())
        self.ratio = share / (1 - share) if share < 1 else float("inf")


def _watch(attentions: Iterable[nn.Module], later: Tensor) -> list[_Watched]:
    """``later`` is ``(B, N)``: whether a token belongs to the second frame."""
    return [_Watched(attention, later) for attention in attentions]
