"""``trackdata synth``: generate video."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trackdata.cli.common import UsageError, error_console


@dataclass(frozen=True)
class Synth:
    """Generate video with exact boxes in GOT-10k's layout."""

    output: Path
    """folder for the split; continued when it holds part of the same video already"""
    split: str = "train"
    """name of the split, a folder below the output"""
    sequences: int = 20
    """how many sequences"""
    frames: int = 60
    """frames of each sequence"""
    size: str = "320x240"
    """WIDTHxHEIGHT in pixels"""
    preset: str = "standard"
    """how difficult: easy, standard or hard"""
    seed: int = 0
    """the same seed gives the same video"""
    workers: int = 1
    """processes"""
    masks: bool = False
    """write masks of the target as well"""
    overwrite: bool = False
    """replace video that was made with other settings"""

    def __call__(self) -> int:
        return _synth(self)


def _synth(command: Synth) -> int:
    from rich.progress import Progress

    from trackdata.synth import preset, write_got10k

    size = re.fullmatch(r"(\d+)x(\d+)", command.size)
    if size is None:
        raise UsageError(f"--size is WIDTHxHEIGHT such as 320x240, got {command.size!r}")
    config = preset(command.preset, frames=command.frames, size=(int(size[1]), int(size[2])))
    with Progress(console=error_console()) as bars:
        task = bars.add_task("sequences", total=command.sequences)
        report = write_got10k(
            command.output,
            command.split,
            command.sequences,
            config,
            seed=command.seed,
            workers=command.workers,
            masks=command.masks,
            overwrite=command.overwrite,
            on_progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    print(report)
    return 0
