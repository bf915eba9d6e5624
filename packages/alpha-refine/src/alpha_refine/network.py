"""The refining network: one backbone for template and search crop, a neck that compares them, a box and a mask head.

"Alpha-Refine: Boosting Tracking Performance by Precise Bounding Box Estimation" (CVPR 2021). State-dict names are the
published ones, so checkpoints load by name. The template is a value that the caller keeps, not a state of the network:
one network serves any number of targets, and several of them in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from alpha_refine.backbone import build_backbone, extract
from alpha_refine.config import ModelConfig
from alpha_refine.heads import build_box_head
from alpha_refine.mask_heads import build_adjusters, build_mask_head
from alpha_refine.necks import build_neck


@dataclass(frozen=True)
class Output:
    """What the network says about search crops.

    Attributes:
        box: ``(B, 4)`` x1, y1, x2, y2 in crop pixels, float32; None when not asked for.
        scores: ``(B, M, F, F)`` logits of the maps the box comes from, see :class:`alpha_refine.heads.Corners`.
        mask: ``(B, 1, S, S)`` probabilities in float32; None when not asked for.
        compared: ``(B, C, F, F)`` map that the heads read.
    """

    box: Tensor | None
    scores: Tensor | None
    mask: Tensor | None
    compared: Tensor


class RefinementNetwork(nn.Module):
    """Backbone, neck and heads.

    Args:
        config: sizes; see :class:`alpha_refine.config.ModelConfig`.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.feature_extractor = build_backbone(config)
        self.neck = build_neck(config)
        if (box_head := build_box_head(config)) is not None:
            self.corner_head = box_head
        if (mask_head := build_mask_head(config)) is not None:
            self.mask_head = mask_head
        self.feat_adjust = build_adjusters(config)

    @property
    def has_box(self) -> bool:
        """Whether there is a box head."""
        return self.config.box_head != "none"

    @property
    def has_mask(self) -> bool:
        """Whether there is a mask head."""
        return self.config.mask_head != "none"

    def template(self, images: Tensor, boxes: Tensor | None = None) -> Tensor:
        """What is kept of targets.

        Args:
            images: ``(B, 3, S, S)`` normalised template crops.
            boxes: ``(B, 4)`` x, y, w, h of the targets in crop pixels; only necks that pool the template look at them.

        Returns:
            ``(B, C, k, k)``.
        """
        return self.neck.kernel(self._maps(images)[-1], boxes)

    def search(self, images: Tensor, kernel: Tensor, *, box: bool = True, mask: bool = True) -> Output:
        """Locate targets in search crops, box and mask from one pass through the backbone.

        Args:
            images: ``(B, 3, S, S)`` normalised search crops.
            kernel: ``(B, C, k, k)`` from :meth:`template`, one for each crop, or ``(1, C, k, k)`` for all.
            box, mask: run the box head, the mask head, where the network has them.
        """
        maps = self._maps(images)
        compared = self.neck(kernel, maps[-1])
        corners = self.corner_head(compared) if box and self.has_box else None
        probabilities = None
        if mask and self.has_mask:
            # made ready for inference, networks keep no adjusters that their mask head does not look at
            finer = [adjust(features) for adjust, features in zip(self.feat_adjust, maps[:-1], strict=False)]
            probabilities = self.mask_head(compared, finer, images.shape[2:])
        if corners is None:
            return Output(None, None, probabilities, compared)
        return Output(corners.box, corners.scores, probabilities, compared)

    def _maps(self, images: Tensor) -> list[Tensor]:
        """Maps of all stages in the precision of neck and heads, which may be higher than the backbone's."""
        maps = extract(self.feature_extractor, images.to(self.feature_extractor.conv1.weight.dtype), self.config.stage)
        precision = self.neck.post_corr[0].weight.dtype
        return [features.to(precision) for features in maps]

    def forward(self, template: Tensor, search: Tensor, boxes: Tensor | None = None) -> Output:
        """Both passes and all heads, as in training: arguments as for :meth:`template` and :meth:`search`."""
        return self.search(search, self.template(template, boxes))


def build(config: ModelConfig) -> RefinementNetwork:
    """A network with fresh weights."""
    return RefinementNetwork(config)
