"""A function over many items in several processes, of which some may die: decoders do, on damaged files."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # items handed to a process before it has asked for them


@dataclass(frozen=True)
class Died:
    """In the place of a result: the process that worked on the item ended without one (a crash, or no memory)."""


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[tuple[Item, Result | Died]]:
    """``(item, function(item))`` in the order they are finished.

    Args:
        function: picklable, as are items and results. What it raises is raised here.
        items: read as far as needed.
        workers: processes, which start as fresh interpreters; 1 works in this one, where a crash ends everything.

    Raises:
        ValueError: no workers.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if workers == 1:
        yield from ((item, function(item)) for item in items)
        return
    rest = iter(items)
    suspects: list[Item] | None = []
    while suspects is not None:
        # Whoever was at work when a process died may be the cause: one process each, to find out.
        for item in suspects:
            alone = yield from _pool(function, iter([item]), 1)
            if alone is not None:
                yield item, Died()
        suspects = yield from _pool(function, rest, workers)


def _pool(function: Callable[[Item], Result], items: Iterator[Item], workers: int) -> Iterator[tuple[Item, Result]]:
    """Yields until the items are used up, then returns None; or the unfinished items when a process died."""
    waiting: list[Item] = []
    at_work: dict[Future[Result], Item] = {}
    # spawned, not forked: the caller may hold threads, or a GPU
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start)
    try:
        while True:
            waiting += islice(items, workers * _AHEAD - len(at_work))
            while waiting:
                at_work[pool.submit(function, waiting[0])] = waiting[0]
                del waiting[0]
            if not at_work:
                return None
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield at_work.pop(future), result
    except BrokenProcessPool:
        return [*at_work.values(), *waiting]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start() -> None:
    import cv2

    cv2.setNumThreads(1)  # the processes are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends them
