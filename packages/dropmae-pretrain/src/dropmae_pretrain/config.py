"""What a pre-training run is made of: frozen dataclasses that recipes fill in. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Masking = Literal["joint", "per_frame", "asymmetric"]


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the auto-encoder; the defaults are ViT-B.

    Attributes:
        image_size: side S of a frame in pixels.
        patch: side p of a patch in pixels.
        width, depth, heads: of the encoder.
        decoder_width, decoder_depth, decoder_heads: of the decoder.
    """

    image_size: int = 224
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    decoder_width: int = 512
    decoder_depth: int = 8
    decoder_heads: int = 16

    def __post_init__(self) -> None:
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
        swap_frames: probability with which the later frame of a pair is given first. Published is 0, though trackers
            give the frame-identity vectors to earlier and later frames the other way round.
    """

    drop: float = 0.1
    mask_ratio: float = 0.75
    masking: Masking = "joint"
    first_mask_ratio: float = 0.0
    normalise_target: bool = True
    drop_in_evaluation: bool = False
    swap_frames: float = 0.0

    def __post_init__(self) -> None:
        for name in ("drop", "swap_frames"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
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


def visible_count(tokens: int, ratio: float) -> int:
    """``int(tokens (1 - ratio))``: published, floating-point product and truncation included."""
    return int(tokens * (1 - ratio))
