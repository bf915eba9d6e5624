"""Sequences that programs call by different names: ``uav_bike1`` and ``bike1``, ``Jogging_1`` and ``Jogging.1``."""

from __future__ import annotations

import re
from collections.abc import Iterable


class NameMatcher:
    """Finds the sequence of a dataset that another program means by a name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = set(names)
        self._loose: dict[str, list[str]] = {}
        for name in sorted(self._exact):
            self._loose.setdefault(_loosened(name), []).append(name)

    def __call__(self, name: str) -> str | None:
        """The dataset's name of the sequence: the same, or the only one that differs in no more than capitals, dots,
        dashes, underscores and the prefixes ``uav_`` and ``nfs_``; None when there is none.
        """
        if name in self._exact:
            return name
        near = self._loose.get(_loosened(name), [])
        return near[0] if len(near) == 1 else None


def _loosened(name: str) -> str:
    return re.sub(r"[._-]", "", re.sub(r"^(uav|nfs)[._-]", "", name.lower()))
