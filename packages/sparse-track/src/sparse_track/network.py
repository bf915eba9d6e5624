"""The SparseTT network: a Swin backbone for both crops, a transformer with top-k attention, a double head.

"SparseTT: Visual Tracking with Sparse Transformers" (IJCAI 2022). State-dict names are the published ones, so
checkpoints load by name.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sparse_track.config import ModelConfig
from sparse_track.head import DoubleHead, Predictions
from sparse_track.neck import Attention, KeysValues, Neck
from sparse_track.swin import Swin, WindowAttention
from trackcore.positions import SCRATCH_SCALE
from trackcore.vit import init_mimetic, init_mimetic_weights

Memory = tuple[KeysValues, ...]

ADJUSTER_EPS = 1e-3  # published; all other batch norms have 1e-5
TEMPLATE_POSITIONS = 0.5  # from scratch: scale of the table, seen by search tokens through what they match
# From scratch. Batch norm gives the head's outputs unit variance, which a short training hardly changes: too little for
# scores near 0 and 1, too much for the logarithm of a distance.
SCORE_PRIOR, SCORE_GAIN, DISTANCE_GAIN = 0.05, 2.0, 0.5


class Adjuster(nn.Module):
    """1 x 1 convolution to the neck's width and batch norm."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)
        self.bn = nn.BatchNorm2d(outputs, eps=ADJUSTER_EPS)

    def forward(self, features: Tensor) -> Tensor:
        return self.bn(self.conv(features))


class _Base(nn.Module):
    """A level that published names have: ``basemodel.net``."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


class SparseNetwork(nn.Module):
    """Backbone, neck and head.

    Args:
        config: sizes; see :class:`sparse_track.config.ModelConfig`.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.basemodel = _Base(Swin(config.backbone))
        self.neck = Neck(config.neck, config.template_cells, config.search_cells)
        stride = config.backbone.stride
        self.head = DoubleHead(2 * config.neck.width, config.search_cells, config.search_size, config.head, stride)
        self.feat_adjuster_z = Adjuster(config.backbone.output_width, config.neck.width)
        self.feat_adjuster_x = Adjuster(config.backbone.output_width, config.neck.width)
        if config.start == "scratch":
            self._start_from_scratch()

    @torch.no_grad()
    def _start_from_scratch(self) -> None:
        """Fresh weights for training without pre-training; see ``ModelConfig.start``."""
        for module in self.modules():
            if isinstance(module, WindowAttention):
                init_mimetic(module)
            elif isinstance(module, Attention):
                # Queries and keys alone: behind the sum, layer norms hide what attended values of one's own kind take
                # away, so values had better tell where in the template the match lies.
                init_mimetic_weights(module.in_proj_weight, module.out_proj.weight, module.heads, values=False)
        self.neck.encoder.spatial_position_encoding.start_from_scratch(TEMPLATE_POSITIONS)
        self.neck.decoder.spatial_position_encoding.start_from_scratch(SCRATCH_SCALE)
        self.feat_adjuster_x.load_state_dict(self.feat_adjuster_z.state_dict())
        head = self.head
        for layer in (head.fc_branch_cls, head.conv_branch_cls):
            layer.bn.weight.fill_(SCORE_GAIN)
            layer.bn.bias.fill_(math.log(SCORE_PRIOR / (1 - SCORE_PRIOR)))
        for layer in (head.fc_branch_reg, head.conv_branch_reg):
            layer.bn.weight.fill_(DISTANCE_GAIN)

    def remember(self, template: Tensor) -> Memory:
        """What is needed of a template ``(B, 3, Sz, Sz)`` (normalised) to locate its target in any number of frames."""
        return self.neck.remember(self.feat_adjuster_z(self._features(template)))

    def locate(self, memory: Memory, search: Tensor, *, fc_boxes: bool = False) -> Predictions:
        """Locate the target in search regions ``(B, 3, Sx, Sx)`` (normalised).

        Args:
            memory: of :meth:`remember`, for as many templates.
            fc_boxes: also compute the boxes of the fully connected branch, which only training needs.
        """
        return self.head(self.neck(self.feat_adjuster_x(self._features(search)), memory), fc_boxes=fc_boxes)

    def _features(self, images: Tensor) -> Tensor:
        return self.basemodel(images.to(self.basemodel.net.norm2.weight.dtype))

    def forward(self, template: Tensor, search: Tensor) -> Predictions:
        """All predictions for pairs of crops, as training needs them."""
        return self.locate(self.remember(template), search, fc_boxes=True)


def build(config: ModelConfig) -> SparseNetwork:
    """A network with fresh weights."""
    return SparseNetwork(config)
