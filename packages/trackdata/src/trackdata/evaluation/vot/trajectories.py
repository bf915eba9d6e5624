"""What a tracker reported during one run of an experiment, in the toolkit's files.

``<results>/<tracker>/<experiment>/<sequence>/<sequence>_<run>.txt`` holds one region a line (``.bin`` the same in the
toolkit's binary form), beside it lie ``..._time.value`` and, where there are confidences, ``..._confidence.value`` with
one number a line. ``<run>`` is the first frame with eight digits in multi-start experiments (``_00000045``), else the
repetition with three (``_001``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackdata.binary_regions import parse_binary_regions
from trackdata.evaluation.results import ResultError
from trackdata.parsing import TextFile
from trackdata.regions import Region, RegionFile, format_region
from trackdata.sequences import AnnotationError
from trackdata.writing import write_atomically


@dataclass(frozen=True)
class Trajectory:
    """One run.

    Attributes:
        regions: in the order the run visited the frames; codes where nothing was tracked (see ``trackdata.regions``).
        confidence: ``(N,)`` float64, NaN where the tracker gave none; None when not recorded.
        times: ``(N,)`` seconds; None when not recorded.
    """

    regions: Sequence[Region]
    confidence: np.ndarray | None = None
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.regions)


def run_name(sequence: str, number: int, digits: int = 3) -> str:
    """The name of a run's files without ending: the sequence and a number of at least ``digits`` digits."""
    return f"{sequence}_{number:0{digits}d}"


def has_trajectory(folder: Path, name: str) -> bool:
    """Whether ``folder`` holds run ``name``, as text or in binary form."""
    return (folder / f"{name}.txt").is_file() or (folder / f"{name}.bin").is_file()


def read_trajectory(folder: Path, name: str) -> Trajectory:
    """Read the files of run ``name`` from a sequence's folder.

    Raises:
        ResultError: there are none, the numbers of lines differ, or something is malformed; names the file.
    """
    path = Path(folder) / f"{name}.txt"
    binary = path.with_suffix(".bin")
    if not has_trajectory(path.parent, name):
        raise ResultError(f"{folder} holds no run {name}; expected {path.name} or {binary.name}")
    try:
        if path.is_file():
            regions = RegionFile(TextFile.read(path))[:]
        else:
            regions = parse_binary_regions(binary.read_bytes(), str(binary))
        confidence = _read_values(path.with_name(f"{name}_confidence.value"), len(regions))
        times = _read_values(path.with_name(f"{name}_time.value"), len(regions))
    except AnnotationError as error:
        raise ResultError(str(error)) from error
    return Trajectory(regions, confidence, times)


def write_trajectory(folder: Path, name: str, trajectory: Trajectory) -> Path:
    """Write a run and return the file of regions, which is written last."""
    for label, values in (("time", trajectory.times), ("confidence", trajectory.confidence)):
        path = folder / f"{name}_{label}.value"
        if values is None:
            path.unlink(missing_ok=True)  # one of an earlier run would not belong to these regions
        else:
            write_atomically(path, "".join(f"{value:.6f}\n" for value in values.tolist()))
    path = folder / f"{name}.txt"
    write_atomically(path, "".join(f"{format_region(region)}\n" for region in trajectory.regions))
    return path


def _read_values(path: Path, length: int) -> np.ndarray | None:
    """One number a line, NaN for an empty one; None when there is no such file."""
    if not path.is_file():
        return None
    lines = TextFile.read(path).text.splitlines()
    try:
        values = np.array([float(line) if line.strip() else math.nan for line in lines])
    except ValueError as error:
        raise ResultError(f"{path}: {error}") from None
    if len(values) != length:
        raise ResultError(f"{path} has {len(values)} values for {length} regions")
    return values
