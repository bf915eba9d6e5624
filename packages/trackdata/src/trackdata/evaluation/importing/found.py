"""Finding result files by the layouts in which the public programs leave them::

    pytracking  <tracker>/<parameters>[_000]/<sequence>.txt, <sequence>_time.txt, <sequence>_all_scores.txt; OSTrack
                puts got10k and trackingnet into folders of that name below
    got10k      <dataset>/<tracker>/<sequence>.txt, times/<sequence>_time.txt; for GOT-10k itself
                <tracker>/<sequence>/<sequence>_001.txt, <sequence>_time.txt with one column per run
    pysot       <dataset>/<tracker>/<sequence>.txt, without times
    vot         <tracker>/<experiment>/<sequence>/<sequence>_001.txt or .bin (_00000015 for a start at frame 15),
                ..._time.value, ..._confidence.value

Folders may be given at any level. Which layout a folder has is seen from what lies in it; where several would do, one
may be forced.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Layout = Literal["pytracking", "got10k", "pysot", "vot"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

_OWN_FOLDERS = ("got10k", "trackingnet")  # OSTrack puts results on these one level deeper
_EXPERIMENTS = ("baseline", "longterm", "realtime", "unsupervised")
_AUXILIARY = ("_time", "_all_boxes", "_all_scores", "_object_presence_scores")
_PARTS = ("times", "scores")  # folders that belong to the results beside them
# Numbers of runs start at 0, so this is no part of names such as vitb_256.
_RUN_OF_PARAMETERS = re.compile(r"(.+)_(0\d\d)")


@dataclass(frozen=True)
class FoundRun:
    """One run of a tracker over one sequence, not read yet.

    Attributes:
        layout: of its files.
        tracker: its name, as far as the folders tell.
        group: the dataset or experiment, as far as the folders tell; None when they do not.
        sequence: its name.
        run: number among the runs of the same sequence.
        file: boxes or regions.
        times, scores: files of seconds and confidences, or None.
        column: of ``times``.
    """

    layout: Layout
    tracker: str
    group: str | None
    sequence: str
    run: int
    file: Path
    times: Path | None = None
    scores: Path | None = None
    column: int = 0


@dataclass(frozen=True)
class Left:
    """A file or folder that was not taken, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Scan:
    """What lies in a folder: runs, and files that are none."""

    runs: tuple[FoundRun, ...]
    left: tuple[Left, ...]


def scan(root: Path, layout: Layout | None = None) -> Scan:
    """Look through ``root`` and everything below.

    Args:
        layout: take flat folders of ``<sequence>.txt`` as this layout, whatever they look like, and nothing else.

    Raises:
        ValueError: no such layout.
        NotADirectoryError: ``root`` is no folder.
    """
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"layout is one of {', '.join(LAYOUTS)}, got {layout!r}")
    root = Path(root).resolve()
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder of results")
    runs: list[FoundRun] = []
    left: list[Left] = []
    for place, folders, files in os.walk(root):
        folder = Path(place)
        if "run.json" in files:
            left.append(Left(folder, "results of trackdata, which need no import"))
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if name not in _PARTS)
        for found in _look(folder, sorted(files), root, layout):
            if isinstance(found, Left):
                left.append(found)
            elif layout is not None and found.layout != layout:
                left.append(Left(found.file, f"in the layout of {found.layout}"))
            else:
                runs.append(found)
    return Scan(tuple(runs), tuple(left))


def _look(folder: Path, files: list[str], root: Path, layout: Layout | None) -> Iterator[FoundRun | Left]:
    yield from (Left(folder / name, "MATLAB files are not read") for name in files if name.endswith(".mat"))
    numbered = re.compile(rf"{re.escape(folder.name)}_(\d{{3}}|\d{{8}})\.(txt|bin)")
    named = [(name, match[1]) for name in files if (match := numbered.fullmatch(name))]
    if not named:
        yield from _flat(folder, [name for name in files if name.endswith(".txt")], root, layout)
    elif folder.parent.name in _EXPERIMENTS or any(name.endswith((".value", ".bin")) for name in files):
        yield from _vot(folder, named)
    else:
        yield from _repeated(folder, [name for name, _ in named], root)


def _vot(folder: Path, named: list[tuple[str, str]]) -> Iterator[FoundRun | Left]:
    experiment = folder.parent
    taken = set()
    for name, number in named:
        if len(number) == 8 and int(number) != 0:
            yield Left(folder / name, "starts in the middle of the sequence")
        elif number not in taken:  # .bin and .txt of one run are the same
            taken.add(number)
            run = 0 if len(number) == 8 else int(number) - 1
            yield FoundRun("vot", experiment.parent.name, experiment.name, folder.name, run, folder / name)


def _repeated(folder: Path, names: list[str], root: Path) -> Iterator[FoundRun]:
    base, times = folder.parent, folder / f"{folder.name}_time.txt"
    for run, name in enumerate(names):
        seconds = times if times.is_file() else None
        yield FoundRun("got10k", base.name, _group(base, root), folder.name, run, folder / name, seconds, column=run)


def _flat(folder: Path, names: list[str], root: Path, layout: Layout | None) -> Iterator[FoundRun]:
    stems = {name.removesuffix(".txt") for name in names}
    auxiliary = {stem + ending for stem in stems for ending in _AUXILIARY if stem + ending in stems}
    sequences = sorted(stems - auxiliary)
    if not sequences:
        return
    layout = _guess(folder, sequences) if layout in (None, "vot") else layout
    tracker, run, group = folder.name, 0, _group(folder, root)
    if layout == "pytracking":
        parameters = folder.parent if folder.name in _OWN_FOLDERS else folder
        numbered = _RUN_OF_PARAMETERS.fullmatch(parameters.name)
        name, run = (numbered[1], int(numbered[2])) if numbered else (parameters.name, 0)
        tracker, group = f"{parameters.parent.name}-{name}", None
    for sequence in sequences:
        places = (folder / f"{sequence}_time.txt", folder / "times" / f"{sequence}_time.txt")
        times = next((place for place in places if place.is_file()), None)
        scores = folder / f"{sequence}_all_scores.txt"
        yield FoundRun(
            layout,
            tracker,
            group,
            sequence,
            run,
            folder / f"{sequence}.txt",
            times,
            scores if scores.is_file() else None,
        )


def _guess(folder: Path, sequences: list[str]) -> Layout:
    """The layout of a flat folder: by where its times lie, else by whether tabs separate the numbers."""
    if (folder / "times").is_dir():
        return "got10k"
    if any((folder / f"{sequence}_time.txt").is_file() for sequence in sequences):
        return "pytracking"
    with (folder / f"{sequences[0]}.txt").open(encoding="utf-8", errors="replace") as file:
        return "pytracking" if "\t" in file.readline() else "pysot"


def _group(base: Path, root: Path) -> str | None:
    """The folder above a tracker's, when it lies below what was asked for and so tells trackers' datasets apart."""
    return base.parent.name if root in base.parent.parents else None
