"""Ways of scoring, by name.

``default`` has every figure and no published fault. The others reproduce published numbers, faults included:

- ``ostrack`` and ``pytracking``, with the dataset's tag after a slash: ``ostrack/lasot``;
- ``got10k``, and the GOT-10k toolkit's reports ``otb_toolkit``, ``uav123_toolkit``, ``lasot_toolkit``;
- ``lasot_official``, LaSOT's own toolkit; ``trackingnet``, the TrackingNet server; ``pysot/otb`` and ``pysot/lasot``.

Options follow a slash as well: ``default/visible-only``, ``default/pad``, ``default/truncate``, ``default/miss``,
``ostrack/lasot/valid-only``. A convention's ``name`` gives the convention back.
"""

from __future__ import annotations

import difflib

from trackdata.evaluation.conventions.default import Default
from trackdata.evaluation.conventions.got10k import Got10k, Toolkit
from trackdata.evaluation.conventions.lasot import LasotOfficial
from trackdata.evaluation.conventions.onepass import FrameErrors
from trackdata.evaluation.conventions.pysot import Pysot
from trackdata.evaluation.conventions.pytracking import Pytracking
from trackdata.evaluation.conventions.trackingnet import TrackingNet
from trackdata.evaluation.scores import Convention

__all__ = [
    "CONVENTIONS",
    "Default",
    "FrameErrors",
    "Got10k",
    "LasotOfficial",
    "Pysot",
    "Pytracking",
    "Toolkit",
    "TrackingNet",
    "convention",
]

CONVENTIONS: dict[str, Convention] = {
    "default": Default(),
    "got10k": Got10k(),
    "lasot_official": LasotOfficial(),
    "lasot_toolkit": Toolkit("lasot"),
    "ostrack": Pytracking("ostrack"),
    "otb_toolkit": Toolkit("otb"),
    "pysot": Pysot("otb"),
    "pytracking": Pytracking("pytracking"),
    "trackingnet": TrackingNet(),
    "uav123_toolkit": Toolkit("uav123"),
}

_DEFAULT_OPTIONS = {
    "visible-only": {"visible_only": True},
    "pad": {"lengths": "pad"},
    "truncate": {"lengths": "truncate"},
    "miss": {"invalid": "miss"},
}


def convention(name: str) -> Convention:
    """The convention called ``name``; tags and options follow a slash.

    Raises:
        ValueError: no such convention or option; the message names the nearest and all known ones.
    """
    rule, *words = name.split("/")
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    if rule in ("ostrack", "pytracking") and words[0] and words[1:] in ([], ["valid-only"]):
        return Pytracking(rule, words[0], exclude_invalid=len(words) == 2)
    if rule == "pysot" and len(words) == 1:
        return Pysot(words[0])
    if rule == "default" and all(word in _DEFAULT_OPTIONS for word in words):
        return Default(**{key: value for word in words for key, value in _DEFAULT_OPTIONS[word].items()})
    near = difflib.get_close_matches(rule, CONVENTIONS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near and near[0] != rule else ""
    options = f"; options of default: {', '.join(_DEFAULT_OPTIONS)}" if rule == "default" else ""
    raise ValueError(f"there is no convention {name!r}{hint} (known: {', '.join(sorted(CONVENTIONS))}{options})")
