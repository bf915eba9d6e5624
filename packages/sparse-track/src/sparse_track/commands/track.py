"""``sparse-track track SOURCE``: follow a target through a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sparse_track.cli import FINISHED, INTERRUPTED
from sparse_track.commands.options import TrackerChoice, parse_box


@dataclass(frozen=True)
class Track:
    """Follow a target through a video, a folder of images, a camera (its number) or an rtsp/http address."""

    source: tyro.conf.Positional[str]
    """video file, folder of images, camera number or address"""
    init: str
    """the target's box x,y,w,h in pixels of the first frame"""
    tracker: tyro.conf.OmitArgPrefixes[TrackerChoice]
    output: Path | None = None
    """overlay to write: a video file or a folder for frames"""
    save: Path | None = None
    """text file to write: one line x,y,w,h a frame, the first being the given box"""


def run(words: Sequence[str]) -> int:
    """Track and print how fast it was; 130 when it was interrupted."""
    asked = tyro.cli(Track, args=list(words), prog="sparse-track track")
    box, options = parse_box(asked.init), asked.tracker.options()

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sparse_track.loading import create
    from trackcore.following import track_video
    from trackcore.video import open_video

    tracker = create(**options)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with open_video(asked.source, on_error="skip") as frames, Progress(*columns) as bar:
        job = bar.add_task("tracking", total=frames.length)
        followed = track_video(
            tracker,
            frames,
            box,
            output=asked.output,
            boxes=asked.save,
            on_frame=lambda frame, prediction: bar.advance(job),
        )
    skipped = f", {followed.skipped} undecodable ones left out" if followed.skipped else ""
    score = "" if followed.score is None else f", mean score {followed.score:.2f}"
    print(f"{followed.frames} frames{skipped}: {followed.rate:.1f} frames/s in the tracker{score}")
    for path in (asked.output, asked.save):
        if path is not None:
            print(f"wrote {path}")
    return INTERRUPTED if followed.interrupted else FINISHED
