"""``trackdata compare``: saved scores side by side, with confidence intervals."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import tyro

from trackdata.cli.common import UsageError, error_console


@dataclass(frozen=True)
class Compare:
    """Compare saved scores: figures side by side, bootstrap intervals, differences to the first tracker."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """report.json files, or what `--json` and Scores.save wrote; all trackers in them are compared"""
    figure: str | None = None
    """what to compare by; the figure that ranks when left out"""
    samples: int = 10_000
    """draws of the bootstrap"""
    seed: int = 0
    """the same seed gives the same intervals"""
    level: float = 0.95
    """of the intervals"""
    json: Path | None = None
    """file for the comparison"""

    def __call__(self) -> int:
        return _compare(self)


def _compare(command: Compare) -> int:
    from trackdata.evaluation import compare, comparison_table, load_scores, table_console
    from trackdata.writing import write_atomically

    if not command.files:
        raise UsageError("give one or more files of scores")
    if not 0 < command.level < 1 or command.samples < 1:
        raise UsageError("--level lies between 0 and 1, --samples is at least 1")
    scores = [entry for path in command.files for entry in load_scores(path)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = comparison_table(scores)
        comparison = compare(scores, command.figure, command.samples, command.seed, command.level)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        error_console().print(f"trackdata: {message}", markup=False)
    console = table_console()
    console.print(table)
    console.print(comparison)
    if command.json is not None:
        write_atomically(command.json, json.dumps(comparison.to_json(), indent=1, allow_nan=False) + "\n")
    return 0
