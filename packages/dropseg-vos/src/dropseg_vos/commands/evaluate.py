"""``dropseg-vos evaluate``: segment and score a benchmark."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dropseg_vos.cli import FAILED, FINISHED, PROGRAM, UsageError
from dropseg_vos.commands.options import NetworkChoice, Repeated


@dataclass(frozen=True)
class Evaluate:
    """Segment every video of a benchmark by its rules, print J and F, write what its server takes.

    Finished videos are kept.
    """

    dataset: Literal["davis2016", "davis2017", "youtubevos"]
    """the benchmark"""
    root: Path
    """its folder"""
    network: tyro.conf.OmitArgPrefixes[NetworkChoice]
    output: Path = Path("results")
    """label maps go to OUTPUT/METHOD/DATASET/VIDEO/FRAME.png"""
    split: str | None = None
    """split of the dataset: val, train, test-dev, ... of DAVIS; valid, train, 2018/valid, ... of YouTube-VOS"""
    name: str = "dropseg"
    """what the network is called"""
    compare: Annotated[tuple[Literal["copy", "flow"], ...], Repeated] = ()
    """a baseline to run as well: the first mask copied, or carried on by optical flow; may be repeated"""
    sizes: Literal["auto", "published", "limit"] = "auto"
    """at which size frames are looked at: by the benchmark's published rule, or limited to what suits the network; auto
    follows the rule for networks trained at 384 pixels"""
    batch: int = 1
    """frames segmented in one pass"""
    protocol: str | None = None
    """how to score; davis2017/strict repeats the official program"""
    seen: Path | None = None
    """classes seen in training, one a line or a meta.json: report them apart (YouTube-VOS)"""
    per_object: bool = False
    """print a line for each object"""
    zip: Path | None = None
    """archive to write for the benchmark's server"""
    csv: Path | None = None
    """folder for the two CSV files that the DAVIS evaluation writes"""
    json: Path | None = None
    """file for all figures, per object and frame as well"""
    workers: int = 1
    """processes that score"""
    limit: int | None = None
    """only the first so many videos"""
    overwrite: bool = False
    """replace results of other options or weights"""


def run(words: Sequence[str]) -> int:
    """Segment, print the tables; 1 when a video failed."""
    defaults = Evaluate(tyro.MISSING, tyro.MISSING, NetworkChoice())
    asked = tyro.cli(Evaluate, default=defaults, args=list(words), prog="dropseg-vos evaluate")
    if asked.batch < 1 or (asked.limit is not None and asked.limit < 1):
        raise UsageError("--batch and --limit must be at least 1")
    options = asked.network.options()

    import json

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from dropseg_vos.evaluation import evaluate, open_benchmark, pack
    from trackdata.evaluation import comparison_table, table_console
    from trackdata.evaluation.segmentation import read_classes, write_davis_csv
    from trackdata.writing import write_atomically

    total = len(open_benchmark(asked.dataset, asked.root, asked.split).video_names[: asked.limit])
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bars:
        jobs = {}

        def on_video(method: str, video: str) -> None:
            if method not in jobs:
                jobs[method] = bars.add_task(method, total=total)
            bars.advance(jobs[method])

        results = evaluate(
            asked.dataset,
            asked.root,
            asked.output,
            network=options,
            split=asked.split,
            name=asked.name,
            compare=asked.compare,
            sizes=asked.sizes,
            batch=asked.batch,
            protocol=asked.protocol,
            seen=None if asked.seen is None else read_classes(asked.seen),
            workers=asked.workers,
            limit=asked.limit,
            overwrite=asked.overwrite,
            on_video=on_video,
        )
    scored = [result.scores for result in results if result.scores is not None]
    console = table_console()
    if scored:
        console.print(comparison_table(scored))
    if asked.per_object and scored:
        console.print(_object_table(scored[0]))
    for result in results:
        reused = f", {result.reused} videos from before" if result.reused else ""
        print(f"{result.method}: {result.frames} frames at {result.rate:.2f} frames/s{reused}: {result.folder}")
        if result.scores is None:
            print(f"{result.method}: the masks of this split are not public, so it is not scored; see --zip")
        for video, why in result.failures.items():
            print(f"{PROGRAM}: {result.method}: {video} failed: {why}", file=sys.stderr)
    if asked.json is not None:
        content = {"methods": [scores.to_json() for scores in scored]}
        write_atomically(asked.json, json.dumps(content, indent=1, allow_nan=False) + "\n")
    if asked.csv is not None and scored:
        write_davis_csv(scored[0], asked.csv, asked.split or "val")
    if asked.zip is not None:
        print(f"wrote {pack(asked.dataset, results[0].folder, asked.root, asked.split, asked.zip, asked.limit)}")
    return FAILED if any(result.failures for result in results) else FINISHED


def _object_table(scores):
    from rich.table import Table

    figures = ("J&F", "J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay")
    table = Table("object", "frames", *figures, title=f"{scores.tracker} on {scores.dataset}")
    for row in scores.sequences:
        table.add_row(row.name, str(row.scored), *(f"{100 * row.values[figure]:.1f}" for figure in figures))
    return table
