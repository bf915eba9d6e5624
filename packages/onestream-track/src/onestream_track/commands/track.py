"""``onestream-track track SOURCE``: follow targets through a video."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from onestream_track.cli import FINISHED, INTERRUPTED, UsageError
from onestream_track.commands.options import Many, TrackerChoice, parse_box


@dataclass(frozen=True)
class Track:
    """Follow a target, or several at once, through a video, a folder of images, a camera or an rtsp/http address."""

    source: tyro.conf.Positional[str]
    """video file, folder of images, camera number or address"""
    tracker: tyro.conf.OmitArgPrefixes[TrackerChoice]
    init: Many = ()
    """a target's box x,y,w,h in pixels of the first frame; may be repeated for more targets"""
    output: Path | None = None
    """overlay to write: a video file or a folder for frames"""
    save: Path | None = None
    """text file to write: one line x,y,w,h a frame; with several targets the layout of MOT Challenge"""
    tokens: Path | None = None
    """video file or folder to write: each frame's search crop, and what is left of it after each elimination"""


def run(words: Sequence[str]) -> int:
    """Track and print how fast it was; 130 when it was interrupted."""
    asked = tyro.cli(Track, args=list(words), prog="onestream-track track")
    if not asked.init:
        raise UsageError("--init x,y,w,h, the target's box in the first frame, is missing")
    boxes, options = [parse_box(text) for text in asked.init], asked.tracker.options()
    several = len(boxes) > 1
    if asked.tokens is not None:
        if several or asked.tracker.backend != "torch":
            raise UsageError("--tokens goes with one target and the backend torch")
        options["diagnostics"] = True

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from onestream_track.loading import create, create_multi
    from onestream_track.pictures import elimination_panels
    from trackcore.following import track_targets, track_video
    from trackcore.video import DEFAULT_FPS, open_sink, open_video

    written: dict[str, Any] = {"output": asked.output, "boxes": asked.save}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tracker = create_multi(**options) if several else create(**options)
    if asked.tokens is not None and not tracker.config.elimination.layers:
        raise UsageError("--tokens: this network has no elimination")
    with ExitStack() as stack:
        frames = stack.enter_context(open_video(asked.source, on_error="skip"))
        bar = stack.enter_context(Progress(*columns))
        job = bar.add_task("tracking", total=frames.length)
        tokens = asked.tokens and stack.enter_context(open_sink(asked.tokens, frames.fps or DEFAULT_FPS))

        def on_frame(frame: Any, predictions: Any) -> None:
            if tokens and predictions.extras:
                tokens.write(elimination_panels(predictions, tracker.config))
            bar.advance(job)

        written["on_frame"] = on_frame
        if several:
            followed = track_targets(tracker, frames, boxes, **written)
        else:
            followed = track_video(tracker, frames, boxes[0], **written)
    skipped = f", {followed.skipped} undecodable ones left out" if followed.skipped else ""
    score = "" if followed.score is None else f", mean score {followed.score:.2f}"
    lost = f", lost in {followed.lost}" if followed.lost else ""
    print(f"{followed.frames} frames{skipped}: {followed.rate:.1f} frames/s in the tracker{score}{lost}")
    for path in (asked.output, asked.save, asked.tokens):
        if path is not None:
            print(f"wrote {path}")
    return INTERRUPTED if followed.interrupted else FINISHED
