"""Which frames make a training sample.

A *strategy* chooses frames of one sequence; :class:`MixtureSampler` chooses the dataset and the sequence first. Nothing
here reads an image. All randomness comes from a generator that :func:`sample_generator` derives from (seed, epoch,
index), so a sample does not depend on the number of workers or processes, nor on the samples drawn before it.

The strategies follow the samplers of the published one-stream trackers (OSTrack, ECCV 2022; STARK, ICCV 2021) draw by
draw. Unlike those, every retry is bounded, and what made a draw fail is counted by dataset and reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from trackdata.sequences import AnnotationError, Dataset, Sequence

WIDEN = 5  # frames the search window grows by after a draw without candidates


class SamplingError(RuntimeError):
    """No sample could be drawn within the allowed number of attempts; the message has the reasons by dataset."""


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random generator of one sample: counter-based, so any sample can be drawn without those before it.

    Args:
        seed, epoch, index: integers from 0 to 2**64 - 1. Different triples give independent streams.
    """
    key = np.array([seed, epoch], dtype=np.uint64)
    counter = np.array([0, 0, 0, index], dtype=np.uint64)  # the low words count the numbers drawn
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


@dataclass(frozen=True)
class FrameChoice:
    """Frame indices of one sample: ``templates[0]`` is the frame the others were chosen around."""

    templates: tuple[int, ...]
    searches: tuple[int, ...]

    @property
    def template(self) -> int:
        return self.templates[0]

    @property
    def search(self) -> int:
        return self.searches[0]


class Strategy(Protocol):
    """Chooses frames of one sequence. ``templates`` and ``searches`` say how many of each."""

    @property
    def templates(self) -> int: ...

    @property
    def searches(self) -> int: ...

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        """Choose frames.

        Args:
            rng: source of randomness.
            visible: ``(N,)`` bool, the target can be seen.
            valid: ``(N,)`` bool, there is a box; None means that it is ``visible``.

        Raises:
            SamplingError: these flags allow no choice.
        """


def _pick(rng: np.random.Generator, candidates: np.ndarray) -> int:
    return int(candidates[rng.integers(len(candidates))])


def _within(frames: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Those of the sorted indices ``frames`` that lie in ``[first, stop)``."""
    return frames[np.searchsorted(frames, first) : np.searchsorted(frames, stop)]


def base_candidates(visible: np.ndarray, templates: int, searches: int) -> np.ndarray:
    """Frames a causal draw may start from: visible, with room for the other templates before and the searches after."""
    return _within(np.flatnonzero(visible), templates - 1, len(visible) - searches)


def search_candidates(visible: np.ndarray, base: int, gap: int) -> np.ndarray:
    """Visible frames after ``base`` and less than ``gap`` frames away from it."""
    return _within(np.flatnonzero(visible), base + 1, base + gap)


def template_candidates(visible: np.ndarray, base: int, gap: int) -> np.ndarray:
    """Visible frames before ``base`` and at most ``gap`` frames away from it."""
    return _within(np.flatnonzero(visible), base - gap, base)


@dataclass(frozen=True)
class CausalSampler:
    """Templates first, searches later in time: the strategy of all published one-stream configurations.

    The base template is uniform over :func:`base_candidates`, further templates over :func:`template_candidates`,
    searches over :func:`search_candidates`, both with replacement. When a set is empty, the gap grows by 5 frames and
    *a new base* is drawn. The bound is exclusive: with ``max_gap`` 200 the search frame is at most 199 frames after
    the template.
    """

    max_gap: int = 200
    templates: int = 1
    searches: int = 1

    def __post_init__(self) -> None:
        if min(self.max_gap, self.templates, self.searches) < 1:
            raise ValueError(f"max_gap, templates and searches must be at least 1, got {self}")

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        frames = np.flatnonzero(visible)
        bases = _within(frames, self.templates - 1, len(visible) - self.searches)
        usable = bases[bases < frames[-1]] if len(frames) else bases
        if self.templates > 1:
            usable = usable[usable > frames[0]]
        if len(usable) == 0:
            raise SamplingError(
                f"{len(frames)} visible frames of {len(visible)} hold no {self.templates} template(s) followed by "
                f"{self.searches} search frame(s)"
            )
        gap = self.max_gap
        while True:  # ends: once the gap spans the sequence, every usable base succeeds
            base = _pick(rng, bases)
            earlier = _within(frames, base - gap, base)
            later = _within(frames, base + 1, base + gap)
            if len(later) and (len(earlier) or self.templates == 1):
                others = (_pick(rng, earlier) for _ in range(self.templates - 1))
                searches = (_pick(rng, later) for _ in range(self.searches))
                return FrameChoice((base, *others), tuple(searches))
            gap += WIDEN


@dataclass(frozen=True)
class TridentSampler:
    """One template and one search frame anywhere, plus one extra template close to the search frame for every gap.

    The template and the search frame are independent and uniform over the visible frames. The extra template lies on
    the template's side of the search frame: from ``[search, search + gap)`` when the template is not before the search
    frame, otherwise from ``[search - gap, search)``; everything is drawn again while an extra frame is missing.

    Attributes:
        gaps: one extra template per entry; a single number is one entry.
        extra: where extra templates come from. Published as the modes ``trident`` ("visible"), ``trident_pro`` ("all")
            and ``stark`` ("valid").
        max_attempts: draws before giving up.
    """

    gaps: int | tuple[int, ...] = (200,)
    extra: Literal["visible", "valid", "all"] = "visible"
    max_attempts: int = 1000

    def __post_init__(self) -> None:
        gaps = (self.gaps,) if isinstance(self.gaps, int) else tuple(self.gaps)
        if not gaps or min(gaps) < 1:
            raise ValueError(f"gaps must be one or more positive numbers of frames, got {self.gaps}")
        object.__setattr__(self, "gaps", gaps)

    @property
    def templates(self) -> int:
        return 1 + len(self.gaps)

    @property
    def searches(self) -> int:
        return 1

    def draw(self, rng: np.random.Generator, visible: np.ndarray, valid: np.ndarray | None = None) -> FrameChoice:
        frames = np.flatnonzero(visible)
        if len(frames) == 0:
            raise SamplingError(f"none of the {len(visible)} frames is visible")
        pool = {
            "visible": frames,
            "valid": frames if valid is None else np.flatnonzero(valid),
            "all": np.arange(len(visible)),
        }[self.extra]
        for _ in range(self.max_attempts):
            template, search = _pick(rng, frames), _pick(rng, frames)
            near = [
                _within(pool, search, search + gap) if template >= search else _within(pool, search - gap, search)
                for gap in self.gaps
            ]
            if all(map(len, near)):
                return FrameChoice((template, *(_pick(rng, candidates) for candidates in near)), (search,))
        raise SamplingError(f"no extra template within {self.gaps} frames in {self.max_attempts} draws")


Reason = Literal["too_short", "few_visible", "annotation", "frame", "empty_crop", "outside", "padded_cells"]
REASONS: tuple[Reason, ...] = Reason.__args__
EXPLANATIONS: dict[Reason, str] = {
    "too_short": "sequence shorter than the minimum length",
    "few_visible": "too few frames in which the target is visible",
    "annotation": "annotation missing or malformed",
    "frame": "image missing or not decodable",
    "empty_crop": "no crop around the jittered box (NaN, or no area)",
    "outside": "crop lies outside the image",
    "padded_cells": "every sampled cell of the crop is padding",
}


@dataclass
class FaultCounts:
    """How often drawing failed, by dataset and reason.

    Attributes:
        datasets: names, in the mixture's order.
        counts: ``(len(datasets), len(REASONS))`` int64.
        last: the latest failure in words.
    """

    datasets: tuple[str, ...]
    counts: np.ndarray = field(default=None)  # type: ignore[assignment]
    last: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.datasets), len(REASONS))
        self.counts = np.zeros(shape, np.int64) if self.counts is None else np.asarray(self.counts, np.int64)
        if self.counts.shape != shape:
            raise ValueError(f"fault counts must have shape {shape} (datasets, reasons), got {self.counts.shape}")

    def add(self, dataset: int, reason: Reason, detail: object = "") -> None:
        """Count one failure of dataset number ``dataset``."""
        self.counts[dataset, REASONS.index(reason)] += 1
        self.last = str(detail) or EXPLANATIONS[reason]

    def rows(self) -> list[tuple[str, Reason, int]]:
        """(dataset, reason, count) of everything that happened at least once."""
        return [
            (name, reason, int(count))
            for name, row in zip(self.datasets, self.counts, strict=True)
            for reason, count in zip(REASONS, row, strict=True)
            if count
        ]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {count} x {EXPLANATIONS[reason]}" for name, reason, count in self.rows()) or "none"


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
    strategy: Strategy = CausalSampler()
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


def exhausted(attempts: int, faults: FaultCounts) -> str:
    """What to tell when no draw of ``attempts`` succeeded."""
    return f"no usable sample in {attempts} attempts ({faults}); the last failure was: {faults.last}"


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
