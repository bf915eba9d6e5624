"""``trackdata submit``: archives for the servers of benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from trackdata.cli.common import UsageError


@dataclass(frozen=True)
class Submit:
    """Check results and write the archive that a benchmark's server wants. Results are never changed."""

    results: tyro.conf.Positional[Path]
    """folder of results of one tracker; for masks also an archive"""
    benchmark: str
    """got10k, trackingnet, davis2017, youtubevos; or, as a zip of text files, lasot, lasot_ext, tnl2k, otb2015, uav123,
    nfs"""
    dataset_root: Path
    """folder, archive or LMDB of the benchmark's dataset, which says what must be there"""
    output: Path | None = None
    """the zip; RESULTS_submit.zip next to the results when left out"""
    split: str | None = None
    """another split than the one the server wants"""
    runs: int | None = None
    """got10k: hand in so many runs, repeating those there are (1 to 3); all there are when left out"""
    partial: bool = False
    """pack although the dataset at hand is not complete"""

    def __call__(self) -> int:
        from trackdata.evaluation.submissions import SERVERS, submit

        if self.benchmark.startswith("vot"):
            raise UsageError(
                "results on VOT are packed by the toolkit, which also checks them: vot pack --workspace W TRACKER"
            )
        if self.benchmark not in SERVERS:
            raise UsageError(f"--benchmark is one of {', '.join(SERVERS)}, got {self.benchmark!r}")
        packed = submit(
            self.benchmark,
            self.results,
            self.dataset_root,
            self.output,
            split=self.split,
            runs=self.runs,
            partial=self.partial,
        )
        size = packed.archive.stat().st_size
        print(f"{packed.archive}: {packed.sequences} sequences, {size / 1e6:.1f} MB")
        return 0
