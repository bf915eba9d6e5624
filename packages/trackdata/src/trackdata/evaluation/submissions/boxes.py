"""Archives of boxes: GOT-10k, TrackingNet, and plain text for benchmarks without a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from trackdata.evaluation.submissions.archives import SubmissionError, beside, grouped, write_zip

GOT10K_RUNS = 3  # the server takes files up to _003


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
        runs: hand in this many runs, repeating those there are, as for deterministic trackers; all runs found when
            None.

    Raises:
        SubmissionError: sequences are missing, too short or long, have no times, boxes are NaN or of negative size, or
            there are more than three runs.
    """
    if runs is not None and not 1 <= runs <= GOT10K_RUNS:
        raise SubmissionError(folder, [f"{runs} runs, but the server takes 1 to {GOT10K_RUNS}"])
    tracks = _collect(folder, expected, need_times=True, most_runs=GOT10K_RUNS)

    def entries() -> Iterator[tuple[str, bytes | None]]:
        for name in sorted(expected):
            found = tracks[name]
            found = found if runs is None else [found[run % len(found)] for run in range(runs)]
            yield f"{name}/", None
            for run, track in enumerate(found, start=1):
                yield f"{name}/{name}_{run:03d}.txt", style.boxes(track.boxes).encode()
            times = np.stack([track.times for track in found], axis=1) if style.times_per_run else found[0].times
            yield f"{name}/{name}_time.txt", style.times(times).encode()

    return write_zip(archive or beside(folder), entries())


def pack_trackingnet(
    folder: Path, expected: Mapping[str, int], archive: Path | None = None, style: Style = FULL
) -> Path:
    """Write the zip for the TrackingNet server: one ``<video>.txt`` per video, no folders.

    Arguments and errors as for :func:`pack_got10k`; of several runs the first is taken.
    """
    return pack_boxes(folder, expected, archive, style)


def pack_boxes(folder: Path, expected: Mapping[str, int], archive: Path | None = None, style: Style = FULL) -> Path:
    """Write a flat zip of ``<sequence>.txt``, as people exchange results on benchmarks that have no server.

    Arguments and errors as for :func:`pack_got10k`; of several runs the first is taken.
    """
    tracks = _collect(folder, expected, need_times=False)
    entries = ((f"{name}.txt", style.boxes(tracks[name][0].boxes).encode()) for name in sorted(expected))
    return write_zip(archive or beside(folder), entries)


def _collect(
    folder: Path, expected: Mapping[str, int], need_times: bool, most_runs: int | None = None
) -> dict[str, list[Track]]:
    if not Path(folder).is_dir():
        raise SubmissionError(folder, ["it is not a folder of results"])
    if not expected:
        raise SubmissionError(folder, ["no sequence is expected in the archive; name the benchmark's test sequences"])
    check_names(expected)
    tracks: dict[str, list[Track]] = {}
    reasons: dict[str, str] = {}
    for name, frames in expected.items():
        try:
            tracks[name] = read_tracks(folder, name)
        except ResultError as error:
            files = [*Path(folder).glob(f"{name}.txt"), *(Path(folder) / name).glob(f"{name}_[0-9]*.txt")]
            reasons[name] = str(error) if files else "no result"
            continue
        faults = [fault for track in tracks[name] if (fault := _fault(track, frames, need_times)) is not None]
        if most_runs is not None and len(tracks[name]) > most_runs:
            faults.append(f"{len(tracks[name])} runs, but the server takes {most_runs}")
        if faults:
            reasons[name] = "; ".join(dict.fromkeys(faults))
    if reasons:
        raise SubmissionError(folder, grouped(reasons))
    return tracks


def _fault(track: Track, frames: int, need_times: bool) -> str | None:
    if len(track.boxes) != frames:
        return f"{len(track.boxes)} boxes for {frames} frames"
    if not np.isfinite(track.boxes).all():
        return f"NaN or infinity in frame {np.flatnonzero(~np.isfinite(track.boxes).all(axis=1))[0]}"
    if (track.boxes[:, 2:] < 0).any():
        return f"a box of negative size in frame {np.flatnonzero((track.boxes[:, 2:] < 0).any(axis=1))[0]}"
    if need_times and track.times is None:
        return "no times"
    if need_times and len(track.times) != frames:
        return f"{len(track.times)} times for {frames} frames"
    return None
