"""What a pre-training run is made of: frozen dataclasses that recipes fill in. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dropmae_pretrain.pair_config import CropConfig, PairConfig
from dropmae_pretrain.videos import DatasetName
from trackcore.training.config import LoopConfig

Masking = Literal["joint", "per_frame", "asymmetric"]


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the auto-encoder; the defaults are ViT-B.

    Attributes:
        image_size: side S of a frame in pixels.
        patch: side p of a patch in pixels.
        width, depth, heads: of the encoder.
        decoder_width, decoder_depth, decoder_heads: of the decoder.
        mlp_ratio: hidden width of the MLPs of both relative to their width.
        stem: how pixels become tokens: ``linear`` (one convolution over patches, as published) or ``convolutional``,
            the stem of trackers that learn from scratch (:mod:`trackcore.stems`). Its kernels reach beyond their patch,
            so hidden patches are blanked before it.
        start: how fresh weights are drawn. ``published`` is the reference's; ``scratch`` suits small networks with a
            convolutional stem: positions and frame identities a tenth of their size in the encoder, so that they do not
            drown what tokens look like, and its attention starts as :func:`trackcore.vit.init_mimetic` says.
    """

    image_size: int = 224
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    decoder_width: int = 512
    decoder_depth: int = 8
    decoder_heads: int = 16
    mlp_ratio: float = 4.0
    stem: Literal["linear", "convolutional"] = "linear"
    start: Literal["published", "scratch"] = "published"

    def __post_init__(self) -> None:
        if self.start not in ("published", "scratch"):
            raise ValueError(f"start is 'published' or 'scratch', got {self.start!r}")
        if self.stem not in ("linear", "convolutional"):
            raise ValueError(f"stem is 'linear' or 'convolutional', got {self.stem!r}")
        if self.patch < 1 or self.image_size < self.patch or self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of the patch side {self.patch}")
        for width, heads, whose in (
            (self.width, self.heads, ""),
            (self.decoder_width, self.decoder_heads, "decoder_"),
        ):
            if heads < 1 or width % heads or width % 4:
                raise ValueError(
                    f"{whose}width must be a multiple of {whose}heads and of 4, got {width} and {heads} heads"
                )

    @property
    def grid(self) -> int:
        """Side g of a frame in tokens."""
        return self.image_size // self.patch

    @property
    def frame_tokens(self) -> int:
        """Tokens n of one frame."""
        return self.grid**2

    @property
    def tokens(self) -> int:
        """Tokens L of both frames."""
        return 2 * self.frame_tokens


@dataclass(frozen=True)
class ObjectiveConfig:
    """What is hidden from the network and what it has to predict; the defaults are DropMAE's.

    Attributes:
        drop: P, the share of within-frame attention that every decoder layer drops: ``int(P (n - 1)) L`` pairs of each
            sample and head. 0 is the paper's baseline TwinMAE.
        mask_ratio: share r of the tokens that is hidden; ``int(N (1 - r))`` of N tokens stay visible, the product
            being rounded down as floating point gives it.
        masking: where the hidden tokens fall. ``joint``, as published: anywhere in the two frames together, so that
            frames get unequal shares. ``per_frame``: the same number in each frame. ``asymmetric``: ``mask_ratio`` of
            the second frame and ``first_mask_ratio`` of the first, which with 0.95 and 0 is the task of SiamMAE
            (NeurIPS 2023) with joint attention.
        first_mask_ratio: see there; not looked at otherwise.
        normalise_target: predict each patch minus its mean, divided by its standard deviation, instead of pixels.
        drop_in_evaluation: drop attention in evaluation mode too, as the published code does; needed to compare losses
            with it.
    """

    drop: float = 0.1
    mask_ratio: float = 0.75
    masking: Masking = "joint"
    first_mask_ratio: float = 0.0
    normalise_target: bool = True
    drop_in_evaluation: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.drop <= 1:
            raise ValueError(f"drop must lie in [0, 1], got {self.drop}")
        for name in ("mask_ratio", "first_mask_ratio"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")

    def dropped_pairs(self, frame_tokens: int) -> int:
        """Pairs dropped in each sample, head and decoder layer for frames of ``frame_tokens`` tokens."""
        return int(self.drop * (frame_tokens - 1)) * 2 * frame_tokens

    def visible(self, frame_tokens: int) -> tuple[int, int] | int:
        """Tokens that stay visible: in both frames together for ``joint``, else in the first and in the second.

        Raises:
            ValueError: no token, or every token, would be visible.
        """
        if self.masking == "joint":
            counts: tuple[int, ...] = (visible_count(2 * frame_tokens, self.mask_ratio),)
        else:
            first = self.first_mask_ratio if self.masking == "asymmetric" else self.mask_ratio
            counts = (visible_count(frame_tokens, first), visible_count(frame_tokens, self.mask_ratio))
        if not 0 < sum(counts) < 2 * frame_tokens:
            which = "no token" if sum(counts) == 0 else "every token"
            raise ValueError(
                f"mask_ratio {self.mask_ratio} ({self.masking}) leaves {which} of {2 * frame_tokens} visible: "
                f"{'lower' if sum(counts) == 0 else 'raise'} it"
            )
        return counts[0] if len(counts) == 1 else (counts[0], counts[1])


@dataclass(frozen=True)
class DataConfig:
    """Which frames make pairs, and how they are cropped to the network's image size; the defaults are as published.

    Attributes:
        dataset: ``kinetics`` (folders of videos) or ``images`` (folders of still images).
        split: a folder below the data root; "" is the root itself.
        validation_split: the same for the validation's pairs; only needed when the loop validates.
        pairs_per_video: an epoch takes so many pairs of each video, whatever ``loop.samples_per_epoch`` says; None for
            that number.
        kind: ``frames``: two frames of a video. ``crops``: one frame, or a still image, cropped twice, the pairs of
            CropMAE (ECCV 2024).
        gap: the second frame follows less than this many frames after the first.
        swap: probability with which the later frame is given first. Trackers give the two frame-identity vectors to
            earlier and later frames the other way round than published pre-training does.
        area: range of the share of a frame that is cut out.
        aspect: range of its width over height.
        flip_probability: of mirroring a crop.
        same_crop: cut the same place out of both frames, see :class:`dropmae_pretrain.pair_config.PairConfig`.
        max_attempts: videos tried for one pair before giving up.
    """

    dataset: DatasetName = "kinetics"
    split: str = ""
    validation_split: str = ""
    pairs_per_video: int | None = 1
    kind: Literal["frames", "crops"] = "frames"
    gap: int = 50
    swap: float = 0.0
    area: tuple[float, float] = (0.2, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip_probability: float = 0.5
    same_crop: bool = False
    max_attempts: int = 10

    def __post_init__(self) -> None:
        if self.pairs_per_video is not None and self.pairs_per_video < 1:
            raise ValueError(f"pairs_per_video must be at least 1, or None; got {self.pairs_per_video}")
        if self.dataset == "images" and self.kind != "crops":
            raise ValueError("pairs of still images are two crops of one: set kind to crops")
        self.pairs(size=1)  # which checks the rest

    def pairs(self, size: int) -> PairConfig:
        """Settings for crops of ``size`` pixels."""
        crop = CropConfig(size, self.area, self.aspect, self.flip_probability)
        return PairConfig(self.kind, self.gap, self.swap, crop, self.same_crop, self.max_attempts)


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with warm-up and a cosine over fractional epochs; the defaults are the published ones.

    Attributes:
        base_lr: peak learning rate for a batch of 256; the batch size scales it linearly.
        lr: peak learning rate as it is, in place of ``base_lr``.
        min_lr: where the cosine ends.
        warmup_epochs: of linear rise from 0.
        betas, weight_decay: of AdamW. Biases and other one-dimensional parameters do not decay.
        decay_tokens: let the mask token and the frame-identity vectors decay too, as published.
    """

    base_lr: float = 1.5e-4
    lr: float | None = None
    min_lr: float = 0.0
    warmup_epochs: float = 40.0
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.05
    decay_tokens: bool = True

    def __post_init__(self) -> None:
        if self.base_lr <= 0 or (self.lr is not None and self.lr <= 0):
            raise ValueError(f"learning rates must be positive, got base_lr {self.base_lr} and lr {self.lr}")
        if min(self.min_lr, self.warmup_epochs, self.weight_decay) < 0:
            raise ValueError("min_lr, warmup_epochs and weight_decay must not be negative")

    def peak(self, batch_size: int) -> float:
        """Learning rate after the warm-up, for ``batch_size`` pairs a step."""
        return self.lr if self.lr is not None else self.base_lr * batch_size / 256


@dataclass(frozen=True)
class Recipe:
    """Everything a pre-training is: network, objective, data, optimiser, loop."""

    model: ModelConfig
    loop: LoopConfig
    objective: ObjectiveConfig = ObjectiveConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()

    def __post_init__(self) -> None:
        self.objective.visible(self.model.frame_tokens)  # raises where nothing or everything is visible


def visible_count(tokens: int, ratio: float) -> int:
    """``int(tokens (1 - ratio))``: published, floating-point product and truncation included."""
    return int(tokens * (1 - ratio))
