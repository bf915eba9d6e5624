"""Handing out tasks to workers that die, hang or never start, told by a script instead of processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trackdata.evaluation.engines.dispatch import Event, dispatch
from trackdata.evaluation.engines.work import Task, TrackerStartError
from trackdata.evaluation.passes import Failure

TASKS = [Task(0, index) for index in range(4)]


class Scripted:
    """Workers 0, 1, ... whose doings are looked up: ``starts`` by worker, ``acts`` by (worker, sequence).

    Each entry is the kind of event, or a number of seconds that pass without one. Time is counted, not slept.
    """

    def __init__(self, starts: Callable = lambda worker: "ready", acts: Callable = lambda worker, sequence: "done"):
        self.starts, self.acts, self.now = starts, acts, 0.0
        self.pending: list[tuple[int, str | float, object]] = []
        self.started, self.stopped, self.closed, self.given = 0, [], False, []

    def start(self) -> int:
        self.pending.append((self.started, self.starts(self.started), "cannot be built"))
        self.started += 1
        return self.started - 1

    def give(self, worker: int, task: Task) -> None:
        self.given.append((worker, task.sequence))
        act = self.acts(worker, task.sequence)
        self.pending.append((worker, act, "died at it" if act == "died" else f"pass {task.sequence}"))

    def wait(self, timeout: float | None) -> list[Event]:
        for place, (worker, kind, content) in enumerate(self.pending):
            if isinstance(kind, str):
                del self.pending[place]
                return [Event(worker, kind, content)]
        assert timeout is not None, "waiting for ever"
        self.now += timeout
        return []

    def stop(self, worker: int) -> None:
        self.stopped.append(worker)
        self.pending = [entry for entry in self.pending if entry[0] != worker]

    def close(self) -> None:
        self.closed = True


def results(pool: Scripted, workers: int = 2, **options) -> dict[int, object]:
    given = list(dispatch(pool, TASKS, workers, clock=lambda: pool.now, **options))
    assert pool.closed
    assert len(given) == len({task for task, _ in given})
    return {task.sequence: result for task, result in given}


def test_every_task_once():
    pool = Scripted()
    assert results(pool) == {index: f"pass {index}" for index in range(4)}
    assert pool.started == 2
    assert sorted(pool.stopped) == [0, 1]  # as soon as there is nothing left for them


def test_no_more_workers_than_tasks():
    pool = Scripted()
    results(pool, workers=9)
    assert pool.started == 4


def test_only_the_task_at_hand_is_blamed():
    pool = Scripted(acts=lambda worker, sequence: "died" if sequence == 1 else "done")
    assert results(pool) == {0: "pass 0", 1: Failure("died at it"), 2: "pass 2", 3: "pass 3"}
    assert pool.started == 3


def test_workers_are_not_idle_while_results_are_written():
    pool = Scripted()
    given = dispatch(pool, TASKS, 1)
    assert next(given) == (TASKS[0], "pass 0")
    assert pool.given == [(0, 0), (0, 1)]


def test_a_worker_that_is_spent_gets_nothing_more():
    pool = Scripted(acts=lambda worker, sequence: "spent" if sequence == 0 else "done")
    assert results(pool, workers=1)[3] == "pass 3"
    assert pool.given == [(0, 0), (1, 1), (1, 2), (1, 3)]


def test_tasks_of_lost_workers_are_tried_again():
    pool = Scripted(acts=lambda worker, sequence: "died" if worker == 0 else "done")  # a machine is gone
    assert results(pool, retries=2) == {index: f"pass {index}" for index in range(4)}


def test_but_not_for_ever():
    pool = Scripted(acts=lambda worker, sequence: "died" if sequence == 2 else "done")
    assert results(pool, retries=2)[2] == Failure("died at it")
    assert sum(sequence == 2 for _, sequence in pool.given) == 3


def test_a_task_that_hangs():
    pool = Scripted(acts=lambda worker, sequence: 1e9 if sequence == 0 else "done")
    assert results(pool, timeout=30) == {
        0: Failure("not finished after 30 s and ended"),
        **{index: f"pass {index}" for index in (1, 2, 3)},
    }
    assert pool.now == 30


@pytest.mark.parametrize("kind", ["refused", "died"])
def test_nothing_runs_when_no_tracker_can_be_built(kind):
    pool = Scripted(starts=lambda worker: kind)
    with pytest.raises(TrackerStartError, match=r"^cannot be built$"):
        results(pool)
    assert pool.closed
    assert not pool.given


@pytest.mark.parametrize("missing", [0, 1])
def test_fewer_workers_are_enough(missing):
    pool = Scripted(starts=lambda worker: "refused" if worker == missing else "ready")
    assert len(results(pool)) == 4
    assert pool.started == 2


def test_a_replacement_that_cannot_be_built_ends_the_run():
    pool = Scripted(
        starts=lambda worker: "refused" if worker else "ready", acts=lambda w, s: "died" if s == 1 else "done"
    )
    given = dispatch(pool, TASKS, 1, clock=lambda: pool.now)
    assert [next(given), next(given)] == [(TASKS[0], "pass 0"), (TASKS[1], Failure("died at it"))]
    with pytest.raises(TrackerStartError, match="cannot be built; 2 sequences were not tracked, run again"):
        next(given)


def test_workers_lost_before_they_are_ready_are_tried_again_too():
    pool = Scripted(starts=lambda worker: "died" if worker < 2 else "ready")
    assert len(results(pool, workers=1, retries=2)) == 4


def test_no_worker_ever_starts():
    pool = Scripted(starts=lambda worker: 1e9)
    with pytest.raises(TrackerStartError, match="no worker has started for 60 s; 4 sequences are left"):
        results(pool, patience=60)
    assert pool.now == 60


def test_leaving_early_ends_the_workers():
    pool = Scripted()
    given = dispatch(pool, TASKS, 2)
    next(given)
    given.close()
    assert pool.closed
