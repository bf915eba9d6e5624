"""Pre-training in two processes under torchrun, with copies of the network and sharded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trackcore import checkpoints

SCRIPT = Path(__file__).with_name("run_debug.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def run(command: list[str]) -> str:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def one_process(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    run([sys.executable, str(SCRIPT), str(folder)])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("how", [[], ["shard"]], ids=["copied", "sharded"])
def test_two_processes_train_as_one(tmp_path, one_process, how):
    run([*TORCHRUN, str(SCRIPT), str(tmp_path), *how])
    one, two = (checkpoints.load(folder / "weights.safetensors").state for folder in (one_process, tmp_path))
    # the key part of a qkv bias has no gradient but rounding, which AdamW makes steps of
    for name in one:
        if name.endswith("qkv.bias"):
            third = len(one[name]) // 3
            one[name][third : 2 * third] = two[name][third : 2 * third] = 0
    torch.testing.assert_close(two, one, rtol=1e-4, atol=2e-5)
    events = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (one_process, tmp_path)
    ]
    for mine, other in zip(*events, strict=True):
        assert (mine["event"], mine["step"]) == (other["event"], other["step"])
        assert mine["total"] == pytest.approx(other["total"], rel=1e-4)
        if mine["event"] == "validation":
            assert mine["attention/decoder_00"] == pytest.approx(other["attention/decoder_00"], rel=1e-3)


@pytest.mark.slow
def test_the_command_of_several_processes(tmp_path):
    from trackdata.synth import preset, write_got10k

    for split in ("train", "val"):
        write_got10k(tmp_path / "video", split, 2, preset("easy", frames=12, size=(96, 72)), seed=0)
    words = ["train", "debug", "--root", str(tmp_path / "video"), "--output", str(tmp_path / "run")]
    shown = run([*TORCHRUN, "-m", "dropmae_pretrain", *words])
    assert shown.count("training finished") == 1
    assert (tmp_path / "run" / "weights.safetensors").exists()
