"""Parts of a dataset for machines that share nothing but the folder their results end up in."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, counted from 1: every ``count``-th sequence.

    The parts of one dataset have no sequence in common and hold all of them together. Neighbours in the list, which are
    often alike in length and class, go to different parts.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"a shard is one of 1/{self.count} to {self.count}/{self.count}, got {self}")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From ``"2/4"``. Raises ValueError for anything else, and for a number that is not among the parts."""
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None:
            raise ValueError(f"a shard is NUMBER/COUNT such as 1/4, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, length: int) -> range:
        """Positions of this part in a list of ``length``."""
        return range(self.number - 1, length, self.count)


WHOLE = Shard()
