"""Frames with several objects at 480p: objects and frames in one pass beside one object at a time, as published.

python benchmarks/speed/segment.py
python benchmarks/speed/segment.py --device cuda

"One at a time" is what the published program does: for every object and frame a pass of its own, which embeds the
reference again, forms whole attention maps, and computes all tokens of the last block. The ways to compute take turns,
so that what else the machine does falls on all of them alike. Memory is that of the process over a long video.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from machine import measure_machine, waiting
from reporting import Figure, report


def literal_pass(network, reference, mask, frame, positions):
    """Logits ``(1, 1, H, W)`` of one object in one frame, computed as it reads."""
    import torch

    height, width = (side // network.config.patch for side in frame.shape[-2:])
    query = network.embed_query(frame, positions)
    tokens = torch.cat([network.embed_reference(reference, mask, positions), query], dim=1)
    for block in network.blocks:
        queries, keys, values = block.attn.heads_of(block.norm1(tokens))
        attention = (queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5).softmax(dim=-1)
        tokens = block.transform(tokens + block.attn.merge(attention @ values))
    return network.decode(network.norm(tokens)[:, -height * width :], height, width)


def one_at_a_time(backend, objects: int, size: tuple[int, int]) -> Callable[[], object]:
    """A frame as the published program segments it: normalised and padded, object by object, aggregated."""
    import torch

    from dropseg_vos.aggregation import aggregate_logits
    from dropseg_vos.sizes import Padding, normalise

    network, device = backend.network, backend.device
    frames, labels = inputs(objects, size)
    padding = Padding.of(size, backend.divisor)

    def prepare(frame: np.ndarray):
        return padding.add(normalise(frame[None], device))

    reference = prepare(frames[0])
    masks = [torch.as_tensor(labels == number, device=device)[None, None] for number in range(1, objects + 1)]
    masks = [padding.add(mask.float()) for mask in masks]
    positions = network.positions(*(side // backend.divisor for side in reference.shape[-2:]))

    @torch.inference_mode()
    def frame() -> object:
        query = prepare(frames[1])
        with backend.autocast():
            logits = [literal_pass(network, reference, mask, query, positions) for mask in masks]
        return padding.remove(aggregate_logits(torch.cat(logits, dim=1)))[0].argmax(dim=0).cpu().numpy()

    return frame


def inputs(objects: int, size: tuple[int, int], frames: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Frames of noise, and a label map of boxes in the first one."""
    rng = np.random.default_rng(0)
    labels = np.zeros(size, np.uint8)
    for number, columns in enumerate(np.array_split(np.arange(size[1]), objects), start=1):
        labels[size[0] // 4 : size[0] // 2, columns[: max(1, len(columns) // 2)]] = number
    return rng.integers(0, 256, (frames, *size, 3)).astype(np.uint8), labels


def together(segmenter, objects: int, size: tuple[int, int], batch: int) -> Callable[[], object]:
    """The package's way: ``batch`` frames with all objects."""
    frames, labels = inputs(objects, size, batch + 1)
    segmenter.init(frames[0], labels)
    return lambda: segmenter.update_many(list(frames[1:]))


def take_turns(functions: Mapping[str, Callable[[], object]], repeats: int, wait: Callable | None) -> dict[str, float]:
    """Median seconds of functions that are called one after the other, over and over."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(1 + repeats):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            if wait is not None:
                wait()
            if number > 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in seconds.items()}


def memory_growth(segmenter, objects: int, size: tuple[int, int], frames: int) -> float:
    """Bytes by which the largest memory of the process grew over ``frames`` frames, for each of them."""
    step = together(segmenter, objects, size, 1)
    for _ in range(max(10, frames // 10)):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(frames):
        step()
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / frames


@dataclass(frozen=True)
class Options:
    """Time frames with several objects."""

    recipe: str = "retrain_s03"
    """network"""
    size: tuple[int, int] = (480, 854)
    """height and width of the frames"""
    objects: tuple[int, ...] = (1, 3, 10)
    """numbers of objects"""
    device: str = "cpu"
    """where to compute"""
    precisions: tuple[str, ...] = ("fp32", "bf16")
    """of the network"""
    batch: int = 1
    """frames in a pass of the package; 4 and more fill a GPU"""
    repeats: int = 3
    """timed frames; the median counts"""
    exported: bool = False
    """include OpenVINO, in float32 and bfloat16"""
    video: int = 10_000
    """frames over which memory is watched, with a small network and frames; 0 leaves it out"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    from dropseg_vos.exporting import export_network
    from dropseg_vos.loading import load_segmenter
    from dropseg_vos.network import build
    from dropseg_vos.profile import measure_cost
    from dropseg_vos.recipes import get_recipe
    from dropseg_vos.sizes import Sizing

    machine = measure_machine(options.device)
    config = get_recipe(options.recipe).model
    padded = tuple(-(-side // config.patch) * config.patch for side in options.size)
    cost = measure_cost(config, padded)
    keep = {"sizing": Sizing("keep"), "pairs_per_pass": 64}
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        ways = {}
        for precision in options.precisions:
            ways[precision] = (
                load_segmenter(recipe=options.recipe, device=options.device, precision=precision, **keep),
                precision,
            )
        if options.exported:
            export_network(build(config), folder, padded, ("openvino",))
            for precision in options.precisions:
                segmenter = load_segmenter(folder, backend="openvino", precision=precision, **keep)
                ways[f"openvino, {precision}"] = segmenter, precision
        for objects in options.objects:
            functions = {
                f"one at a time, {precision}": one_at_a_time(ways[precision][0].backend, objects, options.size)
                for precision in options.precisions
            }
            for name, (segmenter, _) in ways.items():
                functions[name] = together(segmenter, objects, options.size, options.batch)
            seconds = take_turns(functions, options.repeats, waiting(options.device))
            seconds |= {name: seconds[name] / options.batch for name in ways}
            for name, median in seconds.items():
                precision = name.rpartition(", ")[2] if ", " in name else name
                figures.append(
                    Figure(
                        f"{options.recipe}, {objects} objects at {options.size[0]}p, {name}",
                        median,
                        gflop=1e-9 * cost.flops(objects),
                        precision="bf16" if precision == "bf16" else "fp32",
                        note=f"{seconds[f'one at a time, {precision}'] / median:.2f} x one at a time",
                    )
                )
    if options.video:
        segmenter = load_segmenter(recipe="debug", device=options.device)
        began = time.perf_counter()
        grown = memory_growth(segmenter, 3, (48, 64), options.video)
        seconds = (time.perf_counter() - began) / (1.1 * options.video)
        figures.append(
            Figure(
                f"debug, 3 objects, {options.video} frames in a row",
                seconds,
                note=f"memory grew by {grown:.1f} bytes a frame",
            )
        )
    report("segment", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
