"""Which dataset, which sequence, which frames: one positive sample from a mixture of datasets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass, field

import numpy as np

from trackdata.faults import EXPLANATIONS, FaultCounts, Reason, SamplingError, exhausted
from trackdata.sampling.acceptance import Acceptance, EnoughVisible, visibility
from trackdata.sampling.choices import FrameChoice, Strategy
from trackdata.sampling.onestream import CausalSampler
from trackdata.sequences import AnnotationError, Dataset, Sequence


@dataclass(frozen=True)
class Draw:
    """A sequence and the frames chosen from it. ``dataset`` is the dataset's number in the mixture."""

    dataset: int
    sequence: Sequence
    frames: FrameChoice

    @property
    def distance(self) -> int:
        """Search frame minus template frame."""
        return self.frames.search - self.frames.template


@dataclass(frozen=True)
class MixtureSampler:
    """Draws a dataset by weight, then a sequence of it uniformly, then frames.

    Sequences that do not qualify are passed over within the same dataset, so they do not change the weights. Still
    images are paired with themselves; where a still sequence has several boxes, all of one image, one is drawn. An
    annotation that cannot be read restarts the draw from the choice of the dataset.

    Attributes:
        datasets: at least one, none empty.
        weights: relative, one per dataset; None means equal.
        strategy: chooses the frames.
        min_length: frames a video must have, for the acceptance rule that is used when none is given.
        max_attempts: sequences looked at for one sample before giving up.
        acceptance: which sequences qualify; None is OSTrack's rule: ``min_length`` frames, and more than twice as many
            visible ones as the strategy chooses.
    """

    datasets: SequenceABC[Dataset]
    weights: SequenceABC[float] | None = None
    strategy: Strategy = field(default_factory=CausalSampler)
    min_length: int = 20
    max_attempts: int = 1000
    acceptance: Acceptance | None = None

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

    def refusal(self, sequence: Sequence, still: bool = False) -> Reason | None:
        """Why a sequence may not be used, or None when it may."""
        rule = self.acceptance
        if rule is None:
            rule = EnoughVisible(self.min_length, 2 * (self.strategy.templates + self.strategy.searches))
        return rule.refusal(sequence, still)

    def draw_sequence(self, rng: np.random.Generator, faults: FaultCounts) -> tuple[int, Sequence]:
        """(number of its dataset, a sequence that qualifies). What was passed over is added to ``faults``.

        Raises:
            SamplingError: ``max_attempts`` sequences in a row could not be used.
        """
        for candidate in self._candidates(rng, faults):
            return candidate
        raise SamplingError(exhausted(self.max_attempts, faults))

    def draw(self, rng: np.random.Generator, faults: FaultCounts | None = None) -> Draw:
        """One draw. What was passed over is added to ``faults``.

        Raises:
            SamplingError: ``max_attempts`` sequences in a row could not be used.
        """
        faults = self.faults() if faults is None else faults
        for chosen, sequence in self._candidates(rng, faults):
            if self.datasets[chosen].still:
                item = int(rng.integers(len(sequence))) if len(sequence) > 1 else 0
                still = FrameChoice((item,) * self.strategy.templates, (item,) * self.strategy.searches)
                return Draw(chosen, sequence, still)
            try:
                frames = self.strategy.draw(rng, visibility(sequence), sequence.valid)
            except SamplingError as error:
                faults.add(chosen, "few_visible", f"{sequence.name}: {error}")
                continue
            return Draw(chosen, sequence, frames)
        raise SamplingError(exhausted(self.max_attempts, faults))

    def _candidates(self, rng: np.random.Generator, faults: FaultCounts) -> Iterator[tuple[int, Sequence]]:
        """Sequences that qualify, one after the other from the same dataset, until ``max_attempts`` were looked at."""
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
            reason = self.refusal(sequence, dataset.still)
            if reason is None:
                yield chosen, sequence
            else:
                faults.add(chosen, reason, f"{sequence.name}: {EXPLANATIONS[reason]}")
