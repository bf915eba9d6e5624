"""Precise RoI pooling: the mean of interpolated features over each bin of a box, by integration and not by sampling.

Jiang et al., "Acquisition of Localization Confidence for Accurate Object Detection" (IoU-Net, ECCV 2018). Feature i, j
sits at y = i, x = j; outside the map features are zero, so the interpolant f falls to zero within one pixel beyond the
last one. With L(t) = max(0, 1 - |t|) and ``wx_j`` the mean of L(x - j) over a bin's columns, ``wy_i`` over its rows,

    mean of f over the bin = sum_ij wy_i F_ij wx_j,

two products of small matrices for each box. All is differentiable, in the boxes too and at integer coordinates too.

:func:`prroi_pool` takes these products everywhere but on CUDA, where Triton kernels read the pixels below a box alone;
:data:`torch.ops.trackcore.prroi_pool` is the operator behind them. Neither needs a compiler at installation.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

_HAS_TRITON = find_spec("triton") is not None  # not on every platform; without it the products are taken on CUDA too
_KERNEL_TYPES = (torch.float32, torch.float16, torch.bfloat16)


def prroi_pool(
    features: Tensor, boxes: Tensor | Sequence[Tensor], size: int | tuple[int, int], scale: float = 1.0
) -> Tensor:
    """Pool the features under boxes into P x Q bins each.

    Empty boxes (a right edge left of the left one included) pool to 0 and have no gradient. Boxes with NaN, infinity or
    an index of no image pool to NaN and have no gradient; on the CPU such an index is an error. Parts of a box outside
    the map pool zeros.

    Args:
        features: ``(B, C, H, W)``. Half precision is computed in float32.
        boxes: ``(R, 5)`` rows of image index, x1, y1, x2, y2 in pixels, or for each image its ``(n, 4)`` boxes
            x1, y1, x2, y2; taken as they are, without a shift by half a pixel. A box of 4 x 4 pixels is (0, 0, 4, 4).
        size: bins P x Q down and across, or one number for both.
        scale: feature pixels per pixel of the boxes, such as 1/16.

    Returns:
        ``(R, C, P, Q)`` of the features' type, in the order of the boxes.

    Raises:
        ValueError: a shape or the size is wrong.
        IndexError: a box names an image that is not there (CPU).
    """
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"the bins of a box are at least 1 x 1, got size {size}")
    if features.ndim != 4:
        raise ValueError(f"features are (B, C, H, W), got {tuple(features.shape)}")
    rois = boxes if isinstance(boxes, Tensor) else _with_index(boxes, len(features))
    if rois.ndim != 2 or rois.shape[1] != 5:
        raise ValueError(
            f"boxes are (R, 5) rows of image index, x1, y1, x2, y2, or a list of (n, 4); got {tuple(rois.shape)}"
        )
    if _wants_kernel(features):
        return torch.ops.trackcore.prroi_pool(features, rois, height, width, scale)
    if torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export():
        return pool_by_products(features, rois, height, width, scale)
    images = _image_numbers(rois, len(features))
    if images is None or len(features) == 1 or len(rois) <= len(features):
        return pool_by_products(features, rois, height, width, scale)
    # Many boxes of a few images: one image after the other, since the products of boxes of several images take a copy
    # of the image for each box.
    order = images.argsort(stable=True)
    shares = order.split(images.bincount(minlength=len(features)).tolist())
    parts = [
        pool_by_products(image, F.pad(rois[own, 1:], (1, 0)), height, width, scale)
        for image, own in zip(features.split(1), shares, strict=True)
    ]
    return torch.cat(parts)[order.argsort()]


def _with_index(boxes: Sequence[Tensor], images: int) -> Tensor:
    """``(R, 5)`` of one ``(n, 4)`` tensor for each image."""
    if len(boxes) != images or any(part.ndim != 2 or part.shape[1] != 4 for part in boxes):
        raise ValueError(
            f"{images} images need as many (n, 4) tensors of boxes, got {[tuple(part.shape) for part in boxes]}"
        )
    return torch.cat(
        [torch.cat([part.new_full((len(part), 1), number), part], dim=1) for number, part in enumerate(boxes)]
    )


def _wants_kernel(features: Tensor) -> bool:
    """On CUDA, where nothing speaks against the kernels: export, a request for fixed sums, double precision."""
    return (
        features.is_cuda
        and _HAS_TRITON
        and features.dtype in _KERNEL_TYPES
        and not torch.are_deterministic_algorithms_enabled()  # feature gradients are added up atomically
        and not torch.onnx.is_in_onnx_export()
    )


def _image_numbers(rois: Tensor, images: int) -> Tensor | None:
    """``(R,)`` int64 where they can be looked at without waiting for a device, that is on the CPU."""
    if rois.device.type != "cpu":
        return None
    numbers = rois[:, 0].detach()
    known = (numbers >= 0) & (numbers < images)
    if not known.all():
        at = int((~known).nonzero()[0])
        raise IndexError(f"box {at} is of image {numbers[at].item():g}, but there are {images} images")
    return numbers.long()


def pool_by_products(features: Tensor, rois: Tensor, height: int, width: int, scale: float = 1.0) -> Tensor:
    """The result by definition, from two matrix products; made of ordinary operators, so any derivative exists.

    Arguments and result are those of :func:`prroi_pool` with boxes ``(R, 5)``; with several images, memory for a copy
    of an image is taken for each box.
    """
    precision = features.dtype if features.dtype.itemsize >= 4 else torch.float32
    known = (rois[:, :1] >= 0) & (rois[:, :1] < features.shape[0])  # len() would make it a constant in exported graphs
    usable = known & rois[:, 1:].isfinite().all(dim=1, keepdim=True)
    exact = features.device.type in ("cpu", "cuda") and not torch.onnx.is_in_onnx_export()
    wide = torch.float64 if exact else precision
    left, top, right, bottom = (torch.where(usable, rois[:, 1:], 0).to(wide) * scale).unbind(1)
    columns = bin_weights(left, right, width, features.shape[3]).to(precision)
    rows = bin_weights(top, bottom, height, features.shape[2]).to(precision)
    maps = features.to(precision).flatten(1, 2)  # (B, C H, W)
    with torch.autocast(features.device.type, enabled=False):
        if features.shape[0] == 1:  # all columns at once
            across = (columns.flatten(0, 1) @ maps[0].mT).unflatten(0, columns.shape[:2])
        else:
            images = torch.where(known, rois[:, :1], 0)[:, 0].long()
            across = columns @ maps[images].mT
        # (R, Q, C H) as R products of (Q C, H) and (H, P): in this order nothing large has to be moved around
        pooled = across.unflatten(2, features.shape[1:3]).flatten(1, 2) @ rows.mT
        pooled = pooled.unflatten(1, (width, features.shape[1])).permute(0, 2, 3, 1)
    return torch.where(usable[:, :, None, None], pooled, torch.nan).to(features.dtype)


def bin_weights(first: Tensor, last: Tensor, bins: int, pixels: int) -> Tensor:
    """Mean of every pixel's hat function over every bin of segments.

    Args:
        first, last: ``(R,)`` ends of the segments, in pixels.
        bins: equal parts of each segment.
        pixels: they sit at 0, 1, ..., ``pixels`` - 1.

    Returns:
        ``(R, bins, pixels)``; zeros for empty segments. Inside the map the weights of a bin add up to 1, however narrow
        it is.
    """
    length = (last - first).clamp(min=0)[:, None, None] / bins
    number = torch.arange(bins, device=first.device, dtype=first.dtype)[:, None]
    start = first[:, None, None] + length * number
    end = start + length
    place = torch.arange(pixels, device=first.device, dtype=first.dtype)
    lower, upper = (start - place).clamp(-1, 1), (end - place).clamp(-1, 1)
    # The integral of 1 - |t| from lower to upper. Where both lie on one side of 0 the difference of antiderivatives is
    # factored, which keeps narrow bins exact in float32 too; ties are left to the other form, whose derivative at 0 is
    # the right one.
    aside = (upper - lower) * (1 - 0.5 * (upper.abs() + lower.abs()))
    across = upper * (1 - 0.5 * upper.abs()) - lower * (1 - 0.5 * lower.abs())
    integral = torch.where(lower * upper > 0, aside, across)
    covered = end - start  # not the length, which rounding may have changed
    empty = covered == 0
    return torch.where(empty, 0, integral / torch.where(empty, 1, covered))


@torch.library.custom_op("trackcore::prroi_pool", mutates_args=())
def _forward(features: Tensor, rois: Tensor, height: int, width: int, scale: float) -> Tensor:
    if not features.is_cuda:  # a program captured on CUDA and run elsewhere
        return pool_by_products(features, rois, height, width, scale).contiguous()
    from trackcore.ops import prroi_kernels

    return prroi_kernels.pool(features, rois, height, width, scale)


@_forward.register_fake
def _(features, rois, height, width, scale):
    return features.new_empty(len(rois), features.shape[1], height, width)


@torch.library.custom_op("trackcore::prroi_pool_backward", mutates_args=(), device_types="cuda")
def _backward(
    gradient: Tensor, features: Tensor, rois: Tensor, scale: float, for_features: bool, for_rois: bool
) -> tuple[Tensor, Tensor]:
    from trackcore.ops import prroi_kernels

    return prroi_kernels.gradients(gradient, features, rois, scale, for_features, for_rois)


@_backward.register_fake
def _(gradient, features, rois, scale, for_features, for_rois):
    to_features = torch.empty_like(features, memory_format=torch.contiguous_format)
    return to_features if for_features else features.new_empty(0), torch.empty_like(
        rois
    ) if for_rois else rois.new_empty(0)


def _save(ctx, inputs, output) -> None:
    features, rois, ctx.height, ctx.width, ctx.scale = inputs
    ctx.save_for_backward(features, rois)


def _differentiate(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
    features, rois = ctx.saved_tensors
    wanted = ctx.needs_input_grad[:2]
    if features.is_cuda and not torch.is_grad_enabled():
        both = torch.ops.trackcore.prroi_pool_backward(gradient, features, rois, ctx.scale, *wanted)
        gradients = iter([one for one, asked in zip(both, wanted, strict=True) if asked])
    else:  # autograd knows the products, their second derivatives too
        twice = torch.is_grad_enabled()
        with torch.enable_grad():
            inputs = [
                tensor if twice else tensor.detach().requires_grad_(asked)
                for tensor, asked in zip((features, rois), wanted, strict=True)
            ]
            pooled = pool_by_products(*inputs, ctx.height, ctx.width, ctx.scale)
            asked_for = [tensor for tensor, asked in zip(inputs, wanted, strict=True) if asked]
            gradients = iter(torch.autograd.grad(pooled, asked_for, gradient, create_graph=twice))
    return (*(next(gradients) if asked else None for asked in wanted), None, None, None)


_forward.register_autograd(_differentiate, setup_context=_save)
