"""Box operators: precise RoI pooling beside RoIAlign and other ways to write it, overlaps, pixel-wise correlation.

python benchmarks/speed/box_ops.py

Ways to compute the same take turns, and the fastest call of each counts: most take a millisecond, which other programs
disturb.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from machine import measure_machine, waiting
from reporting import Figure, report


def fastest(functions: Mapping[str, Callable[[], object]], repeats: int, device: str) -> dict[str, float]:
    """Seconds of the fastest of ``repeats`` calls of each, after two that do not count."""
    finish = waiting(device) or (lambda: None)
    seconds = dict.fromkeys(functions, float("inf"))
    for number in range(2 + repeats):
        for name, function in functions.items():
            finish()
            began = time.perf_counter()
            function()
            finish()
            if number >= 2:
                seconds[name] = min(seconds[name], time.perf_counter() - began)
    return seconds


@dataclass(frozen=True)
class Pooling:
    """A pooling problem.

    Attributes:
        name: whose it is.
        images, channels, side: of the features, ``(images, channels, side, side)``.
        boxes: in all, dealt to the images in turn.
        size: bins down and across.
        stride: pixels per feature pixel.
    """

    name: str
    images: int
    channels: int
    side: int
    boxes: int
    size: int
    stride: int


PROBLEMS = (
    Pooling("10 proposals, 5x5 of 256x36x36 (ATOM)", 1, 256, 36, 10, 5, 8),
    Pooling("10 proposals, 3x3 of 256x18x18 (ATOM)", 1, 256, 18, 10, 3, 16),
    Pooling("32 templates, 8x8 of 32x256x16x16 (Alpha-Refine)", 32, 256, 16, 32, 8, 16),
    Pooling("64 boxes, 7x7 of 2x256x100x100 (a detector)", 2, 256, 100, 64, 7, 8),
)


def inputs(problem: Pooling, device: str) -> tuple[Any, Any]:
    """Features, and rois ``(R, 5)`` of a quarter to half of the image's side."""
    import torch

    generator = torch.Generator().manual_seed(0)
    features = torch.randn(problem.images, problem.channels, problem.side, problem.side, generator=generator)
    pixels = problem.side * problem.stride
    sides = pixels * (0.25 + 0.25 * torch.rand(problem.boxes, 2, generator=generator))
    corner = (pixels - sides) * torch.rand(problem.boxes, 2, generator=generator)
    index = (torch.arange(problem.boxes) % problem.images).float()[:, None]
    return features.to(device), torch.cat([index, corner, corner + sides], dim=1).to(device)


def box_by_box(features: Any, rois: Any, size: int, scale: float) -> Any:
    """The two products in a Python loop over boxes."""
    import torch

    from trackcore.ops.prroi_pool import bin_weights

    pooled = []
    for roi in rois * torch.tensor([1, scale, scale, scale, scale], device=rois.device):
        columns = bin_weights(roi[1:2], roi[3:4], size, features.shape[3])[0]
        rows = bin_weights(roi[2:3], roi[4:5], size, features.shape[2])[0]
        pooled.append(rows @ features[int(roi[0])] @ columns.mT)
    return torch.stack(pooled)


def pooling(device: str, repeats: int) -> list[Figure]:
    """Forward, and forward with gradients to features and boxes."""
    import torch
    from torchvision.ops import roi_align

    from trackcore.ops.prroi_pool import pool_by_products, prroi_pool

    figures = []
    shown = "Triton kernel" if device == "cuda" else "two products"
    for problem in PROBLEMS:
        features, rois = inputs(problem, device)
        size, scale = problem.size, 1 / problem.stride
        ways: dict[str, Callable[[Any, Any], Any]] = {
            f"prroi_pool ({shown})": lambda f, r, n=size, s=scale: prroi_pool(f, r, n, s),
            "two products, an image copied for each box": lambda f, r, n=size, s=scale: pool_by_products(f, r, n, n, s),
            "two products, box by box": lambda f, r, n=size, s=scale: box_by_box(f, r, n, s),
            "torchvision roi_align, 2x2 samples": lambda f, r, n=size, s=scale: roi_align(f, r, n, s, 2),
            "torchvision roi_align, as many as pixels": lambda f, r, n=size, s=scale: roi_align(f, r, n, s, -1),
        }
        if problem.images == 1:
            del ways["two products, an image copied for each box"]  # the same thing

        def gradients(way: Callable[[Any, Any], Any], f: Any = features, r: Any = rois) -> None:
            grown, boxes = f.clone().requires_grad_(), r.clone().requires_grad_()
            torch.autograd.grad(way(grown, boxes).sum(), (grown, boxes), allow_unused=True)

        def forward(way: Callable[[Any, Any], Any], f: Any = features, r: Any = rois) -> None:
            with torch.inference_mode():
                way(f, r)

        for what, call, count in (("", forward, repeats), (", and gradients", gradients, max(3, repeats // 5))):
            seconds = fastest({name: lambda w=way, c=call: c(w) for name, way in ways.items()}, count, device)
            for name, taken in seconds.items():
                note = "no gradient to boxes" if what and "align" in name else ""
                figures.append(Figure(f"{problem.name}: {name}{what}", taken, "call", note=note))
    return figures


def overlaps(device: str, repeats: int) -> list[Figure]:
    """Of pairs and of all with all, as they are, compiled, and torchvision's."""
    import torch
    from torchvision.ops import box_iou

    from trackcore.boxes import overlap, pairwise_overlap

    generator = torch.Generator().manual_seed(0)

    def boxes(count: int) -> Any:
        corner = 200 * torch.rand(count, 2, generator=generator)
        return torch.cat([corner, corner + 50 * torch.rand(count, 2, generator=generator)], dim=1).to(device)

    few, many, others = boxes(32), boxes(1000), boxes(1000)
    compiled = torch.compile(pairwise_overlap)
    ways: dict[str, Callable[[], Any]] = {}
    for kind in ("iou", "giou", "ciou"):
        ways[f"{kind} of 32 pairs"] = lambda k=kind: overlap(few, few.flip(0), k)
        ways[f"{kind} of 1000 x 1000"] = lambda k=kind: pairwise_overlap(many, others, k)
    ways["giou of 1000 x 1000, compiled"] = lambda: compiled(many, others, "giou")
    ways["iou of 1000 x 1000, torchvision"] = lambda: box_iou(many, others)
    with torch.no_grad():
        return [Figure(name, taken, "call") for name, taken in fastest(ways, repeats, device).items()]


def correlation(device: str, repeats: int) -> list[Figure]:
    """64 template positions against 256 search positions of 256 channels, as a product and as a convolution."""
    import torch
    import torch.nn.functional as F

    from alpha_refine.necks import pixelwise_correlation

    figures = []
    for batch in (1, 32):
        kernel, search = torch.randn(batch, 256, 8, 8, device=device), torch.randn(batch, 256, 16, 16, device=device)

        def convolution(kernel: Any = kernel, search: Any = search, batch: int = batch) -> Any:
            filters = kernel.flatten(2).mT.reshape(batch * 64, 256, 1, 1)
            return F.conv2d(search.reshape(1, batch * 256, 16, 16), filters, groups=batch)

        ways = {
            "matrix product": lambda k=kernel, x=search: pixelwise_correlation(k, x),
            "grouped convolution": convolution,
        }
        with torch.inference_mode():
            for name, taken in fastest(ways, repeats, device).items():
                gflop = 2e-9 * batch * 64 * 256 * 256
                figures.append(Figure(f"pixel-wise correlation, batch {batch}: {name}", taken, "call", gflop))
    return figures


@dataclass(frozen=True)
class Options:
    """Time box operators."""

    repeats: int = 30
    """timed calls; the fastest counts"""
    device: str = "cpu"
    """cpu or cuda"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine(options.device)
    figures = pooling(options.device, options.repeats)
    figures += overlaps(options.device, options.repeats) + correlation(options.device, options.repeats)
    report("box operators", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
