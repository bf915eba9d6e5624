"""Box conversions, overlaps and clipping.

One convention everywhere: coordinates are continuous, x to the right and y down from the image's top-left corner, so
that a box covering the pixels 0..9 of a row reaches from x = 0 to x = 10 and is 10 wide (there is no ``+ 1``). The last
dimension of every tensor holds the four numbers of a box:

- ``xywh``: left, top, width, height (files, trackers);
- ``xyxy``: left, top, right, bottom (overlaps);
- ``cxcywh``: centre x, centre y, width, height (network outputs).

Functions of tensors are pure, differentiable, and work in pixels as well as in shares of a crop. Leading dimensions are
free. :func:`clip_to_frame`, the one NumPy function, belongs to tracking loops.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Overlap = Literal["iou", "giou", "diou", "ciou"]


def xywh_to_xyxy(boxes: Tensor) -> Tensor:
    """``(..., 4)`` to ``(..., 4)``."""
    x, y, w, h = _coordinates(boxes)
    return torch.stack([x, y, x + w, y + h], dim=-1)


def xyxy_to_xywh(boxes: Tensor) -> Tensor:
    """``(..., 4)`` to ``(..., 4)``."""
    left, top, right, bottom = _coordinates(boxes)
    return torch.stack([left, top, right - left, bottom - top], dim=-1)


def xywh_to_cxcywh(boxes: Tensor) -> Tensor:
    """``(..., 4)`` to ``(..., 4)``."""
    x, y, w, h = _coordinates(boxes)
    return torch.stack([x + 0.5 * w, y + 0.5 * h, w, h], dim=-1)


def cxcywh_to_xywh(boxes: Tensor) -> Tensor:
    """``(..., 4)`` to ``(..., 4)``."""
    cx, cy, w, h = _coordinates(boxes)
    return torch.stack([cx - 0.5 * w, cy - 0.5 * h, w, h], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """``(..., 4)`` to ``(..., 4)``."""
    left, top, right, bottom = _coordinates(boxes)
    return torch.stack([0.5 * (left + right), 0.5 * (top + bottom), right - left, bottom - top], dim=-1)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """``(..., 4)`` to ``(..., 4)``."""
    cx, cy, w, h = _coordinates(boxes)
    return torch.stack([cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h], dim=-1)


def area(boxes: Tensor) -> Tensor:
    """Area of ``xyxy`` boxes ``(..., 4)`` as ``(...)``; 0 where right < left or bottom < top."""
    left, top, right, bottom = _coordinates(_wide(boxes))
    return (right - left).clamp(min=0) * (bottom - top).clamp(min=0)


def overlap(boxes: Tensor, others: Tensor, kind: Overlap = "iou") -> Tensor:
    """Overlap of each box with its partner.

    With I the intersection, U the union and C the smallest enclosing box:

    - ``iou``: I / U, in [0, 1].
    - ``giou``: IoU - (C - U) / C, in [-1, 1]. Rezatofighi et al., CVPR 2019.
    - ``diou``: IoU - d^2 / c^2 with d the distance of the centres and c the diagonal of C. Zheng et al., AAAI 2020.
    - ``ciou``: DIoU - a v with v = (2 / pi)^2 (difference of the aspect angles)^2 and a = v / (1 - IoU + v), which is
      constant in the gradient. Zheng et al., AAAI 2020.

    A box without area has IoU 0 with every box, itself included; ratios of nothing to nothing are 0, and all gradients
    are finite.

    Args:
        boxes: ``xyxy``, ``(..., 4)``.
        others: ``xyxy``, ``(..., 4)``, broadcast against ``boxes``.
        kind: which overlap.

    Returns:
        The broadcast shape without its last dimension. 16-bit and integer boxes are computed, and returned, as float32:
        areas in pixels exceed what half precision can hold.

    Raises:
        ValueError: unknown ``kind``, or tensors whose last dimension is not 4.
    """
    if kind not in ("iou", "giou", "diou", "ciou"):
        raise ValueError(f"an overlap is one of 'iou', 'giou', 'diou', 'ciou', got {kind!r}")
    boxes, others = _wide(boxes), _wide(others)
    left, top, right, bottom = _coordinates(boxes)
    left2, top2, right2, bottom2 = _coordinates(others)
    width = (torch.minimum(right, right2) - torch.maximum(left, left2)).clamp(min=0)
    height = (torch.minimum(bottom, bottom2) - torch.maximum(top, top2)).clamp(min=0)
    intersection = width * height
    union = area(boxes) + area(others) - intersection
    iou = _ratio(intersection, union)
    if kind == "iou":
        return iou

    hull_width = (torch.maximum(right, right2) - torch.minimum(left, left2)).clamp(min=0)
    hull_height = (torch.maximum(bottom, bottom2) - torch.minimum(top, top2)).clamp(min=0)
    if kind == "giou":
        hull = hull_width * hull_height
        return iou - _ratio(hull - union, hull)

    distance = (0.5 * (left + right - left2 - right2)) ** 2 + (0.5 * (top + bottom - top2 - bottom2)) ** 2
    diou = iou - _ratio(distance, hull_width**2 + hull_height**2)
    if kind == "diou":
        return diou
    v = (2 / math.pi) ** 2 * (_aspect_angle(boxes) - _aspect_angle(others)) ** 2
    with torch.no_grad():
        a = _ratio(v, 1 - iou + v)
    return diou - a * v


def pairwise_overlap(boxes: Tensor, others: Tensor, kind: Overlap = "iou") -> Tensor:
    """:func:`overlap` of every box with every other.

    Args:
        boxes: ``xyxy``, ``(..., N, 4)``.
        others: ``xyxy``, ``(..., M, 4)``.
        kind: which overlap.

    Returns:
        ``(..., N, M)``.
    """
    return overlap(boxes.unsqueeze(-2), others.unsqueeze(-3), kind)


def clip(boxes: Tensor, height: float, width: float) -> Tensor:
    """Move the edges of ``xyxy`` boxes ``(..., 4)`` that lie outside an image onto its border.

    A box wholly outside keeps no area. Crops in shares of their side are clipped with height = width = 1.
    """
    left, top, right, bottom = _coordinates(boxes)
    return torch.stack(
        [left.clamp(0, width), top.clamp(0, height), right.clamp(0, width), bottom.clamp(0, height)], dim=-1
    )


def clip_to_frame(box: np.ndarray, height: float, width: float, margin: float = 0.0) -> np.ndarray:
    """Keep a tracked box in the frame, as published trackers do between frames.

    Edges outside move onto the border, but the left edge stays ``margin`` pixels before the frame's right border and
    the right edge as far behind its left border (top and bottom alike). Sides are at least ``margin`` long, which may
    let the box leave the frame again by less than that.

    Args:
        box: ``(..., 4)`` x, y, w, h in pixels.
        height: of the frame, in pixels.
        width: of the frame, in pixels.
        margin: in pixels.

    Returns:
        ``(..., 4)`` float64 x, y, w, h.
    """
    x, y, w, h = np.moveaxis(np.asarray(box, dtype=np.float64), -1, 0)
    left, right = np.minimum(np.maximum(0, x), width - margin), np.minimum(np.maximum(margin, x + w), width)
    top, bottom = np.minimum(np.maximum(0, y), height - margin), np.minimum(np.maximum(margin, y + h), height)
    return np.stack([left, top, np.maximum(margin, right - left), np.maximum(margin, bottom - top)], axis=-1)


def _coordinates(boxes: Tensor) -> tuple[Tensor, ...]:
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"boxes have four numbers in the last dimension, got a tensor of shape {tuple(boxes.shape)}")
    return boxes.unbind(-1)


def _wide(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole``, and 0 where ``whole`` is 0; a division by 0 that is only hidden would leave a NaN gradient."""
    empty = whole <= 0
    return torch.where(empty, 0, part / torch.where(empty, 1, whole))


def _aspect_angle(boxes: Tensor) -> Tensor:
    """atan(width / height); 0 for a point, where atan2 has no gradient."""
    left, top, right, bottom = boxes.unbind(-1)
    width, height = (right - left).clamp(min=0), (bottom - top).clamp(min=0)
    point = (width == 0) & (height == 0)
    return torch.where(point, 0, torch.atan2(width, torch.where(point, 1, height)))
