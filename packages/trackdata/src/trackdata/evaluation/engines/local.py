"""Tracking on this machine: in this process, or in several that may crash or hang without harm to the others."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from trackdata.evaluation.engines.dispatch import Event, dispatch
from trackdata.evaluation.engines.work import Task, TrackerStartError, Work, device_is_lost
from trackdata.evaluation.passes import Failure, Pass

_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class InProcess:
    """Tracks in the calling process, one sequence after the other. Needs no pickling; a crash ends everything."""

    def track(self, work: Work, tasks: Sequence[Task]) -> Iterator[tuple[Task, Pass | Failure]]:
        """See :class:`~trackdata.evaluation.engines.work.Engine`."""
        tracker = work.build()
        for task in tasks:
            yield task, work.attempt(tracker, task)


@dataclass(frozen=True)
class LocalEngine:
    """Tracks in processes of their own, each with one tracker.

    A process that dies (a crash in native code, no memory) is replaced; only the sequence it was at has failed.

    Attributes:
        workers: processes.
        devices: given to the trackers as ``device``, in turn; empty when they take none.
        timeout: seconds one sequence may take before its process is ended; None for no limit.
    """

    workers: int = 1
    devices: tuple[str, ...] = ()
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds, got {self.timeout}")

    def track(self, work: Work, tasks: Sequence[Task]) -> Iterator[tuple[Task, Pass | Failure]]:
        """See :class:`~trackdata.evaluation.engines.work.Engine`."""
        pool = _Processes(work.pickled(), self.devices, max(1, (os.cpu_count() or 1) // self.workers))
        return dispatch(pool, tasks, self.workers, timeout=self.timeout)


@dataclass(frozen=True)
class _Hand:
    """A worker process as its parent sees it."""

    process: BaseProcess
    device: str | None


class _Processes:
    """Worker processes, each at the other end of a pipe; the pipes are the workers' names."""

    def __init__(self, payload: bytes, devices: tuple[str, ...], threads: int) -> None:
        self._payload, self._devices, self._threads = payload, devices, threads
        # Fresh interpreters: a fork would copy threads, locks and CUDA contexts that do not survive it.
        self._context = multiprocessing.get_context("spawn")
        self._hands: dict[Connection, _Hand] = {}

    def start(self) -> Connection:
        device = self._least_used_device()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._payload, device, self._threads), daemon=True)
        with _default_environment(_THREADS, str(self._threads)):
            process.start()
        theirs.close()  # the child holds the only other end, so its death shows as the end of the pipe
        self._hands[ours] = _Hand(process, device)
        return ours

    def give(self, worker: Connection, task: Task) -> None:
        with suppress(OSError):  # it has just died, which `wait` tells
            worker.send(task)

    def wait(self, timeout: float | None) -> list[Event]:
        return [self._hear(connection) for connection in wait(list(self._hands), timeout)]

    def _hear(self, worker: Connection) -> Event:
        try:
            return Event(worker, *worker.recv())
        except (EOFError, OSError):
            process = self._hands[worker].process
            process.join()
            self.stop(worker)
            return Event(worker, "died", _cause_of_death(process.exitcode))

    def stop(self, worker: Connection) -> None:
        hand = self._hands.pop(worker)
        hand.process.kill()
        hand.process.join()
        worker.close()

    def close(self) -> None:
        for worker in list(self._hands):
            self.stop(worker)

    def _least_used_device(self) -> str | None:
        used = [hand.device for hand in self._hands.values()]
        return min(self._devices, key=used.count, default=None)


@contextmanager
def _default_environment(name: str, value: str) -> Iterator[None]:
    """Set for children started meanwhile: numeric libraries read it once, when they are imported."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = next((known.name for known in signal.Signals if known == -exit_code), f"signal {-exit_code}")
        hint = ", often for lack of memory; use fewer workers" if name == "SIGKILL" else ""
        return f"the worker process died ({name}{hint})"
    return f"the worker process died (exit code {exit_code})"


def _serve(connection: Connection, payload: bytes, device: str | None, threads: int) -> None:
    """A worker process: builds the tracker once, then tracks what it is given until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work: Work = pickle.loads(payload)
        tracker = work.build(device)
    except TrackerStartError as error:
        connection.send(("refused", str(error)))
        return
    except Exception as error:  # whatever unpickling runs into: a module that cannot be imported here, most often
        connection.send(("refused", f"a worker could not be set up: {Failure.of(error).reason}"))
        return
    _limit_opencv(threads)
    connection.send(("ready",))
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        result = work.attempt(tracker, task)
        spent = isinstance(result, Failure) and device_is_lost()  # a fresh process has a fresh device
        connection.send(("spent" if spent else "done", result))


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)  # killed, or it would have ended this process: nobody waits for the sequence at hand


def _limit_opencv(threads: int) -> None:
    import cv2

    cv2.setNumThreads(threads)
