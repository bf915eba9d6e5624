"""What a segmentation network is made of: frozen dataclasses that recipes fill in. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the network; the defaults are the published ViT-B/16 at 384 pixels.

    Attributes:
        image_size: side S of training crops in pixels. It fixes the position grid of ``S / patch`` cells a side, from
            which the grids of other frame sizes are resampled.
        patch: side of a patch in pixels: 16, or another multiple of 4.
        width, depth, heads, mlp_ratio: of the ViT.
        drop_path: stochastic depth of the last block.
        start_grid: side of the pre-training position table that the position grid is resampled from.
        pyramid: channels of the maps at a half and a quarter of the patch.
        decoder: channels of the decoder at the patch, a half and a quarter of it.
        stem: how pixels become tokens: ``linear`` (one convolution over patches, as published) or ``convolutional``
            (:mod:`trackcore.stems`), which learns faster from scratch. Masks always come in by one convolution.
        start: how fresh weights are drawn. ``published`` is the reference's; ``scratch`` suits small networks without
            pre-training: attention begins by comparing tokens (:func:`trackcore.vit.init_mimetic`).
    """

    image_size: int = 384
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
        if self.heads < 1 or self.width % self.heads or self.width % 4:
            raise ValueError(f"width must be a multiple of heads and of 4, got {self.width} and {self.heads} heads")
        if not 0 <= self.drop_path < 1:
            raise ValueError(f"drop_path must lie in [0, 1), got {self.drop_path}")

    @property
    def grid(self) -> int:
        """Side of the position grid in cells."""
        return self.image_size // self.patch
