"""``alpha-refine track SOURCE``: follow a target through a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from alpha_refine.cli import INTERRUPTED, UsageError
from alpha_refine.commands.options import BaseChoice, RefinerChoice, asked_rules
from alpha_refine.rules import Rules

if TYPE_CHECKING:
    from trackcore.tracker import Prediction
    from trackcore.video import Frame


@dataclass(frozen=True)
class Track:
    """Follow a target through a video, a folder of images, a camera (its number) or an rtsp/http address."""

    source: tyro.conf.Positional[str]
    """video file, folder of images, camera number or address"""
    init: str
    """the target's box x,y,w,h in pixels of the first frame"""
    refiner: tyro.conf.OmitArgPrefixes[RefinerChoice]
    base: tyro.conf.OmitArgPrefixes[BaseChoice]
    how: tyro.conf.OmitArgPrefixes[Rules]
    rules: str = "default"
    """how base tracker and refiner work together: default, or as a published script, such as pytracking or siamrpn"""
    output: Path | None = None
    """overlay to write: a video file or a folder for frames"""
    save: Path | None = None
    """text file to write: one line x,y,w,h a frame, the first being the given box"""
    masks: Path | None = None
    """masks to write: a folder for PNG images, or a .txt file of VOT's regions; implies --mask"""


def run(words: Sequence[str]) -> int:
    """Track and print how fast it was; 130 when it was interrupted."""
    defaults = Track(tyro.MISSING, tyro.MISSING, RefinerChoice(), BaseChoice(), asked_rules(words))
    asked = tyro.cli(Track, default=defaults, args=list(words), prog="alpha-refine track")
    box, options, base_options = _parse_box(asked.init), asked.refiner.options(), asked.base.options()
    how = replace(asked.how, mask=True) if asked.masks is not None else asked.how

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from alpha_refine.mask_files import open_mask_sink
    from alpha_refine.refined_tracker import create
    from trackcore.following import track_video
    from trackcore.video import open_video

    tracker = create(asked.base.base, base_options=base_options, rules=how, **options)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        frames = stack.enter_context(open_video(asked.source, on_error="skip"))
        masks = stack.enter_context(open_mask_sink(asked.masks)) if asked.masks is not None else None
        bar = stack.enter_context(Progress(*columns))
        counter = Counter(bar, bar.add_task("tracking", total=frames.length), masks and masks.write)
        followed = track_video(tracker, frames, box, output=asked.output, boxes=asked.save, on_frame=counter)
    skipped = f", {followed.skipped} undecodable ones left out" if followed.skipped else ""
    score = "" if followed.score is None else f", mean score {followed.score:.2f}"
    print(f"{followed.frames} frames{skipped}: {followed.rate:.1f} frames/s in the tracker{score}")
    if counter.kept:
        print(f"the base tracker's box was kept in {counter.kept} frames, the last time because {counter.why}")
    for path in (asked.output, asked.save, asked.masks):
        if path is not None:
            print(f"wrote {path}")
    return INTERRUPTED if followed.interrupted else 0


class Counter:
    """Told of every frame: moves the bar, hands masks on, and counts boxes that were not refined."""

    def __init__(self, bar, job, write_mask: Callable[..., None] | None):
        self._bar, self._job, self._write_mask = bar, job, write_mask
        self.kept, self.why = 0, ""

    def __call__(self, frame: Frame, prediction: Prediction) -> None:
        self._bar.advance(self._job)
        if self._write_mask is not None:
            self._write_mask(frame.index, prediction.mask)
        if (why := prediction.extras.get("kept")) is not None:
            self.kept, self.why = self.kept + 1, why


def _parse_box(text: str) -> list[float]:
    try:
        box = [float(number) for number in text.replace(" ", ",").split(",") if number]
    except ValueError:
        box = []
    if len(box) != 4:
        raise UsageError(f"--init takes x,y,w,h in pixels, such as 120,80,40,60; got {text!r}")
    return box
