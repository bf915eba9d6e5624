"""Drawing until a sample works out, with every failure counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from trackdata.errors import FrameError
from trackdata.faults import FaultCounts, RejectedSample, SamplingError, exhausted


class Drawn(Protocol):
    """A draw says which dataset of the mixture it came from."""

    @property
    def dataset(self) -> int: ...


Drawing = TypeVar("Drawing", bound=Drawn, covariant=True)


class Sampler(Protocol[Drawing]):
    """Anything that draws from datasets: a mixture, a mixture with negative pairs."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def faults(self) -> FaultCounts: ...

    def draw(self, rng: np.random.Generator, faults: FaultCounts | None = None) -> Drawing: ...


def draw_until_usable(
    sampler: Sampler[Any],
    process: Callable[[np.random.Generator, Any], dict[str, np.ndarray]],
    rng: np.random.Generator,
    max_attempts: int,
) -> dict[str, np.ndarray]:
    """A processed sample. Where a frame cannot be read or the sample is rejected, everything is drawn again.

    Args:
        sampler: draws frames.
        process: turns a draw into arrays; may ask the generator for more numbers.
        rng: source of randomness.
        max_attempts: draws before giving up.

    Returns:
        What ``process`` returned, and ``dataset`` int64 ``()``, the number of the dataset; ``faults`` int64
        ``(datasets, reasons)``, see :class:`trackdata.faults.FaultCounts`; add them over samples.

    Raises:
        SamplingError: nothing usable in ``max_attempts`` draws; the message counts the reasons by dataset.
    """
    faults = sampler.faults()
    for _ in range(max_attempts):
        draw = sampler.draw(rng, faults)
        try:
            sample = process(rng, draw)
        except FrameError as error:
            faults.add(draw.dataset, "frame", error)
        except RejectedSample as error:
            faults.add(draw.dataset, error.reason, error)
        else:
            return sample | {"dataset": np.array(draw.dataset, np.int64), "faults": faults.counts}
    raise SamplingError(exhausted(max_attempts, faults))
