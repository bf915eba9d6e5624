"""``trackdata pack``: a dataset as LMDB or zip."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trackdata.cli.common import FAILED, UsageError, error_console

if TYPE_CHECKING:
    from trackdata.packing import PackProgress, PackReport

_SHOWN = 20  # problems printed


@dataclass(frozen=True)
class Pack:
    """Pack a dataset into LMDB or zip, the same bytes under the same names. Started again, it goes on."""

    output: Path
    """folder of the LMDB or name of the zip archive; for TrackingNet a folder with one for each chunk"""
    root: Path | None = None
    """folder or archive of the dataset; may be left out with --verify-only"""
    to: Literal["lmdb", "zip"] = "lmdb"
    """what to pack into"""
    dataset: str | None = None
    """name of the dataset: see `trackdata datasets`; any tree of files when left out"""
    split: str | None = None
    """only this split"""
    newlines: Literal["as_is", "published"] = "as_is"
    """published: change text files so that published LMDB readers lose no line of them"""
    workers: int = 4
    """threads that read"""
    overwrite: bool = False
    """replace what was packed of something else"""
    verify_only: bool = False
    """write nothing, compare what is there with the dataset or, without --root, with its manifest"""

    def __call__(self) -> int:
        return _pack(self)


def _pack(command: Pack) -> int:
    from rich.progress import Progress

    from trackdata.datasets import UnknownDatasetError
    from trackdata.packing import check_pack, pack

    if command.root is None and not command.verify_only:
        raise UsageError("give --root, the folder or archive to pack")
    common = {"dataset": command.dataset, "split": command.split, "workers": command.workers}
    with Progress(console=error_console()) as bars:
        show = _Bars(bars)
        try:
            if command.verify_only:
                report = check_pack(command.root, command.output, command.to, **common, on_progress=show)
            else:
                report = pack(
                    command.root,
                    command.output,
                    command.to,
                    **common,
                    newlines=command.newlines,
                    overwrite=command.overwrite,
                    on_progress=show,
                )
        except UnknownDatasetError as error:
            raise UsageError(str(error)) from error
    return _tell(report)


class _Bars:
    """One bar for each phase of each LMDB or zip."""

    def __init__(self, bars) -> None:
        self._bars = bars
        self._tasks: dict[tuple[Path, str], int] = {}

    def __call__(self, progress: PackProgress) -> None:
        key = (progress.path, progress.phase)
        if key not in self._tasks:
            name = progress.path.name.removesuffix(".part")
            self._tasks[key] = self._bars.add_task(f"{progress.phase} {name}")
        self._bars.update(self._tasks[key], completed=progress.done, total=progress.total)


def _tell(report: PackReport) -> int:
    problems = report.problems()
    for line in problems[:_SHOWN]:
        print(f"trackdata: {line}", file=sys.stderr)
    if len(problems) > _SHOWN:
        print(f"trackdata: and {len(problems) - _SHOWN:,} more", file=sys.stderr)
    print(report)
    return 0 if report.complete else FAILED
