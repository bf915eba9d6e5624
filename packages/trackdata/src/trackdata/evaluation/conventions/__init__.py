"""Ways of scoring, by name.

``default`` has every figure and no published fault. The others reproduce published numbers, faults included:
``ostrack`` and ``pytracking`` (with the dataset's tag after a slash: ``ostrack/lasot``), ``got10k``, and the GOT-10k
toolkit's reports ``otb_toolkit``, ``uav123_toolkit``, ``lasot_toolkit``.
"""

from __future__ import annotations

import difflib

from trackdata.evaluation.conventions.default import Default
from trackdata.evaluation.conventions.got10k import Got10k, Toolkit
from trackdata.evaluation.conventions.pytracking import FrameErrors, Pytracking
from trackdata.evaluation.scores import Convention

__all__ = ["CONVENTIONS", "Default", "FrameErrors", "Got10k", "Pytracking", "Toolkit", "convention"]

CONVENTIONS: dict[str, Convention] = {
    "default": Default(),
    "got10k": Got10k(),
    "ostrack": Pytracking("ostrack"),
    "pytracking": Pytracking("pytracking"),
    "otb_toolkit": Toolkit("otb"),
    "uav123_toolkit": Toolkit("uav123"),
    "lasot_toolkit": Toolkit("lasot"),
}


def convention(name: str) -> Convention:
    """The convention called ``name``; ``ostrack`` and ``pytracking`` take a dataset tag after a slash.

    Raises:
        ValueError: no such convention; the message names the nearest and all known ones.
    """
    rule, slash, tag = name.partition("/")
    if slash and tag and rule in ("ostrack", "pytracking"):
        return Pytracking(rule, tag)
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    near = difflib.get_close_matches(rule, CONVENTIONS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no convention {name!r}{hint} (known: {', '.join(sorted(CONVENTIONS))})")
