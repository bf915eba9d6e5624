"""Score a base tracker over a dataset, with and without refinement, and refine results written earlier.

Needs ``pip install alpha-refine[train]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from alpha_refine.refined_tracker import create
from alpha_refine.rules import Rules
from trackcore.tracker import create_tracker
from trackdata.evaluation import Progress, Scores, run, score, tracker_identity, write_report
from trackdata.sequences import Dataset


def refined_identity(
    base: str, refiner: Mapping[str, Any], rules: Rules, base_options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What makes results of a refined tracker its own; files and exported folders are described by their content."""
    described = {f"base.{key}": value for key, value in (base_options or {}).items()}
    return tracker_identity("alpha-refine", {**refiner, **described, "base": base, "rules": asdict(rules)})


def evaluate(
    dataset: Dataset,
    output: str | Path,
    *,
    base: str = "opencv:mil",
    refiner: Mapping[str, Any],
    rules: Rules | None = None,
    base_options: Mapping[str, Any] | None = None,
    name: str | None = None,
    alone: bool = True,
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
        base: name of a registered tracker.
        refiner: arguments of :func:`alpha_refine.loading.load_refiner`, such as ``weights``.
        rules: how the two work together; the default ones when None.
        base_options: for the base tracker's factory, such as its weights.
        name: what the refined tracker is called in the report; by default ``<base>+refined``.
        alone: also run the base tracker without refinement.
        compare: names of other registered trackers to run as well.
        convention: of the scores, see ``trackdata.evaluation.CONVENTIONS``.
        workers: processes.
        limit: only the first so many sequences.
        on_progress: called with the tracker's name after each sequence.

    Returns:
        Scores of the refined tracker, of the base tracker if it was run alone, then of those compared.

    Raises:
        ValueError: two trackers have the same name.
    """
    rules, output = rules or Rules(), Path(output)
    name = name or f"{base}+refined"
    names = [name, *([base] if alone else []), *compare]
    if len(set(names)) < len(names):
        raise ValueError(f"trackers need different names, got {names}; rename the refined one or leave out a repeat")
    options = dict(base_options or {})
    refined = partial(create, base, base_options=options, rules=rules, **refiner)
    entrants: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
        name: (refined, refined_identity(base, refiner, rules, options))
    }
    if alone:
        entrants[base] = partial(create_tracker, base, **options), tracker_identity(base, options)
    entrants |= {other: (partial(create_tracker, other), tracker_identity(other)) for other in compare}
    results = []
    for entrant, (factory, identity) in entrants.items():
        told = partial(on_progress, entrant) if on_progress is not None else None
        result = run(
            entrant, factory, dataset, output, identity=identity, workers=workers, limit=limit, on_progress=told
        )
        results.append((entrant, result))
    write_report(results, dataset, output / "report", convention=convention, limit=limit)
    return [score(result, dataset, convention, name=entrant, limit=limit) for entrant, result in results]
