"""``trackdata trax`` and ``trackdata vot-init``: our trackers for the VOT toolkit, a program of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from trackdata.cli.common import Repeated, UsageError
from trackdata.cli.evaluate import check_trackers, tracker_options


@dataclass(frozen=True)
class Trax:
    """Offer a tracker to a program that speaks TraX, such as `vot`, on standard input and output."""

    tracker: str
    """name of a registered tracker"""
    tracker_option: Annotated[tuple[str, ...], Repeated] = ()
    """KEY=VALUE; may be repeated"""
    region: Literal["rectangle", "polygon", "mask"] = "rectangle"
    """what the tracker reports"""

    def __call__(self) -> int:
        from functools import partial

        from trackcore.tracker import create_tracker
        from trackdata.evaluation.trax import serve

        check_trackers([self.tracker])
        options = tracker_options(self.tracker_option, self.tracker, [self.tracker])
        serve(partial(create_tracker, self.tracker, **options), self.tracker, self.region)
        return 0


@dataclass(frozen=True)
class VotInit:
    """Enter a tracker into the trackers.ini of a workspace of the VOT toolkit."""

    workspace: tyro.conf.Positional[Path]
    """folder of the workspace; `vot initialize` makes its config.yaml"""
    tracker: str
    """name of a registered tracker"""
    tracker_option: Annotated[tuple[str, ...], Repeated] = ()
    """KEY=VALUE; may be repeated; files are entered with their full path"""
    region: Literal["rectangle", "polygon", "mask"] = "rectangle"
    """what the tracker reports"""
    name: str | None = None
    """what the toolkit calls it; by default the tracker's name"""

    def __call__(self) -> int:
        from trackdata.evaluation.vot_workspace import enter_tracker

        check_trackers([self.tracker])
        tracker_options(self.tracker_option, self.tracker, [self.tracker])
        options = [_with_full_path(text) for text in self.tracker_option]
        try:
            entered = enter_tracker(self.workspace, self.tracker, options, self.region, self.name)
        except FileExistsError as error:
            raise UsageError(str(error)) from error
        print(f"{entered.file}: [{entered.name}]")
        print(f"next: vot evaluate --workspace {self.workspace} {entered.name}")
        return 0


def _with_full_path(option: str) -> str:
    """The toolkit starts trackers in a folder of its own, where relative paths mean nothing."""
    key, equals, value = option.partition("=")
    path = Path(value)
    return f"{key}{equals}{path.resolve()}" if value and path.exists() else option
