"""Which datasets, sequences and frames make a training sample.

A *strategy* chooses frames of one sequence; :class:`MixtureSampler` chooses the dataset and the sequence first. Nothing
here reads an image. All randomness comes from a generator that :func:`sample_generator` derives from (seed, epoch,
index), so a sample does not depend on the number of workers or processes, nor on the samples drawn before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass, field

import numpy as np

from trackdata.faults import EXPLANATIONS, REASONS, FaultCounts, Reason, SamplingError, exhausted
from trackdata.sequences import AnnotationError, Dataset, Sequence
from trackdata.strategies import CausalSampler, FrameChoice, Strategy, TridentSampler

__all__ = [
    "REASONS",
    "CausalSampler",
    "Draw",
    "DryRun",
    "FaultCounts",
    "FrameChoice",
    "MixtureSampler",
    "SamplingError",
    "Strategy",
    "TridentSampler",
    "dry_run",
    "sample_generator",
    "visibility",
]


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random generator of one sample: counter-based, so any sample can be drawn without those before it.

    Args:
        seed, epoch, index: integers from 0 to 2**64 - 1. Different triples give independent streams.
    """
    key = np.array([seed, epoch], dtype=np.uint64)
    counter = np.array([0, 0, 0, index], dtype=np.uint64)  # the low words count the numbers drawn
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


@dataclass(frozen=True)
class Draw:
    """A sequence and the frames chosen from it. ``dataset`` is the dataset's number in the mixture."""

    dataset: int
    sequence: Sequence
    frames: FrameChoice


def visibility(sequence: Sequence) -> np.ndarray:
    """``(N,)`` bool: frames a sampler may use. Where the dataset says nothing about visibility, those with a box."""
    return sequence.valid if sequence.visible is None else sequence.visible


@dataclass(frozen=True)
class MixtureSampler:
    """Draws a dataset by weight, then a sequence of it uniformly, then frames.

    A sequence qualifies when it has at least ``min_length`` frames and more than twice as many visible ones as the
    strategy chooses; others are passed over within the same dataset, so they do not change the weights. Still images
    always qualify and are paired with themselves. An annotation that cannot be read restarts the draw from the choice
    of the dataset.

    Attributes:
        datasets: at least one, none empty.
        weights: relative, one per dataset; None means equal.
        strategy: chooses the frames.
        min_length: frames a video must have.
        max_attempts: sequences looked at for one sample before giving up.
    """

    datasets: SequenceABC[Dataset]
    weights: SequenceABC[float] | None = None
    strategy: Strategy = field(default_factory=CausalSampler)
    min_length: int = 20
    max_attempts: int = 1000

    def __post_init__(self) -> None:
        names = [dataset.name for dataset in self.datasets]
        if not names:
            raise ValueError("a mixture needs at least one dataset")
        for dataset in self.datasets:
            if len(dataset) == 0:
                raise ValueError(f"the dataset {dataset.name} has no sequences")
        weights = [1.0] * len(names) if self.weights is None else [float(weight) for weight in self.weights]
        if len(weights) != len(names):
            raise ValueError(f"{len(names)} datasets ({', '.join(names)}) but {len(weights)} weights")
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or sum(weights) <= 0:
            raise ValueError(f"weights must be finite, not negative and not all zero, got {weights}")
        object.__setattr__(self, "datasets", tuple(self.datasets))
        object.__setattr__(self, "weights", tuple(weights))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dataset.name for dataset in self.datasets)

    def faults(self) -> FaultCounts:
        """An empty count for this mixture's datasets."""
        return FaultCounts(self.names)

    def choose_dataset(self, rng: np.random.Generator) -> int:
        """Number of a dataset, drawn by weight."""
        edges = np.cumsum(self.weights)
        return int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))

    def refusal(self, sequence: Sequence) -> Reason | None:
        """Why a video may not be used, or None when it may."""
        if len(sequence) < self.min_length:
            return "too_short"
        wanted = self.strategy.templates + self.strategy.searches
        return None if np.count_nonzero(visibility(sequence)) > 2 * wanted else "few_visible"

    def draw(self, rng: np.random.Generator, faults: FaultCounts | None = None) -> Draw:
        """One draw. What was passed over is added to ``faults``.

        Raises:
            SamplingError: ``max_attempts`` sequences in a row could not be used.
        """
        faults = self.faults() if faults is None else faults
        chosen = self.choose_dataset(rng)
        for _ in range(self.max_attempts):
            dataset = self.datasets[chosen]
            number = int(rng.integers(len(dataset)))
            try:
                sequence = dataset[number]
            except AnnotationError as error:
                faults.add(chosen, "annotation", error)
                chosen = self.choose_dataset(rng)
                continue
            if dataset.still:
                still = FrameChoice((0,) * self.strategy.templates, (0,) * self.strategy.searches)
                return Draw(chosen, sequence, still)
            reason = self.refusal(sequence)
            if reason is None:
                try:
                    frames = self.strategy.draw(rng, visibility(sequence), sequence.valid)
                except SamplingError as error:
                    faults.add(chosen, "few_visible", f"{sequence.name}: {error}")
                    continue
                return Draw(chosen, sequence, frames)
            faults.add(chosen, reason, f"{sequence.name}: {EXPLANATIONS[reason]}")
        raise SamplingError(exhausted(self.max_attempts, faults))


@dataclass(frozen=True)
class DryRun:
    """What a mixture draws, without reading an image.

    Attributes:
        datasets: names.
        draws: ``(len(datasets),)`` int64, samples per dataset.
        distances: per dataset an int64 array, search frame minus template frame of each of its samples.
        faults: what was passed over.
    """

    datasets: tuple[str, ...]
    draws: np.ndarray
    distances: tuple[np.ndarray, ...]
    faults: FaultCounts


def dry_run(mixture: MixtureSampler, samples: int, seed: int = 0, epoch: int = 0) -> DryRun:
    """Draw ``samples`` choices as training with ``seed`` would (before any redraw for a bad image) and count them."""
    faults = mixture.faults()
    distances: list[list[int]] = [[] for _ in mixture.datasets]
    for index in range(samples):
        draw = mixture.draw(sample_generator(seed, epoch, index), faults)
        distances[draw.dataset].append(draw.frames.search - draw.frames.template)
    arrays = tuple(np.array(values, np.int64) for values in distances)
    return DryRun(mixture.names, np.array([len(values) for values in arrays]), arrays, faults)
