"""The loop in processes of its own: signals from outside, several processes under torchrun."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from trackcore import checkpoints
from trackcore.training import resuming

SCRIPT = Path(__file__).with_name("run_tiny.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def torchrun(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *map(str, arguments)]


def wait_for(path: Path, text: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text():
            return
        if process.poll() is not None:
            raise AssertionError(f"the program ended early:\n{process.communicate()[0]}")
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"{text!r} did not appear in {path}")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_sigterm_to_all_processes_saves_and_exits_cleanly(tmp_path, processes):
    arguments = [SCRIPT, tmp_path, 1000, 0.02]
    command = [sys.executable, *map(str, arguments)] if processes == 1 else torchrun(*arguments)
    # a session of its own, so that the signal can be sent to the loader processes too, as schedulers do
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    wait_for(tmp_path / "log.txt", "step 6/4000", process)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    steps = resuming.saved_steps(tmp_path / "checkpoints")
    assert steps[-1] >= 6
    assert f"stopped after step {steps[-1]} of 4000, saved" in (tmp_path / "log.txt").read_text()
    # lines of two processes may run together
    ends = [json.loads(found) for found in re.findall(r'\{"steps".*?\}', output)]
    assert ends == [{"steps": steps[-1], "interrupted": True}] * processes
    if processes == 1:  # torchrun itself ends with an error when it is told to stop
        assert process.returncode == 0
    assert resuming.load_step(tmp_path / "checkpoints", steps[-1])["step"] == steps[-1]


def run(command: list[str]) -> None:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def alone(*arguments: object) -> list[str]:
    return [sys.executable, *map(str, arguments)]


@pytest.fixture(scope="module")
def one_process(tmp_path_factory) -> Path:
    run_dir = tmp_path_factory.mktemp("one")
    run(alone(SCRIPT, run_dir, 2, 0))
    return run_dir


def values(run_dir: Path) -> list[dict]:
    """The records of a run, without its timing."""
    lines = map(json.loads, (run_dir / "metrics.jsonl").read_text().splitlines())
    timing = ("samples_per_second", "data_wait_share")
    return [{key: value for key, value in line.items() if key not in timing} for line in lines]


def same_run(run_dir: Path, other_dir: Path) -> None:
    mine, theirs = (checkpoints.load(folder / "weights.safetensors").state for folder in (run_dir, other_dir))
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    mine, theirs = values(run_dir), values(other_dir)
    assert len(mine) == len(theirs) == 12  # eight steps, two validations, two epochs
    for line, other in zip(mine, theirs, strict=True):
        assert line.keys() == other.keys()
        assert {key: value for key, value in line.items() if isinstance(value, str)} == {
            key: value for key, value in other.items() if isinstance(value, str)
        }
        numbers = [key for key, value in line.items() if not isinstance(value, str)]
        # gradient norms too: the mean over processes is the large batch's gradient
        assert [line[key] for key in numbers] == pytest.approx([other[key] for key in numbers], rel=1e-5, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("how", [[], ["shard"], ["shard", "accumulate"]], ids=["copied", "sharded", "accumulated"])
def test_two_processes_are_one_with_twice_the_batch(tmp_path, one_process, how):
    run(torchrun(SCRIPT, tmp_path, 2, 0, *how))
    same_run(tmp_path, one_process)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["sharded", "alone"])
def test_a_run_goes_on_with_and_without_sharding(tmp_path, one_process, first):
    sharded, plain = torchrun(SCRIPT, tmp_path), alone(SCRIPT, tmp_path)
    for number, command in enumerate([sharded, plain] if first == "sharded" else [plain, sharded]):
        run([*command, str(number + 1), "0", *(["shard"] if command is sharded else [])])
    same_run(tmp_path, one_process)
