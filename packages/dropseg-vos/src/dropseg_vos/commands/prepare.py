"""``dropseg-vos prepare DIR``: training videos of YouTube-VOS at 480 lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from dropseg_vos.cli import FAILED, FINISHED, PROGRAM, UsageError


@dataclass(frozen=True)
class Prepare:
    """Write DIR/train_480p, the training videos of YouTube-VOS resized to 480 lines, beside DIR/train.

    Recipes read them there. Finished videos are kept.
    """

    root: tyro.conf.Positional[Path]
    """folder of an edition, with train/JPEGImages/<video> and train/Annotations/<video>"""
    short_side: int = 480
    """of the resized frames, in pixels"""
    workers: int = 1
    """processes"""


def run(words: Sequence[str]) -> int:
    """Resize and print how many; 1 when a video failed."""
    asked = tyro.cli(Prepare, args=list(words), prog="dropseg-vos prepare")
    if asked.short_side < 1 or asked.workers < 1:
        raise UsageError("--short-side and --workers must be at least 1")

    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from dropseg_vos.preparing import prepare_youtubevos

    with Progress(TextColumn("{task.completed} videos"), TimeElapsedColumn()) as bar:
        job = bar.add_task("", total=None)
        done = prepare_youtubevos(
            asked.root, short_side=asked.short_side, workers=asked.workers, on_video=lambda name: bar.advance(job)
        )
    print(f"{done.written} videos resized, {done.kept} were there: {done.folder}")
    for name, why in done.failures.items():
        print(f"{PROGRAM}: {name} failed: {why}", file=sys.stderr)
    return FAILED if done.failures else FINISHED
