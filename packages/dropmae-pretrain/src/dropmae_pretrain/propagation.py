"""Masks carried from frame to frame by the nearest neighbours of frozen features.

The protocol of "Space-Time Correspondence as a Contrastive Random Walk" (Jabri et al., NeurIPS 2020): each cell of a
new frame takes the labels of the cells it resembles most, among the frames whose masks were given and the latest ones,
and near its own place. Nothing is trained, so the score judges the features.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trackdata.videos import SegmentedVideo

_CELLS_AT_ONCE = 512  # rows of the affinity matrix in memory


@dataclass(frozen=True)
class PropagationConfig:
    """How labels are carried on.

    Attributes:
        context: latest frames to copy from, besides those whose masks were given.
        radius: how far away, in cells, a cell may be copied from, in x and in y; 0 for any distance.
        top_k: most similar cells that are mixed.
        temperature: of the softmax over their cosine similarities.
    """

    context: int = 7
    radius: int = 12
    top_k: int = 5
    temperature: float = 0.1

    def __post_init__(self) -> None:
        if self.context < 0 or self.radius < 0 or self.top_k < 1 or not self.temperature > 0:
            raise ValueError(
                "context and radius must not be negative, top_k at least 1 and temperature positive, got "
                f"{self.context}, {self.radius}, {self.top_k} and {self.temperature}"
            )


def propagate_labels(features: Tensor, context: Tensor, labels: Tensor, config: PropagationConfig) -> Tensor:
    """Labels of one frame's cells from those of others.

    Args:
        features: ``(h, w, D)`` of the new frame.
        context: ``(M, h, w, D)`` of frames with labels.
        labels: ``(M, h, w, K)``, shares of K objects and background, rows summing to 1.
        config: see there.

    Returns:
        ``(h, w, K)``, rows summing to 1.
    """
    height, width, _ = features.shape
    queries, keys = F.normalize(features.flatten(0, 1), dim=1), F.normalize(context.flatten(0, 2), dim=1)
    values = labels.flatten(0, 2)
    near = _neighbourhood(height, width, config.radius, features.device)
    parts = []
    for rows in torch.arange(len(queries), device=features.device).split(_CELLS_AT_ONCE):
        similarity = queries[rows] @ keys.T
        if near is not None:
            similarity = similarity.masked_fill(~near[rows].repeat(1, len(context)), float("-inf"))
        best, places = similarity.topk(min(config.top_k, len(keys)), dim=1)
        weights = (best / config.temperature).softmax(dim=1)  # cells out of reach have none
        parts.append((weights.unsqueeze(-1) * values[places]).sum(1))
    return torch.cat(parts).unflatten(0, (height, width))


def _neighbourhood(height: int, width: int, radius: int, device: torch.device) -> Tensor | None:
    """``(h w, h w)`` bool: cells at most ``radius`` rows and columns apart; None when all are."""
    if radius == 0 or radius >= max(height, width):
        return None
    rows = torch.arange(height, device=device).repeat_interleave(width)
    columns = torch.arange(width, device=device).repeat(height)
    apart = torch.maximum((rows[:, None] - rows).abs(), (columns[:, None] - columns).abs())
    return apart <= radius


@torch.no_grad()
def propagate(
    video: SegmentedVideo, encode: Callable[[np.ndarray], Tensor], config: PropagationConfig | None = None
) -> Iterator[np.ndarray]:
    """Segment a video from the masks of its objects' first frames.

    Args:
        video: with the masks of ``video.first_frames``; an object is unknown before its first frame.
        encode: features ``(h, w, D)`` of a frame ``(H, W, 3)`` uint8, of the same h and w for all frames.
        config: defaults when None.

    Yields:
        For each frame the label map ``(H, W)`` uint16 in the size of the video's masks: the given one where it is
        given, with what was carried on for the objects that were known before.

    Raises:
        FrameError, AnnotationError: a frame or a given mask cannot be read.
    """
    config = config or PropagationConfig()
    numbers = torch.tensor([0, *video.objects])
    given: list[tuple[Tensor, Tensor]] = []
    latest: deque[tuple[Tensor, Tensor]] = deque(maxlen=config.context)
    for index in range(len(video)):
        begins = [name for name, first in video.first_frames.items() if first == index]
        if not begins and not given:
            yield np.zeros(video.size, np.uint16)
            continue
        features = encode(video.frames[index])
        if given:
            frames, shares = zip(*given, *latest, strict=True)
            carried = propagate_labels(features, torch.stack(frames), torch.stack(shares), config)
            whole = F.interpolate(carried.permute(2, 0, 1)[None], size=video.size, mode="bilinear")[0]
            labels = numbers[whole.argmax(0).cpu()].numpy().astype(np.uint16)
        else:
            carried, labels = None, np.zeros(video.size, np.uint16)
        if begins:
            mask = video.labels(index)
            fresh = np.isin(mask, begins)
            labels = np.where(fresh, mask, labels).astype(np.uint16)
            carried = cell_shares(labels, numbers, features.shape[:2]).to(features.device)
            given.append((features, carried))
        else:
            latest.append((features, carried))
        yield labels


def cell_shares(labels: np.ndarray, numbers: Tensor, grid: tuple[int, int]) -> Tensor:
    """``(h, w, K)``: the share of each cell's pixels that has each of the K ``numbers`` in the label map ``(H, W)``.

    Labels that are none of the numbers count as the first, background.
    """
    one_hot = (torch.from_numpy(labels.astype(np.int64))[None] == numbers[:, None, None]).float()
    one_hot[0] += 1 - one_hot.sum(0)
    return F.adaptive_avg_pool2d(one_hot, grid).permute(1, 2, 0)
