"""Reports: one HTML page that needs nothing else, the same as Markdown, and the numbers as JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from trackdata.evaluation import figures, tables
from trackdata.evaluation.attributes import (
    AttributeFrames,
    AttributeScores,
    by_attribute,
    by_attribute_frames,
    read_attributes,
    sequences_with_marks,
)
from trackdata.evaluation.comparison import Comparison, compare, show_p, without_nan
from trackdata.evaluation.conventions import convention as convention_named
from trackdata.evaluation.examples import Example, show_example, worst_sequences
from trackdata.evaluation.metrics import METRICS, PLAIN, primary, show
from trackdata.evaluation.results import ResultError, read_tracks, write_atomically
from trackdata.evaluation.runner import RunResult
from trackdata.evaluation.scores import Convention, Scores
from trackdata.evaluation.scoring import results_folder, score
from trackdata.sequences import Dataset

# Curve -> (title of the plot, x axis, figures of which the first one present stands in the legend).
PLOTS = {
    "success": ("Success", "overlap threshold", ("AUC", "AO", "S_area")),
    "precision": ("Precision", "centre error threshold, pixels", ("P", "P_area")),
    "norm_precision": (
        "Normalised precision",
        "centre error threshold, share of the size",
        ("P_norm", "P_norm_mean", "P_norm_area"),
    ),
}


@dataclass(frozen=True)
class Report:
    """A written report: the scores in it, one per tracker, what was made of them, and its files.

    Attributes:
        scores: one per tracker.
        comparison: the trackers by the figure that ranks; None when they have no sequence in common.
        attributes: figures by the benchmark's attributes; none when it has none.
        html, markdown, json, trackers_csv, sequences_csv, attributes_csv: files; the last one only with attributes.
    """

    scores: tuple[Scores, ...]
    comparison: Comparison | None
    attributes: tuple[AttributeScores, ...]
    html: Path
    markdown: Path
    json: Path
    trackers_csv: Path
    sequences_csv: Path
    attributes_csv: Path


def write_report(
    results: Sequence[tuple[str, RunResult | Path | str]],
    dataset: Dataset,
    output: Path,
    title: str | None = None,
    convention: str | Convention = "default",
    worst: int = 4,
    limit: int | None = None,
) -> Report:
    """Score trackers on a dataset and write a report that compares them.

    Args:
        results: (name, results) of each tracker; see :func:`~trackdata.evaluation.scoring.score`. Examples are the
            worst sequences of the first one, and differences are to it.
        output: folder for ``report.html``, ``report.md``, ``report.json``, ``trackers.csv``, ``sequences.csv``,
            ``attributes.csv`` and the pictures of the Markdown file.
        worst: how many sequences to show with pictures.
        limit: only the first so many sequences of the dataset.

    Raises:
        ValueError: no tracker, or two of one name.
        ResultError, PredictionError, TruthError: as for ``score``.
    """
    names = [name for name, _ in results]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"a report needs one or more trackers with different names, got {names}")
    rules = convention_named(convention) if isinstance(convention, str) else convention
    scores = [score(entry, dataset, rules, name, limit) for name, entry in results]
    boxes = _StoredBoxes({name: _folder(entry, dataset) for name, entry in results})
    colors = {name: figures.tracker_color(position) for position, name in enumerate(names)}
    comparison = _compared(scores)
    attributes = by_attribute(scores, read_attributes(dataset, limit))
    marked = _by_frames(scores, boxes, dataset, limit)
    figure = primary(scores[0].values)
    plots = {PLOTS[name][0]: _plot(name, scores, colors) for name in PLOTS if any(name in s.curves for s in scores)}
    if attributes:
        plots["Attributes"] = _plot_attributes(attributes, figure, colors)
    examples = [show_example(name, dataset, boxes.of(name), scores, colors) for name in worst_sequences(scores, worst)]
    columns = [name for name in METRICS if any(name in entry.values for entry in scores)]
    content = {
        "title": title or f"{dataset.name}: {', '.join(names)}",
        "scores": scores,
        "dataset": dataset.name,
        "convention": rules,
        "colors": colors,
        "truth_color": figures.TRUTH_COLOR,
        "columns": columns,
        "attribute_columns": _attribute_columns(columns, figure, len(scores)),
        "metrics": METRICS,
        "primary": figure,
        "comparison": comparison,
        "attributes": attributes,
        "marked": marked,
        "plots": plots,
        "sequences": tables.sequence_rows(scores),
        "examples": examples,
    }
    output = Path(output)
    _write_pictures(output, plots, examples)
    report = Report(tuple(scores), comparison, tuple(attributes), *(output / name for name in _FILES))
    write_atomically(report.html, _render("report.html.j2", content))
    write_atomically(report.markdown, _render("report.md.j2", content))
    write_atomically(report.json, json.dumps(_summary(content), indent=1, allow_nan=False) + "\n")
    write_atomically(report.trackers_csv, tables.csv_text(tables.tracker_table(scores, columns)))
    write_atomically(report.sequences_csv, tables.csv_text(tables.sequence_table(scores, columns)))
    if attributes:
        write_atomically(report.attributes_csv, tables.csv_text(tables.attribute_table(attributes, columns)))
    return report


_FILES = ("report.html", "report.md", "report.json", "trackers.csv", "sequences.csv", "attributes.csv")


class _StoredBoxes:
    """Predicted boxes of the first run of each tracker, read when asked for."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._read = lru_cache(maxsize=None)(self._read_one)

    def of(self, sequence: str) -> dict[str, np.ndarray]:
        """By tracker, of those that have a result."""
        found = {tracker: self._read(tracker, sequence) for tracker in self._folders}
        return {tracker: boxes for tracker, boxes in found.items() if boxes is not None}

    def _read_one(self, tracker: str, sequence: str) -> np.ndarray | None:
        try:
            return read_tracks(self._folders[tracker], sequence)[0].boxes
        except ResultError:
            return None  # told as a failure


def _attribute_columns(columns: Sequence[str], figure: str, trackers: int) -> list[str]:
    """What the tables of attributes show of every tracker: few figures when there are many trackers."""
    wanted = (figure, "P_norm") if trackers <= 3 else (figure,)
    return [name for name in columns if name in wanted]


def _folder(results: RunResult | Path | str, dataset: Dataset) -> Path:
    return results.folder if isinstance(results, RunResult) else results_folder(Path(results), dataset.name)


def _compared(scores: Sequence[Scores]) -> Comparison | None:
    try:
        return compare(scores)
    except ValueError:  # nothing in common
        return None


def _by_frames(
    scores: Sequence[Scores], boxes: _StoredBoxes, dataset: Dataset, limit: int | None
) -> list[AttributeFrames]:
    """Overlaps of the frames that a benchmark marks, where it does."""
    marked = sequences_with_marks(dataset, limit)
    tracks: dict[str, dict[str, np.ndarray]] = {entry.tracker: {} for entry in scores}
    for sequence in marked:
        for tracker, rows in boxes.of(sequence.name).items():
            tracks[tracker][sequence.name] = rows
    return by_attribute_frames(tracks, marked)


def _plot(curve: str, scores: Sequence[Scores], colors: dict[str, str]) -> str:
    title, x_label, legend = PLOTS[curve]
    lines = []
    for entry in scores:
        if curve in entry.curves:
            figure = next(figure for figure in legend if figure in entry.values)
            label = f"{entry.tracker} [{figure} {show(figure, entry.values[figure])}]"
            lines.append(figures.Line(label, colors[entry.tracker], entry.curves[curve]))
    return figures.plot_curves(title, x_label, scores[0].thresholds[curve], lines)


def _plot_attributes(attributes: Sequence[AttributeScores], figure: str, colors: dict[str, str]) -> str:
    groups = {
        tracker: [100 * entry.values[tracker].get(figure, math.nan) for entry in attributes] for tracker in colors
    }
    labels = [f"{entry.name} ({entry.sequences})" for entry in attributes]
    return figures.plot_bars(f"{figure} by attribute", f"{figure}, %", labels, groups, colors)


def _summary(content: Mapping[str, Any]) -> dict[str, Any]:
    """What ``report.json`` holds."""
    comparison = content["comparison"]
    attributes = [
        {"name": entry.name, "sequences": entry.sequences, "values": without_nan(entry.values)}
        for entry in content["attributes"]
    ]
    return {
        "title": content["title"],
        "trackers": [entry.to_json() for entry in content["scores"]],
        "comparison": None if comparison is None else comparison.to_json(),
        "attributes": attributes,
        "attribute_frames": [without_nan(asdict(entry)) for entry in content["marked"]],
    }


def _write_pictures(output: Path, plots: dict[str, str], examples: Sequence[Example]) -> None:
    """The pictures the Markdown file refers to."""
    for title, svg in plots.items():
        write_atomically(output / "plots" / f"{title}.svg".replace(" ", "_").lower(), svg)
    (output / "worst").mkdir(parents=True, exist_ok=True)
    for example in examples:
        if example.stills:
            (output / "worst" / f"{example.name}.jpg").write_bytes(figures.jpeg(figures.side_by_side(example.stills)))


def _render(template: str, content: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("trackdata.evaluation"),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = lambda value, name: show(name, value)
    environment.filters["p_value"] = show_p
    environment.filters["jpeg_uri"] = lambda image: figures.data_uri(figures.jpeg(image), "image/jpeg")
    environment.filters["svg_uri"] = lambda svg: figures.data_uri(svg.encode(), "image/svg+xml")
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment.get_template(template).render(content | {"is_best": _is_best, "nan": math.nan}) + "\n"


def _is_best(scores: Sequence[Scores], figure: str, entry: Scores) -> bool:
    """Whether ``entry`` has the highest ``figure`` of several trackers; rates are no merit of accuracy."""
    if figure in PLAIN:
        return False
    values = [other.values[figure] for other in scores if not math.isnan(other.values.get(figure, math.nan))]
    return len(values) > 1 and entry.values.get(figure) == max(values)
