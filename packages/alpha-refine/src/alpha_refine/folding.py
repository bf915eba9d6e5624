"""A network made ready for inference: batch norm folded into convolutions, and what takes no part dropped."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from alpha_refine.network import RefinementNetwork


def prepare(network: RefinementNetwork) -> RefinementNetwork:
    """Make ``network`` ready for inference, in place.

    The result computes the same with fewer operations and, for the released network, with 10.2 instead of 23.8 million
    parameters; its state dict is no longer the published one. Eval mode, no gradients, channels last in memory.
    """
    network.eval().requires_grad_(False)
    backbone = network.feature_extractor
    backbone.fc = nn.Identity()
    for number in range(network.config.stage + 1, len(network.config.blocks) + 1):
        setattr(backbone, f"layer{number}", nn.Identity())
    if network.config.mask_head != "merged":
        network.feat_adjust = nn.ModuleList()
    for module in network.modules():
        _fold_children(module)
    return network.to(memory_format=torch.channels_last)


def _fold_children(module: nn.Module) -> None:
    """Fold every batch norm that stands directly behind a convolution among the children of ``module``.

    In residual blocks and in sequences of layers that is where it is computed, too.
    """
    before_name, before = "", None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            setattr(module, before_name, fuse_conv_bn_eval(before, child))
            setattr(module, name, nn.Identity())
        before_name, before = name, child
