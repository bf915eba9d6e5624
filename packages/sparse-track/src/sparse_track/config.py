"""What a SparseTT tracker is made of: frozen dataclasses that recipes fill in. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from trackcore.training.config import LoopConfig


@dataclass(frozen=True)
class BackboneConfig:
    """Swin; the defaults are Swin-T.

    Attributes:
        width: channels of the first stage, doubled by each merging.
        patch: side of the first stage's tokens in pixels; 4 as published. Cells of the output are four times as wide.
        stem: how pixels become these tokens: ``linear`` (one convolution, as published) or ``convolutional``, which
            learns faster from scratch, see :class:`trackcore.stems.ConvolutionalStem`.
        depths: blocks per stage, possibly none. Three stages are used. A fourth one is part of published checkpoints
            and never run: leave it out for networks that need not load them.
        heads: attention heads per stage.
        window: side of an attention window in tokens.
        mlp_ratio: hidden width of the feed-forward layers relative to the stage's.
        drop_path: stochastic depth of the last block.
    """

    width: int = 96
    patch: int = 4
    stem: Literal["linear", "convolutional"] = "linear"
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int = 7
    mlp_ratio: float = 4.0
    drop_path: float = 0.2

    def __post_init__(self) -> None:
        if len(self.depths) not in (3, 4) or len(self.depths) != len(self.heads):
            raise ValueError(f"a backbone has 3 or 4 stages, got depths {self.depths} and heads {self.heads}")
        for number, heads in enumerate(self.heads):
            if (self.width << number) % heads:
                raise ValueError(f"width {self.width << number} of stage {number} is not divisible by {heads} heads")

    @property
    def stride(self) -> int:
        """Pixels per cell of the output."""
        return 4 * self.patch

    @property
    def output_width(self) -> int:
        """Channels of the output."""
        return 4 * self.width


@dataclass(frozen=True)
class NeckConfig:
    """Transformer between template and search region.

    Attributes:
        width, heads: of the tokens.
        hidden: width of the feed-forward layers.
        encoder_layers, decoder_layers: over the template's tokens, over those of the search region.
        top_k: keys that each search token attends to among the search tokens; None for all of them. Where there are
            fewer tokens, all of them.
        dropout: of attention weights and feed-forward outputs, while training.
    """

    width: int = 256
    heads: int = 8
    hidden: int = 2048
    encoder_layers: int = 2
    decoder_layers: int = 2
    top_k: int | None = 32
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"neck width {self.width} must be even and divisible by {self.heads} heads")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, or None for dense attention; got {self.top_k}")


@dataclass(frozen=True)
class HeadConfig:
    """Double head.

    Attributes:
        width: channels of both branches.
        inner: channels inside a bottleneck of the convolutional branch.
        bottlenecks: how many.
    """

    width: int = 1024
    inner: int = 256
    bottlenecks: int = 7


@dataclass(frozen=True)
class ModelConfig:
    """The network and the crops it sees.

    Attributes:
        template_size, search_size: sides of the two crops in pixels.
        start: how fresh weights are drawn. ``published`` is the reference's; ``scratch`` suits small networks without
            pre-training: attention begins by comparing tokens (:func:`trackcore.vit.init_mimetic`), both crops are
            adjusted alike, positions are small sines and cosines, scores begin low and boxes alike.
        backbone, neck, head: the parts.
    """

    template_size: int = 127
    search_size: int = 289
    start: Literal["published", "scratch"] = "published"
    backbone: BackboneConfig = BackboneConfig()
    neck: NeckConfig = NeckConfig()
    head: HeadConfig = HeadConfig()

    def __post_init__(self) -> None:
        stride = self.backbone.stride
        if min(self.template_size, self.search_size) <= stride:
            raise ValueError(
                f"crops must be larger than {stride} pixels, got {self.template_size} and {self.search_size}"
            )

    @property
    def template_cells(self) -> int:
        """Side of the template in tokens."""
        return -(-self.template_size // self.backbone.stride)

    @property
    def search_cells(self) -> int:
        """Side of the search region in tokens, and of the head's maps."""
        return -(-self.search_size // self.backbone.stride)


@dataclass(frozen=True)
class TrackingConfig:
    """What happens between the network's output and the box: the published hyper-parameters of one benchmark.

    Attributes:
        test_lr: share of the new size that is taken over, times the score and the penalty of the best cell.
        window_influence: weight of the cosine window in the final score.
        penalty_k: how strongly changes of size and aspect are penalised.
        context: pixels around the target, relative to the sum of its sides.
        min_side: in pixels; the box is never smaller.
        resampling, geometry: how crops are cut, see :mod:`sparse_track.crops`.
    """

    test_lr: float = 0.95
    window_influence: float = 0.21
    penalty_k: float = 0.04
    context: float = 0.5
    min_side: float = 10.0
    resampling: Literal["exact", "legacy"] = "exact"
    geometry: Literal["published", "consistent"] = "published"

    def __post_init__(self) -> None:
        for name in ("test_lr", "window_influence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.penalty_k < 0 or self.context < 0 or self.min_side <= 0:
            raise ValueError(f"penalty_k and context must not be negative and min_side positive, got {self}")


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
class JitterConfig:
    """Random scale and shift of a crop: SparseTT draws both uniformly and rejects crops that cut the target.

    Attributes:
        scale: the target's size is multiplied by a number from ``1 / (1 + scale)`` to ``1 + scale``.
        shift: the centre moves by up to this share of half the crop's side, in x and in y.
    """

    scale: float = 0.0
    shift: float = 0.0


@dataclass(frozen=True)
class ColourConfig:
    """Colour augmentation, off in the published recipes.

    Attributes:
        gray_probability: both crops become grey together.
        flip_probability: both crops are mirrored together.
        jitter: brightness, contrast and saturation are each multiplied by ``1 - jitter`` to ``1 + jitter``, in any
            order, of each crop on its own.
        lighting: standard deviation of a shift along the principal components of ImageNet's colours, of each crop.
        blur_probability: each crop is blurred on its own.
    """

    gray_probability: float = 0.0
    flip_probability: float = 0.0
    jitter: float = 0.0
    lighting: float = 0.0
    blur_probability: float = 0.0


@dataclass(frozen=True)
class DataConfig:
    """Which pairs the network is trained on.

    Attributes:
        train, validation: mixtures of datasets.
        negative: probability that template and search region show different targets.
        max_gap: the search frame lies at most so many frames before the template.
        bounded: at most so many frames after it as well, which the published sampler was meant to ensure and does not.
        limit_area: leave out targets of less than 0.1 % or more than 60 % of the frame, likewise.
        template, search: jitter of the two crops.
        colour: colour augmentation.
        context: pixels around the target, relative to the sum of its sides.
        attempts: draws of a jitter until the target lies in its crop; after them the crop is not jittered.
        resampling, geometry: how crops are cut, see :mod:`sparse_track.crops`.
    """

    train: tuple[Source, ...]
    validation: tuple[Source, ...] = ()
    negative: float = 0.33
    max_gap: int = 100
    bounded: bool = False
    limit_area: bool = False
    template: JitterConfig = JitterConfig()
    search: JitterConfig = JitterConfig(scale=0.3, shift=0.4)
    colour: ColourConfig = ColourConfig()
    context: float = 0.5
    attempts: int = 50
    resampling: Literal["exact", "legacy"] = "exact"
    geometry: Literal["published", "consistent"] = "published"


@dataclass(frozen=True)
class LossConfig:
    """Weights of the four losses, and the balance of the focal loss.

    Attributes:
        fc_classification, fc_regression: of the branch of fully connected layers, meant to classify.
        conv_classification, conv_regression: of the convolutional branch, meant to find the box.
        alpha: weight of positive cells in the focal loss; negative ones have ``1 - alpha``.
        gamma: its exponent.
    """

    fc_classification: float = 1.4
    fc_regression: float = 0.6
    conv_classification: float = 0.5
    conv_regression: float = 2.0
    alpha: float = 0.75
    gamma: float = 2.0


@dataclass(frozen=True)
class Phase:
    """A stretch of the learning-rate schedule.

    Attributes:
        until: epochs after which it ends, counted from the start of the training.
        start, end: shares of the base learning rate at its two ends.
        kind: how it goes from one to the other.
    """

    until: int
    start: float = 1.0
    end: float = 1.0
    kind: Literal["linear", "cosine", "exponential"] = "linear"


@dataclass(frozen=True)
class Freeze:
    """Parameters that stop or start learning at an epoch.

    Attributes:
        pattern: regular expression, searched for in a parameter's name.
        epoch: counted from 0; from then on ``frozen`` holds, before it the opposite.
        frozen: whether they stop (or start) learning.
    """

    pattern: str
    epoch: int
    frozen: bool


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with a lower learning rate for the backbone.

    Attributes:
        lr: base learning rate at a batch of ``reference_batch``; other batch sizes scale it linearly.
        reference_batch: the batch size ``lr`` was chosen for.
        backbone_multiplier: the backbone learns at this share of ``lr``.
        betas: decay rates of AdamW's two moments.
        weight_decay: of what decays.
        decay: "all" parameters, as published, or "weights" alone: no norms, biases, position tables and scalars.
        schedule: phases one after the other; the last ends with the training.
        freeze: at each epoch's start, in this order, so later entries override earlier ones. Batch statistics of frozen
            parts go on changing.
    """

    lr: float = 1e-4
    reference_batch: int = 32
    backbone_multiplier: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    decay: Literal["all", "weights"] = "all"
    schedule: tuple[Phase, ...] = (Phase(10), Phase(15, 0.1, 0.1), Phase(20, 0.01, 0.01))
    freeze: tuple[Freeze, ...] = ()

    def __post_init__(self) -> None:
        ends = [0, *(phase.until for phase in self.schedule)]
        if any(later <= earlier for earlier, later in pairwise(ends)):
            raise ValueError(f"phases of the schedule end one after the other, got {ends[1:]}")


@dataclass(frozen=True)
class Recipe:
    """Everything a training run is: network, data, optimiser, loop, losses, and how its tracker post-processes."""

    model: ModelConfig
    data: DataConfig
    optimizer: OptimizerConfig
    loop: LoopConfig
    loss: LossConfig = LossConfig()
    tracking: TrackingConfig = TrackingConfig()

    def __post_init__(self) -> None:
        end = self.optimizer.schedule[-1].until
        if end < self.loop.epochs:
            raise ValueError(f"the schedule ends after {end} epochs, but {self.loop.epochs} are trained")
