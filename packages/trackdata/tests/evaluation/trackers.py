"""Trackers and datasets for the runner's tests; worker processes import this file by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from trackcore.tracker import Prediction
from trackdata.sequences import Sequence


class ArrayFrames:
    """``count`` frames made when read; ``broken`` ones cannot be read."""

    def __init__(self, count: int, broken: tuple[int, ...] = (), size: tuple[int, int] = (48, 64)):
        self.count, self.broken, self.size = count, broken, size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        if index in self.broken:
            raise OSError(f"frame {index} cannot be read")
        return np.full((*self.size, 3), index % 256, np.uint8)


def make_sequence(name: str, frames: int, broken: tuple[int, ...] = (), step: float = 1.0) -> Sequence:
    """A box of 10 x 8 that moves right by ``step`` a frame."""
    boxes = np.tile([5.0, 6.0, 10.0, 8.0], (frames, 1))
    boxes[:, 0] += step * np.arange(frames)
    return Sequence(name, ArrayFrames(frames, broken), boxes, np.ones(frames, bool))


@dataclass
class Listed:
    """A dataset that is a list."""

    sequences: list[Sequence]
    name: str = "toy"
    still: bool = False

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> Sequence:
        return self.sequences[index]


@dataclass
class Still:
    """Stays where it started. ``calls`` counts, ``log`` collects process ids across processes."""

    score: float | None = 0.5
    log: Path | None = None
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{os.getpid()}\n")

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        self.calls.append("init")
        self.box = box

    def update(self, frame: np.ndarray) -> Prediction:
        self.calls.append("update")
        return Prediction(self.box, self.score)


@dataclass
class Faulty(Still):
    """Gives ``value`` as its box, or raises it, on frame ``at``."""

    at: int = 2
    value: object = None

    def update(self, frame: np.ndarray) -> Prediction:
        if frame[0, 0, 0] == self.at:
            if isinstance(self.value, BaseException):
                raise self.value
            return Prediction(self.value)
        return super().update(frame)


class Dying(Still):
    """Takes its process with it in sequences of six frames."""

    def update(self, frame: np.ndarray) -> Prediction:
        if frame[0, 0, 0] == 5:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().update(frame)


class Hanging(Still):
    """Never comes back from the last frame of sequences of six frames."""

    def update(self, frame: np.ndarray) -> Prediction:
        if frame[0, 0, 0] == 5:
            time.sleep(600)
        return super().update(frame)


@dataclass
class Slow(Still):
    """Takes ``pause`` seconds a frame; logs every start as well."""

    pause: float = 0.02

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        super().init(frame, box)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write("init\n")

    def update(self, frame: np.ndarray) -> Prediction:
        time.sleep(self.pause)
        return super().update(frame)


class LosesDevice(Still):
    """Fails in sequences of six frames, and for good in this process, as CUDA does after an illegal access."""

    def update(self, frame: np.ndarray) -> Prediction:
        if "torch" in sys.modules:
            sys.modules["torch"].cuda.synchronize()
        if frame[0, 0, 0] == 5:
            cuda = SimpleNamespace(is_initialized=lambda: True, synchronize=illegal_access)
            sys.modules["torch"] = SimpleNamespace(cuda=cuda)
            illegal_access()
        return super().update(frame)


def illegal_access() -> None:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def on_device(device: str, log: Path, workers: int) -> Still:
    """Notes its device and waits until all workers have."""
    with log.open("a") as file:
        file.write(f"{device}\n")
    deadline = time.monotonic() + 30
    while len(log.read_text().split()) < workers and time.monotonic() < deadline:
        time.sleep(0.02)
    return Still()


def no_tracker() -> Still:
    raise RuntimeError("the weights are missing")


def dead_tracker() -> Still:
    os._exit(7)


def once(marker: Path) -> Still:
    """Builds one tracker that dies; after that there is none any more."""
    if marker.exists():
        raise RuntimeError("the licence has run out")
    marker.touch()
    return Dying()
