"""Worker processes of this machine: crashes, hangs, devices, and a run that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from trackdata.evaluation import LocalEngine, Shard, TrackerStartError, run, run_all


@pytest.fixture
def toys(made):
    """The second of six has six frames, at which some trackers of these tests fail."""
    return made.Listed([made.make_sequence(f"s{place}", frames) for place, frames in enumerate([4, 6, 3, 2, 4, 1])])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_is_blamed_on_its_sequence_alone(made, toys, tmp_path, workers):
    result = run("dying", made.Dying, toys, tmp_path, engine=LocalEngine(workers))
    assert result.failures == {"s1": "the worker process died (SIGSEGV)"}
    assert [outcome.frames for outcome in result.outcomes] == [4, 0, 3, 2, 4, 1]
    mended = run("dying", made.Still, toys, tmp_path, workers=workers)
    assert [outcome.reused for outcome in mended.outcomes] == [True, False, True, True, True, True]


def test_a_sequence_that_takes_too_long(made, toys, tmp_path):
    result = run("hanging", made.Hanging, toys, tmp_path, engine=LocalEngine(1, timeout=3))
    assert result.failures == {"s1": "not finished after 3 s and ended"}


def test_a_lost_device_costs_one_sequence(made, toys, tmp_path):
    result = run("losing", made.LosesDevice, toys, tmp_path, engine=LocalEngine(1))
    assert list(result.failures) == ["s1"]
    assert "illegal memory access" in result.failures["s1"]


def test_workers_are_spread_over_devices(made, toys, tmp_path):
    log = tmp_path / "log"
    factory = partial(made.on_device, log=log, workers=3)
    run("t", factory, toys, tmp_path, engine=LocalEngine(3, devices=("cuda:0", "cuda:1")))
    assert sorted(log.read_text().split()) == ["cuda:0", "cuda:0", "cuda:1"]


def test_a_worker_that_cannot_be_set_up(made, toys, tmp_path):
    with pytest.raises(TrackerStartError, match="RuntimeError: the weights are missing"):
        run("none", made.no_tracker, toys, tmp_path, engine=LocalEngine(1))
    with pytest.raises(TrackerStartError, match=r"the worker process died \(exit code 7\)"):
        run("none", made.dead_tracker, toys, tmp_path, engine=LocalEngine(1))
    with pytest.raises(TrackerStartError, match="the licence has run out; 4 sequences were not tracked"):
        run("none", partial(made.once, tmp_path / "marker"), toys, tmp_path, engine=LocalEngine(1))
    assert (tmp_path / "none" / "toy" / "s0.txt").is_file()  # what was done stays


def test_one_tracker_for_several_datasets(made, toys, tmp_path):
    log = tmp_path / "log"
    other = made.Listed(toys.sequences[:2], name="other")
    results = run_all("still", partial(made.Still, log=log), [toys, other], tmp_path, engine=LocalEngine(1))
    assert len(log.read_text().split()) == 1
    assert [(result.dataset, len(result.outcomes)) for result in results] == [("toy", 6), ("other", 2)]
    assert (tmp_path / "still" / "other" / "s1.txt").is_file()
    with pytest.raises(ValueError, match="different names, got toy, toy"):
        run_all("still", made.Still, [toys, toys], tmp_path)


def test_shards_together_are_the_whole(made, toys, tmp_path):
    whole = run("still", made.Still, toys, tmp_path / "whole")
    parts = [run("still", made.Still, toys, tmp_path / "parts", shard=Shard(number, 4)) for number in range(1, 5)]
    assert [part.indices for part in parts] == [(0, 4), (1, 5), (2,), (3,)]
    assert {path.name for path in parts[0].folder.glob("*.txt")} == {path.name for path in whole.folder.glob("*.txt")}
    again = run("still", made.Still, toys, tmp_path / "parts")
    assert all(outcome.reused for outcome in again.outcomes)
    assert [
        outcome.frames for outcome in run("still", made.Still, toys, tmp_path / "parts", shard=Shard(9, 9)).outcomes
    ] == []


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_shard(text):
    with pytest.raises(ValueError, match="a shard is"):
        Shard.parse(text)


def test_shards_read():
    assert Shard.parse("2/4") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"
    assert list(Shard(2, 4).of(11)) == [1, 5, 9]


def test_bad_arguments(made, toys, tmp_path):
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        LocalEngine(0)
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds, got 0"):
        LocalEngine(timeout=0)
    with pytest.raises(ValueError, match="give workers or an engine, not both"):
        run("still", made.Still, toys, tmp_path, workers=2, engine=LocalEngine(2))


PROGRAM = """
import sys
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import {module} as made
    from trackdata.evaluation import LocalEngine, run

    data = made.Listed([made.make_sequence(f"s{{i}}", 25) for i in range(8)])
    run("slow", partial(made.Slow, log=Path(sys.argv[2]) / "log"), data, sys.argv[2], engine=LocalEngine(2))
"""


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_run_goes_on_where_it_was(made, tmp_path):
    program, out = tmp_path / "program.py", tmp_path / "out"
    program.write_text(PROGRAM.format(module=made.__name__))
    out.mkdir()
    arguments = [sys.executable, str(program), str(Path(made.__file__).parent), str(out)]
    folder = out / "slow" / "toy"
    killed = subprocess.Popen(arguments)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("records/*.json"))) < 3:
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    workers = [int(line) for line in (out / "log").read_text().split() if line != "init"]
    while any(running(pid) for pid in workers):  # they end with their parent
        assert time.monotonic() < deadline
        time.sleep(0.05)
    done = {path.stem for path in folder.glob("records/*.json")}
    assert 3 <= len(done) < 8
    stamps = {name: (folder / f"{name}.txt").stat().st_mtime_ns for name in done}
    # A worker that had been killed while it wrote would leave this.
    (folder / "s7.txt").write_text("5.0000,6.0000,10.0000,8.0000\n6.0000,6.0")
    subprocess.run(arguments, check=True, env=dict(os.environ))
    for index in range(8):
        assert (folder / f"s{index}.txt").read_text() == "5.0000,6.0000,10.0000,8.0000\n" * 25
    assert {name: (folder / f"{name}.txt").stat().st_mtime_ns for name in done} == stamps  # not made again
