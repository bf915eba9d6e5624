"""Packs hold the same bytes under the same names, and say when they do not."""

import errno
import hashlib
import json
import os
import zipfile
from pathlib import Path

import lmdb
import pytest

from trackdata.packing import PackError, check_pack, lmdb_writer, pack, packer, read_manifest
from trackdata.sequences import AnnotationError
from trackdata.storage import open_store, walk
from trackdata.storage.lmdbs import MANIFEST

KINDS = ("lmdb", "zip")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def output(kind, tmp_path) -> Path:
    return tmp_path / "out" / ("pack.zip" if kind == "zip" else "pack")


def content(root) -> dict[str, bytes]:
    store = open_store(root)
    return {key: store.read(key) for key in walk(store)}


def test_the_same_bytes_under_the_same_names(tree, output, kind):
    told = []
    report = pack(tree, output, kind, workers=2, on_progress=told.append)
    assert report.complete
    assert report.problems() == []
    assert content(output) == content(tree)
    (part,) = report.packed
    assert (part.path, part.keys, part.written, part.compared) == (output, 11, 11, True)
    assert part.bytes == sum(map(len, content(tree).values()))
    assert {step.phase for step in told} == {"write", "compare"}
    assert (told[-1].done, told[-1].total, told[-1].bytes) == (11, 11, part.bytes)
    assert sorted(path.name for path in output.parent.iterdir()) == [output.name]
    assert f"11 files, 0.0 MB in {output}; 11 written now; 11 compared" in str(report)
    if kind == "lmdb":
        assert [path.name for path in output.iterdir()] == ["data.mdb"]


def test_the_manifest_can_be_checked_without_trackdata(tree, output, kind):
    report = pack(tree, output, kind)
    lines = [f"{hashlib.sha256(data).hexdigest()}  {key}\n" for key, data in sorted(content(tree).items())]
    manifest = read_manifest(output)
    assert manifest.content == hashlib.sha256("".join(lines).encode()).hexdigest() == report.packed[0].content
    assert (manifest.dataset, manifest.keys, manifest.bytes, manifest.left_out) == (None, 11, report.packed[0].bytes, 0)
    if kind == "lmdb":
        with lmdb.open(str(output), readonly=True, lock=False) as environment, environment.begin() as transaction:
            assert json.loads(transaction.get(MANIFEST.encode()))["format"] == "trackdata pack 1"
    else:
        assert json.loads(zipfile.ZipFile(output).comment)["keys"] == 11


def test_packing_again_does_nothing(tree, output, kind, monkeypatch):
    pack(tree, output, kind)
    monkeypatch.setattr(packer, "_WRITERS", {"lmdb": None, "zip": None})
    report = pack(tree, output, kind)
    assert report.complete
    assert (report.packed[0].keys, report.packed[0].written, report.packed[0].compared) == (11, 0, False)


def test_from_one_kind_to_the_other(tree, tmp_path):
    pack(tree, tmp_path / "one", "lmdb")
    pack(tmp_path / "one", tmp_path / "two.zip", "zip")
    pack(tmp_path / "two.zip", tmp_path / "three", "lmdb")
    assert content(tmp_path / "three") == content(tree)
    assert read_manifest(tmp_path / "three") == read_manifest(tmp_path / "one")


def test_the_same_files_make_the_same_archive(tree, tmp_path):
    pack(tree, tmp_path / "one.zip", "zip")
    os.utime(tree / "list.txt", (0, 0))
    pack(tree, tmp_path / "two.zip", "zip", workers=1)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        methods = {info.filename: info.compress_type for info in archive.infolist()}
    assert methods["a/img/00000001.jpg"] == methods["b/inner.zip"] == zipfile.ZIP_STORED
    assert methods["a/groundtruth.txt"] == zipfile.ZIP_DEFLATED


@pytest.mark.parametrize("change", ["changed", "gone", "new", "unreadable"])
def test_differences_from_the_source_are_found(change, tree, output, kind):
    pack(tree, output, kind)
    assert check_pack(tree, output, kind).complete
    path = tree / "a" / "img" / "00000001.jpg"
    if change == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        expected = ["a/img/00000001.jpg has other bytes than in the source"]
    elif change == "gone":
        path.unlink()
        expected = ["a/img/00000001.jpg is not in the source"]
    elif change == "new":
        (tree / "new").write_bytes(b"")
        expected = ["new is missing"]
    else:
        path.unlink()
        path.symlink_to(path)
        expected = [
            "a/img/00000001.jpg cannot be compared: in the source it cannot be read (Too many levels of symbolic links)"
        ]
    report = check_pack(tree, output, kind)
    assert not report.complete
    assert report.problems() == [f"{output}: {line}" for line in expected]


def test_damage_to_a_pack_is_found(tree, output, kind):
    pack(tree, output, kind)
    path = output if kind == "zip" else output / "data.mdb"
    data = path.read_bytes()
    place = data.index((tree / "a" / "img" / "00000001.jpg").read_bytes()[:40]) + 100
    path.write_bytes(data[:place] + b"!" + data[place + 1 :])
    for source in (tree, None):
        open_store(output).close()
        problems = check_pack(source, output, kind).problems()
        assert problems[-1] == f"{output}: (content) is not what the manifest says"
        assert len(problems) == (1 if source is None and kind == "lmdb" else 2)
    with pytest.raises(PackError, match="there is no such pack"):
        check_pack(tree, output.with_name("other.zip"), kind)


def test_a_pack_without_manifest_needs_its_source(tree, tmp_path):
    with lmdb.open(str(tmp_path / "x"), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for key, data in content(tree).items():
            transaction.put(key.encode(), data)
    assert check_pack(tree, tmp_path / "x").complete
    with pytest.raises(PackError, match="has no manifest, so it can only be compared with its source"):
        check_pack(None, tmp_path / "x")
    with pytest.raises(PackError, match="exists and was not packed by trackdata"):
        pack(tree, tmp_path / "x")
    with pytest.raises(PackError, match="not packed by trackdata"):
        pack(tree, tmp_path / "x", overwrite=True)
    assert check_pack(tree, tmp_path / "x").complete


def test_other_content_is_refused_or_replaced(tree, output, kind, mini):
    pack(tree, output, kind)
    with pytest.raises(PackError, match="was packed from other files or with other newlines"):
        pack(mini / "tc128", output, kind)
    with pytest.raises(PackError, match="other newlines"):
        pack(tree, output, kind, newlines="published")
    store = open_store(output)
    assert store.files()  # open while it is replaced
    pack(mini / "tc128", output, kind, overwrite=True)
    assert content(output) == content(mini / "tc128")


def test_files_that_cannot_be_read_are_left_out_and_tried_again(tree, output, kind):
    (tree / "a" / "secret.jpg").symlink_to("/proc/self/mem")  # opens, but cannot be read from its start
    (tree / os.fsdecode(b"name\xff.jpg")).write_bytes(b"1")
    (tree / f"{'long' * 60}").mkdir()
    (tree / f"{'long' * 60}" / f"{'name' * 60}").mkdir()
    (tree / f"{'long' * 60}" / f"{'name' * 60}" / f"{'file' * 60}").write_bytes(b"1")
    (tree / "back\\slash").write_bytes(b"1")
    report = pack(tree, output, kind)
    left_out = report.packed[0].left_out
    assert left_out["a/secret.jpg"] == "cannot be read (Input/output error)"
    assert left_out[os.fsdecode(b"name\xff.jpg")] == "its name is not UTF-8"
    if kind == "lmdb":
        (long,) = [reason for key, reason in left_out.items() if key.startswith("long")]
        assert long == "its name has 722 bytes, and a key of LMDB at most 511"
    else:
        assert left_out["back\\slash"] == "a zip archive cannot have this name"
    assert len(left_out) == 3
    assert not report.complete
    assert len(report.problems()) == 3
    assert read_manifest(output).left_out == 3
    (tree / "a" / "secret.jpg").unlink()
    (tree / "a" / "secret.jpg").write_bytes(b"now it can")
    again = pack(tree, output, kind)
    assert (again.packed[0].written, len(again.packed[0].left_out)) == (1, 2)
    assert open_store(output).read("a/secret.jpg") == b"now it can"
    assert not list(output.parent.glob("*.part"))


def test_a_source_that_changes_while_it_is_packed_is_an_error(tree, output, kind, monkeypatch):
    write = packer._Job._write

    def change(job, *arguments):
        done = write(job, *arguments)
        (tree / "list.txt").write_text("changed")
        return done

    monkeypatch.setattr(packer._Job, "_write", change)
    with pytest.raises(PackError, match=r"1 files are not as in the source, for example list\.txt has other bytes"):
        pack(tree, output, kind)
    assert not output.exists()


def test_the_map_of_lmdb_grows_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_writer, "_FIRST_MAP", 1 << 16)
    monkeypatch.setattr(packer, "_BATCH_BYTES", 1 << 20)
    (tmp_path / "tree").mkdir()
    for number in range(30):
        (tmp_path / "tree" / f"{number}.bin").write_bytes(os.urandom(500_000))
    pack(tmp_path / "tree", tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "tree")


def test_a_full_disk_is_told_and_packing_goes_on(tree, output, kind, monkeypatch):
    class Full(packer._WRITERS[kind]):
        room = 4

        def add(self, items):
            super().add(items[: Full.room])
            if len(items) > Full.room:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(packer._WRITERS, kind, Full)
    with pytest.raises(PackError, match="the disk is full; make room, and the same command goes on from there"):
        pack(tree, output, kind)
    assert not output.exists()
    monkeypatch.undo()
    assert pack(tree, output, kind).packed[0].written == 7
    assert content(output) == content(tree)


def test_places_that_cannot_be(tree, tmp_path):
    with pytest.raises(PackError, match="lies inside the source"):
        pack(tree, tree / "a" / "out")
    with pytest.raises(PackError, match="lies inside the source"):
        pack(tree, tree)
    with pytest.raises(PackError, match=r"the name of a zip archive ends in \.zip"):
        pack(tree, tmp_path / "out", "zip")
    with pytest.raises(AnnotationError, match="there is no such folder"):
        pack(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackError, match="there are no files to pack"):
        pack(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ValueError, match="into lmdb or zip, not 'tar'"):
        pack(tree, tmp_path / "out", "tar")
    with pytest.raises(ValueError, match="workers"):
        pack(tree, tmp_path / "out", workers=0)
    with pytest.raises(ValueError, match="no dataset 'lasott'; did you mean 'lasot'"):
        pack(tree, tmp_path / "out", dataset="lasott")
    assert not (tmp_path / "out").exists()


def test_what_trackdata_keeps_beside_data_is_not_packed(tree, tmp_path):
    (tree / ".trackdata").mkdir()
    (tree / ".trackdata" / "index.npz").write_bytes(b"1")
    assert pack(tree, tmp_path / "out").packed[0].keys == 11


ENDINGS = {
    "nothing more": b"",
    "zeros": bytes(100),  # what a file system may leave after a power failure
    "marks": b"PK\3\4" * 20,
    "other bytes": bytes(range(256)),
}


@pytest.mark.parametrize("step", [101, pytest.param(17, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("known", [True, False])
def test_a_zip_cut_off_anywhere_is_continued(tree, tmp_path, step, ending, known):
    """Whatever of an archive has reached the disk, the finished archive is the same to the byte.

    ``known``: whether the header of the last member has its sizes already; they are written after its data.
    """
    pack(tree, tmp_path / "whole.zip", "zip")
    whole = (tmp_path / "whole.zip").read_bytes()
    headers = [member.header_offset for member in zipfile.ZipFile(tmp_path / "whole.zip").infolist()]
    for length in range(len(ending), len(whole) + 1, step):
        cut = bytearray(whole[:length])
        last = max((header for header in headers if header <= length), default=0)
        if not known:
            cut[last + 14 : last + 26] = bytes(len(cut[last + 14 : last + 26]))
        (tmp_path / "x.zip.part").write_bytes(cut + ENDINGS[ending])
        pack(tree, tmp_path / "x.zip", "zip", workers=1)
        assert (tmp_path / "x.zip").read_bytes() == whole, length
        (tmp_path / "x.zip").unlink()
