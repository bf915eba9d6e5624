"""Features of single frames from the encoder alone, for frames of any size."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from dropmae_pretrain.network import DropMAE
from dropmae_pretrain.pair_config import CropConfig
from trackcore.positions import resample_grid
from trackdata.pairs import normalise


def fit_to_patches(image: np.ndarray, side: int, patch: int) -> np.ndarray:
    """Resize ``(H, W, 3)`` uint8 so that its shorter side is about ``side`` and both are multiples of ``patch``."""
    height, width = image.shape[:2]
    scale = side / min(height, width)
    rows, columns = (max(patch, round(length * scale / patch) * patch) for length in (height, width))
    shrinks = rows * columns < height * width
    return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def frame_features(network: DropMAE, image: np.ndarray, crop: CropConfig | None = None) -> Tensor:
    """What the encoder makes of one frame that it sees whole and alone.

    The position table is resampled to the frame's grid. The frame gets the identity of first frames, as all frames do
    that are to be compared with each other.

    Args:
        network: the auto-encoder; call it in evaluation mode.
        image: ``(H, W, 3)`` RGB uint8, both sides multiples of the network's patch.
        crop: with whose mean and deviation to normalise; published values when None.

    Returns:
        ``(H / p, W / p, D)`` float32, normalised by the encoder's last layer norm.

    Raises:
        ValueError: a side is no multiple of the patch.
    """
    crop, patch, grid = crop or CropConfig(), network.config.patch, network.config.grid
    height, width = image.shape[:2]
    if height % patch or width % patch:
        raise ValueError(f"a frame's sides must be multiples of {patch} pixels, got {height} x {width}")
    pixels = torch.from_numpy(normalise(image, crop.mean, crop.std))[None].to(network.mask_token.device)
    tokens = network.patch_embed(pixels)
    places = network.pos_embed[:, 1:]
    shape = height // patch, width // patch
    if shape != (grid, grid):
        places = resample_grid(places, (grid, grid), shape)
    encoded = network.encode(tokens + network.temporal_pos_embed_x + places)
    return encoded[0].float().unflatten(0, shape)
