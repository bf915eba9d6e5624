"""Pairs as the network sees and completes them: original, masked, reconstructed, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from dropmae_pretrain.augment import CropParameters, augment
from dropmae_pretrain.network import Draws, DropMAE
from dropmae_pretrain.objective import patch_statistics, patchify, unpatchify
from dropmae_pretrain.pair_config import CropConfig, PairConfig
from dropmae_pretrain.pairs import Clip, FramePairSource
from trackdata.clips import read_frames
from trackdata.sampling import sample_generator

HIDDEN_GREY = 128
CAPTIONS = ("original", "masked", "reconstructed")
_GAP, _CAPTION = 6, 18  # pixels between panels, and above them
_LEAST = 120  # pixels a panel is at least wide


@dataclass(frozen=True)
class Pairs:
    """Pairs to look at.

    Attributes:
        names: of their videos and frames.
        first, second: ``(B, 3, S, S)`` float32 normalised.
    """

    names: tuple[str, ...]
    first: Tensor
    second: Tensor


def draw_pairs(clips: Sequence[Clip], count: int, config: PairConfig, seed: int = 0) -> Pairs:
    """Pairs of frames as training draws them, but cut at the same place: the largest square in the middle.

    Args:
        clips: gone through in order, from the start again when there are fewer than ``count``.
        count: number B of pairs.
        config: the gap, and the size and normalisation of the crop.
        seed: decides the frames.

    Raises:
        FrameError: a frame cannot be read.
        ValueError: there is no video, or an empty one.
    """
    source = FramePairSource(clips, config)
    names, frames = [], []
    for number in range(count):
        clip = clips[number % len(clips)]
        if len(clip.frames) == 0:
            raise ValueError(f"{clip.name} holds no frames")
        chosen = source.choose(sample_generator(seed, 0, number), len(clip.frames))
        names.append(f"{clip.name}, frames {chosen[0]} and {chosen[1]}")
        frames.append([_middle(image, config.crop) for image in read_frames(clip.frames, chosen)])
    first, second = (torch.from_numpy(np.stack(part)) for part in zip(*frames, strict=True))
    return Pairs(tuple(names), first, second)


def _middle(image: np.ndarray, crop: CropConfig) -> np.ndarray:
    height, width = image.shape[:2]
    side = min(height, width)
    return augment(image, CropParameters((height - side) // 2, (width - side) // 2, side, side), crop)


@dataclass(frozen=True)
class Reconstructed:
    """Pictures of a batch of pairs, each ``(B, 2, S, S, 3)`` uint8 RGB: pair, frame, row, column, channel.

    Attributes:
        original: the frames.
        masked: hidden patches grey.
        reconstructed: hidden patches as predicted; visible ones are the original's.
    """

    original: np.ndarray
    masked: np.ndarray
    reconstructed: np.ndarray


@torch.no_grad()
def reconstruct(
    network: DropMAE, first: Tensor, second: Tensor, noise: Tensor | None = None, crop: CropConfig | None = None
) -> Reconstructed:
    """Let the network complete pairs, without dropped attention. Its mode is as before afterwards.

    Predictions of normalised patches get the mean and deviation of the true ones, without which they look like noise.

    Args:
        network: the auto-encoder.
        first, second: ``(B, 3, S, S)`` normalised frames.
        noise: ``(B, L)`` that decides the mask; drawn from torch's default generator when None.
        crop: whose mean and deviation the frames were normalised with; published values when None.
    """
    crop, patch = crop or CropConfig(size=network.config.image_size), network.config.patch
    training = network.training
    network.eval()
    try:
        output = network(first, second, Draws(noise=noise))
    finally:
        network.train(training)
    true = torch.cat([patchify(first, patch), patchify(second, patch)], dim=1).float()
    predicted = output.prediction.float()
    if network.objective.normalise_target:
        mean, deviation = patch_statistics(true)
        predicted = predicted * deviation + mean
    hidden = output.hidden.unsqueeze(-1).bool()
    grey = patchify(_normalised_grey(first, crop), patch).repeat(1, 2, 1)
    return Reconstructed(
        _images(true, patch, crop),
        _images(torch.where(hidden, grey, true), patch, crop),
        _images(torch.where(hidden, predicted, true), patch, crop),
    )


def _normalised_grey(frames: Tensor, crop: CropConfig) -> Tensor:
    mean, std = (frames.new_tensor(values).view(1, 3, 1, 1) for values in (crop.mean, crop.std))
    return ((HIDDEN_GREY / 255 - mean) / std).expand(1, -1, *frames.shape[2:])


def _images(patches: Tensor, patch: int, crop: CropConfig) -> np.ndarray:
    """``(B, L, 3 p^2)`` normalised patches of two frames to ``(B, 2, S, S, 3)`` uint8."""
    frames = torch.stack([unpatchify(part, patch) for part in patches.chunk(2, dim=1)], dim=1)
    mean, std = (frames.new_tensor(values).view(1, 1, 3, 1, 1) for values in (crop.mean, crop.std))
    levels = ((frames * std + mean) * 255).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 1, 3, 4, 2).cpu().numpy()


def pair_sheet(pictures: Reconstructed, names: Sequence[str] | None = None) -> np.ndarray:
    """One row for each pair: original, masked and reconstructed of the first frame, then of the second.

    Args:
        pictures: of B pairs.
        names: B texts written above the rows.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    rows = []
    for number, parts in enumerate(zip(pictures.original, pictures.masked, pictures.reconstructed, strict=True)):
        panels = [
            _captioned(part[frame], f"{'first' if frame == 0 else 'second'}: {caption}")
            for frame in (0, 1)
            for part, caption in zip(parts, CAPTIONS, strict=True)
        ]
        row = _beside(panels)
        if names is not None:
            row = np.concatenate([_text(names[number], row.shape[1]), row])
        rows += [row, np.full((_GAP, row.shape[1], 3), 255, np.uint8)]
    return np.concatenate(rows)


def _beside(panels: Sequence[np.ndarray]) -> np.ndarray:
    white = np.full((panels[0].shape[0], _GAP, 3), 255, np.uint8)
    parts = [white]
    for number, panel in enumerate(panels):
        parts += [panel, white, white] if number == 2 else [panel, white]  # a wider gap between the frames
    return np.concatenate(parts, axis=1)


def _captioned(image: np.ndarray, caption: str) -> np.ndarray:
    scale = -(-_LEAST // image.shape[0])
    enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
    return np.concatenate([_text(caption, enlarged.shape[1]), enlarged])


def _text(text: str, width: int) -> np.ndarray:
    band = np.full((_CAPTION, width, 3), 255, np.uint8)
    return cv2.putText(band, text, (2, _CAPTION - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (40, 40, 40), 1, cv2.LINE_AA)
