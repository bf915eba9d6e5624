"""Writing what was found in other programs' layouts in the own one, and telling what was taken and what was left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from trackdata.evaluation.importing.found import FoundRun, Layout, Left, scan
from trackdata.evaluation.importing.matching import NameMatcher
from trackdata.evaluation.passes import sequence_name
from trackdata.evaluation.records import Track
from trackdata.evaluation.results import EXACT, ResultError, read_numbers, write_runs
from trackdata.evaluation.runner import tracker_folder
from trackdata.evaluation.vot.trajectories import read_trajectory
from trackdata.parsing import TextFile, parse_boxes
from trackdata.regions import START, Code, region_box
from trackdata.sequences import AnnotationError, Dataset
from trackdata.writing import write_atomically


@dataclass(frozen=True)
class Taken:
    """What was imported of one tracker on one dataset or experiment.

    Attributes:
        tracker, group: names; ``group`` is None when the folders do not tell.
        layout: it was found in.
        folder: where it is now.
        sequences, runs, frames: how many; runs counts repetitions.
        timed: runs that have times.
        renamed: own name by found name, where they differ.
        missing: sequences of the dataset that there is no result for.
    """

    tracker: str
    group: str | None
    layout: Layout
    folder: Path
    sequences: int
    runs: int
    frames: int
    timed: int
    renamed: dict[str, str]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ImportReport:
    """What was taken and what was left; saved beside the results as ``import.json``."""

    taken: tuple[Taken, ...]
    left: tuple[Left, ...]

    def to_json(self) -> dict:
        """As JSON takes it."""
        return {
            "taken": [{**asdict(entry), "folder": str(entry.folder)} for entry in self.taken],
            "left": [{"path": str(entry.path), "reason": entry.reason} for entry in self.left],
        }


def import_results(
    root: Path,
    output: Path,
    *,
    layout: Layout | None = None,
    dataset: Dataset | None = None,
    name: str | None = None,
) -> ImportReport:
    """Take results of other programs over, without changing them; ``trackdata report`` and ``score`` read the outcome.

    Boxes keep every digit. Runs of one tracker become repetitions. Polygons and masks become the boxes around them.

    Args:
        root: a folder of results, at any level of the layouts in :mod:`trackdata.evaluation.importing.found`.
        output: results go to ``<output>/<tracker>``, or ``<output>/<tracker>/<dataset>`` where ``dataset`` is given or
            the folders tell datasets apart.
        layout: see :func:`~trackdata.evaluation.importing.found.scan`.
        dataset: take only its sequences, under its names. Results on VOT need it: their files do not hold the first
            box.
        name: what to call the tracker, when there is one.

    Raises:
        ResultError: nothing could be taken, several trackers for one ``name``, or ``output`` holds results that were
            not imported.
        ValueError, NotADirectoryError: as ``scan``.
    """
    found = scan(root, layout)
    left = list(found.left)
    trackers: dict[str, dict[str | None, dict[str, list[FoundRun]]]] = {}
    for run in found.runs:
        trackers.setdefault(run.tracker, {}).setdefault(run.group, {}).setdefault(run.sequence, []).append(run)
    if name is not None and len(trackers) > 1:
        raise ResultError(f"{root} holds several trackers ({', '.join(sorted(trackers))}), which cannot share a name")
    truths = None if dataset is None else _Truths(dataset)
    taken = []
    for tracker, groups in sorted(trackers.items()):
        fitting = sum(truths is None or any(map(truths.match, sequences)) for sequences in groups.values())
        for group, sequences in sorted(groups.items(), key=lambda item: item[0] or ""):
            label = name or tracker
            if dataset is None:
                part = group
            else:  # which has one folder, so several experiments need several names
                label, part = label if fitting < 2 else f"{label}-{group}", dataset.name
            entry, faults = _take(label, part, sequences, Path(output), truths)
            left += faults
            taken += [entry] if entry.sequences else []
    report = ImportReport(tuple(taken), tuple(left))
    if not taken:
        reasons = "; ".join(dict.fromkeys(entry.reason for entry in left)) or "no result files in a known layout"
        raise ResultError(f"nothing in {root} could be taken over: {reasons}")
    write_atomically(Path(output) / "import.json", json.dumps(report.to_json(), indent=1) + "\n")
    return report


class _Truths:
    """First boxes and lengths of a dataset's sequences, by name."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.names = {sequence_name(dataset, index): index for index in range(len(dataset))}
        self.match = NameMatcher(self.names)

    def first_box(self, name: str) -> np.ndarray:
        return self._dataset[self.names[name]].boxes[0]


def _take(
    tracker: str, group: str | None, sequences: dict[str, list[FoundRun]], output: Path, truths: _Truths | None
) -> tuple[Taken, list[Left]]:
    folder = output / tracker_folder(tracker)
    folder = folder if group is None else folder / group
    if (folder / "records").is_dir():
        raise ResultError(f"{folder} holds results of a run, not imported ones; choose another output or name")
    left: list[Left] = []
    renamed: dict[str, str] = {}
    tracks: dict[str, list[Track]] = {}
    for found_name, runs in sequences.items():
        name = found_name if truths is None else truths.match(found_name)
        if name is None or name in tracks:
            reason = "no sequence of the dataset" if name is None else f"another result is {name} already"
            left += [Left(run.file, reason) for run in runs]
            continue
        if name != found_name:
            renamed[found_name] = name
        for run in sorted(runs, key=lambda run: (run.run, str(run.file))):
            try:
                track, faults = _read(run, name, truths)
                tracks.setdefault(name, []).append(track)
                left += faults
            except (ResultError, AnnotationError) as error:
                left.append(Left(run.file, str(error).removeprefix(f"{run.file}: ")))
    for name, runs in tracks.items():
        write_runs(folder, name, runs, EXACT)
    layout = next(iter(sequences.values()))[0].layout
    if tracks:
        about = {"tracker": tracker, "dataset": group, "imported": layout}
        write_atomically(folder / "run.json", json.dumps(about, indent=1) + "\n")
    every = [track for runs in tracks.values() for track in runs]
    entry = Taken(
        tracker,
        group,
        layout,
        folder,
        sequences=len(tracks),
        runs=len(every),
        frames=sum(len(track.boxes) for track in every),
        timed=sum(track.times is not None for track in every),
        renamed=renamed,
        missing=() if truths is None else tuple(name for name in truths.names if name not in tracks),
    )
    return entry, left


def _read(run: FoundRun, name: str, truths: _Truths | None) -> tuple[Track, list[Left]]:
    """A run, and what lies beside it but does not fit. Raises ResultError or AnnotationError."""
    if run.layout == "vot":
        return _read_trajectory(run, name, truths), []
    boxes = parse_boxes(TextFile.read(run.file))
    _check(boxes)
    left = []
    extras: dict[str, np.ndarray | None] = {"times": None, "scores": None}
    for label, file, column in (("times", run.times, run.column), ("scores", run.scores, 0)):
        if file is None:
            continue
        values = read_numbers(file)
        if len(values) == len(boxes) and column < values.shape[1]:
            extras[label] = values[:, column]
        else:
            left.append(Left(file, f"{len(values)} {label} for {len(boxes)} frames"))
    return Track(boxes, **extras), left


def _read_trajectory(run: FoundRun, name: str, truths: _Truths | None) -> Track:
    trajectory = read_trajectory(run.file.parent, run.file.stem)
    regions = list(trajectory.regions)
    if any(isinstance(region, Code) for region in regions[1:]):
        raise ResultError("no single pass: it holds codes of failures and restarts")
    boxes = np.array([region_box(region) for region in regions]).reshape(-1, 4)
    if regions and regions[0] == START:
        if truths is None:
            raise ResultError("does not hold the first box, which is read from the dataset when that is given")
        boxes[0] = truths.first_box(name)
    _check(boxes)
    return Track(boxes, trajectory.times, trajectory.confidence)


def _check(boxes: np.ndarray) -> None:
    if len(boxes) == 0:
        raise ResultError("the file is empty")
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    if len(bad):
        raise ResultError(f"the box of frame {bad[0]} holds NaN or infinity ({len(bad)} such frames)")
    bad = np.flatnonzero((boxes[:, 2:] < 0).any(axis=1))
    if len(bad):
        raise ResultError(f"the box of frame {bad[0]} has a negative size; boxes are x, y, w, h, not corners")


def summary(left: Iterable[Left]) -> list[str]:
    """One line per reason: how many files, and the first of them."""
    reasons: dict[str, list[Path]] = {}
    for entry in left:
        reasons.setdefault(entry.reason, []).append(entry.path)
    return [
        f"{reason}: {paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        for reason, paths in reasons.items()
    ]
