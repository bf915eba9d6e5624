"""What a segmentation network is made of and how it is trained: frozen dataclasses for recipes. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trackcore.training.config import LoopConfig


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the network; the defaults are the published ViT-B/16 at 384 pixels.

    Attributes:
        image_size: side S of training crops in pixels. It fixes the position grid of ``S / patch`` cells a side, from
            which the grids of other frame sizes are resampled.
        short_side: short side of the frames in pixels that the network is made for; larger ones are made smaller.
        patch: side of a patch in pixels: 16, or another multiple of 4.
        width, depth, heads, mlp_ratio: of the ViT.
        drop_path: stochastic depth of the last block.
        start_grid: side of the pre-training position table that the position grid is resampled from.
        pyramid: channels of the maps at a half and a quarter of the patch.
        decoder: channels of the decoder at the patch, a half and a quarter of it.
        stem: how pixels become tokens: ``linear`` (one convolution over patches, as published) or ``convolutional``
            (:mod:`trackcore.stems`), which learns faster from scratch. Masks always come in by one convolution.
        start: how fresh weights are drawn. ``published`` is the reference's; ``scratch`` suits small networks without
            pre-training: attention begins by comparing tokens (:func:`trackcore.vit.init_mimetic`), positions small.
    """

    image_size: int = 384
    short_side: int = 480
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    drop_path: float = 0.1
    start_grid: int = 14
    pyramid: tuple[int, int] = (512, 256)
    decoder: tuple[int, int, int] = (512, 256, 256)
    stem: Literal["linear", "convolutional"] = "linear"
    start: Literal["published", "scratch"] = "published"

    def __post_init__(self) -> None:
        if self.patch < 4 or self.patch % 4:
            raise ValueError(f"patch must be a multiple of 4 pixels, got {self.patch}")
        if self.image_size < self.patch or self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of the patch side {self.patch}")
        if self.short_side < 1:
            raise ValueError(f"short_side must be at least 1 pixel, got {self.short_side}")
        if self.heads < 1 or self.width % self.heads or self.width % 4:
            raise ValueError(f"width must be a multiple of heads and of 4, got {self.width} and {self.heads} heads")
        if not 0 <= self.drop_path < 1:
            raise ValueError(f"drop_path must lie in [0, 1), got {self.drop_path}")

    @property
    def grid(self) -> int:
        """Side of the position grid in cells."""
        return self.image_size // self.patch


Collection = Literal["davis2017", "youtubevos", "bl30k", "static_images"]


@dataclass(frozen=True)
class Source:
    """One list of training videos, or of still images.

    Attributes:
        dataset: ``davis2017``, ``youtubevos``, ``bl30k`` (label maps in the layout of YouTube-VOS's training part), or
            ``static_images``, of which two frames are made.
        folder: where it lies below the data root; "" is the root itself.
        split: part of the dataset.
        repeats: how often each video is drawn in a pass over the data.
        max_jump: exclusive bound of the distance between reference and other frame, in annotated frames.
        resized: of YouTube-VOS, read the frames that ``dropseg-vos prepare`` resized to this short side.
    """

    dataset: Collection
    folder: str = ""
    split: str | None = None
    repeats: int = 1
    max_jump: int = 25
    resized: int | None = None


@dataclass(frozen=True)
class DataConfig:
    """Which pairs of frames the network is trained on.

    Attributes:
        train, validation: lists of videos; a pass goes through all of them.
        objects: slots of a sample: two, or one for still images.
        area: share of the frame that a random crop has.
        growing: STCN's schedule: jumps begin at a fifth, grow, and fall back at the end.
        empty: what becomes of a reference without objects after five tries: an ``empty`` sample, as published, or
            another video (``redraw``).
    """

    train: tuple[Source, ...]
    validation: tuple[Source, ...] = ()
    objects: Literal[1, 2] = 2
    area: tuple[float, float] = (0.36, 1.0)
    growing: bool = False
    empty: Literal["empty", "redraw"] = "empty"


@dataclass(frozen=True)
class LossConfig:
    """Cross-entropy of the hardest pixels: all of them at first, ``kept`` of them in the end.

    Attributes:
        start, end: optimiser steps between which the share falls linearly. At ``start`` it is 1 still.
        kept: share of the pixels afterwards.
    """

    start: int = 20_000
    end: int = 70_000
    kept: float = 0.15

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"start must come before end, got {self.start} and {self.end}")
        if not 0 < self.kept <= 1:
            raise ValueError(f"kept is a share in (0, 1], got {self.kept}")


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam over all parameters alike.

    Attributes:
        lr: learning rate.
        betas: decay rates of Adam's two moments.
        weight_decay: added to the gradient, not decoupled.
        schedule: ``step`` multiplies by ``gamma`` from optimiser step ``milestone`` (counted from 0) on; ``cosine``
            warms up over ``warmup_steps`` and falls to 0 at the last one.
        milestone, gamma, warmup_steps: of the schedules.
    """

    lr: float = 2e-5
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-7
    schedule: Literal["step", "cosine"] = "step"
    milestone: int = 125_000
    gamma: float = 0.1
    warmup_steps: int = 0


@dataclass(frozen=True)
class Recipe:
    """Everything a training run is: network, data, loss, optimiser, loop."""

    model: ModelConfig
    data: DataConfig
    loop: LoopConfig
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
