"""``trackdata verify``: what of a dataset is on disk, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from trackdata.cli.common import FAILED, Source, UsageError, error_console

if TYPE_CHECKING:
    from trackdata.verification import VerificationReport

_SHOWN = 50  # faults printed


@dataclass(frozen=True)
class Verify:
    """Look for missing sequences and frames, damaged files, annotation that does not fit, and odd boxes. The exit code
    is 1 when something is missing or damaged; what is odd, or known of the dataset, is a note."""

    source: tyro.conf.OmitArgPrefixes[Source]
    decode: Literal["none", "first", "all"] = "first"
    """which frames of each sequence to decode"""
    workers: int = 1
    """processes"""
    json: Path | None = None
    """file for the whole report"""

    def __call__(self) -> int:
        return _verify(self)


def _verify(command: Verify) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from trackdata.datasets import UnknownDatasetError
    from trackdata.verification import findings_table, verify_at

    source = command.source
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[faults]} faults"), console=error_console()) as bars:
        task = bars.add_task("sequences", total=None, faults=0)
        try:
            report = verify_at(
                source.dataset,
                source.root.expanduser().absolute(),
                source.split,
                command.decode,
                workers=command.workers,
                limit=source.limit,
                on_progress=lambda at: bars.update(task, completed=at.done, total=at.total, faults=at.faults),
            )
        except UnknownDatasetError as error:
            raise UsageError(str(error)) from error
    if command.json is not None:
        report.save(command.json)
    _print(report, Console(), findings_table(report))
    return FAILED if report.faults else 0


def _print(report: VerificationReport, console, table) -> None:
    if report.findings:
        console.print(table)
    for finding in report.faults[:_SHOWN]:
        print(finding)
    if len(report.faults) > _SHOWN:
        print(f"and {len(report.faults) - _SHOWN:,} more; --json FILE has all")
    print(report)
