"""A progress bar for runs, on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rich import progress as bars
from rich.console import Console

from trackdata.evaluation.runner import Progress


class RunProgress:
    """Shows one bar per run: sequences done, frames per second, time left; failures are printed above it.

    A context manager; :meth:`of` gives the callback for one run.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._bars = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[rate]}"),
            bars.TimeElapsedColumn(),
            bars.TextColumn("left"),
            bars.TimeRemainingColumn(),
            console=self.console,
        )

    def __enter__(self) -> RunProgress:
        self._bars.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def of(self, description: str) -> Callable[[Progress], None]:
        """The ``on_progress`` callback of one run, shown as ``description``."""
        task = self._bars.add_task(description, total=None, rate="")
        frames, seconds = 0, 0.0

        def show(progress: Progress) -> None:
            nonlocal frames, seconds
            outcome = progress.outcome
            if outcome.error is not None:
                self.console.print(f"{description}: {outcome.sequence} failed: {outcome.error}", markup=False)
            frames, seconds = frames + outcome.frames, seconds + outcome.seconds
            rate = f"{frames / seconds:.0f} fps" if seconds else ""
            self._bars.update(task, completed=progress.done, total=progress.total, rate=rate)

        return show
