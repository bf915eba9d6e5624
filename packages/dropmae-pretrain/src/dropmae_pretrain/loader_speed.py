"""How many pairs a second the loader gives when nobody trains."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from dropmae_pretrain.augment import augment, draw_parameters
from dropmae_pretrain.pairs import FramePairSource
from trackcore.training.config import LoopConfig
from trackcore.training.feeding import StepBatches, close, make_loader
from trackdata.clips import read_frames
from trackdata.errors import FrameError

_EPOCHS = 1_000_000  # more than a measurement ever sees


@dataclass(frozen=True)
class Rate:
    """A measurement.

    Attributes:
        workers: loader processes; 0 loads in the process that asks.
        pairs: pairs counted.
        seconds: the time they took.
    """

    workers: int
    pairs: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Pairs per second."""
        return self.pairs / self.seconds


@dataclass(frozen=True)
class PairTime:
    """Where the time of one pair goes in one process: mean seconds of reading two frames, and of cropping them."""

    reading: float
    cropping: float


class _Pairs:
    """As much of a task as the loader asks for."""

    def __init__(self, source: FramePairSource) -> None:
        self._source = source

    def train_sample(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        sample = self._source(epoch, index)
        return sample["first"], sample["second"]


def measure_loader(source: FramePairSource, workers: int, *, batch: int = 16, seconds: float = 10.0) -> Rate:
    """Fetch batches for about ``seconds`` with the loader that training uses, and throw them away.

    The first batch of every process, which includes its start, is not counted.
    """
    config = LoopConfig(_EPOCHS, samples_per_epoch=max(batch, len(source.videos)), batch_size=batch, workers=workers)
    feed = iter(make_loader(_Pairs(source), config, StepBatches(config, 0, 1), True, torch.device("cpu")))
    try:
        for _ in range(max(1, workers)):
            next(feed)
        pairs, passed, began = 0, 0.0, time.perf_counter()
        while passed < seconds:
            pairs += next(feed).size
            passed = time.perf_counter() - began
        return Rate(workers, pairs, passed)
    finally:
        close(feed)


def measure_pair(source: FramePairSource, pairs: int = 32) -> PairTime:
    """Time the two parts of making pairs, over randomly drawn videos; those that cannot be read are passed over.

    Raises:
        FrameError: none of the videos drawn can be read.
    """
    rng = np.random.default_rng(source.seed)
    reading, cropping, failure = [], [], None
    for _ in range(pairs):
        frames = source.videos[int(rng.integers(len(source.videos)))].frames
        began = time.perf_counter()
        try:
            images = read_frames(frames, source.choose(rng, len(frames)))
        except FrameError as error:
            failure = error
            continue
        read = time.perf_counter()
        for image in images:
            augment(image, draw_parameters(rng, image.shape[:2], source.config.crop), source.config.crop)
        reading.append(read - began)
        cropping.append(time.perf_counter() - read)
    if not reading and failure is not None:
        raise failure
    return PairTime(float(np.mean(reading)), float(np.mean(cropping)))
