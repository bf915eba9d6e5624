import multiprocessing
import random

import cv2
import numpy as np
import pytest
import torch

from trackcore.training import Counted, LoopConfig
from trackcore.training.config import EpochLayout
from trackcore.training.feeding import SampleError, StepBatches, close, make_loader, validation_batches
from trackcore.training.seeding import derive_seed

CPU = torch.device("cpu")


def config(**changes) -> LoopConfig:
    return LoopConfig(**{"epochs": 2, "samples_per_epoch": 26, "batch_size": 8, "workers": 0, **changes})


def steps_seen(loop: LoopConfig, processes: int, start: int = 0) -> list[list]:
    """The keys of each optimiser step, over all processes, in the order in which they are dealt."""
    _, accumulate = loop.batches(processes)
    dealt = [list(StepBatches(loop, rank, processes, start)) for rank in range(processes)]
    assert all(len(batches) == len(StepBatches(loop, 0, processes, start)) for batches in dealt)
    steps = []
    for first in range(0, len(dealt[0]), accumulate):
        turns = range(first, first + accumulate)
        steps.append([key for turn in turns for batches in dealt for key in batches[turn]])
    return steps


def test_steps_are_the_epochs_samples_in_order():
    steps = steps_seen(config(), processes=1)
    assert len(steps) == 6  # 26 samples hold three batches of 8
    assert steps[0] == [(1, index) for index in range(8)]
    assert steps[2] == [(1, index) for index in range(16, 24)]
    assert steps[3] == [(2, index) for index in range(8)]


@pytest.mark.parametrize(("processes", "micro"), [(2, None), (2, 2), (1, 2), (4, 1), (8, 1)])
def test_processes_and_accumulation_see_the_same_steps(processes, micro):
    assert steps_seen(config(micro_batch=micro), processes) == steps_seen(config(), 1)


def test_starting_at_a_step_leaves_out_those_before():
    assert steps_seen(config(), 2, start=4) == steps_seen(config(), 2)[4:]


@pytest.mark.parametrize(("processes", "micro"), [(3, None), (1, 3), (2, 8), (16, None)])
def test_impossible_batches_are_named(processes, micro):
    with pytest.raises(ValueError, match=rf"batch_size 8 is not a multiple of {processes} process"):
        config(micro_batch=micro).batches(processes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 27}, "an epoch of 26 samples holds no batch of 27"),
        ({"workers": -1}, "workers must not be negative"),
        ({"clip_norm": 0.0}, "clip_norm must be positive"),
        ({"best_metric": "IoU"}, "needs validation"),
        ({"shard": True, "precision": "fp16"}, "shard works with fp32 and bf16"),
    ],
)
def test_impossible_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


# 26 samples in batches of 8 and micro-batches of 2 are three steps of four micro-batches, and one micro-batch
@pytest.mark.parametrize(
    ("leftover", "processes", "layout", "lost"),
    [
        ("skip", 1, EpochLayout(micro=2, accumulate=4, micro_batches=12, steps=3), 0),
        ("step", 1, EpochLayout(micro=2, accumulate=4, micro_batches=13, steps=4), 0),
        ("lose", 1, EpochLayout(micro=2, accumulate=4, micro_batches=13, steps=3), 1),
        ("step", 2, EpochLayout(micro=2, accumulate=2, micro_batches=6, steps=3), 0),  # one is not enough for two
    ],
)
def test_what_becomes_of_leftover_micro_batches(leftover, processes, layout, lost):
    loop = config(micro_batch=2, leftover=leftover)
    assert loop.layout(processes) == layout
    assert loop.layout(processes).lost == lost
    turns = [loop.layout(processes).turns(step) for step in range(layout.steps)]
    assert sum(turns) + lost == layout.micro_batches
    dealt = [list(StepBatches(loop, rank, processes)) for rank in range(processes)]
    assert all(len(batches) == len(StepBatches(loop, 0, processes)) == 2 * layout.micro_batches for batches in dealt)
    second = [key for turn in zip(*dealt, strict=True) for batch in turn for key in batch if key[0] == 2]
    assert second == [(2, index) for index in range(layout.micro_batches * processes * 2)]
    later = StepBatches(loop, 0, processes, layout.steps + 2)  # the third step of the second epoch
    assert list(later) == dealt[0][layout.micro_batches + 2 * layout.accumulate :]
    assert len(later) == len(list(later))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_validation_covers_each_sample_once(count, processes):
    loop = config(validation_samples=count)
    dealt = [validation_batches(loop, rank, processes) for rank in range(processes)]
    assert len({len(batches) for batches in dealt}) == 1  # equal numbers, or the exchange between processes would hang
    assert sorted(index for batches in dealt for keys in batches for _, index in keys) == list(range(count))


class Global:
    """Samples drawn, carelessly, from the global generators."""

    def train_sample(self, epoch, index):
        return torch.tensor([random.random(), np.random.rand(), float(torch.rand(()))], dtype=torch.float64)  # noqa: NPY002


def test_the_number_of_workers_changes_nothing():
    found = []
    for workers in (0, 1, 2):
        loop = config(workers=workers)
        found.append([batch.data for batch in make_loader(Global(), loop, StepBatches(loop, 0, 1), True, CPU)])
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))
    assert len(torch.cat(found[0]).unique(dim=0)) == 48


def test_workers_start_after_opencv_has_used_its_threads():
    """In a forked process OpenCV's threads are gone; telling it to end them would wait for ever."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        cv2.warpAffine(np.zeros((2000, 2000, 3), np.uint8), np.float64([[1, 0.1, 3], [0, 1, 2]]), (2000, 2000))
        loop = config(workers=1)
        loader = make_loader(Global(), loop, StepBatches(loop, 0, 1), True, CPU)
        loader.timeout = 30
        assert len(list(loader)) == len(loader)
    finally:
        cv2.setNumThreads(threads)


class Damaged:
    """Every third sample cannot be read."""

    def train_sample(self, epoch, index):
        if index % 3 == 0:
            raise OSError(f"frame {index} is truncated")
        return Counted(torch.tensor(index), {"redrawn": 1})


def test_a_failing_sample_is_replaced_and_counted():
    loop = config()
    batch = next(iter(make_loader(Damaged(), loop, StepBatches(loop, 0, 1), True, CPU)))
    # 0, 3 and 6 fail; 26, 29 and 32 stand in for them
    assert batch.data.tolist() == [26, 1, 2, 29, 4, 5, 32, 7]
    assert batch.counts == {"OSError": 3, "redrawn": 8}
    assert batch.complaint == "epoch 1 sample 0: OSError: frame 0 is truncated"


@pytest.mark.parametrize("workers", [0, 1])
def test_data_that_never_loads_stops_the_run(workers):
    class Hopeless:
        def train_sample(self, epoch, index):
            raise OSError("the disk is gone")

    loop = config(workers=workers, retries=2)
    feed = iter(make_loader(Hopeless(), loop, StepBatches(loop, 0, 1), True, CPU))
    with pytest.raises(SampleError, match=r"3 samples in a row failed to load.*the disk is gone"):
        next(feed)
    close(feed)
    assert multiprocessing.active_children() == []


def test_a_failing_validation_sample_is_left_out():
    class Half:
        def validation_sample(self, index):
            if index < 9:
                raise ValueError("no box")
            return torch.tensor(index)

    loop = config(validation_samples=10)
    first, second = make_loader(Half(), loop, validation_batches(loop, 0, 1), False, CPU)
    assert (first.data, first.size, first.counts) == (None, 0, {"ValueError": 8})
    assert (second.data.tolist(), second.size, second.counts) == ([9], 1, {"ValueError": 1})


def test_seeds_depend_on_every_part():
    paths = [(1, "step", 2, 3), (1, "step", 3, 2), (1, "sample", 2, 3), (2, "step", 2, 3), (1, "step", 23)]
    assert len({derive_seed(*path) for path in paths}) == len(paths)
    assert derive_seed(1, "step", 2) == derive_seed(1, "step", 2)
    assert 0 <= derive_seed(1) < 2**63
