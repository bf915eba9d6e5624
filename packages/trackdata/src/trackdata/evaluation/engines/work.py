"""What an engine is given and what it gives back."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from trackcore.tracker import Tracker
from trackdata.evaluation.passes import Failure, Pass, track_sequence
from trackdata.sequences import Dataset

TrackerFactory = Callable[..., Tracker]  # called without arguments, or with ``device`` where an engine has devices


class TrackerStartError(RuntimeError):
    """The tracker could not be built, so what is left of the run was not run."""


class Task(NamedTuple):
    """One sequence to track: position of its dataset, and its own in there."""

    dataset: int
    sequence: int


@dataclass(frozen=True)
class Work:
    """How to build the tracker, and the datasets that tasks refer to."""

    factory: TrackerFactory
    datasets: tuple[Dataset, ...]

    def build(self, device: str | None = None) -> Tracker:
        """The tracker, on ``device`` unless that is None. Raises TrackerStartError, whatever the factory raises."""
        try:
            return self.factory() if device is None else self.factory(device=device)
        except Exception as error:
            raise TrackerStartError(f"the tracker could not be built: {Failure.of(error).reason}") from error

    def attempt(self, tracker: Tracker, task: Task) -> Pass | Failure:
        """One pass over the sequence of ``task``; errors of tracker, annotation and frames become a failure."""
        try:
            return track_sequence(tracker, self.datasets[task.dataset][task.sequence])
        except Exception as error:  # a tracker may raise anything; the reason is kept and reported
            return Failure.of(error)

    def pickled(self) -> bytes:
        """For other processes. Raises TrackerStartError when factory or datasets cannot be sent there."""
        try:
            return pickle.dumps(self)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TrackerStartError(
                f"tracker factory and dataset must be picklable to run in other processes ({error}); "
                "use a module-level function, or workers=1"
            ) from error


class Engine(Protocol):
    """A place where sequences are tracked."""

    def track(self, work: Work, tasks: Sequence[Task]) -> Iterator[tuple[Task, Pass | Failure]]:
        """Each task with what came of it, in the order they are finished. Closing the iterator ends all workers.

        Raises:
            TrackerStartError: no tracker could be built; tasks not yet given back were not done.
        """


def device_is_lost() -> bool:
    """Whether CUDA no longer works in this process: after an illegal access or a failed assertion nothing does."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False
