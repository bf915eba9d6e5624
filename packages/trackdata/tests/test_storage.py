"""The same tree in folders, zip, tar and LMDB: the same names, the same bytes, the same errors."""

import multiprocessing
import pickle
import shutil
import tarfile
import threading
import tracemalloc
import zipfile
from pathlib import Path

import lmdb
import numpy as np
import pytest

from trackdata.sequences import AnnotationError, FrameError
from trackdata.storage import FolderStore, LmdbStore, TarStore, ZipStore, open_store, read_frame, read_text, walk

FILES = {
    "list.txt": b"a\nb\n",
    "a/groundtruth.txt": b"1,2,3,4\n",
    "a/img/00000001.jpg": b"\xff\xd8\xff\xe0 cut off",
    "a/img/00000002.jpg": b"",
    "a-b/groundtruth.txt": b"-",  # "a-b" sorts between "a" and "a/" in no store
    "a0/x": b"0",  # "0" follows "/": the end of the run of keys below "a/"
    "b/c/d/e.bin": bytes(range(256)),
}


def write_folder(root: Path) -> Path:
    for key, data in FILES.items():
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)
    return root


def write_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/", b"")  # archives may name folders
        for key, data in FILES.items():
            archive.writestr(key, data)
        archive.writestr("../outside.txt", b"never read")
    return path


def write_tar(path: Path, tree: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        archive.add(tree, arcname=".")
    return path


def write_lmdb(folder: Path, prefix: str = "") -> Path:
    with lmdb.open(str(folder), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for key, data in FILES.items():
            transaction.put(f"{prefix}{key}".encode(), data)
    return folder


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    base = tmp_path_factory.mktemp("stores")
    tree = write_folder(base / "tree")
    archive, tape = write_zip(base / "tree.zip"), write_tar(base / "tree.tar", tree)
    return {"folder": tree, "zip": archive, "tar": tape, "lmdb": write_lmdb(base / "data")}


KINDS = {"folder": FolderStore, "zip": ZipStore, "tar": TarStore, "lmdb": LmdbStore}


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_bytes_are_the_same(roots, kind):
    store = open_store(roots[kind])
    assert isinstance(store, KINDS[kind])
    assert {key: store.read(key) for key in FILES} == FILES
    assert store.files() == ["list.txt"]
    assert store.folders() == ["a", "a-b", "a0", "b"]
    assert store.files("a/img") == ["00000001.jpg", "00000002.jpg"]
    assert (store.files("a"), store.folders("a")) == (["groundtruth.txt"], ["img"])
    assert (store.files("b"), store.folders("b"), store.folders("b/c")) == ([], ["c"], ["d"])
    assert (store.files("nowhere"), store.folders("nowhere"), store.files("list.txt")) == ([], [], [])
    assert [store.is_file(key) for key in ("list.txt", "a", "a/img", "", "a/img/00000009.jpg")] == [True] + 4 * [False]
    assert store.where("a/x") == f"{roots[kind]}/a/x"
    assert store.stamp("a") != ""


@pytest.mark.parametrize("kind", KINDS)
def test_walking(roots, kind):
    store = open_store(roots[kind])
    assert sorted(walk(store)) == sorted(FILES)
    assert list(walk(store, "a")) == ["a/groundtruth.txt", "a/img/00000001.jpg", "a/img/00000002.jpg"]
    assert list(walk(store, "nowhere")) == []


def test_walking_in_a_circle_ends(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    with pytest.raises(OSError, match="folders do not end here"):
        list(walk(open_store(tmp_path)))


@pytest.mark.parametrize("kind", KINDS)
def test_missing_files_are_named(roots, kind):
    store = open_store(roots[kind])
    with pytest.raises(FileNotFoundError):
        store.read("a/none.txt")
    with pytest.raises(AnnotationError, match=rf"{roots[kind]}/a/none\.txt: there is no such file"):
        read_text(store, "a/none.txt")
    with pytest.raises(FrameError, match=rf"{roots[kind]}/a/none\.jpg: there is no such image"):
        read_frame(store, "a/none.jpg")
    with pytest.raises(FrameError, match="the file is empty"):
        read_frame(store, "a/img/00000002.jpg")
    with pytest.raises(FrameError, match="truncated"):
        read_frame(store, "a/img/00000001.jpg")
    assert read_text(store, "list.txt").lines == ["a", "b"]


def read_all(store):
    return {key: store.read(key) for key in FILES} == FILES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_open_their_own_handles(roots, kind, method):
    store = open_store(roots[kind])
    assert read_all(store)  # opened here before the fork
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(store.read, list(FILES) * 8) == list(FILES.values()) * 8
    assert read_all(pickle.loads(pickle.dumps(store)))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_forked_processes_share_what_is_open(roots, kind, tmp_path):
    """The directory of a large archive is read once, not by each worker."""
    path = shutil.copy(roots[kind], tmp_path)
    store = open_store(path)
    assert read_all(store)
    Path(path).unlink()  # nobody could open it again
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(store.read, list(FILES)) == list(FILES.values())


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_a_store(roots, kind):
    store, seen = open_store(roots[kind]), []
    threads = [threading.Thread(target=lambda: seen.append(all(read_all(store) for _ in range(20)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4


def test_archives_stand_for_folders(tmp_path):
    root = tmp_path / "root"
    write_folder(root / "x")
    write_zip(root / "x.zip")  # the folder x exists, so its archive is not looked at
    write_zip(root / "y.zip")
    write_lmdb(root / "z_lmdb")
    with zipfile.ZipFile(root / "own.zip", "w") as archive:  # wrapped in a folder of its own name
        archive.writestr("own/deep/file", b"1")
    (root / "broken.zip").write_bytes(b"no archive")  # nothing asks for it
    store = open_store(root)
    assert store.files() == ["x.zip"]  # of the others what is in them is listed
    assert store.folders() == ["broken", "own", "x", "y", "z"]  # y.zip and z_lmdb are y and z
    assert store.read("y/a/groundtruth.txt") == store.read("z/a/groundtruth.txt") == FILES["a/groundtruth.txt"]
    assert store.read("own/deep/file") == b"1"
    assert store.folders("own") == ["deep"]
    assert store.where("y/a") == f"{root}/y.zip/a"
    with pytest.raises(AnnotationError, match=r"broken\.zip: cannot be opened as a zip archive"):
        store.files("broken")


def test_a_folder_inside_an_archive(roots):
    inside = open_store(roots["zip"] / "b" / "c")
    assert (inside.folders(), inside.read("d/e.bin")) == (["d"], FILES["b/c/d/e.bin"])
    with pytest.raises(AnnotationError, match="no folder 'nothing' in the archive"):
        open_store(roots["zip"] / "nothing")


def test_what_is_no_store(tmp_path):
    with pytest.raises(AnnotationError, match="there is no such folder"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(AnnotationError, match="is no folder, zip or tar archive"):
        open_store(tmp_path / "x.txt")
    with tarfile.open(tmp_path / "x.tar", "w:gz") as archive:
        archive.add(tmp_path / "x.txt", "x.txt")
    with pytest.raises(AnnotationError, match="compressed ones cannot be read in place"):
        open_store(tmp_path / "x.tar").files()


def test_names_that_lead_outside_are_left_out(roots):
    store = open_store(roots["zip"])
    assert not store.is_file("../outside.txt")
    with pytest.raises(FileNotFoundError):
        store.read("../outside.txt")


def test_damaged_members_are_frame_errors(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", np.random.default_rng(0).bytes(400))
    data = bytearray(path.read_bytes())
    data[100] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FrameError, match=r"a\.jpg: cannot be read .*CRC"):
        read_frame(open_store(path), "a.jpg")


@pytest.mark.parametrize("kind", ["zip", "lmdb"])
def test_a_closed_store_opens_again(roots, kind):
    store = open_store(roots[kind])
    assert read_all(store)
    store.close()
    store.close()
    assert read_all(store)


ZIPS = {
    "in another order": lambda archive: [archive.writestr(key, b"1") for key in ("b", "a/x", "a-b", "B", "a/B")],
    "the same name twice": lambda archive: [archive.writestr("a", data) for data in (b"1", b"2", b"3")],
    "names beyond ASCII": lambda archive: [
        archive.writestr(key, b"1") for key in ("\u00e4/\u00df.jpg", "\u65e5/\u672c", "a")
    ],
    "the longest comment": lambda archive: [archive.writestr("a", b"1"), setattr(archive, "comment", b"c" * 65535)],
    "deflated": lambda archive: [archive.writestr(key, b"0" * 900, zipfile.ZIP_DEFLATED) for key in ("a", "b/c")],
    "nothing": lambda archive: None,
    "empty files": lambda archive: [archive.writestr("a", b""), archive.writestr("b", b"", zipfile.ZIP_DEFLATED)],
    "folders": lambda archive: [archive.writestr("a/", b""), archive.writestr("./b", b"1")],
    "an archive": lambda archive: archive.write(MINI, "inner.zip"),
}
MINI = Path(__file__).parent / "conformance" / "mini_datasets.zip"


@pytest.mark.parametrize("content", ZIPS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips_of_all_kinds(content, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        ZIPS[content](archive)
    check_zip(tmp_path / "x.zip")


def check_zip(path: Path) -> None:
    """The same names and bytes as the standard library finds."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in dict.fromkeys(archive.namelist()) if not name.endswith("/")]
        expected = {name.removeprefix("./"): archive.read(name) for name in names}
    store = ZipStore(path)
    assert sorted(walk(store)) == sorted(expected)
    assert {key: store.read(key) for key in expected} == expected


def test_a_comment_may_hold_anything(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", b"1")
        archive.comment = b"x PK\5\6 y" * 90  # marks of a directory's end; the standard library gives up on this
    assert ZipStore(tmp_path / "x.zip").read("a") == b"1"


def test_a_zip_whose_directory_claims_a_huge_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"0" * 900)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    place = data.index(b"PK\1\2") + 24  # the size, in the directory's entry
    data[place : place + 4] = b"\xfe\xff\xff\xff"
    (tmp_path / "x.zip").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(OSError, match="it has 900 of 4294967294 bytes"):
        ZipStore(tmp_path / "x.zip").read("a")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_zip_behind_something_else(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"#!/bin/sh\n" + MINI.read_bytes())
    check_zip(tmp_path / "x.zip")


class Stream:
    """A file that can only be appended to."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


@pytest.mark.parametrize("forced", [True, False])
def test_streamed_zips(tmp_path, forced):
    """Their members' sizes follow the data."""
    with (tmp_path / "x.zip").open("wb") as file, zipfile.ZipFile(Stream(file), "w") as archive:
        for name in ("a", "b/c"):
            with archive.open(name, "w", force_zip64=forced) as member:
                member.write(name.encode() * 100)
    check_zip(tmp_path / "x.zip")


@pytest.mark.slow
def test_more_members_than_16_bits_count(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(66000):
            archive.writestr(f"{number % 7}/{number}", str(number))
    check_zip(tmp_path / "x.zip")


def test_zip64_numbers(tmp_path):
    """A sparse file of 4.1 GB in front puts everything behind the reach of 32 bits."""
    with (tmp_path / "x.zip").open("wb") as file:
        file.seek(4_100_000_000 + (1 << 28))
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("far/away", b"1" * 1000)
    check_zip(tmp_path / "x.zip")


def test_members_that_cannot_be_read_say_why(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.bz2", b"1" * 100, zipfile.ZIP_BZIP2)
        archive.writestr("b", b"2" * 100)
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\1\2") + 8] |= 1  # encrypted
    path.write_bytes(data)
    store = ZipStore(path)
    with pytest.raises(OSError, match=r"a\.bz2: cannot be unpacked \(it is compressed by method 12; pack it again"):
        store.read("a.bz2")
    with pytest.raises(OSError, match="it is encrypted; pack it again"):
        store.read("b")


def test_damaged_zips_raise_what_is_documented(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in ("a", "b/c", "d"):
            archive.writestr(key, key.encode() * 50)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(600):
        data = bytearray(good)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            data[position] = rng.integers(256)
        damaged = tmp_path / f"{trial}.zip"
        damaged.write_bytes(data[: rng.integers(len(data))] if trial % 4 == 0 else data)
        store = ZipStore(damaged)
        message = str(damaged)
        try:
            keys = list(walk(store))
        except AnnotationError as error:
            keys, message = [], str(error)
        for key in keys:
            try:
                assert store.read(key) in (b"a" * 50, b"b/c" * 50, b"d" * 50)
            except OSError as error:
                message = str(error)
        assert str(damaged) in message
        store.close()


def test_links_that_lead_nowhere_are_listed(tmp_path):
    """Leaving them out would hide that a disk is not mounted."""
    for name, target in (("gone", "nowhere"), ("circle", "circle"), ("file", "real"), ("folder", "inner")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "inner").mkdir()
    store = open_store(tmp_path)
    assert store.files() == ["circle", "file", "gone", "real"]
    assert store.folders() == ["folder", "inner"]
    with pytest.raises(OSError, match="circle"):
        store.read("circle")
