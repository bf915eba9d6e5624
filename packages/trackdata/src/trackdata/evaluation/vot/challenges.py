"""The experiment of each year's challenge."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from trackdata.evaluation.vot.experiments import Experiment, LongTerm, MultiStart, Supervised


@dataclass(frozen=True)
class Challenge:
    """A published challenge.

    Attributes:
        name: as its dataset is called.
        experiment: its main experiment, with the year's interval for the expected average overlap.
        masks: whether targets are masks.
    """

    name: str
    experiment: Experiment
    masks: bool = False


CHALLENGES: dict[str, Challenge] = {
    challenge.name: challenge
    for challenge in (
        Challenge("vot2018", Supervised(interval=(100, 356))),
        Challenge("vot2019", Supervised(interval=(46, 291))),
        Challenge("vot2020", MultiStart(), masks=True),
        Challenge("vot2021", MultiStart(), masks=True),
        Challenge("vot2022", MultiStart()),
        Challenge("vot2018lt", LongTerm()),
        Challenge("vot2019lt", LongTerm()),
        Challenge("vot2020lt", LongTerm()),
        Challenge("vot2022lt", LongTerm()),
    )
}


def challenge(name: str) -> Challenge:
    """The challenge called ``name``. Raises ValueError with the nearest and all known names."""
    if name in CHALLENGES:
        return CHALLENGES[name]
    near = difflib.get_close_matches(name, CHALLENGES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no VOT challenge {name!r}{hint} (known: {', '.join(sorted(CHALLENGES))})")
