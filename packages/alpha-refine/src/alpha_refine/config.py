"""What a refiner is made of and how it is trained: frozen dataclasses that recipes fill in. Nothing imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trackcore.training.config import LoopConfig

Neck = Literal[
    "pixelwise", "attention_first", "prroi", "prroi_convolutions", "prroi_nonlocal", "single_channel", "depthwise"
]
BoxHead = Literal["corners", "fine_corners", "shared_corners", "extremes", "anchor_free", "deltas", "none"]
MaskHead = Literal["merged", "plain", "none"]


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the network and of the crops it sees. The defaults are the released network's (SEcm_r34).

    Attributes:
        blocks: residual blocks in each stage of the ResNet; the default is ResNet-34, (2, 2, 2, 2) is ResNet-18.
        channels: of each stage.
        classes: outputs of the ImageNet classifier, which takes no part; 0 leaves it out. Published files hold it, and
            a last stage that takes no part either.
        stage: whose output template and search crop are compared by, counted from 1.
        size: side S of the crops in pixels.
        factor: sides of the crops relative to the box.
        neck: how they are compared. ``pixelwise``: every template position is a filter (released); ``attention_first``:
            channel attention before the 1x1 convolutions; ``prroi*``: the template is pooled from its box, nothing,
            convolutions or a non-local block at the end; ``single_channel`` and ``depthwise``: the pooled template is
            one filter, or one for each channel.
        similarity: what pixel-wise correlation multiplies. ``product``: features as they are (published); ``cosine``:
            after their mean over the search crop is taken off and their length made 1, which tells positions apart from
            the first step on, while features without pre-training all point the same way.
        neck_channels: channels of the compared map, which the heads read.
        box_head: ``corners`` (released): two heat maps on the grid; ``fine_corners``: upsampled to the crop;
            ``shared_corners``: with a common trunk; ``extremes``: four heat maps with offsets; ``anchor_free``: the box
            at the most confident cell; ``deltas``: centre and size from the map's mean.
        head_channels: width of the box head.
        mask_head: ``merged`` (released): the compared map joined to those of earlier stages, from coarse to fine;
            ``plain``: convolutions on the compared map.
        border, coordinates: how crops were cut and boxes mapped in training; see :mod:`alpha_refine.crops`.
        adjusted: channels that the maps of the stem and of the stages before ``stage`` get for the merged mask.
    """

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    channels: tuple[int, ...] = (64, 128, 256, 512)
    classes: int = 1000
    stage: int = 3
    size: int = 256
    factor: float = 2.0
    neck: Neck = "pixelwise"
    similarity: Literal["product", "cosine"] = "product"
    neck_channels: int = 64
    box_head: BoxHead = "corners"
    head_channels: int = 256
    mask_head: MaskHead = "merged"
    adjusted: tuple[int, ...] = (64, 256, 512)
    border: Literal["published", "exact"] = "published"
    coordinates: Literal["published", "exact"] = "published"

    def __post_init__(self) -> None:
        if len(self.blocks) != len(self.channels):
            raise ValueError(f"{len(self.blocks)} stages of blocks but {len(self.channels)} of channels")
        if not 1 <= self.stage <= len(self.blocks):
            raise ValueError(f"stage must be one of the {len(self.blocks)} stages, counted from 1; got {self.stage}")
        if self.size % self.stride:
            raise ValueError(f"size {self.size} is not a multiple of the stride {self.stride} of stage {self.stage}")
        if self.factor <= 1:
            raise ValueError(f"factor must be above 1, or the crop shows no more than the box; got {self.factor}")
        if len(self.adjusted) != self.stage or any(width % 16 for width in self.adjusted):
            raise ValueError(
                f"adjusted has a multiple of 16 for the stem and for each stage before stage {self.stage}, "
                f"got {self.adjusted}"
            )
        if self.similarity != "product" and self.neck not in ("pixelwise", "attention_first"):
            raise ValueError(
                f"similarity {self.similarity!r} goes with the pixelwise necks, not with {self.neck!r}; "
                "set similarity to 'product'"
            )
        if self.box_head == "none" and self.mask_head == "none":
            raise ValueError("a refiner needs a box head or a mask head")

    @property
    def stride(self) -> int:
        """Crop pixels per cell of the compared maps."""
        return 2 ** (self.stage + 1)

    @property
    def grid(self) -> int:
        """Side F of the compared maps in cells."""
        return self.size // self.stride

    @property
    def template_rows(self) -> tuple[int, int]:
        """First and one-past-last row (and column) of the template's map that the target fills."""
        first = int(self.grid * (self.factor - 1) / (2 * self.factor))
        return first, int(self.grid * (self.factor + 1) / (2 * self.factor))

    @property
    def template_side(self) -> int:
        """Side of the template in cells; each of its positions is a channel of the pixel-wise correlation."""
        first, last = self.template_rows
        return last - first


@dataclass(frozen=True)
class Source:
    """One dataset of a training mixture.

    Attributes:
        dataset: name that ``trackdata.datasets.open_dataset`` knows.
        folder: where it lies below the data root; "" is the root itself.
        split: part of the dataset, None for names that say it already.
        weight: how often it is drawn relative to the others.
        masks: learn from its masks, where it has any.
    """

    dataset: str
    folder: str = ""
    split: str | None = None
    weight: float = 1.0
    masks: bool = True


@dataclass(frozen=True)
class DataConfig:
    """Which pairs the network is trained on.

    Attributes:
        train, validation: mixtures of datasets.
        max_gap: frames between template and search at most.
        center_jitter, scale_jitter: of the search crop; the template is cut around its box. The centre moves by up to
            half of ``center_jitter`` of the geometric mean of the sides, the logarithms of the sides by a normal
            variable of standard deviation ``scale_jitter``, each on its own.
        gray_probability, brightness: augmentation.
    """

    train: tuple[Source, ...]
    validation: tuple[Source, ...]
    max_gap: int = 50
    center_jitter: float = 0.25
    scale_jitter: float = 0.25
    gray_probability: float = 0.05
    brightness: float = 0.2


@dataclass(frozen=True)
class LossConfig:
    """What is minimised: the box's loss plus ``mask_weight`` times the mask's cross-entropy.

    Attributes:
        box: ``mse`` in squared crop pixels (published), or an overlap loss with unit areas added to both terms:
            ``iou`` (its logarithm), ``linear_iou``, ``giou``.
        mask_weight: published as 1000 with ``mse``, 1 with the others.
    """

    box: Literal["mse", "iou", "linear_iou", "giou"] = "mse"
    mask_weight: float = 1000.0


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam over all parameters alike, the backbone included.

    Attributes:
        lr: learning rate.
        betas: decay rates of Adam's two moments.
        schedule: ``step`` multiplies by ``drop_factor`` after every ``drop_every`` epochs; ``cosine`` warms up over
            ``warmup_steps`` optimiser steps and falls to 0 at the last one.
        drop_every, drop_factor, warmup_steps: of the schedules.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["step", "cosine"] = "step"
    drop_every: int = 8
    drop_factor: float = 0.5
    warmup_steps: int = 0


@dataclass(frozen=True)
class Recipe:
    """Everything a training run is: network, data, losses, optimiser, loop."""

    model: ModelConfig
    data: DataConfig
    loop: LoopConfig
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
