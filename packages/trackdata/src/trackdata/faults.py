"""What goes wrong while training samples are drawn, counted by dataset and reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np


class SamplingError(RuntimeError):
    """No sample could be drawn within the allowed number of attempts; the message has the reasons by dataset."""


Reason = Literal["too_short", "few_visible", "annotation", "frame", "filtered", "empty_crop", "outside", "padded_cells"]
REASONS: tuple[Reason, ...] = get_args(Reason)
EXPLANATIONS: dict[Reason, str] = {
    "too_short": "sequence shorter than the minimum length",
    "few_visible": "too few frames in which the target is visible",
    "annotation": "annotation missing or malformed",
    "frame": "image missing or not decodable",
    "filtered": "box of an extreme shape or size",
    "empty_crop": "no crop around the jittered box (NaN, or no area)",
    "outside": "crop lies outside the image",
    "padded_cells": "every sampled cell of the crop is padding",
}


class RejectedSample(ValueError):
    """A sample must not be trained on. ``reason`` is one of :data:`REASONS`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


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


def exhausted(attempts: int, faults: FaultCounts) -> str:
    """What to tell when no draw of ``attempts`` succeeded."""
    return f"no usable sample in {attempts} attempts ({faults}); the last failure was: {faults.last}"
