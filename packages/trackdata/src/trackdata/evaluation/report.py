"""Reports: one HTML page that needs nothing else, the same as Markdown, and the numbers as JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trackdata.evaluation import figures, tables
from trackdata.evaluation.conventions import convention as convention_named
from trackdata.evaluation.metrics import METRICS, PLAIN, primary, show
from trackdata.evaluation.overlap import inclusive_overlap
from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.results import read_tracks, write_atomically
from trackdata.evaluation.runner import RunResult
from trackdata.evaluation.scores import Convention, Scores
from trackdata.evaluation.scoring import results_folder, score
from trackdata.sequences import Dataset

# Curve -> (title of the plot, x axis, figures of which the first one present stands in the legend).
PLOTS = {
    "success": ("Success", "overlap threshold", ("AUC", "AO")),
    "precision": ("Precision", "centre error threshold, pixels", ("P",)),
    "norm_precision": ("Normalised precision", "centre error threshold, share of the size", ("P_norm", "P_norm_mean")),
}


@dataclass(frozen=True)
class Report:
    """A written report: the scores in it, one per tracker, and its files."""

    scores: tuple[Scores, ...]
    html: Path
    markdown: Path
    json: Path
    trackers_csv: Path
    sequences_csv: Path


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
            worst sequences of the first one.
        output: folder for ``report.html``, ``report.md``, ``report.json``, ``trackers.csv``, ``sequences.csv`` and the
            pictures of the Markdown file.
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
    colors = {name: figures.tracker_color(position) for position, name in enumerate(names)}
    plots = {curve: _plot(curve, scores, colors) for curve in PLOTS if any(curve in entry.curves for entry in scores)}
    folders = {name: _folder(entry, dataset) for name, entry in results}
    examples = [_example(name, dataset, folders, scores, colors) for name in _worst(scores, worst)]
    content = {
        "title": title or f"{dataset.name}: {', '.join(names)}",
        "scores": scores,
        "dataset": dataset.name,
        "convention": rules,
        "colors": colors,
        "truth_color": figures.TRUTH_COLOR,
        "columns": [figure for figure in METRICS if any(figure in entry.values for entry in scores)],
        "metrics": METRICS,
        "primary": primary(scores[0].values),
        "plots": {PLOTS[curve][0]: svg for curve, svg in plots.items()},
        "sequences": tables.sequence_rows(scores),
        "examples": examples,
    }
    output = Path(output)
    _write_pictures(output, plots, examples)
    report = Report(tuple(scores), *(output / name for name in _FILES))
    write_atomically(report.html, _render("report.html.j2", content))
    write_atomically(report.markdown, _render("report.md.j2", content))
    summary = {"title": content["title"], "trackers": [entry.to_json() for entry in scores]}
    write_atomically(report.json, json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_atomically(report.trackers_csv, tables.csv_text(tables.tracker_table(scores, content["columns"])))
    write_atomically(report.sequences_csv, tables.csv_text(tables.sequence_table(scores, content["columns"])))
    return report


_FILES = ("report.html", "report.md", "report.json", "trackers.csv", "sequences.csv")


def _folder(results: RunResult | Path | str, dataset: Dataset) -> Path:
    return results.folder if isinstance(results, RunResult) else results_folder(Path(results), dataset.name)


def _plot(curve: str, scores: Sequence[Scores], colors: dict[str, str]) -> str:
    title, x_label, legend = PLOTS[curve]
    lines = []
    for entry in scores:
        if curve in entry.curves:
            figure = next(figure for figure in legend if figure in entry.values)
            label = f"{entry.tracker} [{figure} {show(figure, entry.values[figure])}]"
            lines.append(figures.Line(label, colors[entry.tracker], entry.curves[curve]))
    return figures.plot_curves(title, x_label, scores[0].thresholds[curve], lines)


def _worst(scores: Sequence[Scores], count: int) -> list[str]:
    """Names of the first tracker's worst sequences, the worst first."""
    figure = primary(scores[0].values)
    ranked = [entry for entry in scores[0].sequences if not math.isnan(entry.values[figure])]
    return [entry.name for entry in sorted(ranked, key=lambda entry: entry.values[figure])[:count]]


def _example(
    name: str, dataset: Dataset, folders: dict[str, Path], scores: Sequence[Scores], colors: dict[str, str]
) -> Example:
    sequence = dataset[next(index for index in range(len(dataset)) if sequence_name(dataset, index) == name)]
    figure = primary(scores[0].values)
    by_tracker = {entry.tracker: {row.name: row for row in entry.sequences}.get(name) for entry in scores}
    boxes = {
        tracker: read_tracks(folders[tracker], name)[0].boxes for tracker, row in by_tracker.items() if row is not None
    }
    overlaps = {}
    for tracker, rows in boxes.items():
        length = min(len(rows), len(sequence.boxes))
        overlaps[tracker] = inclusive_overlap(rows[:length], sequence.boxes[:length])
        overlaps[tracker][~sequence.valid[:length]] = np.nan
    try:
        stills, problem = figures.strip(sequence.frames, sequence.boxes, boxes, colors), None
    except OSError as error:
        stills, problem = [], str(error)
    return Example(
        name=name,
        figures={tracker: show(figure, row.values[figure]) for tracker, row in by_tracker.items() if row is not None},
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


def _write_pictures(output: Path, plots: dict[str, str], examples: Sequence[Example]) -> None:
    """The pictures the Markdown file refers to."""
    for curve, svg in plots.items():
        write_atomically(output / "plots" / f"{PLOTS[curve][0]}.svg".replace(" ", "_").lower(), svg)
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
