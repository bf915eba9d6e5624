"""``trackdata import``: results of other programs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from trackdata.cli.common import Source, UsageError, open_source


@dataclass(frozen=True)
class Import:
    """Take results of other programs over, so that `trackdata report` compares them. The originals stay as they are."""

    results: tyro.conf.Positional[Path]
    """folder of results, of one tracker or of several"""
    output: Path
    """results go to OUTPUT/TRACKER, or OUTPUT/TRACKER/DATASET; OUTPUT/import.json lists what was left"""
    layout: Annotated[
        Literal["auto", "pytracking", "ostrack", "got10k", "pysot", "vot"], tyro.conf.arg(name="from")
    ] = "auto"
    """program that wrote them; auto sees it from the files"""
    dataset: str | None = None
    """take only the sequences of this dataset, under its names; needed for vot"""
    root: Path | None = None
    """folder of the dataset"""
    split: str | None = None
    """split of the dataset"""
    name: str | None = None
    """what to call the tracker, when there is one"""

    def __call__(self) -> int:
        from trackdata.evaluation.importing import import_results
        from trackdata.evaluation.importing.importer import summary

        if (self.dataset is None) != (self.root is None):
            raise UsageError("--dataset and --root go together")
        dataset = None if self.dataset is None else open_source(Source(self.dataset, self.root, self.split))
        layout = {"auto": None, "ostrack": "pytracking"}.get(self.layout, self.layout)
        report = import_results(self.results, self.output, layout=layout, dataset=dataset, name=self.name)
        for entry in report.taken:
            counts = f"{entry.sequences} sequences, {entry.runs} runs ({entry.timed} with times), {entry.frames} frames"
            print(f"{entry.tracker} ({entry.layout}): {counts}: {entry.folder}")
        for entry in report.taken:
            if entry.missing:
                names = ", ".join(entry.missing)
                print(f"missing: {entry.tracker} has no result for {len(entry.missing)}: {names}", file=sys.stderr)
        for line in summary(report.left):
            print(f"left: {line}", file=sys.stderr)
        return 0
