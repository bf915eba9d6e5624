"""Planted pickles must be refused, or be inert, and must never have run."""

import contextlib
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trackcore import checkpoints, safe_pickle
from trackcore.safe_pickle import NotACheckpointError, StandIn, UnsafePickleError


def archive(path, pickled: bytes):
    """A file as torch.save lays it out, with ``pickled`` as its pickle."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("archive/data.pkl", pickled)
        out.writestr("archive/byteorder", sys.byteorder)
        out.writestr("archive/version", "3\n")
        out.writestr("archive/data/0", struct.pack("=4f", 1, 2, 3, 4))
    return path


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def call(module: str, name: str, *arguments: str) -> bytes:
    """A pickle of one call, naming the function by STACK_GLOBAL, which allows dotted names."""
    return b"\x80\x04" + text(module) + text(name) + b"\x93(" + b"".join(map(text, arguments)) + b"tR."


class Planted:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


CALLS = {
    "os.system": (os.system, "touch {}"),
    "eval": (eval, "open('{}', 'w')"),
    "exec": (exec, "open('{}', 'w')"),
    "getattr": (getattr, os, "system"),
    "subprocess": (subprocess.call, ["touch", "{}"]),
    "open": (open, "{}", "w"),
    "import": (__import__, "antigravity"),
    "torch.load": (torch.load, "{}"),
    "numpy.load": (np.load, "{}"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("form", ["zip", "legacy", "nested", "bare", "protocol 0"])
def test_planted_calls_are_refused_and_do_not_run(tmp_path, name, form):
    marker = tmp_path / "marker"
    function, *arguments = CALLS[name]
    arguments = [text.format(marker) if isinstance(text, str) else text for text in arguments]
    arguments = [[item.format(marker) for item in value] if isinstance(value, list) else value for value in arguments]
    if os in arguments:  # a module cannot be pickled; its name stands for it
        arguments = ["os", "system"]
    evil = Planted(function, *arguments)
    path = tmp_path / "weights.pth"
    if form in ("zip", "legacy"):
        torch.save({"net": evil}, path, _use_new_zipfile_serialization=form == "zip")
    elif form == "nested":
        torch.save({"net": {"a": torch.ones(2)}, "stats": [{"deep": (1, evil)}]}, path)
    else:
        path.write_bytes(pickle.dumps(evil, protocol=0 if form == "protocol 0" else 4))
    with pytest.raises(checkpoints.UnsafeCheckpointError) as refusal:
        checkpoints.load(path)
    assert str(path) in str(refusal.value)
    assert function.__name__ in str(refusal.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "path.join"),  # a dotted name reaches into a module
        ("posix", "system"),
        ("nt", "system"),
        ("builtins", "getattr"),
        ("__builtin__", "eval"),  # Python 2's names
        ("commands", "getoutput"),
        ("torch", "os.system"),  # a module through another
        ("torch.hub", "load"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch.storage", "_load_from_bytes"),  # would unpickle once more
        ("numpy", "fromfile"),
        ("numpy.core.multiarray", "_reconstruct.__call__"),
        ("collections", "OrderedDict.fromkeys"),
        ("functools", "partial"),
        ("operator", "attrgetter"),
        ("types", "FunctionType"),
        ("copyreg", "__newobj__"),
        ("pickle", "loads"),
        ("ctypes", "CDLL"),
    ],
)
def test_dangerous_names_are_refused(tmp_path, module, name):
    with pytest.raises(UnsafePickleError, match=name.replace(".", r"\.")):
        safe_pickle.read(archive(tmp_path / "f.pth", call(module, name, "x")))


@pytest.mark.parametrize("opcode", [b"(ios\nsystem\n.", b"(cos\nsystem\no.", b"cos\nsystem\n(tR."])
def test_every_opcode_that_names_something_is_gated(tmp_path, opcode):
    with pytest.raises(UnsafePickleError, match=r"os\.system"):
        safe_pickle.read(archive(tmp_path / "f.pth", opcode))


@pytest.mark.parametrize("opcode", [b"\x82\x01.", b"\x83\x01\x00.", b"\x84\x01\x00\x00\x00."])
def test_extension_codes_are_not_read(tmp_path, opcode):
    with pytest.raises(NotACheckpointError):
        safe_pickle.read(archive(tmp_path / "f.pth", b"\x80\x02" + opcode))


def test_a_module_reached_through_an_unknown_package_is_inert(tmp_path):
    marker = tmp_path / "marker"
    # trackcore.checkpoints imports os, so importing the name and following the dots would reach os.system
    content = safe_pickle.read(
        archive(tmp_path / "f.pth", call("trackcore.checkpoints", "os.system", f"touch {marker}"))
    )
    assert isinstance(content, StandIn)
    assert content.arguments == (f"touch {marker}",)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["ctorch._utils\n_rebuild_tensor_v2\n", "cbuiltins\nset\n", "ctorch\nFloatStorage\n", "clib.x\nThing\n"]
)
@pytest.mark.parametrize("state", [b"}X\x01\x00\x00\x00aK\x01s", b"(N}X\x01\x00\x00\x00aK\x01st"])
def test_a_pickle_cannot_alter_what_it_names(tmp_path, name, state):
    with pytest.raises(NotACheckpointError):
        safe_pickle.read(archive(tmp_path / "f.pth", name.encode() + state + b"b."))


def test_attributes_of_stand_ins_stay_data(tmp_path):
    state = b"}(" + text("__class__") + b"K\x01" + text("__reduce__") + b"K\x02" + text("name") + text("x") + b"u"
    content = safe_pickle.read(archive(tmp_path / "f.pth", b"\x80\x02clib.x\nThing\n)\x81" + state + b"b."))
    assert content.attributes == {"__class__": 1, "__reduce__": 2, "name": "x"}
    assert isinstance(content, StandIn)


def tensor(size: str, stride: str, offset: int = 0) -> bytes:
    """A pickled view of the four numbers in the archive."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    sizes = b"(" + b"".join(f"I{value}\n".encode() for value in size.split()) + b"t"
    strides = b"(" + b"".join(f"I{value}\n".encode() for value in stride.split()) + b"t"
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + f"I{offset}\n".encode()
        + sizes
        + strides
        + b"\x89}tR."
    )


def test_a_view_inside_its_storage_is_read(tmp_path):
    content = safe_pickle.read(archive(tmp_path / "f.pth", tensor("2 2", "1 2")))
    assert content.tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("size", "stride", "offset"), [("5", "1", 0), ("2 2", "2 2", 1), ("2", "1", 3), ("2", "1", -1), ("2", "-1", 1)]
)
def test_a_view_outside_its_storage_is_refused(tmp_path, size, stride, offset):
    with pytest.raises(NotACheckpointError):
        safe_pickle.read(archive(tmp_path / "f.pth", tensor(size, stride, offset)))


def test_a_huge_memo_index_costs_nothing(tmp_path):
    assert safe_pickle.read(archive(tmp_path / "f.pth", b"\x80\x02K\x01r\xff\xff\xff\x7f.")) == 1


def test_plain_values_survive(tmp_path):
    import argparse
    import collections
    import pathlib

    counts = collections.defaultdict(list)
    counts["a"].append(1)
    content = {
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("a/b")),
        "counts": counts,
        "size": torch.Size([2, 3]),
        "device": torch.device("cuda:1"),
        "dtype": torch.bfloat16,
        "set": {1, 2},
        "complex": 1 + 2j,
        "number": np.float64(2.5),
        "array": np.arange(6, dtype=">f4").reshape(2, 3),
        "bytes": b"\x00\xff",
        "parameter": torch.nn.Parameter(torch.arange(3.0)),
        "half": torch.arange(4, dtype=torch.float16).reshape(2, 2).T,
        "unsigned": torch.tensor([1, 65535], dtype=torch.uint16),
        "empty": torch.empty(0, 3),
    }
    torch.save(content, tmp_path / "f.pth")
    read = safe_pickle.read(tmp_path / "f.pth")
    assert read["args"].attributes["lr"] == 0.1
    assert read["args"].attributes["out"].arguments == ("a", "b")
    assert read["counts"] == {"a": [1]}
    assert read["size"] == (2, 3)
    assert read["device"] == "cuda:1"
    for name in ("dtype", "set", "complex", "number", "bytes"):
        assert read[name] == content[name]
    np.testing.assert_array_equal(read["array"], content["array"])
    for name in ("parameter", "half", "unsigned", "empty"):
        assert torch.equal(read[name], content[name].data)
        assert read[name].dtype == content[name].dtype
    assert read["half"].stride() == content["half"].stride()


def test_a_conjugated_tensor_is_refused_rather_than_misread(tmp_path):
    torch.save({"a": torch.tensor([1 + 2j]).conj()}, tmp_path / "f.pth")
    with pytest.raises(NotACheckpointError, match="conjugated"):
        safe_pickle.read(tmp_path / "f.pth")


def test_arrays_of_objects_are_refused(tmp_path):
    torch.save({"a": np.array([{}, None], dtype=object)}, tmp_path / "f.pth")
    with pytest.raises(NotACheckpointError, match=r"Python objects|plain numbers"):
        safe_pickle.read(tmp_path / "f.pth")


def test_classes_that_act_as_lists_and_dicts_keep_their_items(tmp_path):
    body = b"clib.x\nBag\n)\x81" + b"(K\x01K\x02e" + b"clib.x\nTable\n)\x81" + text("k") + b"K\x03s" + b"\x86."
    bag, table = safe_pickle.read(archive(tmp_path / "f.pth", b"\x80\x02" + body))
    assert bag.contents == [1, 2]
    assert table.contents == {"k": 3}


@pytest.mark.parametrize("new_format", [True, False])
def test_both_formats_agree_with_torch(tmp_path, new_format):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    shared = torch.arange(10.0)
    saved = {"net": model.state_dict(), "view": shared[2:5], "whole": shared}
    torch.save(saved, tmp_path / "f.pth", _use_new_zipfile_serialization=new_format)
    read = safe_pickle.read(tmp_path / "f.pth")
    expected = torch.load(tmp_path / "f.pth", weights_only=True)
    assert list(read["net"]) == list(expected["net"])
    assert all(torch.equal(read["net"][name], value) for name, value in expected["net"].items())
    assert torch.equal(read["view"], expected["view"])
    read["whole"][2] = 100.0  # the view and the whole share their storage, as they did
    assert read["view"][0] == 100.0


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_garbage_ends_in_one_of_two_errors_or_in_data(tmp_path_factory, garbage):
    path = archive(tmp_path_factory.mktemp("garbage") / "f.pth", garbage)
    with contextlib.suppress(UnsafePickleError, NotACheckpointError):
        safe_pickle.read(path)


def test_torchscript_and_other_archives_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as out:
        out.writestr("m/data.pkl", b"N.")
        out.writestr("m/constants.pkl", b"N.")
    with pytest.raises(NotACheckpointError, match="TorchScript"):
        safe_pickle.read(tmp_path / "script.pt")
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as out:
        out.writestr("readme.txt", "hello")
    with pytest.raises(NotACheckpointError, match=r"data\.pkl"):
        safe_pickle.read(tmp_path / "other.pth")


def test_a_flipped_byte_is_noticed(tmp_path):
    buffer = io.BytesIO()
    torch.save({"net": torch.arange(1000.0)}, buffer)
    raw = bytearray(buffer.getvalue())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "f.pth").write_bytes(raw)
    with pytest.raises(NotACheckpointError, match="CRC"):
        safe_pickle.read(tmp_path / "f.pth")
