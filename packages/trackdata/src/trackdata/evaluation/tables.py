"""The tables of a report: rows per tracker and per sequence, as values and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trackdata.evaluation.attributes import AttributeScores
from trackdata.evaluation.scores import Scores


def sequence_rows(scores: Sequence[Scores]) -> list[dict[str, Any]]:
    """One row per sequence in the dataset's order: frames, absent frames, and each tracker's scores or failure."""
    rows: dict[str, dict[str, Any]] = {}
    for entry in scores:
        for sequence in entry.sequences:
            row = rows.setdefault(sequence.name, {"name": sequence.name, "scores": {}, "failures": {}})
            row.update(frames=sequence.frames, absent=sequence.absent)
            row["scores"][entry.tracker] = sequence
        for name, reason in entry.failures.items():
            rows.setdefault(name, {"name": name, "scores": {}, "failures": {}})["failures"][entry.tracker] = reason
    return list(rows.values())


def tracker_table(scores: Sequence[Scores], columns: Sequence[str]) -> list[list[Any]]:
    """A head and one row per tracker: figures ``columns``, then counts of sequences, frames and changed predictions."""
    head = [
        "tracker",
        *columns,
        "sequences",
        "frames",
        "absent",
        "unannotated",
        "replaced",
        "padded",
        "cut",
        "failures",
    ]
    rows = []
    for entry in scores:
        repairs = entry.repairs
        counts = [len(entry.sequences), entry.frames, entry.absent, entry.unannotated]
        changed = [repairs.replaced, repairs.padded, repairs.cut, len(entry.failures)]
        rows.append([entry.tracker, *_cells(entry.values, columns), *counts, *changed])
    return [head, *rows]


def sequence_table(scores: Sequence[Scores], columns: Sequence[str]) -> list[list[Any]]:
    """A head and one row per tracker and sequence, failures included."""
    rows: list[list[Any]] = [["tracker", "sequence", *columns, "frames", "scored", "absent", "failure"]]
    for entry in scores:
        for row in entry.sequences:
            cells = _cells(row.values, columns)
            rows.append([entry.tracker, row.name, *cells, row.frames, row.scored, row.absent, ""])
        for name, reason in entry.failures.items():
            rows.append([entry.tracker, name, *[""] * len(columns), "", "", "", reason])
    return rows


def attribute_table(attributes: Sequence[AttributeScores], columns: Sequence[str]) -> list[list[Any]]:
    """A head and one row per attribute and tracker."""
    rows: list[list[Any]] = [["attribute", "sequences", "tracker", *columns]]
    for entry in attributes:
        for tracker, values in entry.values.items():
            rows.append([entry.name, entry.sequences, tracker, *_cells(values, columns)])
    return rows


def _cells(values: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    """Figures with six decimals, fractions as they are; empty where there is none."""
    numbers = [values.get(column, math.nan) for column in columns]
    return ["" if math.isnan(number) else f"{number:.6f}" for number in numbers]


def csv_text(rows: Sequence[Sequence[Any]]) -> str:
    """``rows`` as the text of a CSV file."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
