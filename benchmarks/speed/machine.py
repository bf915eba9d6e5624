"""What this machine can do: its matrix-multiply rate, measured, and what it is.

Every figure of the other benchmarks is set against the rate measured here in the same run, which makes figures of
different machines, and of one machine under different load, comparable.

    python benchmarks/speed/machine.py
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro


@dataclass(frozen=True)
class Machine:
    """The machine and its rates, as measured at the start of a run.

    Attributes:
        device: "cpu" or "cuda".
        processor: model name of the processor or graphics card that computed.
        threads: threads torch used on the CPU.
        load: running processes when the run began (one-minute average); above 0.5 the figures are doubtful.
        fp32, bf16: multiplication of two square matrices, in GFLOP/s (a multiply-add counts as two).
    """

    device: str
    processor: str
    threads: int
    load: float
    python: str
    torch: str
    fp32: float
    bf16: float


def median_seconds(
    function: Callable[[], object], repeats: int, warmup: int = 2, finish: Callable[[], object] | None = None
) -> float:
    """Median wall-clock time of ``function``.

    Args:
        function: what is timed.
        repeats: timed calls.
        warmup: calls before them, not counted.
        finish: waits until the work of a call is done (devices that compute asynchronously).
    """
    seconds = []
    for number in range(warmup + repeats):
        began = time.perf_counter()
        function()
        if finish is not None:
            finish()
        if number >= warmup:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def waiting(device: str) -> Callable[[], object] | None:
    """The ``finish`` of a device."""
    import torch

    return torch.cuda.synchronize if device == "cuda" else None


def measure_machine(device: str = "cpu", repeats: int = 15) -> Machine:
    """Describe and time this machine; a few seconds on two cores."""
    import torch

    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        side = _side(device, dtype)
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        with torch.inference_mode():
            seconds = median_seconds(lambda a=left, b=right: a @ b, repeats, finish=waiting(device))
        rates[dtype] = 2 * side**3 / seconds / 1e9
    return Machine(
        device=device,
        processor=torch.cuda.get_device_name() if device == "cuda" else _processor(),
        threads=torch.get_num_threads(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else float("nan"),
        python=platform.python_version(),
        torch=torch.__version__,
        fp32=rates[torch.float32],
        bf16=rates[torch.bfloat16],
    )


def _side(device: str, dtype: Any) -> int:
    """Side of the matrices to multiply: small ones where the processor has no instructions for the type."""
    import torch

    if device != "cpu":
        return 8192
    small = torch.randn(256, 256).to(dtype)
    expected = (2048 / 256) ** 3 * median_seconds(lambda: small @ small, repeats=3)
    return 2048 if expected < 2 else 512


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Options:
    """Measure this machine's matrix-multiply rate."""

    device: str = "cpu"
    """cpu or cuda"""
    repeats: int = 15
    """timed multiplications; the median counts"""


if __name__ == "__main__":
    from rich import print

    options = tyro.cli(Options)
    print(measure_machine(options.device, options.repeats))
