"""Trackers side by side: intervals of a figure, and differences to the first one on the same sequences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trackdata.evaluation.bootstrap import Draws, Interval, figure_columns
from trackdata.evaluation.metrics import primary, show
from trackdata.evaluation.scores import Scores, warn_if_mixed
from trackdata.evaluation.sequence_scores import SequenceScores, mean_value

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Difference:
    """One tracker against another, on the sequences both have a result for.

    Attributes:
        tracker: whose figure is the minuend.
        reference: whose figure is taken off.
        change: of the figure, with its interval.
        p_value: of "no difference", two-sided: twice the share of draws on the other side of zero.
        wins, losses, ties: sequences in which the figure is higher, lower and the same.
    """

    tracker: str
    reference: str
    change: Interval
    p_value: float
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Comparison:
    """Several trackers by one figure.

    Attributes:
        figure: which.
        sequences: how many all trackers have in common; the differences are of these.
        intervals: by tracker, over its own sequences.
        differences: of every tracker but the first to the first.
        level, samples, seed: of the bootstrap.
    """

    figure: str
    sequences: int
    intervals: Mapping[str, Interval]
    differences: tuple[Difference, ...]
    level: float
    samples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON-able values; NaN becomes null."""
        return without_nan(asdict(self))

    def __rich__(self) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        heading = f"{self.figure} with {100 * self.level:g} % intervals; differences on {self.sequences} sequences"
        table = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("tracker", overflow="fold", min_width=10)
        for name in (self.figure, "interval", "difference", "p", "won/lost/same"):
            table.add_column(name, justify="right", no_wrap=True)
        by_tracker = {difference.tracker: difference for difference in self.differences}
        for tracker, interval in self.intervals.items():
            cells = [show(self.figure, interval.value), self.bounds(interval)]
            if tracker in by_tracker:
                found = by_tracker[tracker]
                cells.append(f"{self.signed(found.change.value)} {self.bounds(found.change, signed=True)}")
                cells += [show_p(found.p_value), f"{found.wins}/{found.losses}/{found.ties}"]
            table.add_row(tracker, *cells)
        return table

    def signed(self, value: float) -> str:
        """A difference as tables show it, with its sign."""
        text = show(self.figure, value)
        return text if math.isnan(value) or text.startswith("-") else f"+{text}"

    def bounds(self, interval: Interval, signed: bool = False) -> str:
        """The bounds of an interval as tables show them."""
        write = self.signed if signed else lambda value: show(self.figure, value)
        return f"[{write(interval.low)}, {write(interval.high)}]"


def compare(
    scores: Sequence[Scores],
    figure: str | None = None,
    samples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare trackers by a figure that is a mean over sequences.

    Args:
        figure: by default the one that ranks (see ``metrics.PRIMARY``) of those that sequences have.
        samples, seed, level: of the bootstrap.

    Raises:
        ValueError: no scores, trackers of one name, a figure that sequences do not have, or no common sequence.

    Warns:
        ConventionWarning: the scores are of different conventions or datasets.
    """
    if not scores or len({entry.tracker for entry in scores}) != len(scores):
        raise ValueError(f"give scores of one or more trackers of different names, got {[s.tracker for s in scores]}")
    warn_if_mixed(scores)
    rows = [{row.name: row for row in entry.sequences} for entry in scores]
    common = [name for name in rows[0] if all(name in other for other in rows)]
    if not common:
        raise ValueError("the trackers have no sequence in common")
    figure = figure or primary(rows[0][common[0]].values)
    for entry in scores:
        if any(figure not in row.values for row in entry.sequences):
            raise ValueError(f"{entry.tracker} has no {figure} of every sequence ({entry.convention})")
    intervals = {}
    for entry in scores:
        draws = Draws.make(len(entry.sequences), samples, seed, level)
        value = entry.values[figure]
        intervals[entry.tracker] = draws.interval(value, draws.means(*figure_columns(entry.sequences, figure)))
    draws = Draws.make(len(common), samples, seed, level)
    paired = [[other[name] for name in common] for other in rows]
    differences = tuple(
        _difference((entry.tracker, mine), (scores[0].tracker, paired[0]), figure, draws)
        for entry, mine in list(zip(scores, paired, strict=True))[1:]
    )
    return Comparison(figure, len(common), intervals, differences, level, samples, seed)


def show_p(value: float) -> str:
    """A p-value as tables show it."""
    return "-" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _difference(
    mine: tuple[str, Sequence[SequenceScores]],
    reference: tuple[str, Sequence[SequenceScores]],
    figure: str,
    draws: Draws,
) -> Difference:
    values = [figure_columns(rows, figure) for _, rows in (mine, reference)]
    samples = draws.means(*values[0]) - draws.means(*values[1])
    change = mean_value(mine[1], figure) - mean_value(reference[1], figure)
    known = samples[~np.isnan(samples)]
    p_value = min(1.0, 2.0 * min((known <= 0).mean(), (known >= 0).mean())) if len(known) else math.nan
    each = values[0][0] - values[1][0]
    return Difference(
        tracker=mine[0],
        reference=reference[0],
        change=draws.interval(change, samples),
        p_value=float(p_value),
        wins=int((each > 0).sum()),
        losses=int((each < 0).sum()),
        ties=int((each == 0).sum()),
    )


def without_nan(value: Any) -> Any:
    """Nested mappings and lists with NaN as None, for JSON."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
