"""Opening the videos to train on, with a progress bar while a manifest is made for the first time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from trackdata.datasets.images import Images
    from trackdata.datasets.kinetics import Kinetics, Video

DatasetName = Literal["kinetics", "images"]
_SECONDS_BETWEEN_LINES = 30


def open_training_videos(
    root: str | Path,
    *,
    dataset: DatasetName = "kinetics",
    split: str | None = None,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> Kinetics | Images:
    """The videos (``kinetics``) or still images (``images``) below a folder.

    Args:
        root: folder, archive or LMDB; see :mod:`trackdata.datasets.kinetics` for the layouts.
        dataset: what is looked for.
        split: a folder below ``root``.
        cache: folder for the manifest of ``kinetics``, where it is not to lie beside the data.
        workers: processes that open videos which the manifest does not list; None takes one per CPU core. Under
            ``torchrun`` several processes may come here at once; one does the work and the others wait.

    Raises:
        AnnotationError: the folder is missing or holds nothing that can be read.
    """
    if dataset == "images":
        from trackdata.datasets.images import Images

        return Images(root, split)

    from trackdata.datasets.kinetics import Kinetics

    with _Opening() as opening:
        count = _processes() if workers is None else workers
        return Kinetics(root, split, cache=cache, workers=count, on_progress=opening.show)


class _Opening:
    """Progress on standard error: a bar on a terminal, elsewhere a line now and then. Nothing where nothing is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("opening videos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None, visible=False)
        self._said = time.monotonic()

    def show(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total, visible=True)
        if self._bar.disable and time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(f"opened {done} of {total} videos", file=sys.stderr, flush=True)

    def __enter__(self) -> _Opening:
        self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.stop()


def open_clips(source: str | Path) -> Sequence[Video]:
    """The videos at ``source``: a video file, a folder of images, or whatever :func:`open_training_videos` takes.

    Raises:
        FrameError: the file is no video.
        AnnotationError: there is nothing, or nothing that can be read.
    """
    from trackdata.clips import VIDEO_SUFFIXES, ClipFrames, inspect_clip
    from trackdata.datasets.kinetics import Video, image_frames
    from trackdata.storage import open_store

    source = Path(source)
    if source.suffix.lower() in VIDEO_SUFFIXES and not source.is_dir():
        return [Video(source.stem, ClipFrames(source, inspect_clip(source).frames))]
    images = image_frames(open_store(source), "")
    return [Video(source.resolve().name, images)] if len(images) else open_training_videos(source)


def _processes() -> int:
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(usable(0)) if usable is not None else os.cpu_count() or 1
