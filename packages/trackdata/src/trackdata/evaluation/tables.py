"""The tables of a report: rows per tracker and per sequence, as values, as CSV and for the terminal."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trackdata.evaluation.attributes import AttributeScores
from trackdata.evaluation.comparison import warn_if_mixed
from trackdata.evaluation.metrics import METRICS, SECONDARY, show
from trackdata.evaluation.scores import Scores

if TYPE_CHECKING:
    from rich.table import Table


def comparison_table(scores: Sequence[Scores], title: str | None = None) -> Table:
    """A table of several trackers, one row each, for printing with rich.

    Warns:
        ConventionWarning: they were counted in different ways, which the table then says.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    first, mixed = scores[0], warn_if_mixed(scores)
    heading = title or f"{first.dataset}, convention {first.convention}"
    if mixed:
        heading = "counted in different ways: not to be compared"
    table = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("tracker", overflow="fold")
    if mixed:
        table.add_column("convention, dataset", overflow="fold")
    columns = [name for name in METRICS if name not in SECONDARY and any(name in entry.values for entry in scores)]
    for name in (*columns, "seqs", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in scores:
        figures = [show(name, entry.values.get(name, math.nan)) for name in columns]
        how = [f"{entry.convention}, {entry.dataset}"] if mixed else []
        table.add_row(entry.tracker, *how, *figures, str(len(entry.sequences)), str(len(entry.failures)))
    return table


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
