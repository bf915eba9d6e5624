"""Handing out sequences to workers of which some may die, hang or never start.

One worker, one sequence at a time: when a worker is lost it is known which sequence it was at, nothing else is blamed
and nothing else is lost.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from trackdata.evaluation.engines.work import Task, TrackerStartError
from trackdata.evaluation.passes import Failure, Pass

Worker = Hashable


@dataclass(frozen=True)
class Event:
    """What a worker tells.

    Attributes:
        worker: who.
        kind: ``ready`` to work, ``refused`` because its tracker could not be built, ``done`` with its task, ``spent``
            when it is done and fit for no other task, or ``died``.
        content: what came of the task for ``done`` and ``spent``, the reason of ``refused`` and ``died``.
    """

    worker: Worker
    kind: Literal["ready", "refused", "done", "spent", "died"]
    content: Any = None


class Pool(Protocol):
    """Workers that can be started, given tasks, listened to and ended."""

    def start(self) -> Worker:
        """A new worker; builds its tracker and tells ``ready`` or ``refused``."""

    def give(self, worker: Worker, task: Task) -> None:
        """A task for a worker that has none."""

    def wait(self, timeout: float | None) -> list[Event]:
        """What happened, at the latest after ``timeout`` seconds; nothing more is heard of a worker that died."""

    def stop(self, worker: Worker) -> None:
        """End a worker at once, whatever it is doing; nothing more is heard of it."""

    def close(self) -> None:
        """End all workers."""


def dispatch(
    pool: Pool,
    tasks: Sequence[Task],
    workers: int,
    *,
    timeout: float | None = None,
    retries: int = 0,
    patience: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Task, Pass | Failure]]:
    """Track ``tasks`` with up to ``workers`` workers; yields each with what came of it.

    Args:
        timeout: seconds one task may take; then its worker is ended and the task has failed.
        retries: how often a task whose worker died is given to another one before it counts as the cause, and how many
            workers may die in a row before they are ready.
        patience: seconds without any worker at work after which the run is given up.

    Raises:
        TrackerStartError: no tracker could be built, or no worker started in time.
    """
    queue, deaths, lost_starts = deque(tasks), Counter[Task](), 0
    starting: set[Worker] = set()
    busy: dict[Worker, tuple[Task, float]] = {}
    proven, idle_since = False, clock()
    try:
        while queue or busy:
            while len(starting) + len(busy) < workers and len(starting) < len(queue):
                starting.add(pool.start())
            for event in pool.wait(_until_next(busy, timeout, idle_since, patience, clock())):
                task, _ = busy.pop(event.worker, (None, 0.0))
                was_starting = event.worker in starting
                starting.discard(event.worker)
                result = event.content if event.kind in ("done", "spent") else None
                if event.kind in ("ready", "done"):
                    proven, lost_starts = True, 0
                    if queue:
                        busy[event.worker] = queue.popleft(), clock()
                        pool.give(event.worker, busy[event.worker][0])
                    else:
                        pool.stop(event.worker)
                elif event.kind == "spent":
                    pool.stop(event.worker)
                elif task is not None:  # it died at work
                    deaths[task] += 1
                    if deaths[task] > retries:
                        result = Failure(event.content)
                    else:
                        queue.append(task)
                elif event.kind == "refused" or was_starting:
                    lost_starts += 1
                    if event.kind == "refused" or lost_starts > retries:
                        workers -= 1  # the others go on
                    if workers == 0:
                        raise TrackerStartError(_given_up(event.content, len(queue), proven))
                if result is not None:  # last, as what is done with it may take a while
                    yield task, result
            now = clock()
            for worker, (task, since) in list(busy.items()):
                if timeout is not None and now - since >= timeout:
                    del busy[worker]
                    pool.stop(worker)
                    yield task, Failure(f"not finished after {timeout:g} s and ended")
            idle_since = now if busy else idle_since
            if patience is not None and queue and now - idle_since >= patience:
                raise TrackerStartError(f"no worker has started for {patience:g} s; {len(queue)} sequences are left")
    finally:
        pool.close()


def _until_next(
    busy: dict[Worker, tuple[Task, float]],
    timeout: float | None,
    idle_since: float,
    patience: float | None,
    now: float,
) -> float | None:
    """Seconds until something must be decided if nothing happens; None for never."""
    moments = [since + timeout for _, since in busy.values()] if timeout is not None else []
    if patience is not None and not busy:
        moments.append(idle_since + patience)
    return max(0.0, min(moments) - now) if moments else None


def _given_up(reason: str, left: int, proven: bool) -> str:
    return f"{reason}; {left} sequences were not tracked, run again to go on" if proven else reason
