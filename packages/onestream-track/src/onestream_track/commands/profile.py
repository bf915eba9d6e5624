"""``onestream-track profile``: how large a tracker is and how fast it runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import tyro

from onestream_track.cli import FINISHED, UsageError
from onestream_track.commands.options import TrackerChoice

PUBLISHED = "ostrack/vitb_256_mae_ce_32x4_ep300"


@dataclass(frozen=True)
class Profile:
    """Count parameters and multiply-adds of a tracker, and time an update in a 720p frame.

    With neither --weights nor --recipe, of the published network for crops of 256 pixels.
    """

    tracker: tyro.conf.OmitArgPrefixes[TrackerChoice]
    targets: int = 1
    """followed at once"""
    repeats: int = 20
    """timed updates, of which the median counts; 0 does not time"""


def run(words: Sequence[str]) -> int:
    """Print the figures; returns 0."""
    asked = tyro.cli(Profile, args=list(words), prog="onestream-track profile")
    if asked.repeats < 0 or asked.targets < 1:
        raise UsageError(
            f"--repeats must not be negative and --targets at least 1, got {asked.repeats}, {asked.targets}"
        )
    choice = asked.tracker
    if choice.weights is None and choice.recipe is None:
        choice = replace(choice, recipe=PUBLISHED)
    options = choice.options()

    from onestream_track.loading import create_multi
    from onestream_track.profile import macs, measure_time, parameters

    tracker = create_multi(**options)
    counted = macs(tracker.config)
    print(f"parameters: {parameters(tracker.config)}")
    parts = {"backbone": counted.backbone_linear, "attention": counted.attention_products, "head": counted.head}
    shown = ", ".join(f"{part} {2e-9 * count:.2f}" for part, count in parts.items())
    print(f"one target in one frame: {2e-9 * counted.total:.2f} GFLOP ({shown})")
    if asked.repeats:
        seconds = measure_time(tracker, targets=asked.targets, repeats=asked.repeats)
        rate = 2e-9 * asked.targets * counted.total / seconds
        how = f"{choice.backend} on {tracker.device}, {choice.precision}, {asked.targets} target(s)"
        print(f"{how}: {1e3 * seconds:.1f} ms an update, {1 / seconds:.1f} frames/s, {rate:.0f} GFLOP/s")
    return FINISHED
