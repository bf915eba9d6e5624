"""``sparse-track profile``: how large a tracker is and how fast it runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import tyro

from sparse_track.cli import UsageError
from sparse_track.commands.options import TrackerChoice

PUBLISHED = "sparsett_swin_train_got10k"


@dataclass(frozen=True)
class Profile:
    """Count parameters and multiply-adds of a tracker, and time an update in a 720p frame.

    With neither --weights nor --recipe, of the published network.
    """

    tracker: tyro.conf.OmitArgPrefixes[TrackerChoice]
    repeats: int = 20
    """timed updates, of which the median counts; 0 does not time"""


def run(words: Sequence[str]) -> int:
    """Print the figures; returns 0."""
    asked = tyro.cli(Profile, args=list(words), prog="sparse-track profile")
    if asked.repeats < 0:
        raise UsageError(f"--repeats must not be negative, got {asked.repeats}")
    choice = asked.tracker
    if choice.weights is None and choice.recipe is None:
        choice = replace(choice, recipe=PUBLISHED)
    options = choice.options()

    from sparse_track.loading import create
    from sparse_track.profile import measure_size, measure_time

    tracker = create(**options)
    size = measure_size(tracker.model)
    print(f"parameters: {size.parameters} ({size.used} used)")
    parts = ", ".join(f"{part} {2e-9 * count:.2f}" for part, count in size.macs.items())
    print(f"one frame: {2e-9 * size.total:.2f} GFLOP ({parts}); a template {2e-9 * size.template:.2f}")
    if asked.repeats:
        seconds = measure_time(tracker, repeats=asked.repeats)
        rate = 2e-9 * size.total / seconds
        how = f"{asked.tracker.backend} on {tracker.device}, {asked.tracker.precision}"
        print(f"{how}: {1e3 * seconds:.1f} ms an update, {1 / seconds:.1f} frames/s, {rate:.0f} GFLOP/s")
    return 0
