"""Which samples make which step, and the loaders that fetch them.

Everything is a function of (seed, epoch, index): step ``s`` of an epoch takes the samples ``s * batch_size`` and on,
cut into micro-batches that are dealt to the processes in turn. So any number of processes, micro-batches and loader
workers sees the same samples in the same steps, and a run resumes at a step by starting there.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from trackcore.training.config import Counted, LoopConfig, Task
from trackcore.training.seeding import derive_seed, seed_everything

Key = tuple[int, int]  # (epoch, index)

_GRACE = 60  # seconds between SIGTERM and the end of a loader process


class SampleError(RuntimeError):
    """Too many samples in a row failed to load."""


class Batch(NamedTuple):
    """A micro-batch on its way from a loader process.

    Attributes:
        data: what the task's ``collate`` returned; None when no sample of a validation batch could be loaded.
        size: samples in it.
        counts: failures by exception name, and the samples' own counts.
        complaint: the first failure's message, or "".
    """

    data: Any
    size: int
    counts: dict[str, int]
    complaint: str


class StepBatches(Sampler[list[Key]]):
    """The training micro-batches of one process, from ``start_step`` to the end of the training."""

    def __init__(self, config: LoopConfig, rank: int, processes: int, start_step: int = 0) -> None:
        self._epochs, self._rank, self._processes = config.epochs, rank, processes
        self._layout = config.layout(processes)
        self._epoch, self._step = divmod(start_step, self._layout.steps)

    def __len__(self) -> int:
        return (self._epochs - self._epoch) * self._layout.micro_batches - self._step * self._layout.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        layout, start = self._layout, self._step * self._layout.accumulate
        for epoch in range(self._epoch, self._epochs):
            for number in range(start, layout.micro_batches):
                first = (number * self._processes + self._rank) * layout.micro
                yield [(epoch + 1, index) for index in range(first, first + layout.micro)]
            start = 0


def validation_batches(config: LoopConfig, rank: int, processes: int) -> list[list[Key]]:
    """Validation micro-batches of one process: as many for each, the last ones possibly short or empty."""
    micro, _ = config.batches(processes)
    count = config.validation_samples
    firsts = range(rank * micro, -(-count // (micro * processes)) * micro * processes, micro * processes)
    return [[(0, index) for index in range(first, min(first + micro, count))] for first in firsts]


class _Fetched(NamedTuple):
    sample: Any
    present: bool
    counts: Counter
    complaint: str


class _Samples(Dataset):
    """Fetches one sample by key; failures are counted, and replaced when training."""

    def __init__(self, task: Task, config: LoopConfig, training: bool) -> None:
        self._task, self._config, self._training = task, config, training

    def __getitem__(self, key: Key) -> _Fetched:
        epoch, index = key
        counts: Counter = Counter()
        complaint = ""
        for attempt in range(1 + (self._config.retries if self._training else 0)):
            # indices past the epoch's own are used by no other sample
            at = index + attempt * self._config.samples_per_epoch
            seed_everything(derive_seed(self._config.seed, "sample", epoch, at), cuda=False)
            try:
                sample = self._task.train_sample(epoch, at) if self._training else self._task.validation_sample(index)
            except Exception as error:  # whatever a damaged file or an odd annotation leads to: counted and reported
                counts[type(error).__name__] += 1
                complaint = complaint or f"epoch {epoch} sample {at}: {type(error).__name__}: {error}"
                continue
            if isinstance(sample, Counted):
                counts.update(sample.counts)
                sample = sample.sample
            return _Fetched(sample, True, counts, complaint)
        if self._training:
            raise SampleError(
                f"{self._config.retries + 1} samples in a row failed to load, so the data is not usable; the first: "
                f"{complaint}"
            )
        return _Fetched(None, False, counts, complaint)


class _Collate:
    """Makes a :class:`Batch` of fetched samples with the task's ``collate``."""

    def __init__(self, task: Task) -> None:
        self._collate = getattr(task, "collate", default_collate)

    def __call__(self, fetched: Sequence[_Fetched]) -> Batch:
        samples = [item.sample for item in fetched if item.present]
        counts = sum((item.counts for item in fetched), Counter())
        complaint = next((item.complaint for item in fetched if item.complaint), "")
        return Batch(self._collate(samples) if samples else None, len(samples), dict(counts), complaint)


def make_loader(
    task: Task, config: LoopConfig, batches: Sampler | list, training: bool, device: torch.device
) -> DataLoader:
    """A loader of :class:`Batch` over the keys in ``batches``."""
    return DataLoader(
        _Samples(task, config, training),
        batch_sampler=batches,
        num_workers=config.workers,
        collate_fn=_Collate(task),
        worker_init_fn=_start_worker,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # the loader draws a seed nobody uses; not from the global generator
    )


def close(feed: Iterator[Batch]) -> None:
    """End the processes behind a loader's iterator now.

    A traceback that holds the iterator would keep them, and the program waiting for them, until long after.
    """
    shut_down = getattr(feed, "_shutdown_workers", None)  # there is none without loader processes
    if shut_down is not None:
        shut_down()


def _start_worker(number: int) -> None:
    # Schedulers send signals to all processes, but the training process decides what they mean: a loader process that
    # died at once would take the step under way with it. It may not stay forever either, should nobody end it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_GRACE))
    if "cv2" in sys.modules:  # one thread per worker: the processes are the parallelism
        # 0, not 1: in a forked process OpenCV's threads are gone, and 1 waits forever for them to end.
        sys.modules["cv2"].setNumThreads(0)
