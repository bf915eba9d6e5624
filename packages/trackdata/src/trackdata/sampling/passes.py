"""One pass over lists of videos: every video once, or a fixed number of times, in an order of its own each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from trackdata.sampling.generator import sample_generator

_ORDER = 2**64 - 1  # the index whose stream gives the order; no sample has it


@dataclass(frozen=True)
class PassItem:
    """Video ``video`` of list ``dataset``."""

    dataset: int
    video: int


@dataclass(frozen=True)
class PassSampler:
    """Every video of each of several lists, ``repeats`` times, one sample each, as DropSeg and DropMAE go through data.

    Attributes:
        lengths: how many videos each list has, for example ``[60, 3464]``.
        repeats: how often each is gone through in one pass, for example ``[5, 1]``; None means once.
        seed: of the order.
        shuffle: False keeps the order of the lists.
    """

    lengths: Sequence[int]
    repeats: Sequence[int] | None = None
    seed: int = 0
    shuffle: bool = True
    _orders: dict[int, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        repeats = [1] * len(self.lengths) if self.repeats is None else list(self.repeats)
        if len(repeats) != len(self.lengths):
            raise ValueError(f"{len(self.lengths)} lists but {len(repeats)} repeats")
        if min(repeats, default=0) < 0 or min(self.lengths, default=0) < 0:
            raise ValueError(f"lengths and repeats must not be negative, got {self.lengths} and {repeats}")
        object.__setattr__(self, "lengths", tuple(self.lengths))
        object.__setattr__(self, "repeats", tuple(repeats))
        if len(self) == 0:
            raise ValueError("there is no video to go through")

    def __len__(self) -> int:
        """Samples of one pass."""
        return int(self._edges[-1])

    @cached_property
    def _edges(self) -> np.ndarray:
        return np.cumsum([length * repeat for length, repeat in zip(self.lengths, self.repeats, strict=True)])

    def item(self, epoch: int, index: int) -> PassItem:
        """What sample ``index`` of pass ``epoch`` shows: a pure function of the seed and the arguments.

        Raises:
            IndexError: the pass has no such sample.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a pass of {len(self)}")
        place = int(self._order(epoch)[index]) if self.shuffle else index
        dataset = int(np.searchsorted(self._edges, place, side="right"))
        start = int(self._edges[dataset - 1]) if dataset else 0
        return PassItem(dataset, (place - start) % self.lengths[dataset])

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders.clear()  # one epoch at a time
            self._orders[epoch] = sample_generator(self.seed, epoch, _ORDER).permutation(len(self))
        return self._orders[epoch]
