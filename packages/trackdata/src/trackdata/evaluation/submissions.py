"""Archives for the evaluation servers of GOT-10k and TrackingNet, checked before they are written.

The results a pack is made from are never touched; the zip lands next to their folder and replaces only an older zip.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackdata.evaluation.records import Track
from trackdata.evaluation.results import (
    LEGACY_TIMES,
    TOOLKIT,
    TOOLKIT_TIMES,
    ResultError,
    TextFormat,
    check_names,
    read_tracks,
)

_SHOWN = 8  # problems listed in a message before the rest is only counted


class SubmissionError(ValueError):
    """Results cannot be packed; the message lists what is missing or wrong."""


@dataclass(frozen=True)
class Style:
    """How a packer writes numbers: boxes, times, and whether times have one column per run."""

    boxes: TextFormat
    times: TextFormat = LEGACY_TIMES
    times_per_run: bool = False


FULL = Style(TextFormat("%.4f"))  # what we hand in: nothing lost
OSTRACK = Style(TextFormat("%d", truncate=True))
TOOLKIT_STYLE = Style(TOOLKIT, TOOLKIT_TIMES, times_per_run=True)
PYTRACKING_GOT10K = Style(TextFormat("%f", truncate=True))
PYTRACKING_TRACKINGNET = Style(TextFormat("%.2f", truncate=True))


def pack_got10k(
    folder: Path, expected: Mapping[str, int], archive: Path | None = None, style: Style = FULL, runs: int | None = None
) -> Path:
    """Write the zip for the GOT-10k server: ``<sequence>/<sequence>_001.txt`` (up to ``_003``) and times.

    Args:
        folder: results, in any layout that :func:`~trackdata.evaluation.results.read_tracks` reads.
        expected: number of frames of each sequence that must be there; the server wants all 180 of its test set.
        archive: where to write; ``<folder>_submit.zip`` next to ``folder`` when None.
        runs: hand in this many copies of a single run, as deterministic trackers do; all runs found when None.

    Raises:
        SubmissionError: sequences are missing, too short or long, hold NaN or empty boxes, or have no times.
    """
    tracks = _collect(folder, expected, need_times=True)
    entries: dict[str, str | None] = {}
    for name in sorted(expected):
        found = tracks[name] if runs is None else [tracks[name][run % len(tracks[name])] for run in range(runs)]
        entries[f"{name}/"] = None
        for run, track in enumerate(found, start=1):
            entries[f"{name}/{name}_{run:03d}.txt"] = style.boxes(track.boxes)
        times = np.stack([track.times for track in found], axis=1) if style.times_per_run else found[0].times
        entries[f"{name}/{name}_time.txt"] = style.times(times)
    return _write_zip(archive or _beside(folder), entries)


def pack_trackingnet(
    folder: Path, expected: Mapping[str, int], archive: Path | None = None, style: Style = FULL
) -> Path:
    """Write the zip for the TrackingNet server: one ``<video>.txt`` per video, no folders.

    Arguments and errors as for :func:`pack_got10k`; of several runs the first is taken.
    """
    tracks = _collect(folder, expected, need_times=False)
    return _write_zip(
        archive or _beside(folder), {f"{name}.txt": style.boxes(tracks[name][0].boxes) for name in sorted(expected)}
    )


def _collect(folder: Path, expected: Mapping[str, int], need_times: bool) -> dict[str, list[Track]]:
    if not Path(folder).is_dir():
        raise SubmissionError(f"{folder} is not a folder of results")
    if not expected:
        raise SubmissionError("no sequence is expected in the archive; name the benchmark's test sequences")
    check_names(expected)
    tracks: dict[str, list[Track]] = {}
    problems = []
    for name, frames in expected.items():
        try:
            tracks[name] = read_tracks(folder, name)
        except ResultError as error:
            problems.append(str(error))
            continue
        problems += [problem for track in tracks[name] if (problem := _problem(name, track, frames, need_times))]
    if problems:
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        listed = "\n  ".join(problems[:_SHOWN])
        raise SubmissionError(f"{folder} is not ready for the server, nothing was written:\n  {listed}{more}")
    return tracks


def _problem(name: str, track: Track, frames: int, need_times: bool) -> str | None:
    if len(track.boxes) != frames:
        return f"{name} has {len(track.boxes)} boxes for {frames} frames"
    if not np.isfinite(track.boxes).all():
        return f"{name} has NaN or infinity in frame {np.flatnonzero(~np.isfinite(track.boxes).all(axis=1))[0]}"
    if (track.boxes[:, 2:] < 0).any():
        return f"{name} has a box of negative size in frame {np.flatnonzero((track.boxes[:, 2:] < 0).any(axis=1))[0]}"
    if need_times and track.times is None:
        return f"{name} has no times"
    if need_times and len(track.times) != frames:
        return f"{name} has {len(track.times)} times for {frames} frames"
    return None


def _beside(folder: Path) -> Path:
    return Path(folder).resolve().with_name(f"{Path(folder).resolve().name}_submit.zip")


def _write_zip(path: Path, entries: Mapping[str, str | None]) -> Path:
    """Write a zip whose bytes depend on the entries alone; None makes a folder. Appears complete or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, text in entries.items():
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_STORED if text is None else zipfile.ZIP_DEFLATED
                info.external_attr = (0o40755 << 16) | 0x10 if text is None else 0o644 << 16
                archive.writestr(info, text or "")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
