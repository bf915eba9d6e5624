"""What a one-stream tracker is made of: frozen dataclasses that recipes fill in. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trackcore.training.config import LoopConfig

TemplateRange = Literal["ALL", "CTR_POINT", "CTR_REC", "GT_BOX"]
Concatenation = Literal["direct", "template_central", "partition"]

EXPORTED_CARD = "tracker.json"  # beside the graphs in a folder of `onestream-track export`


@dataclass(frozen=True)
class EliminationConfig:
    """Early candidate elimination (ECE, OSTrack section 3.3).

    Attributes:
        layers: zero-based blocks after whose attention search tokens are dropped; empty switches elimination off.
        keep: share of the search tokens each of these blocks keeps.
        template_range: which template tokens vote. ``CTR_POINT`` is one token at the centre (up-left of it on even
            grids, as published), ``CTR_REC`` the 2 x 2 tokens around it, ``ALL`` every one, ``GT_BOX`` those the
            target's box touches, per sample.
        start_epoch, warm_epochs: in training everything is kept before ``start_epoch``; then the rate falls along a
            cosine for ``warm_epochs`` epochs.
    """

    layers: tuple[int, ...] = ()
    keep: tuple[float, ...] = ()
    template_range: TemplateRange = "CTR_POINT"
    start_epoch: int = 20
    warm_epochs: int = 80

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.keep):
            raise ValueError(f"elimination has {len(self.layers)} layers but {len(self.keep)} keep ratios")
        if any(not 0 < ratio <= 1 for ratio in self.keep):
            raise ValueError(f"keep ratios must lie in (0, 1], got {self.keep}")


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the network and of the crops it sees.

    Attributes:
        backbone: name of one of timm's ViTs, such as ``vit_base_patch14_dinov2.lvd142m``, in place of the published
            one; width, depth, heads, stride and position_grid then follow from it, and the sides of the crops are
            rounded to whole patches (see :mod:`onestream_track.timm_backbone`).
        width, depth, heads, mlp_ratio: of the ViT; the defaults are ViT-B.
        stride: side of a patch in pixels. 16 x 16 pre-trained kernels are resized when it differs.
        stem: how pixels become tokens: ``linear`` (one convolution, as published) or ``convolutional`` (a stack of
            3 x 3 convolutions of stride 2, "Early Convolutions Help Transformers See Better", 2021), which learns
            faster from scratch.
        template_size, search_size: sides S of the two crops in pixels.
        template_factor, search_factor: side of the window that is cut relative to sqrt(w h) of the box.
        elimination: early candidate elimination.
        frame_identity: learned vectors that tell template from search tokens, added before the first block (DropTrack).
        segments: the same idea as an option of OSTrack (no published model uses it).
        concatenation: how template and search tokens are put in line.
        head_channels: width of the first layer of the head.
        drop_path: stochastic depth of the last block.
        start: how fresh weights are drawn. ``published`` is the reference's; ``scratch`` suits small networks without
            pre-training: mimetic attention, sine-cosine positions, and scores that start near 0.01 (the prior of the
            focal loss paper) instead of 0.5.
        position_grid: side of the pre-training position table the two tables are resampled from.
    """

    backbone: str | None = None
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    stride: int = 16
    stem: Literal["linear", "convolutional"] = "linear"
    template_size: int = 128
    search_size: int = 256
    template_factor: float = 2.0
    search_factor: float = 4.0
    elimination: EliminationConfig = field(default_factory=EliminationConfig)
    frame_identity: bool = False
    segments: bool = False
    concatenation: Concatenation = "direct"
    head_channels: int = 256
    drop_path: float = 0.1
    start: Literal["published", "scratch"] = "published"
    position_grid: int = 14

    def __post_init__(self) -> None:
        if self.backbone is None:  # else it decides first, see onestream_track.timm_backbone.resolve
            self.check()

    def check(self) -> None:
        """Raises ValueError: the sizes do not go together."""
        for name in ("template_size", "search_size"):
            if getattr(self, name) % self.stride:
                raise ValueError(f"{name} {getattr(self, name)} is not a multiple of the stride {self.stride}")
        if self.elimination.layers:
            if self.concatenation != "direct":
                raise ValueError(
                    f"elimination needs the template tokens first: concatenation {self.concatenation!r} cannot be "
                    "combined with it, use 'direct'"
                )
            if max(self.elimination.layers) >= self.depth or min(self.elimination.layers) < 0:
                raise ValueError(f"elimination layers {self.elimination.layers} must lie in 0..{self.depth - 1}")

    @property
    def template_grid(self) -> int:
        """Side of the template in tokens."""
        return self.template_size // self.stride

    @property
    def search_grid(self) -> int:
        """Side F of the search region in tokens, and of the head's maps."""
        return self.search_size // self.stride


@dataclass(frozen=True)
class Policy:
    """How a tracker reacts to its own score, the network's at the peak.

    The defaults leave the published boxes as they are: a target is judged lost or not, and nothing follows from it.

    Attributes:
        window: share of the Hann window in the weights of the score map; 0 takes the highest score wherever it is,
            which follows faster motion and jumps to similar objects more often.
        size_rate: share of a new width and height that is taken over, in their logarithms; 1 takes the network's box as
            it is, less keeps small networks, whose sizes are noisy, from drifting.
        lost_below, patience: a target is lost after so many frames in a row with a score below this.
        found_above: a lost target is found again at this score or more.
        grow: while a target is lost, each frame's search window is larger by this factor, around the place where its
            score was last at least ``lost_below``; 1 goes on as published, around the latest box.
        grow_to: how many times the usual side the window may get.
        template_rate: share of the newest template in the one that is used, beside the first one; 0 keeps the first.
        template_every: frames between updates of the template.
        template_above: score that an update needs.
    """

    window: float = 1.0
    size_rate: float = 1.0
    lost_below: float = 0.2
    patience: int = 5
    found_above: float = 0.4
    grow: float = 1.0
    grow_to: float = 2.5
    template_rate: float = 0.0
    template_every: int = 20
    template_above: float = 0.7

    def __post_init__(self) -> None:
        for name in ("window", "lost_below", "found_above", "template_rate", "template_above"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not 0 < self.size_rate <= 1:
            raise ValueError(f"size_rate must lie in (0, 1], got {self.size_rate}")
        if self.found_above < self.lost_below:
            raise ValueError(f"found_above {self.found_above} must not lie below lost_below {self.lost_below}")
        for name in ("patience", "grow", "grow_to", "template_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Source:
    """One dataset of a training mixture.

    Attributes:
        dataset: name that ``trackdata.datasets.open_dataset`` knows.
        folder: where it lies below the data root; "" is the root itself.
        split: part of the dataset, None for names that say it already.
        weight: how often it is drawn relative to the others.
    """

    dataset: str
    folder: str = ""
    split: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class DataConfig:
    """Which pairs the network is trained on.

    Attributes:
        train, validation: mixtures of datasets.
        max_gap: the search frame is drawn less than this many frames after the template.
        min_length: shorter sequences are left out.
        center_jitter, scale_jitter: of the search crop; the template is not jittered.
        gray_probability, flip_probability, second_flip_probability, brightness: augmentation.
    """

    train: tuple[Source, ...]
    validation: tuple[Source, ...]
    max_gap: int = 200
    min_length: int = 20
    center_jitter: float = 3.0
    scale_jitter: float = 0.25
    gray_probability: float = 0.05
    flip_probability: float = 0.5
    second_flip_probability: float = 0.5
    brightness: float = 0.2


@dataclass(frozen=True)
class LossConfig:
    """What is minimised: ``giou_weight * GIoU + l1_weight * L1 + location_weight * location``.

    Attributes:
        boxes_at: which cells' boxes are judged. As published, ``peak``: the arg-max of the predicted score, so size and
            offset get gradients at one cell per sample. ``target``: every cell in the middle of the target, which
            teaches more per sample and does not depend on the score being right already.
    """

    giou_weight: float = 2.0
    l1_weight: float = 5.0
    location_weight: float = 1.0
    boxes_at: Literal["peak", "target"] = "peak"


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with two learning rates.

    Attributes:
        lr: base learning rate of the head at a batch of ``reference_batch``; other batch sizes scale it linearly.
        reference_batch: the batch size ``lr`` was chosen for.
        backbone_multiplier: the backbone learns at this share of ``lr``.
        betas: decay rates of AdamW's two moments.
        weight_decay: on every parameter, as published (no exception for norms, biases or tables).
        schedule: ``step`` multiplies by ``drop_factor`` after every ``drop_every`` epochs, ``milestones`` after each
            epoch listed; ``cosine`` warms up over ``warmup_steps`` optimiser steps and falls to 0 at the last one.
        drop_every, milestones, drop_factor, warmup_steps: of the schedules.
    """

    lr: float = 4e-4
    reference_batch: int = 128
    backbone_multiplier: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    schedule: Literal["step", "milestones", "cosine"] = "step"
    drop_every: int = 240
    milestones: tuple[int, ...] = ()
    drop_factor: float = 0.1
    warmup_steps: int = 0


@dataclass(frozen=True)
class Recipe:
    """Everything a training run is: network, data, optimiser, loop, losses; and how its tracker is to be run."""

    model: ModelConfig
    data: DataConfig
    optimizer: OptimizerConfig
    loop: LoopConfig
    loss: LossConfig = LossConfig()
    policy: Policy = Policy()
