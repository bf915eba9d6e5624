"""Tracking on a Ray cluster: sequences spread over its machines, of which some may be lost on the way.

Results come back to the calling process, which writes them; the machines need trackdata, the tracker's package, and the
dataset under the same path. Needs ``pip install trackdata[ray]``.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from trackdata.evaluation.engines.dispatch import Event, dispatch
from trackdata.evaluation.engines.work import Task, TrackerStartError, Work, device_is_lost
from trackdata.evaluation.passes import Failure, Pass

_OBJECT_STORE = 128 << 20  # bytes; only boxes and times pass through it


@dataclass(frozen=True)
class RayEngine:
    """Tracks in actors of a Ray cluster, each with one tracker.

    A sequence whose actor is lost, with its machine or alone, is given to another one ``retries`` times before it
    counts as the cause.

    Attributes:
        workers: actors; those that the cluster has no room for wait until it has.
        device: given to the trackers as ``device``; None when they take none. Ray shows each actor its own GPUs, so
            ``cuda`` is right on every machine.
        address: of the cluster, as in ``ray.init``; None starts one on this machine, unless this process is connected
            to one already.
        cpus, gpus: reserved for each actor.
        timeout: seconds one sequence may take before its actor is ended; None for no limit.
        retries: see above.
        patience: seconds without any actor at work after which the run is given up.
    """

    workers: int = 1
    device: str | None = None
    address: str | None = None
    cpus: float = 1
    gpus: float = 0
    timeout: float | None = None
    retries: int = 2
    patience: float = 600

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds, got {self.timeout}")

    def track(self, work: Work, tasks: Sequence[Task]) -> Iterator[tuple[Task, Pass | Failure]]:
        """See :class:`~trackdata.evaluation.engines.work.Engine`.

        Raises:
            TrackerStartError: as there; or Ray is not installed, or the cluster cannot be reached.
        """
        payload = work.pickled()
        with _connection(self.address, self.workers * self.cpus, self.workers * self.gpus):
            pool = _Actors(payload, self.device, self.cpus, self.gpus)
            yield from dispatch(
                pool, tasks, self.workers, timeout=self.timeout, retries=self.retries, patience=self.patience
            )


@contextmanager
def _connection(address: str | None, cpus: float, gpus: float) -> Iterator[None]:
    """Connected to Ray; disconnected afterwards unless it was connected before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when ray is imported
    try:
        import ray
    except ImportError as error:
        raise TrackerStartError("the Ray engine needs Ray: pip install trackdata[ray]") from error
    if ray.is_initialized():
        yield
        return
    own = {"num_cpus": cpus, "num_gpus": gpus, "include_dashboard": False, "object_store_memory": _OBJECT_STORE}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="error", **({} if address else own))
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise TrackerStartError(f"no Ray cluster at {address or 'this machine'}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


class _Actors:
    """Actors and the calls they are at; an actor has one call at a time."""

    def __init__(self, payload: bytes, device: str | None, cpus: float, gpus: float) -> None:
        import ray

        self._ray = ray
        self._device = device
        self._payload = ray.put(payload)
        # SPREAD: without it Ray fills one machine before it uses the next.
        self._actor = ray.remote(_Server).options(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, scheduling_strategy="SPREAD"
        )
        self._calls: dict[Any, Any] = {}  # actors by the reference of the result they are at

    def start(self) -> Any:
        worker = self._actor.remote(self._payload, self._device)
        self._calls[worker.build.remote()] = worker
        return worker

    def give(self, worker: Any, task: Task) -> None:
        self._calls[worker.track.remote(task)] = worker

    def wait(self, timeout: float | None) -> list[Event]:
        finished, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=timeout)
        return [self._hear(call) for call in finished]

    def _hear(self, call: Any) -> Event:
        worker = self._calls.pop(call)
        try:
            event = Event(worker, *self._ray.get(call))
        except self._ray.exceptions.RayError as error:
            event = Event(worker, "died", f"the worker was lost ({type(error).__name__})")
        if event.kind in ("refused", "died"):
            self._ray.kill(worker)  # it may live on: one that refused does, and one whose result was lost
        return event

    def stop(self, worker: Any) -> None:
        self._calls = {call: other for call, other in self._calls.items() if other != worker}
        self._ray.kill(worker)

    def close(self) -> None:
        for worker in self._calls.values():
            self._ray.kill(worker)
        self._calls.clear()


class _Server:
    """What an actor is: builds the tracker once, then tracks what it is given."""

    def __init__(self, payload: bytes, device: str | None) -> None:
        self._payload, self._device = payload, device

    def build(self) -> tuple[str, str | None]:
        try:
            self._work: Work = pickle.loads(self._payload)
            self._tracker = self._work.build(self._device)
        except TrackerStartError as error:
            return "refused", str(error)
        except Exception as error:  # whatever unpickling runs into: a module that is not installed there, most often
            return "refused", f"a worker could not be set up: {Failure.of(error).reason}"
        return "ready", None

    def track(self, task: Task) -> tuple[str, Pass | Failure]:
        result = self._work.attempt(self._tracker, task)
        return "spent" if isinstance(result, Failure) and device_is_lost() else "done", result
