"""Result files: one text file of boxes per sequence, with times and confidences beside it.

Own layout, below ``<results>/<tracker>/<dataset>/``::

    <sequence>.txt          x,y,w,h with four decimals, one line per frame, the first being the given box
    times/<sequence>.txt    seconds per frame spent in the tracker
    scores/<sequence>.txt   the tracker's confidence per frame, nan where it gave none

Several runs of a sequence are ``<sequence>/<sequence>_001.txt`` and so on, with one column per run of times and
confidences. Readers accept commas, tabs, blanks and CRLF, and find the layouts of pytracking (``<sequence>_time.txt``)
and of the GOT-10k toolkit (``<sequence>/<sequence>_001.txt``) as well.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackdata.evaluation.records import Track
from trackdata.parsing import TextFile, parse_numbers
from trackdata.sequences import AnnotationError
from trackdata.writing import write_atomically


class ResultError(ValueError):
    """A result file is missing, malformed or must not be written; the message names the file or sequence."""


@dataclass(frozen=True)
class TextFormat:
    """How numbers become text: printf format of one number, separator, and whether to drop the fraction first."""

    number: str
    separator: str = ","
    truncate: bool = False

    def __call__(self, rows: np.ndarray) -> str:
        """The text of ``(N,)`` or ``(N, C)`` numbers, one line per row, ending in a newline."""
        rows = np.asarray(rows, dtype=np.float64)
        if self.truncate:
            rows = np.trunc(rows) + 0.0  # adding zero turns -0.0 into 0.0
        line = self.separator.join([self.number] * (rows.shape[1] if rows.ndim == 2 else 1)) + "\n"
        return "".join([line % tuple(row) for row in rows.reshape(len(rows), -1).tolist()])


OWN = TextFormat("%.4f")
EXACT = TextFormat("%r")
OWN_TIMES = TextFormat("%.8f")
LEGACY = TextFormat("%d", "\t", truncate=True)
LEGACY_TIMES = TextFormat("%f")
LEGACY_SCORES = TextFormat("%.2f")
TOOLKIT = TextFormat("%.3f")
TOOLKIT_TIMES = TextFormat("%.8f")

_AUXILIARY = {"times": ("times/{0}.txt", "{0}_time.txt", "times/{0}_time.txt", "{0}/{0}_time.txt")}
_AUXILIARY["scores"] = ("scores/{0}.txt", "{0}_all_scores.txt")


def write_track(folder: Path, sequence: str, track: Track) -> Path:
    """Write one result in the own layout and return the box file, which is written last.

    Each file appears complete or not at all.

    Raises:
        ResultError: the name is no plain file name, or boxes hold NaN or infinity.
    """
    return write_runs(folder, sequence, [track])


def write_runs(folder: Path, sequence: str, runs: Sequence[Track], numbers: TextFormat = OWN) -> Path:
    """Write the runs of a sequence in the own layout, instead of what was there; returns the last box file.

    Each file appears complete or not at all.

    Args:
        runs: one or more; they may differ in length, and in whether they have times and confidences.
        numbers: how to write boxes and confidences; ``EXACT`` loses nothing.

    Raises:
        ResultError: no runs, the name is no plain file name, or boxes hold NaN or infinity.
    """
    if not runs:
        raise ResultError(f"{sequence}: no runs to write")
    for track in runs:
        _check_writable(sequence, track)
    for label, form in (("times", OWN_TIMES), ("scores", numbers)):
        columns, path = _columns([getattr(track, label) for track in runs]), folder / label / f"{sequence}.txt"
        if columns is None:
            path.unlink(missing_ok=True)  # one of an earlier result would not belong to these boxes
        else:
            write_atomically(path, form(columns))
    single = folder / f"{sequence}.txt"
    paths = [single] if len(runs) == 1 else [_run_path(folder, sequence, run) for run in range(len(runs))]
    for stale in {single, *_run_paths(folder, sequence)}.difference(paths):
        stale.unlink(missing_ok=True)
    for path, track in zip(paths, runs, strict=True):
        write_atomically(path, numbers(track.boxes))
    return paths[-1]


def _columns(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """``(N, R)`` one column per run, NaN where there is nothing; None when there is nothing at all."""
    length = max((len(column) for column in values if column is not None), default=0)
    if length == 0:
        return None
    columns = np.full((length, len(values)), np.nan)
    for run, column in enumerate(values):
        if column is not None:
            columns[: len(column), run] = column
    return columns


def _run_path(folder: Path, sequence: str, run: int) -> Path:
    return folder / sequence / f"{sequence}_{run + 1:03d}.txt"


def _run_paths(folder: Path, sequence: str) -> list[Path]:
    return sorted((folder / sequence).glob(f"{glob.escape(sequence)}_[0-9][0-9][0-9].txt"))


def write_legacy(results: Path, dataset: str, sequence: str, track: Track) -> Path:
    """Write one result as OSTrack and pytracking do and return the box file.

    Boxes are truncated toward zero to integers, which costs accuracy on small targets: for comparison with old results
    only. GOT-10k and TrackingNet go to a folder of that name below ``results``, all others straight into ``results``.

    Raises:
        ResultError: the name is no plain file name, or boxes hold NaN or infinity.
    """
    _check_writable(sequence, track)
    folder = results / dataset if dataset in ("got10k", "trackingnet") else results
    if track.times is not None:
        write_atomically(folder / f"{sequence}_time.txt", LEGACY_TIMES(track.times))
    if track.scores is not None:
        write_atomically(folder / f"{sequence}_all_scores.txt", LEGACY_SCORES(track.scores))
    path = folder / f"{sequence}.txt"
    write_atomically(path, LEGACY(track.boxes))
    return path


def write_toolkit(folder: Path, sequence: str, track: Track) -> Path:
    """Write one result as the GOT-10k toolkit does for OTB-like sets: three decimals, times in a sub-folder.

    Raises:
        ResultError: the name is no plain file name, or boxes hold NaN or infinity.
    """
    _check_writable(sequence, track)
    if track.times is not None:
        write_atomically(folder / "times" / f"{sequence}_time.txt", TOOLKIT_TIMES(track.times))
    path = folder / f"{sequence}.txt"
    write_atomically(path, TOOLKIT(track.boxes))
    return path


def read_tracks(folder: Path, sequence: str) -> list[Track]:
    """All runs of ``sequence`` found in ``folder``, in any layout this module knows.

    Raises:
        ResultError: there is none, or a file is malformed.
    """
    folder = Path(folder)
    single = folder / f"{sequence}.txt"
    paths = [single] if single.is_file() else _run_paths(folder, sequence)
    if not paths:
        raise ResultError(f"{folder} holds no result for {sequence}; expected {single.name}")
    extras = {}
    for label, places in _AUXILIARY.items():
        candidates = (folder / place.format(sequence) for place in places)
        found = next((path for path in candidates if path.is_file()), None)
        extras[label] = None if found is None else read_numbers(found)
    boxes = [read_boxes(path) for path in paths]
    return [
        Track(rows, _column(extras["times"], run, len(rows)), _column(extras["scores"], run, len(rows)))
        for run, rows in enumerate(boxes)
    ]


def _column(values: np.ndarray | None, run: int, length: int) -> np.ndarray | None:
    """The numbers of one run; those of the last where there are fewer columns; None when all are NaN.

    A run that is shorter than others has NaN after its ``length``.
    """
    if values is None:
        return None
    column = values[:, min(run, values.shape[1] - 1)]
    if np.isnan(column[length:]).all():
        column = column[:length]
    return None if np.isnan(column).all() else column


def read_boxes(path: Path) -> np.ndarray:
    """``(N, 4)`` float64 boxes from a text file. Raises ResultError naming the file."""
    rows = read_numbers(path)
    if rows.shape[1] != 4:
        raise ResultError(f"{path} has {rows.shape[1]} numbers per line, expected four: x, y, w, h")
    return rows


def read_numbers(path: Path) -> np.ndarray:
    """``(N, C)`` float64 numbers from a text file, N > 0; separators as in ``trackdata.parsing``.

    Raises:
        ResultError: missing, empty, something that is no number, or lines of different lengths.
    """
    try:
        rows = parse_numbers(TextFile.read(path))
    except AnnotationError as error:
        raise ResultError(str(error)) from error
    if len(rows) == 0:
        raise ResultError(f"{path} is empty")
    return rows


def check_names(names: Iterable[str]) -> None:
    """Raise ResultError for a sequence name that cannot be a file name."""
    for name in names:
        if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise ResultError(f"the sequence name {name!r} cannot be a file name; rename it in the dataset")


def _check_writable(sequence: str, track: Track) -> None:
    check_names([sequence])
    boxes = np.asarray(track.boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0:
        raise ResultError(f"{sequence}: results are (N, 4) boxes with N > 0, got shape {boxes.shape}")
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    if len(bad):
        raise ResultError(f"{sequence}: the box of frame {bad[0]} holds NaN or infinity; nothing was written")
