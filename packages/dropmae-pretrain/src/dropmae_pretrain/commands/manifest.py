"""``dropmae-pretrain manifest``: list a folder's videos once, with their lengths, and say what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

_SHOWN = 20  # unreadable files named before the rest is only counted


@dataclass(frozen=True)
class Manifest:
    """Count the frames of every video below a folder and keep the list beside the data; training starts from it.

    Files that have not changed since are not opened again, so an interrupted run is continued by running it again.
    """

    root: tyro.conf.Positional[Path]
    """folder of <class>/<video>.mp4 or <class>/<video>/*.jpg, or the same without classes; archive or LMDB of images"""
    split: str | None = None
    """a folder below it"""
    cache: Path | None = None
    """folder for the list, where it is not to lie beside the data"""
    workers: int | None = None
    """processes; one per CPU core when left out"""
    all: bool = False
    """name all unreadable videos, not only the first"""


def run(words: Sequence[str]) -> int:
    """Make or continue the manifest and print what it says; 0 also when some videos cannot be read."""
    asked = tyro.cli(Manifest, args=list(words), prog="dropmae-pretrain manifest")

    import numpy as np

    from dropmae_pretrain.videos import open_training_videos

    dataset = open_training_videos(asked.root, split=asked.split, cache=asked.cache, workers=asked.workers)
    lengths = dataset.lengths
    print(f"{len(dataset)} videos in {len(dataset.classes)} classes, {lengths.sum()} frames")
    print(f"frames of a video: {lengths.min()} to {lengths.max()}, median {np.median(lengths):.0f}")
    if short := int((lengths == 1).sum()):
        print(f"{short} videos have one frame, which is paired with itself")
    print(f"sha256 of names and lengths: {dataset.digest}")
    print(f"manifest: {dataset.manifest_file}")
    if dataset.unreadable:
        print(f"{len(dataset.unreadable)} cannot be read and are left out:")
        shown = list(dataset.unreadable.items())[: None if asked.all else _SHOWN]
        print("\n".join(f"  {key}: {fault}" for key, fault in shown))
        if rest := len(dataset.unreadable) - len(shown):
            print(f"  and {rest} more (--all names them)")
    return 0
