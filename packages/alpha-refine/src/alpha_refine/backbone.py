"""The ResNet below a refiner: timm's, whose state-dict names are torchvision's and those of published refiners."""

from __future__ import annotations

from pathlib import Path

from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor

from alpha_refine.config import ModelConfig
from trackcore import checkpoints

STEM_CHANNELS = 64  # of timm's plain ResNets


def build_backbone(config: ModelConfig) -> ResNet:
    """A ResNet of basic blocks with fresh weights: stem, max pooling, stages, and the classifier if it is wanted."""
    return ResNet(BasicBlock, config.blocks, channels=config.channels, num_classes=config.classes, zero_init_last=False)


def extract(backbone: ResNet, images: Tensor, stage: int) -> list[Tensor]:
    """Maps of the stem (before the max pooling) and of every stage up to ``stage``; later ones are not computed.

    Args:
        images: ``(B, 3, S, S)`` normalised RGB.

    Returns:
        ``stage + 1`` maps, of strides 2, 4, 8, ...
    """
    features = backbone.act1(backbone.bn1(backbone.conv1(images)))
    maps = [features]
    features = backbone.maxpool(features)
    for number in range(1, stage + 1):
        features = getattr(backbone, f"layer{number}")(features)
        maps.append(features)
    return maps


def load_imagenet(backbone: ResNet, path: str | Path) -> checkpoints.LoadReport:
    """Load ImageNet weights by torchvision's names, which timm's plain ResNets share.

    Published refiners began with the first weights torchvision published, ``resnet34-333f7ec4.pth`` (timm's
    ``resnet34.tv_in1k``). Stages and a classifier that the network lacks are left out.

    Raises:
        CheckpointError: the file cannot be read.
        CheckpointMismatchError: it lacks tensors of the network, or they have another shape.
    """
    state = checkpoints.load(path).state
    own = backbone.state_dict()
    used = {name: tensor for name, tensor in state.items() if name in own}
    return checkpoints.load_state(backbone, used, hint=f"{path} holds no ImageNet weights of this ResNet")
