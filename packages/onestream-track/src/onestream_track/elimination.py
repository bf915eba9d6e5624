"""Early candidate elimination: drop the search tokens the template attends to least (OSTrack, section 3.3)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from onestream_track.config import EliminationConfig, TemplateRange


def keep_count(tokens: int, ratio: float) -> int:
    """How many of ``tokens`` search tokens survive: the ceiling of the product, in float64."""
    return math.ceil(ratio * tokens)


def token_counts(tokens: int, ratios: tuple[float, ...], keep_rate: float | None = None) -> list[int]:
    """Search tokens left after each elimination block.

    Args:
        tokens: search tokens at the start.
        ratios: keep ratio of each block.
        keep_rate: replaces every ratio when given (training); 1 or more switches elimination off.
    """
    counts = []
    for ratio in ratios:
        tokens = min(tokens, keep_count(tokens, ratio if keep_rate is None else keep_rate))
        counts.append(tokens)
    return counts


def keep_rate(config: EliminationConfig, epoch: int) -> float:
    """Keep rate of a training or validation epoch (counted from 1).

    1 before ``start_epoch``, then a cosine down to the first keep ratio over ``warm_epochs`` epochs. The one rate
    replaces the ratios of all blocks, as published.
    """
    if not config.layers or epoch < config.start_epoch:
        return 1.0
    final = config.keep[0]
    if epoch >= config.start_epoch + config.warm_epochs:
        return final
    phase = (epoch - config.start_epoch) / config.warm_epochs
    return final + (1 - final) * 0.5 * (math.cos(math.pi * phase) + 1)


def centre_rows(template_range: TemplateRange, side: int) -> list[int]:
    """Template tokens that vote, as row-major indices into a ``side x side`` grid.

    On even grids the published centre point lies up-left of the middle; ``CTR_REC`` adds its lower and right neighbours
    there and is the centre alone on odd grids.

    Raises:
        ValueError: for ``GT_BOX``, which needs the box (:func:`box_mask`).
    """
    if template_range == "ALL":
        return list(range(side * side))
    if template_range not in ("CTR_POINT", "CTR_REC"):
        raise ValueError(f"template range {template_range!r} has no fixed tokens; ALL, CTR_POINT and CTR_REC do")
    first = (side - 1) // 2
    last = side // 2 if template_range == "CTR_REC" else first
    return [row * side + column for row in range(first, last + 1) for column in range(first, last + 1)]


def box_mask(boxes: Tensor, size: int, stride: int) -> Tensor:
    """Template tokens that the target's box touches (``GT_BOX``).

    Args:
        boxes: ``(B, 4)`` x, y, w, h divided by the template side.
        size: side of the template crop in pixels.
        stride: side of a token in pixels.

    Returns:
        ``(B, (size / stride)^2)`` bool, row-major. A box smaller than the sampling grid may select nothing.
    """
    x, y, w, h = (boxes * size).unbind(-1)
    pixel = torch.arange(size, device=boxes.device)

    def inside(start: Tensor, length: Tensor) -> Tensor:
        first, last = start.trunc(), (start + length - 1).trunc()
        # Pixels outside the crop do not exist; negative ends count from the far side, as array slices do.
        return (pixel >= first[:, None]) & (pixel < last[:, None])

    mask = (inside(y, h)[:, :, None] & inside(x, w)[:, None, :]).to(boxes.dtype)
    grid = F.interpolate(mask[:, None], scale_factor=1 / stride, mode="bilinear", align_corners=False)
    return (grid != 0).flatten(1)


def rank(rows: Tensor, mask: Tensor | None = None) -> Tensor:
    """Order of the search tokens by the attention they get, most first.

    Args:
        rows: ``(B, heads, R, n)`` softmax attention of R template tokens over the n remaining search tokens.
        mask: ``(B, R)`` bool; only these rows vote, per sample. A sample without any lets all its rows vote.

    Returns:
        ``(B, n)`` int64 indices; ties keep their order.
    """
    if mask is None:
        score = rows.mean(dim=2).mean(dim=1)
    else:
        weight = (mask | ~mask.any(1, keepdim=True)).to(rows.dtype)
        weight = weight / weight.sum(1, keepdim=True)
        score = torch.einsum("bhrn,br->bhn", rows, weight).mean(dim=1)
    if torch.compiler.is_exporting():  # ONNX has no stable sort, but its TopK keeps the order of ties
        return score.topk(score.shape[1], dim=1).indices
    return score.argsort(dim=1, descending=True, stable=True)


def eliminate(tokens: Tensor, indices: Tensor, order: Tensor, keep: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keep the first ``keep`` search tokens in ranking order.

    Args:
        tokens: ``(B, Lz + n, C)``, template tokens first; these stay in place.
        indices: ``(B, n)``, original index of each remaining search token.
        order: ``(B, n)`` from :func:`rank`.
        keep: how many stay, at most n.

    Returns:
        tokens ``(B, Lz + keep, C)``, indices ``(B, keep)`` of the kept and ``(B, n - keep)`` of the removed ones, both
        in ranking order.
    """
    template = tokens.shape[1] - order.shape[1]
    search = tokens[:, template:].gather(1, order[:, :keep, None].expand(-1, -1, tokens.shape[2]))
    ranked = indices.gather(1, order)
    return torch.cat([tokens[:, :template], search], dim=1), ranked[:, :keep], ranked[:, keep:]


def restore(search: Tensor, indices: Tensor, count: int) -> Tensor:
    """Put search tokens ``(B, k, C)`` back at ``indices`` of ``(B, count, C)``; eliminated places are exact zeros."""
    restored = search.new_zeros(search.shape[0], count, search.shape[2])
    return restored.scatter(1, indices[:, :, None].expand_as(search), search)
