"""Cached indices: made once, made again when anything changes, and never an obstacle."""

import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import lmdb
import numpy as np
import pytest

from trackdata import index
from trackdata.index import cache_folder, load_or_build
from trackdata.storage import Below, open_store

CONTENT = {
    "boxes": np.arange(12, dtype=np.float64).reshape(3, 4),
    "flags": np.array([True, False, True]),
    "one": np.array(7),
    "none": np.empty((0, 4), np.float32),
    "words": np.array(["ä", "bc"]),
    "names": ["a", "b\nc", "é"],
    "table": {"x": [1, 2.5, None, {"deep": True}]},
    "nan": float("nan"),
    "file": "a name that numpy.savez gives a meaning",
}


class Builder:
    """Counts how often it was asked."""

    def __init__(self, content=CONTENT):
        self.content, self.calls = content, 0

    def __call__(self):
        self.calls += 1
        return self.content


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "made-when-needed"
    monkeypatch.setenv("TRACKDATA_CACHE", str(folder))
    return folder


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    (folder / "annotation.json").write_text("{}")
    return folder


def same(one, other) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    return json.dumps(one) == json.dumps(other)


def load(root, build, inputs=("annotation.json",), options=None, name="test"):
    return load_or_build(open_store(root), name, inputs, options or {}, build)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_what_comes_back_is_what_was_built(root, cache):
    build = Builder()
    first, second = load(root, build), load(root, build)
    assert build.calls == 1
    for found in (first, second):
        assert found.keys() == CONTENT.keys()
        assert all(same(CONTENT[key], found[key]) for key in CONTENT)
    (path,) = files(root)
    assert path.parent == root / ".trackdata"
    assert not cache.exists()
    assert sorted(np.load(path, allow_pickle=False).files) == [
        "array.boxes", "array.flags", "array.none", "array.one", "array.words", "values",
    ]  # fmt: skip


def test_the_first_result_is_as_all_later_ones(root):
    build = Builder({"pairs": ((1, 2), (3, 4)), "by_number": {1: "a"}})
    assert load(root, build) == load(root, build) == {"pairs": [[1, 2], [3, 4]], "by_number": {"1": "a"}}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a file's size", lambda root: (root / "annotation.json").write_text("{ }")),
        ("a file's time", lambda root: os.utime(root / "annotation.json", (1, 1))),
        ("a file that goes", lambda root: (root / "annotation.json").unlink()),
        ("a file that comes", lambda root: (root / "other.json").write_text("")),
        ("a folder's names", lambda root: (root / "train" / "new").mkdir()),
    ],
)
def test_built_again_when_an_input_changes(root, name, change):
    inputs = ("annotation.json", "other.json", "train")
    load(root, Builder(), inputs)
    change(root)
    build = Builder({"new": 1})
    assert load(root, build, inputs) == load(root, build, inputs) == {"new": 1}
    assert build.calls == 1
    assert len(files(root)) == 1  # the stale one is gone


def test_making_the_folder_does_not_make_the_root_look_changed(root):
    build = Builder()
    for _ in range(2):
        load(root, build, inputs=("",))
    assert build.calls == 1


def test_options_and_names_have_indices_of_their_own(root):
    for options, name in (({"subset": "train"}, "x"), ({"subset": "val"}, "x"), ({"subset": "train"}, "y")):
        load(root, Builder({"is": [options, name]}), options=options, name=name)
    assert load(root, None, options={"subset": "train"}, name="x")["is"] == [{"subset": "train"}, "x"]
    assert load(root, None, options={"subset": "val"}, name="x")["is"] == [{"subset": "val"}, "x"]
    assert load(root, None, options={"subset": "train"}, name="y")["is"] == [{"subset": "train"}, "y"]
    with pytest.raises(ValueError, match="an index is called"):
        load(root, Builder(), name="a/b")


def test_another_format_is_built_again(root, monkeypatch):
    load(root, Builder())
    monkeypatch.setattr(index, "FORMAT", index.FORMAT + 1)
    assert load(root, Builder({"new": 1})) == {"new": 1}


def test_data_that_cannot_be_written_to_are_indexed_in_the_cache_folder(root, cache, monkeypatch):
    monkeypatch.setattr(index.os, "access", lambda place, mode: root not in Path(place).parents)
    build = Builder()
    load(root, build)
    load(root, build)
    assert build.calls == 1
    assert not files(root)
    assert len(files(cache)) == 1


def test_an_index_that_lies_beside_the_data_is_used_though_nothing_can_be_written(root, monkeypatch):
    load(root, Builder())
    monkeypatch.setattr(index, "is_writable", lambda folder: False)
    assert same(load(root, None)["boxes"], CONTENT["boxes"])


def test_nowhere_to_write_is_no_error(root, cache, monkeypatch):
    (root / ".trackdata").write_text("a file where the folder should be")
    cache.write_text("here too")
    build = Builder()
    assert same(load(root, build)["boxes"], CONTENT["boxes"])
    load(root, build)
    assert build.calls == 2
    monkeypatch.setattr(index, "cache_folder", lambda: None)
    load(root, build)
    assert build.calls == 3


def test_a_full_disk_is_no_error(root, monkeypatch, caplog):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index, "write_atomically", full)
    assert same(load(root, Builder())["boxes"], CONTENT["boxes"])
    assert "No space left on device" in caplog.text


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "pickle", "other archive", "object array", "bad values"])
def test_a_damaged_index_is_built_again_with_a_note(root, damage, caplog, tmp_path):
    load(root, Builder())
    (path,) = files(root)
    mark = tmp_path / "code has run"

    class Hostile:
        def __reduce__(self):
            return Path.touch, (mark,)

    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("nothing of the kind")
    elif damage == "pickle":
        path.write_bytes(pickle.dumps(Hostile()))
    elif damage == "other archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("values", b"1")
    elif damage == "object array":
        np.savez(path, values=np.array([Hostile()], object), allow_pickle=True)
    else:
        np.savez(path, values=np.frombuffer(b"[1]", np.uint8))
    build = Builder()
    with caplog.at_level(logging.WARNING):
        assert same(load(root, build)["boxes"], CONTENT["boxes"])
    assert build.calls == 1
    assert f"{path}: the index cannot be read and is built again" in caplog.text
    assert not mark.exists()
    load(root, None)


def test_every_flipped_byte_is_noticed_or_harmless(root, caplog):
    load(root, Builder())
    (path,) = files(root)
    good = path.read_bytes()
    for position in range(0, len(good), 19):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x55]) + good[position + 1 :])
        found = load(root, Builder())
        assert all(same(CONTENT[key], found[key]) for key in CONTENT), position


def test_what_cannot_be_kept_is_refused(root):
    with pytest.raises(TypeError, match="array 'x' holds Python objects"):
        load(root, Builder({"x": np.array([{}])}))
    with pytest.raises(TypeError, match="not JSON serializable"):
        load(root, Builder({"x": {1, 2}}))
    with pytest.raises(ZeroDivisionError):
        load(root, lambda: 1 / 0)
    assert not files(root)


def test_archives_and_lmdb_have_their_index_beside_them(tmp_path, cache):
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("inner/annotation.json", name)
    with lmdb.open(str(tmp_path / "c_lmdb"), map_size=1 << 20) as environment, environment.begin(write=True) as put:
        put.put(b"annotation.json", b"c")
    stores = {
        "a": open_store(tmp_path / "a.zip" / "inner"),
        "b": open_store(tmp_path / "b.zip"),
        "c": Below(open_store(tmp_path), "c"),
    }
    for name, store in stores.items():
        load_or_build(store, "x", ["annotation.json"], {}, Builder({"is": name}))
    for name, store in stores.items():
        assert load_or_build(store, "x", ["annotation.json"], {}, None) == {"is": name}
    assert len(files(tmp_path / ".trackdata")) == 2
    assert len(files(tmp_path / "c_lmdb" / ".trackdata")) == 1
    assert open_store(tmp_path).folders() == ["a", "b", "c"]
    assert not cache.exists()


def test_a_store_of_another_kind_uses_the_cache_folder(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Memory:
        def where(self, key):
            return f"memory:{key}"

        def stamp(self, key):
            return "1"

    load_or_build(Memory(), "x", [""], {}, Builder())
    assert len(files(cache)) == 1
    assert not list(tmp_path.iterdir())


def test_threads_build_once(root):
    build, results = Builder(), []
    threads = [threading.Thread(target=lambda: results.append(load(root, build))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build.calls == 1
    assert all(same(found["boxes"], CONTENT["boxes"]) for found in results)


PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from trackdata.index import load_or_build
from trackdata.storage import open_store
root = Path(sys.argv[1])
def build():
    with (root / "calls").open("a") as file:
        file.write("x")
    time.sleep(0.5)
    return {"numbers": np.arange(100_000)}
assert load_or_build(open_store(root), "x", ["annotation.json"], {}, build)["numbers"].sum() == 4999950000
"""


def test_processes_build_once(root):
    command = [sys.executable, "-c", PROGRAM, str(root)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.wait(60), process.stderr.read()) for process in processes] == [(0, "")] * 4
    assert (root / "calls").read_text() == "x"


def test_a_killed_builder_leaves_nothing_in_the_way(root):
    program = PROGRAM.replace("time.sleep(0.5)", "import os; os._exit(9)")
    assert subprocess.run([sys.executable, "-c", program, str(root)]).returncode == 9
    subprocess.run([sys.executable, "-c", PROGRAM, str(root)], check=True)
    assert (root / "calls").read_text() == "xx"


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"TRACKDATA_CACHE": "/scratch/t"}, "/scratch/t"),
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/trackdata"),
        ("linux", {"HOME": "/home/x"}, "/home/x/.cache/trackdata"),
        ("darwin", {"HOME": "/home/x"}, "/home/x/Library/Caches/trackdata"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/trackdata"),
        ("win32", {"HOME": "/home/x"}, "/home/x/AppData/Local/trackdata"),
    ],
)
def test_cache_folder(platform, environment, expected, monkeypatch):
    for name in ("TRACKDATA_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(index.sys, "platform", platform)
    assert cache_folder() == Path(expected)
