"""A network made ready for inference: the same results with fewer operations and fewer weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sparse_track.network import SparseNetwork
from sparse_track.swin import Swin


def prepare(network: SparseNetwork) -> SparseNetwork:
    """Make ``network`` ready for inference, in place; its state dict is no longer the published one.

    Batch norms are folded into the convolutions before them, 1 x 1 convolutions become matrix products, windows and
    their biases are computed once for both crops, and what no output depends on is dropped: the published weights
    have 30.9 of their 46.3 million parameters left. Eval mode, no gradients, channels last in memory.
    """
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)
    swin, config = network.basemodel.net, network.config
    if len(swin.stages) > 3:
        swin.stages = swin.stages[:3]
        del swin.stages[2].downsample
    for pixels in (config.template_size, config.search_size):
        _keep_layouts(swin, pixels)
    for module in list(network.modules()):
        _fold_children(module)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and child.kernel_size == child.stride == (1, 1):
                setattr(module, name, Pointwise(child))
    return network


def _keep_layouts(swin: Swin, pixels: int) -> None:
    """Compute the windows and biases of all blocks for images of ``pixels`` a side."""
    side = -(-pixels // swin.patch_embed.patch)
    for stage in swin.stages:
        for block in stage.blocks:
            block.attn.w_msa.keep_layout(side, side)
        side = -(-side // 2)


def _fold_children(module: nn.Module) -> None:
    """Fold every batch norm that stands directly behind a convolution among the children of ``module``, which is where
    it is computed."""
    before_name, before = "", None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            setattr(module, before_name, fuse_conv_bn_eval(before, child))
            setattr(module, name, nn.Identity())
        before_name, before = name, child


class Pointwise(nn.Module):
    """A 1 x 1 convolution as a matrix product over the channels, which lie last in memory."""

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        self.weight = nn.Parameter(convolution.weight.detach().flatten(1), requires_grad=False)
        self.bias = convolution.bias

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, D, H, W)``."""
        return F.linear(features.permute(0, 2, 3, 1), self.weight, self.bias).permute(0, 3, 1, 2)
