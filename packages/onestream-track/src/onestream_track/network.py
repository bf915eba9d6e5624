"""The one-stream network: a ViT over template and search tokens together, and a centre head.

State-dict names are the published ones, so checkpoints load by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from onestream_track.backbone import Backbone, Features
from onestream_track.config import ModelConfig
from onestream_track.heads import CenterHead, Maps, decode, find_peak
from onestream_track.timm_backbone import TimmBackbone, resolve

SCORE_PRIOR = 0.01


@dataclass(frozen=True)
class Output:
    """Output of the network: maps of the head, boxes ``(B, 4)`` cx, cy, w, h at the peak of the score, and features."""

    maps: Maps
    boxes: Tensor
    features: Features


class OneStreamNetwork(nn.Module):
    """Backbone and head.

    Args:
        config: sizes; see :class:`onestream_track.config.ModelConfig`. The attribute ``config`` is the resolved one.

    Raises:
        ValueError: the named backbone cannot be one, see :func:`onestream_track.timm_backbone.resolve`.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        config = resolve(config)
        self.config = config
        self.backbone = Backbone(config) if config.backbone is None else TimmBackbone(config)
        self.box_head = CenterHead(config.width, config.head_channels)
        if config.start == "scratch":
            self.backbone.start_from_scratch()
            nn.init.constant_(self.box_head.conv5_ctr.bias, math.log(SCORE_PRIOR / (1 - SCORE_PRIOR)))

    def forward(
        self,
        template: Tensor,
        search: Tensor,
        *,
        template_mask: Tensor | None = None,
        keep_rate: float | None = None,
        return_attention: bool = False,
    ) -> Output:
        """Locate the template's target in the search region.

        Args:
            template: ``(B, 3, Sz, Sz)`` normalised crop.
            search: ``(B, 3, Sx, Sx)`` normalised crop.
            template_mask: ``(B, Lz)`` bool, template tokens that vote in the elimination; None takes those of the
                configured template range.
            keep_rate: replaces every elimination ratio (training); 1 or more keeps all tokens.
            return_attention: also compute the full attention map of the last block (slow).

        Returns:
            Maps and boxes in float32, normalised to the search crop.
        """
        precision = self.backbone.norm.weight.dtype
        features = self.backbone(
            template.to(precision),
            search.to(precision),
            template_mask=template_mask,
            keep_rate=keep_rate,
            return_attention=return_attention,
        )
        maps = self._maps(features)
        return Output(maps, decode(maps, find_peak(maps.score).index), features)

    def maps(self, template: Tensor, search: Tensor, *, template_mask: Tensor | None = None) -> Maps:
        """What :meth:`forward` decodes boxes from, which is all that tracking needs."""
        return self._maps(self.backbone(template, search, template_mask=template_mask))

    def _maps(self, features: Features) -> Maps:
        side = self.config.search_grid
        grid = features.tokens[:, -side * side :].transpose(1, 2).unflatten(2, (side, side))
        return self.box_head(grid.to(self.box_head.conv5_ctr.weight.dtype))


def build(config: ModelConfig) -> OneStreamNetwork:
    """A network with fresh weights."""
    return OneStreamNetwork(config)
