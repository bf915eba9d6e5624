"""What a sampler draws, counted without reading an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trackdata.faults import FaultCounts
from trackdata.sampling.generator import sample_generator
from trackdata.sampling.retries import Sampler


@dataclass(frozen=True)
class DryRun:
    """What a mixture draws, without reading an image.

    Attributes:
        datasets: names.
        draws: ``(len(datasets),)`` int64, samples per dataset.
        distances: per dataset an int64 array, search frame minus template frame of each of its positive samples.
        negatives: samples whose frames show different targets.
        faults: what was passed over.
    """

    datasets: tuple[str, ...]
    draws: np.ndarray
    distances: tuple[np.ndarray, ...]
    negatives: int
    faults: FaultCounts


def dry_run(sampler: Sampler[Any], samples: int, seed: int = 0, epoch: int = 0) -> DryRun:
    """Draw ``samples`` choices as training with ``seed`` would (before any redraw for a bad image) and count them."""
    faults = sampler.faults()
    draws = np.zeros(len(sampler.names), np.int64)
    distances: list[list[int]] = [[] for _ in sampler.names]
    negatives = 0
    for index in range(samples):
        draw = sampler.draw(sample_generator(seed, epoch, index), faults)
        draws[draw.dataset] += 1
        if draw.distance is None:
            negatives += 1
        else:
            distances[draw.dataset].append(draw.distance)
    arrays = tuple(np.array(values, np.int64) for values in distances)
    return DryRun(sampler.names, draws, arrays, negatives, faults)
