"""Scores by what makes sequences difficult: the benchmark's own attributes, such as fast motion or occlusion.

Readers give them as ``attributes["challenges"]``, names that hold for a sequence, and, where a benchmark marks single
frames, as ``attributes["challenge_frames"]``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Sequence as SequenceABC
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from trackdata.evaluation.overlap import continuous_overlap
from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.sequence_scores import mean_value
from trackdata.sequences import AnnotationError, Dataset, Sequence


@dataclass(frozen=True)
class AttributeScores:
    """Figures of the sequences that have an attribute.

    Attributes:
        name: the attribute.
        sequences: how many of the dataset's sequences have it.
        values: by tracker, figures by name; NaN where no sequence was scored.
    """

    name: str
    sequences: int
    values: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class AttributeFrames:
    """Mean overlap of the frames that are marked with an attribute.

    Attributes:
        name: the attribute.
        frames: how many frames with a target are marked.
        overlap: by tracker; NaN where none was tracked.
    """

    name: str
    frames: int
    overlap: Mapping[str, float]


def read_attributes(dataset: Dataset, limit: int | None = None) -> dict[str, tuple[str, ...]]:
    """By sequence the attributes it has, for datasets that say; sequences that cannot be read are left out."""
    found = {}
    for index in range(len(dataset) if limit is None else min(limit, len(dataset))):
        with suppress(AnnotationError, OSError):
            challenges = dataset[index].attributes.get("challenges")
            if challenges is not None:
                found[sequence_name(dataset, index)] = tuple(challenges)
    return found


def by_attribute(scores: SequenceABC[Scores], attributes: Mapping[str, Collection[str]]) -> list[AttributeScores]:
    """Scores of every attribute, in the order of names.

    Args:
        attributes: by sequence; see :func:`read_attributes`.
    """
    names = sorted({name for held in attributes.values() for name in held})
    table = []
    for name in names:
        having = {sequence for sequence, held in attributes.items() if name in held}
        values = {}
        for entry in scores:
            rows = [row for row in entry.sequences if row.name in having]
            figures = entry.sequences[0].values if entry.sequences else ()
            values[entry.tracker] = {figure: mean_value(rows, figure) if rows else np.nan for figure in figures}
        table.append(AttributeScores(name, len(having), values))
    return table


def sequences_with_marks(dataset: Dataset, limit: int | None = None) -> list[Sequence]:
    """The sequences in which single frames are marked; those that cannot be read are left out."""
    found = []
    for index in range(len(dataset) if limit is None else min(limit, len(dataset))):
        with suppress(AnnotationError, OSError):
            sequence = dataset[index]
            if sequence.attributes.get("challenge_frames"):
                found.append(sequence)
    return found


def by_attribute_frames(
    boxes: Mapping[str, Mapping[str, np.ndarray]], sequences: Iterable[Sequence]
) -> list[AttributeFrames]:
    """Mean overlap by attribute over single frames, all sequences pooled, the first frame of each left out.

    Args:
        boxes: by tracker and sequence ``(N, 4)`` predicted boxes; sequences without are left out.
        sequences: see :func:`sequences_with_marks`.

    Returns:
        One entry per attribute, in the order of names.
    """
    frames: dict[str, int] = {}
    overlaps: dict[str, dict[str, list[np.ndarray]]] = {}
    for sequence in sequences:
        for name, marked in sequence.attributes["challenge_frames"].items():
            counts = np.asarray(marked, dtype=bool) & sequence.valid
            counts[0] = False
            frames[name] = frames.get(name, 0) + int(counts.sum())
            for tracker, tracks in boxes.items():
                if sequence.name in tracks:
                    predicted = tracks[sequence.name]
                    shown = np.flatnonzero(counts[: len(predicted)])
                    values = continuous_overlap(predicted[shown], sequence.boxes[shown])
                    overlaps.setdefault(name, {}).setdefault(tracker, []).append(values)
    return [AttributeFrames(name, frames[name], _pooled(overlaps.get(name, {}), boxes)) for name in sorted(frames)]


def _pooled(parts: Mapping[str, list[np.ndarray]], trackers: Iterable[str]) -> dict[str, float]:
    pooled = {tracker: np.concatenate(parts.get(tracker) or [np.empty(0)]) for tracker in trackers}
    return {tracker: float(values.mean()) if values.size else np.nan for tracker, values in pooled.items()}
