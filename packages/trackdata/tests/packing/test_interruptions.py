"""Packing is killed, again and again, and comes to the same end."""

import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trackdata.packing import check_pack
from trackdata.storage import open_store, walk

# Small batches and slow reading, so that there is something to interrupt.
PROGRAM = """
import sys, time
from trackdata.packing import pack, packer
from trackdata.storage import FolderStore
packer._BATCH_FILES = 5
read = FolderStore.read
def slowly(store, key):
    time.sleep(0.002)
    return read(store, key)
FolderStore.read = slowly
print(pack(sys.argv[1], sys.argv[2], sys.argv[3], workers=2).packed[0].written)
"""


@pytest.fixture
def many(tmp_path) -> Path:
    generator = np.random.default_rng(0)
    for number in range(400):
        path = tmp_path / "many" / f"{number // 50}" / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.bytes(int(generator.integers(0, 9000))))
    return tmp_path / "many"


def begin(many: Path, output: Path, kind: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, str(many), str(output), kind]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def same(output: Path, many: Path) -> bool:
    one, other = open_store(output), open_store(many)
    return {key: one.read(key) for key in walk(one)} == {key: other.read(key) for key in walk(other)}


@pytest.mark.parametrize("kind", ["lmdb", "zip"])
def test_killed_at_any_moment(many, tmp_path, kind):
    output = tmp_path / "pack.zip"
    waits = random.Random(kind)
    part, kills, sizes = output.with_name("pack.zip.part"), 0, []
    while True:
        process = begin(many, output, kind)
        begun = time.monotonic()
        while not part.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(waits.uniform(0.0, 0.5))
        if process.poll() is None and kills < 6:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            file = part / "data.mdb" if kind == "lmdb" else part
            sizes.append(file.stat().st_size if file.exists() else 0)
            continue
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        break
    assert kills
    assert time.monotonic() - begun < 60
    assert same(output, many)
    assert int(out) < 400  # it went on from where it was killed
    assert check_pack(many, output, kind).complete
    assert not part.exists()


@pytest.mark.parametrize("kind", ["lmdb", "zip"])
def test_a_file_that_may_not_grow(many, tmp_path, kind):
    """A limit on the size of files stands for a full disk."""
    output = tmp_path / "pack.zip"

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))

    process = begin(many, output, kind, preexec_fn=limited)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    message = errors.strip().splitlines()[-1]
    assert message.startswith("trackdata.packing.reports.PackError")
    assert "cannot be written" in message
    assert not output.exists()
    process = begin(many, output, kind)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert 0 < int(out) < 400
    assert same(output, many)


@pytest.mark.parametrize("kind", ["lmdb", "zip"])
def test_two_at_once(many, tmp_path, kind):
    """The second waits, and finds everything done."""
    output = tmp_path / "pack.zip"
    processes = [begin(many, output, kind) for _ in range(2)]
    results = [process.communicate(timeout=60) for process in processes]
    assert sorted(int(out) for out, _ in results) == [0, 400]
    assert same(output, many)
    assert {path.name for path in tmp_path.iterdir()} == {"many", "pack.zip"}
