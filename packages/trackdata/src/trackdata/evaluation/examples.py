"""The sequences a report shows with pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trackdata.evaluation import figures
from trackdata.evaluation.metrics import primary, show
from trackdata.evaluation.overlap import inclusive_overlap
from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.scores import Scores
from trackdata.sequences import Dataset


@dataclass(frozen=True)
class Example:
    """A sequence shown with pictures.

    Attributes:
        name: the sequence.
        figures: the ranking figure by tracker, as text.
        stills: frames with boxes; empty when they could not be read.
        captions: one line per still.
        lines: overlap over time as points of an SVG polyline, by tracker.
        problem: why there are no pictures, or None.
    """

    name: str
    figures: dict[str, str]
    stills: list[figures.Still]
    captions: list[str]
    lines: dict[str, str]
    problem: str | None = None


def worst_sequences(scores: Sequence[Scores], count: int) -> list[str]:
    """Names of the first tracker's worst sequences, the worst first."""
    figure = primary(scores[0].values)
    ranked = [entry for entry in scores[0].sequences if not math.isnan(entry.values[figure])]
    return [entry.name for entry in sorted(ranked, key=lambda entry: entry.values[figure])[:count]]


def show_example(
    name: str,
    dataset: Dataset,
    boxes: Mapping[str, np.ndarray],
    scores: Sequence[Scores],
    colors: Mapping[str, str],
) -> Example:
    """Pictures and overlaps of one sequence.

    Args:
        boxes: by tracker ``(N, 4)`` predicted boxes, of those that have a result.
        colors: by tracker.
    """
    sequence = dataset[next(index for index in range(len(dataset)) if sequence_name(dataset, index) == name)]
    figure = primary(scores[0].values)
    rows = {entry.tracker: next((row for row in entry.sequences if row.name == name), None) for entry in scores}
    overlaps = {}
    for tracker, predicted in boxes.items():
        length = min(len(predicted), len(sequence.boxes))
        overlaps[tracker] = inclusive_overlap(predicted[:length], sequence.boxes[:length])
        overlaps[tracker][~sequence.valid[:length]] = np.nan
    try:
        stills, problem = figures.strip(sequence.frames, sequence.boxes, boxes, colors), None
    except OSError as error:
        stills, problem = [], str(error)
    return Example(
        name=name,
        figures={tracker: show(figure, row.values[figure]) for tracker, row in rows.items() if row is not None},
        stills=stills,
        captions=[_caption(still.index, overlaps) for still in stills],
        lines={tracker: _polyline(values) for tracker, values in overlaps.items()},
        problem=problem,
    )


def _caption(index: int, overlaps: dict[str, np.ndarray]) -> str:
    at = [values[index] if index < len(values) else math.nan for values in overlaps.values()]
    shown = ("-" if math.isnan(value) else f"{value:.2f}" for value in at)
    return f"frame {index} · overlap {' / '.join(shown)}"


def _polyline(overlaps: np.ndarray, width: int = 1000, height: int = 60) -> str:
    """Points of a line through the overlaps, 1 at the top; frames without annotation are left out."""
    x = np.arange(len(overlaps)) * (width / max(len(overlaps) - 1, 1))
    return " ".join(f"{a:.1f},{height * (1 - b):.1f}" for a, b in zip(x, overlaps, strict=True) if not math.isnan(b))
