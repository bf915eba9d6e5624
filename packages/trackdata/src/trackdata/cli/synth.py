"""``trackdata synth``: generate video."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trackdata.cli.common import UsageError, error_console

if TYPE_CHECKING:
    from rich.progress import Progress

    from trackdata.synth import SynthConfig, WriteReport
    from trackdata.synth.layouts import Layout

_ALL = "all"


@dataclass(frozen=True)
class Synth:
    """Generate video with exact boxes and masks in the official layout of a dataset. Started again, it goes on."""

    output: Path
    """folder for the dataset; continued when it holds part of the same video already"""
    layout: str = "got10k"
    """dataset in whose layout it is written, or all: every one of them, each in a folder of its name"""
    split: str | None = None
    """split of the dataset; by default its training split, or the first one"""
    sequences: int = 20
    """how many sequences"""
    frames: int = 60
    """frames of each sequence"""
    size: str = "320x240"
    """WIDTHxHEIGHT in pixels"""
    preset: str = "standard"
    """what it shows: flat shapes that are easy, standard or hard to track, or rich, a world of solid objects"""
    objects: str | None = None
    """how many objects are annotated, N or MIN-MAX; one by default, and up to four where the layout takes several"""
    seed: int = 0
    """the same seed gives the same video"""
    workers: int = 1
    """processes"""
    masks: bool = False
    """write masks of the target as well (got10k)"""
    own_names: bool = False
    """names outside of published lists, whose sequences have lengths of their own (otb2015, uav123, uav20l, nfs)"""
    overwrite: bool = False
    """replace video that was made with other settings"""

    def __call__(self) -> int:
        return _synth(self)


def _synth(command: Synth) -> int:
    from rich.progress import Progress

    from trackdata.synth import preset
    from trackdata.synth.layouts import LAYOUTS, layout

    size = re.fullmatch(r"(\d+)x(\d+)", command.size)
    if size is None:
        raise UsageError(f"--size is WIDTHxHEIGHT such as 320x240, got {command.size!r}")
    objects = None if command.objects is None else _objects(command.objects)
    if command.layout == _ALL and command.split is not None:
        raise UsageError("--split goes with one layout; of all of them, the first split is written")
    try:
        layouts = list(LAYOUTS.values()) if command.layout == _ALL else [layout(command.layout)]
    except ValueError as error:
        raise UsageError(f"--layout: {error}") from error
    config = preset(command.preset, frames=command.frames, size=(int(size[1]), int(size[2])))
    with Progress(console=error_console()) as bars:
        for known in layouts:
            output = command.output / known.name if command.layout == _ALL else command.output
            print(_write(command, known, output, config, objects, bars))
    return 0


def _objects(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if found is None:
        raise UsageError(f"--objects is N or MIN-MAX such as 1-4, got {text!r}")
    return int(found[1]), int(found[2] or found[1])


def _write(
    command: Synth,
    known: Layout,
    output: Path,
    config: SynthConfig,
    objects: tuple[int, int] | None,
    bars: Progress,
) -> WriteReport:
    from dataclasses import replace

    from trackdata.synth import write_layout

    task = bars.add_task(known.name, total=command.sequences)
    return write_layout(
        known,
        output,
        command.split,
        command.sequences,
        replace(config, objects=objects or known.objects),
        seed=command.seed,
        workers=command.workers,
        listed=not command.own_names,
        masks=command.masks and (known.has_masks or command.layout != _ALL),
        overwrite=command.overwrite,
        on_progress=lambda done, total: bars.update(task, completed=done, total=total),
    )
