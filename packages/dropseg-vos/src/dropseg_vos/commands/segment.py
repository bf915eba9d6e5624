"""``dropseg-vos segment SOURCE``: segment objects through a video."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dropseg_vos.cli import INTERRUPTED, UsageError
from dropseg_vos.commands.options import NetworkChoice, Repeated, parse_box


@dataclass(frozen=True)
class Segment:
    """Segment objects through a video, a folder of images, a camera (its number) or an rtsp/http address."""

    source: tyro.conf.Positional[str]
    """video file, folder of images, camera number or address"""
    network: tyro.conf.OmitArgPrefixes[NetworkChoice]
    mask: Path | None = None
    """label map of the first frame: palette or grey PNG, one number for each object, 0 for the background"""
    init: str | None = None
    """in place of a mask, the box x,y,w,h of one object in the first frame, in pixels"""
    first_mask: Literal["alpha-refine", "grabcut", "box"] = "alpha-refine"
    """what makes a mask of the box: the mask head of alpha-refine, OpenCV's GrabCut, or all of the box"""
    refiner: Path | None = None
    """weights for alpha-refine"""
    add: Annotated[tuple[str, ...], Repeated] = ()
    """FRAME=MASK.png: objects that come later, with their mask in that frame (counted from 0); may be repeated"""
    output: Path | None = None
    """folder for label maps as PNG files; numbers of objects are kept"""
    overlay: Path | None = None
    """video file, or folder for frames, with the objects in colour"""
    short_side: int | None = None
    """frames are made smaller for the network when their short side is above this; 480 for the published one. Results
    have the frames' size"""
    batch: int = 1
    """frames segmented in one pass"""
    mend: bool = False
    """repair masks with smoothed edges or of a size that is a few pixels off, instead of refusing them"""


def run(words: Sequence[str]) -> int:
    """Segment and print how fast it was; 130 when it was interrupted."""
    defaults = Segment(tyro.MISSING, NetworkChoice())
    asked = tyro.cli(Segment, default=defaults, args=list(words), prog="dropseg-vos segment")
    if (asked.mask is None) == (asked.init is None):
        raise UsageError("give --mask FIRST.png, or --init x,y,w,h for one object")
    if asked.batch < 1:
        raise UsageError(f"--batch must be at least 1, got {asked.batch}")
    box = None if asked.init is None else parse_box(asked.init)
    later, options = _later(asked.add), asked.network.options()

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from dropseg_vos.box_masks import box_to_mask
    from dropseg_vos.first_mask import read_mask
    from dropseg_vos.loading import load_segmenter
    from dropseg_vos.running import segment_video
    from dropseg_vos.sizes import Sizing
    from trackcore.video import open_video

    refiner = None if asked.refiner is None else str(asked.refiner)
    to_mask = None if box is None else box_to_mask(asked.first_mask, refiner, asked.network.device)
    sizing = None if asked.short_side is None else Sizing("limit", asked.short_side)
    segmenter = load_segmenter(sizing=sizing, **options)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        frames = stack.enter_context(open_video(asked.source, on_error="skip"))
        masks = {index: read_mask(file, frames.size, mend=asked.mend) for index, file in later.items()}
        if to_mask is None:
            masks[0] = read_mask(asked.mask, frames.size, mend=asked.mend)
        else:
            masks[0] = lambda frame: to_mask(frame, box)
        bar = stack.enter_context(Progress(*columns))
        job = bar.add_task("segmenting", total=frames.length)
        done = segment_video(
            segmenter,
            frames,
            masks,
            output=asked.output,
            overlay=asked.overlay,
            batch=asked.batch,
            on_frame=lambda frame, prediction: bar.advance(job),
        )
    skipped = f", {done.skipped} undecodable ones left out" if done.skipped else ""
    objects = ", ".join(map(str, segmenter.objects))
    print(f"{done.frames} frames{skipped}, objects {objects}: {done.rate:.2f} frames/s in the network")
    for path in (asked.output, asked.overlay):
        if path is not None:
            print(f"wrote {path}")
    return INTERRUPTED if done.interrupted else 0


def _later(pairs: Sequence[str]) -> dict[int, Path]:
    """Masks by frame."""
    later: dict[int, Path] = {}
    for text in pairs:
        frame, equals, file = text.partition("=")
        if not equals or not frame.isdecimal() or int(frame) == 0 or not file:
            raise UsageError(f"--add is FRAME=MASK.png with a frame after 0, got {text!r}")
        if int(frame) in later:
            raise UsageError(f"--add gives two masks for frame {frame}; put their objects into one")
        later[int(frame)] = Path(file)
    return later
