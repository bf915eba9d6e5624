"""Triton kernels of precise RoI pooling; :mod:`trackcore.ops.prroi_pool` says what they compute and when they are used.

A program takes one row of bins of one box for a block of channels. It adds up the feature rows under these bins, each
with the bin's row weight, and multiplies the sum by the column weights of all bins in the row. Only pixels under the
box are read. Sums are float32.

Coordinates are counted from the pixel left of (above) the box, and widths come from differences of the given numbers:
so bins of hundredths of a pixel keep their precision without float64, and so do derivatives, which are integrals of the
hat function's slope instead of differences of its means.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_CHANNELS = 32  # of a program
_SMALLEST_DOT = 16  # sides of a product in Triton


def pool(features: Tensor, rois: Tensor, height: int, width: int, scale: float) -> Tensor:
    """Pooled features ``(R, C, P, Q)``; arguments as in :func:`trackcore.ops.prroi_pool.pool_by_products`."""
    features, rois = features.contiguous(), rois.float().contiguous()
    pooled = features.new_empty(len(rois), features.shape[1], height, width)
    if pooled.numel():
        _pool[_grid(rois, features, height)](
            features, rois, pooled, scale, *features.shape, height, width, **_blocks(features, width)
        )
    return pooled


def gradients(
    gradient: Tensor, features: Tensor, rois: Tensor, scale: float, for_features: bool, for_rois: bool
) -> tuple[Tensor, Tensor]:
    """Gradients with respect to the features ``(B, C, H, W)`` and the boxes ``(R, 5)``; empty where not asked for."""
    height, width = gradient.shape[2:]
    gradient, maps, boxes = gradient.contiguous(), features.contiguous(), rois.float().contiguous()
    blocks, grid = _blocks(features, width), _grid(rois, features, height)
    to_features, to_rois = features.new_empty(0), rois.new_empty(0)
    if for_features:
        to_features = torch.zeros_like(maps, dtype=torch.float32)
        if gradient.numel():
            _pool_to_features[grid](gradient, boxes, to_features, scale, *maps.shape, height, width, **blocks)
        to_features = to_features.to(features.dtype)
    if for_rois:
        parts = boxes.new_zeros(len(rois), grid[0] // max(1, len(rois)), grid[1], 4)
        if gradient.numel():
            _pool_to_boxes[grid](gradient, maps, boxes, parts, scale, *maps.shape, height, width, **blocks)
        to_rois = torch.cat([torch.zeros_like(boxes[:, :1]), scale * parts.sum((1, 2))], dim=1).to(rois.dtype)
    return to_features, to_rois


def _grid(rois: Tensor, features: Tensor, height: int) -> tuple[int, int]:
    return len(rois) * height, triton.cdiv(features.shape[1], _CHANNELS)


def _blocks(features: Tensor, bins: int) -> dict[str, int]:
    return {
        "CHANNELS": _CHANNELS,
        "BINS": max(_SMALLEST_DOT, triton.next_power_of_2(bins)),
        "COLUMNS": min(32, max(_SMALLEST_DOT, triton.next_power_of_2(features.shape[3]))),
    }


@triton.jit
def _clamp(value, least, most):
    return tl.minimum(tl.maximum(value, least), most)


@triton.jit
def _mean(start, length, place):
    """Mean of the hat function at ``place`` over [start, start + length]; 0 for an empty segment."""
    end = start + length
    lower = _clamp(start - place, -1.0, 1.0)
    upper = _clamp(end - place, -1.0, 1.0)
    aside = (upper - lower) * (1 - 0.5 * (tl.abs(upper) + tl.abs(lower)))
    across = upper * (1 - 0.5 * tl.abs(upper)) - lower * (1 - 0.5 * tl.abs(lower))
    integral = tl.where(lower * upper > 0, aside, across)
    covered = end - start
    return tl.where(covered > 0, integral / tl.where(covered > 0, covered, 1.0), 0.0)


@triton.jit
def _slopes(start, length, place):
    """Derivatives of :func:`_mean` with respect to both ends of the segment.

    By parts, (L(end) - mean) / length is the integral of (t - start) L'(t) over length^2, and L' is 1 left and -1 right
    of ``place``.
    """
    first, last = start - place, start + length - place
    lower, upper = _clamp(first, -1.0, 1.0), _clamp(last, -1.0, 1.0)
    rise_from, rise_to = tl.minimum(lower, 0.0), tl.minimum(upper, 0.0)
    fall_from, fall_to = tl.maximum(lower, 0.0), tl.maximum(upper, 0.0)
    rise, fall = rise_to - rise_from, fall_to - fall_from
    rise_middle, fall_middle = 0.5 * (rise_to + rise_from), 0.5 * (fall_to + fall_from)
    square = tl.where(length > 0, length * length, 1.0)
    by_start = tl.where(length > 0, (rise * (last - rise_middle) - fall * (last - fall_middle)) / square, 0.0)
    by_end = tl.where(length > 0, (rise * (rise_middle - first) - fall * (fall_middle - first)) / square, 0.0)
    return by_start, by_end


@triton.jit
def _slopes_of_side(number, bins, start, length, place):
    """Derivatives of the mean over bin ``number`` of a side with respect to both ends of the side."""
    by_start, by_end = _slopes(start, length, place)
    before, after = number / bins, (number + 1) / bins
    return (1 - before) * by_start + (1 - after) * by_end, before * by_start + after * by_end


@triton.jit
def _side(first, last, scale, bins, usable):
    """Pixel before a side, the side's start counted from it, and the length of its bins."""
    start = tl.where(usable, first * scale, 0.0)
    length = tl.where(usable, tl.maximum(last - first, 0.0) * scale / bins, 0.0)
    base = tl.floor(start)
    return base, start - base, length


@triton.jit
def _pixels(base, start, length, pixels):
    """First and one-past-last of the pixels that a segment touches; none for an empty segment."""
    first = _clamp(base + tl.floor(start), 0.0, pixels * 1.0).to(tl.int32)
    last = _clamp(base + tl.ceil(start + length) + 1, 0.0, pixels * 1.0).to(tl.int32)
    return first, tl.where(length > 0, last, first)


@triton.jit
def _box(rois, number, images):
    """Corners of a box, its image, and whether it can be used."""
    image = tl.load(rois + 5 * number)
    left, top = tl.load(rois + 5 * number + 1), tl.load(rois + 5 * number + 2)
    right, bottom = tl.load(rois + 5 * number + 3), tl.load(rois + 5 * number + 4)
    extreme = tl.abs(left) + tl.abs(top) + tl.abs(right) + tl.abs(bottom)
    usable = (extreme < float("inf")) & (image >= 0) & (image < images)
    return left, top, right, bottom, tl.where(usable, image, 0.0).to(tl.int64), usable


@triton.jit
def _pool(
    features, rois, pooled, scale,
    images, depth, rows, columns, bins_down, bins_across,
    CHANNELS: tl.constexpr, BINS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    box, bin_down = tl.program_id(0) // bins_down, tl.program_id(0) % bins_down
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    bin_across = tl.arange(0, BINS)
    left, top, right, bottom, image, usable = _box(rois, box, images)
    x_base, x, width = _side(left, right, scale, bins_across, usable)
    y_base, y, height = _side(top, bottom, scale, bins_down, usable)
    y += bin_down * height
    first_row, last_row = _pixels(y_base, y, height, rows)
    first_column, last_column = _pixels(x_base, x, width * bins_across, columns)

    total = tl.zeros((CHANNELS, BINS), tl.float32)
    maps = features + (image * depth + channel)[:, None] * rows * columns
    for block in range(first_column, last_column, COLUMNS):
        column = block + tl.arange(0, COLUMNS)
        inside = (channel < depth)[:, None] & (column < columns)[None, :]
        summed = tl.zeros((CHANNELS, COLUMNS), tl.float32)
        for row in range(first_row, last_row):
            values = tl.load(maps + row * columns + column[None, :], mask=inside, other=0.0).to(tl.float32)
            summed += _mean(y, height, row - y_base) * values
        across = _mean((x + bin_across * width)[None, :], width, (column - x_base)[:, None])
        total += tl.dot(summed, across, input_precision="ieee")
    total = tl.where(usable, total, float("nan"))
    place = (box.to(tl.int64) * depth + channel) * bins_down + bin_down
    kept = (channel < depth)[:, None] & (bin_across < bins_across)[None, :]
    tl.store(pooled + place[:, None] * bins_across + bin_across[None, :], total, mask=kept)


@triton.jit
def _pool_to_features(
    gradient, rois, to_features, scale,
    images, depth, rows, columns, bins_down, bins_across,
    CHANNELS: tl.constexpr, BINS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    box, bin_down = tl.program_id(0) // bins_down, tl.program_id(0) % bins_down
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    bin_across = tl.arange(0, BINS)
    left, top, right, bottom, image, usable = _box(rois, box, images)
    x_base, x, width = _side(left, right, scale, bins_across, usable)
    y_base, y, height = _side(top, bottom, scale, bins_down, usable)
    y += bin_down * height
    first_row, last_row = _pixels(y_base, y, height, rows)
    first_column, last_column = _pixels(x_base, x, width * bins_across, columns)

    place = (box.to(tl.int64) * depth + channel) * bins_down + bin_down
    kept = (channel < depth)[:, None] & (bin_across < bins_across)[None, :]
    above = tl.load(gradient + place[:, None] * bins_across + bin_across[None, :], mask=kept, other=0.0).to(tl.float32)
    maps = to_features + (image * depth + channel)[:, None] * rows * columns
    for block in range(first_column, last_column, COLUMNS):
        column = block + tl.arange(0, COLUMNS)
        inside = (channel < depth)[:, None] & (column < columns)[None, :]
        across = _mean((x + bin_across * width)[:, None], width, (column - x_base)[None, :])
        spread = tl.dot(above, across, input_precision="ieee")
        for row in range(first_row, last_row):
            share = _mean(y, height, row - y_base) * spread
            tl.atomic_add(maps + row * columns + column[None, :], share, mask=inside)


@triton.jit
def _pool_to_boxes(
    gradient, features, rois, parts, scale,
    images, depth, rows, columns, bins_down, bins_across,
    CHANNELS: tl.constexpr, BINS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    box, bin_down = tl.program_id(0) // bins_down, tl.program_id(0) % bins_down
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    bin_across = tl.arange(0, BINS)
    left, top, right, bottom, image, usable = _box(rois, box, images)
    x_base, x, width = _side(left, right, scale, bins_across, usable)
    y_base, y, height = _side(top, bottom, scale, bins_down, usable)
    y += bin_down * height
    first_row, last_row = _pixels(y_base, y, height, rows)
    first_column, last_column = _pixels(x_base, x, width * bins_across, columns)

    place = (box.to(tl.int64) * depth + channel) * bins_down + bin_down
    kept = (channel < depth)[:, None] & (bin_across < bins_across)[None, :]
    above = tl.load(gradient + place[:, None] * bins_across + bin_across[None, :], mask=kept, other=0.0).to(tl.float32)
    maps = features + (image * depth + channel)[:, None] * rows * columns
    to_left = tl.zeros((CHANNELS, BINS), tl.float32)
    to_top = tl.zeros((CHANNELS, BINS), tl.float32)
    to_right = tl.zeros((CHANNELS, BINS), tl.float32)
    to_bottom = tl.zeros((CHANNELS, BINS), tl.float32)
    for block in range(first_column, last_column, COLUMNS):
        column = block + tl.arange(0, COLUMNS)
        inside = (channel < depth)[:, None] & (column < columns)[None, :]
        mean = tl.zeros((CHANNELS, COLUMNS), tl.float32)
        by_top = tl.zeros((CHANNELS, COLUMNS), tl.float32)
        by_bottom = tl.zeros((CHANNELS, COLUMNS), tl.float32)
        for row in range(first_row, last_row):
            values = tl.load(maps + row * columns + column[None, :], mask=inside, other=0.0).to(tl.float32)
            slope_top, slope_bottom = _slopes_of_side(bin_down, bins_down, y, height, row - y_base)
            mean += _mean(y, height, row - y_base) * values
            by_top += slope_top * values
            by_bottom += slope_bottom * values
        start, place_x = (x + bin_across * width)[None, :], (column - x_base)[:, None]
        across = _mean(start, width, place_x)
        slope_left, slope_right = _slopes_of_side(bin_across[None, :], bins_across, start, width, place_x)
        to_left += tl.dot(mean, slope_left, input_precision="ieee")
        to_right += tl.dot(mean, slope_right, input_precision="ieee")
        to_top += tl.dot(by_top, across, input_precision="ieee")
        to_bottom += tl.dot(by_bottom, across, input_precision="ieee")
    part = parts + 4 * (tl.program_id(0).to(tl.int64) * tl.num_programs(1) + tl.program_id(1))
    tl.store(part, tl.sum(above * to_left))
    tl.store(part + 1, tl.sum(above * to_top))
    tl.store(part + 2, tl.sum(above * to_right))
    tl.store(part + 3, tl.sum(above * to_bottom))
