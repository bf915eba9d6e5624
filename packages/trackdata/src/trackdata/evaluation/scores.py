"""Scores of one tracker on one dataset, and the one function that computes them under any convention."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trackdata.evaluation.metrics import METRICS, SECONDARY, show
from trackdata.evaluation.records import PredictionError, Track, Truth
from trackdata.evaluation.sequence_scores import Repairs, SequenceScores, mean_curve, mean_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class Convention(Protocol):
    """A named way of scoring.

    Attributes:
        name: what reports call it.
        description: one sentence for the head of a report.
        thresholds: the x axis of each curve.
        counts_missing: whether a sequence without a result enters the means, as one without a single hit. Then
            ``score`` takes an empty list of runs.
    """

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def thresholds(self) -> Mapping[str, np.ndarray]: ...

    @property
    def counts_missing(self) -> bool: ...

    def score(self, runs: Sequence[Track], truth: Truth) -> SequenceScores:
        """Scores of one or several runs over one sequence. Raises PredictionError or TruthError."""


@dataclass(frozen=True)
class Scores:
    """Scores of one tracker on one dataset. Prints as a table, saves to and loads from JSON.

    Attributes:
        tracker, dataset, convention: names.
        values: figures by name, fractions (``fps`` excepted).
        curves: plots by name, averaged as the convention says.
        thresholds: the x axis of each curve.
        sequences: the same per sequence, in the dataset's order.
        failures: sequences without a usable result, with the reason.
        notes: what was wrong with results that were scored all the same, by sequence.
    """

    tracker: str
    dataset: str
    convention: str
    values: Mapping[str, float]
    curves: Mapping[str, np.ndarray]
    thresholds: Mapping[str, np.ndarray]
    sequences: tuple[SequenceScores, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Annotated frames of all scored sequences."""
        return sum(sequence.frames for sequence in self.sequences)

    @property
    def absent(self) -> int:
        """Frames of all scored sequences whose target is gone."""
        return sum(sequence.absent for sequence in self.sequences)

    @property
    def unannotated(self) -> int:
        """Frames of all scored sequences whose annotation is NaN."""
        return sum(sequence.unannotated for sequence in self.sequences)

    @property
    def repairs(self) -> Repairs:
        """Predicted rows changed in all scored sequences."""
        return sum((sequence.repairs for sequence in self.sequences), Repairs())

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON-able values; NaN becomes null."""
        return {
            "tracker": self.tracker,
            "dataset": self.dataset,
            "convention": self.convention,
            "values": _plain(self.values),
            "curves": _plain(self.curves),
            "thresholds": _plain(self.thresholds),
            "sequences": [
                {**vars(sequence), "repairs": dict(vars(sequence.repairs))}
                | {label: _plain(getattr(sequence, label)) for label in ("values", "curves", "weights")}
                for sequence in self.sequences
            ],
            "failures": dict(self.failures),
            "notes": dict(self.notes),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Scores:
        """The inverse of :meth:`to_json`. Raises KeyError, TypeError or AttributeError for anything else."""
        sequences = tuple(
            SequenceScores(
                **entry
                | {"repairs": Repairs(**entry["repairs"])}
                | {"values": _numbers(entry["values"]), "curves": _arrays(entry["curves"])}
            )
            for entry in content["sequences"]
        )
        return cls(
            **dict(content)
            | {"sequences": sequences, "values": _numbers(content["values"])}
            | {label: _arrays(content[label]) for label in ("curves", "thresholds")}
        )

    def save(self, path: Path) -> None:
        """Write everything to a JSON file."""
        Path(path).write_text(json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Scores:
        """Read what :meth:`save` wrote. Raises ValueError naming the file when it is something else."""
        [scores, *others] = load_scores(path)
        if others:
            raise ValueError(f"{path} holds scores of {1 + len(others)} trackers; read them with load_scores")
        return scores

    def __rich__(self) -> Table:
        return comparison_table([self])

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {show(name, value)}" for name, value in self.values.items())
        return f"{self.tracker} on {self.dataset} ({self.convention}, {len(self.sequences)} sequences): {figures}"


def load_scores(path: Path) -> list[Scores]:
    """All scores in a JSON file: one tracker's (:meth:`Scores.save`) or several (a report's).

    Raises:
        ValueError: the file holds something else; names it.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        entries = content.get("trackers", [content])
        return [Scores.from_json(entry) for entry in entries]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} does not hold saved scores: {error}") from error


def evaluate(
    convention: Convention,
    tracks: Mapping[str, Track | Sequence[Track]],
    truths: Sequence[Truth],
    tracker: str = "tracker",
    dataset: str = "dataset",
    failures: Mapping[str, str] | None = None,
) -> Scores:
    """Score one tracker's results on a dataset.

    Args:
        convention: how to score; see ``trackdata.evaluation.conventions``.
        tracks: for each sequence name one run, or several to be averaged as the convention does.
        truths: the annotations, in the dataset's order.
        failures: reasons for sequences that have no result. They are reported and, unless the convention counts them as
            empty, left out of the means.

    Raises:
        PredictionError: a sequence has neither a result nor a reason for its absence, or boxes that cannot be scored.
        TruthError: the annotations do not allow scoring under this convention.
    """
    failures = dict(failures or {})
    scored = []
    for truth in truths:
        if truth.name in failures:
            if convention.counts_missing:
                scored.append(convention.score([], truth))
            continue
        if truth.name not in tracks:
            raise PredictionError(
                f"{tracker} has no result for sequence {truth.name} of {dataset}; run it, or score a dataset without it"
            )
        runs = tracks[truth.name]
        scored.append(convention.score([runs] if isinstance(runs, Track) else list(runs), truth))
    names = list(scored[0].values) if scored else []
    return Scores(
        tracker=tracker,
        dataset=dataset,
        convention=convention.name,
        values={name: mean_value(scored, name) for name in names},
        curves={name: mean_curve(scored, name) for name in convention.thresholds} if scored else {},
        thresholds=convention.thresholds,
        sequences=tuple(scored),
        failures=failures,
    )


class ConventionWarning(UserWarning):
    """Figures that were counted in different ways stand beside each other."""


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


def table_console() -> Console:
    """A console to print tables on: as wide as the terminal, and in a log, whose lines may be long, wide enough."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 160
    return console


def warn_if_mixed(scores: Sequence[Scores]) -> bool:
    """Warn when ``scores`` were counted in different ways, or on different datasets; gives whether they were.

    Warns:
        ConventionWarning
    """
    mixed = {(entry.convention, entry.dataset) for entry in scores}
    if len(mixed) > 1:
        told = ", ".join(f"{entry.tracker}: {entry.convention} on {entry.dataset}" for entry in scores)
        warnings.warn(f"these figures cannot be compared: {told}", ConventionWarning, stacklevel=3)
    return len(mixed) > 1


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return [convert(item) for item in value.tolist()]
        return None if isinstance(value, float) and math.isnan(value) else value

    return {name: convert(value) for name, value in values.items()}


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in values.items()}


def _arrays(values: Mapping[str, list[float | None]]) -> dict[str, np.ndarray]:
    return {name: np.array(value, dtype=np.float64) for name, value in values.items()}
