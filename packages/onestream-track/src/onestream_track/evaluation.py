"""Evaluate a one-stream tracker over a dataset, beside other trackers if wanted.

Needs ``pip install onestream-track[train]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from onestream_track.config import EXPORTED_CARD
from onestream_track.loading import create
from onestream_track.shipped import SHIPPED
from trackcore.tracker import create_tracker
from trackdata.evaluation import Progress, Scores, run, score, tracker_identity, write_report
from trackdata.sequences import Dataset


def identity(options: Mapping[str, Any]) -> dict[str, Any]:
    """What makes results of this tracker its own; files are described by their content.

    An exported folder is described by its card, which has the hashes of what is in it; the model that comes with the
    package is a file like any other.
    """
    described = dict(options)
    if described.get("weights") is None and described.get("recipe") is None:
        described["weights"] = str(SHIPPED)
    weights = described.get("weights")
    if weights is not None and (Path(weights) / EXPORTED_CARD).is_file():
        described["weights"] = str(Path(weights) / EXPORTED_CARD)
    return tracker_identity("onestream", described)


def evaluate(
    dataset: Dataset,
    output: str | Path,
    *,
    name: str = "onestream",
    options: Mapping[str, Any] | None = None,
    compare: Sequence[str] = (),
    convention: str = "default",
    workers: int = 1,
    limit: int | None = None,
    on_progress: Callable[[str, Progress], None] | None = None,
) -> list[Scores]:
    """Track every sequence once, score, and write a report; started again it goes on where it was.

    Args:
        dataset: what to track, from ``trackdata.datasets.open_dataset`` or of your own.
        output: results go to ``<output>/<tracker>/<dataset>``, the report to ``<output>/report``.
        name: what the tracker is called in the report.
        options: for :func:`onestream_track.loading.create` (weights, recipe, device, ...).
        compare: names of other registered trackers to run as well ("static", "opencv:mil").
        convention: of the scores, see ``trackdata.evaluation.CONVENTIONS``.
        workers: processes.
        limit: only the first so many sequences.
        on_progress: called with the tracker's name after each sequence.

    Returns:
        Scores of this tracker, then of those compared.

    Raises:
        ValueError: two trackers have the same name.
    """
    if len({name, *compare}) < 1 + len(compare):
        raise ValueError(
            f"trackers need different names, got {[name, *compare]}; rename this one or leave out a repeat"
        )
    options, output = dict(options or {}), Path(output)
    entrants: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
        name: (partial(create, **options), identity(options))
    }
    entrants |= {other: (partial(create_tracker, other), tracker_identity(other)) for other in compare}
    results = []
    for entrant, (factory, described) in entrants.items():
        told = partial(on_progress, entrant) if on_progress is not None else None
        result = run(
            entrant, factory, dataset, output, identity=described, workers=workers, limit=limit, on_progress=told
        )
        results.append((entrant, result))
    write_report(results, dataset, output / "report", convention=convention, limit=limit)
    return [score(result, dataset, convention, name=entrant, limit=limit) for entrant, result in results]
