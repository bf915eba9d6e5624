"""Read the pickles inside PyTorch checkpoint files without running anything they ask for.

A pickle is a program: it names importable objects and calls them. Published trackers pickle their training settings
and meters next to the weights, so ``torch.load(weights_only=True)`` refuses them and ``weights_only=False`` runs
whatever the file says. :func:`read` takes the third way. Every name a file mentions is answered by this module and
never by an import:

* tensors, storages and a few plain values (:data:`_ALLOWED`) are rebuilt by the functions below, which check bounds;
* classes of other projects become inert :class:`StandIn` objects that keep their attributes and do nothing;
* anything else of Python's standard library, torch or numpy is refused with :class:`UnsafePickleError`. A file that
  mentions ``os.system`` is not one to take weights from, even though mentioning it does no harm here.

No object of the running program is ever handed to the pickle, so its instructions cannot change one either.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from torch import Tensor

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


class UnsafePickleError(Exception):
    """The pickle names something that has no business in a checkpoint; ``name`` is what it names."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NotACheckpointError(Exception):
    """The file is no PyTorch checkpoint, or a damaged one; the message says which part gave it away."""


class StandIn:
    """What an object of an unknown class becomes: its data, without its behaviour.

    Attributes:
        arguments: what the class would have been called with.
        attributes: the instance's attributes by name.
        contents: items, when the class behaved like a list (a list) or like a dict (a dict), else None.
    """

    def __new__(cls, *arguments: Any, **keywords: Any) -> StandIn:
        self = super().__new__(cls)
        self.arguments = arguments
        self.attributes = dict(keywords)
        self.contents = None
        return self

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Takes anything: the original signature is unknown."""

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.attributes.update(part)
            elif part is not None:
                self.attributes.setdefault("__state__", []).append(part)

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.contents is None:
            self.contents = {}
        self.contents[key] = value

    def append(self, value: Any) -> None:
        """Keep one item of what was a list."""
        if self.contents is None:
            self.contents = []
        self.contents.append(value)

    def extend(self, values: Any) -> None:
        """Keep several items of what was a list."""
        for value in values:
            self.append(value)

    def __repr__(self) -> str:
        return f"<stand-in for {type(self).__module__}.{type(self).__qualname__}>"


class _Call:
    """A function the pickle may call but not alter: a plain function would let it set ``__defaults__``."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("the pickle tries to alter a function")


class _Record(dict):
    """OrderedDict and its kin. State dicts carry module versions as an attribute, which nobody needs."""

    def __setstate__(self, state: Any) -> None:
        """Ignore attributes."""


class _Type:
    """A marker for a type that only ever appears as an argument (a storage class, ``numpy.ndarray``, ``object``)."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("the pickle tries to alter a type")


class _DType:
    """A numpy dtype under construction: the byte order arrives after the type code."""

    __slots__ = ("_value",)

    def __init__(self, code: Any, *flags: Any) -> None:
        self._value = np.dtype(str(code.decode("ascii") if isinstance(code, bytes) else code))

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self._value = self._value.newbyteorder(state[1])

    def resolve(self) -> np.dtype:
        """The dtype, unless its items would be Python objects."""
        if self._value.hasobject or self._value.itemsize == 0:
            raise pickle.UnpicklingError(f"numpy dtype {self._value} is not plain numbers")
        return self._value


class _Array(np.ndarray):
    """A numpy array whose contents arrive after it."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, fortran, raw = state
        if not isinstance(raw, bytes):
            raise pickle.UnpicklingError("a numpy array of Python objects")
        super().__setstate__((version, shape, dtype.resolve(), bool(fortran), raw))


def _numpy_scalar(dtype: _DType, raw: bytes) -> Any:
    return np.frombuffer(raw, dtype=dtype.resolve(), count=1)[0]


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1", "ascii", "utf-8"):
        raise pickle.UnpicklingError(f"text encoding {encoding!r}")
    return text.encode(encoding)


def _rebuild_tensor(
    flat: Tensor, offset: int, size: Any, stride: Any, grad: Any = False, hooks: Any = None, bits: Any = None
) -> Tensor:
    if bits:
        raise pickle.UnpicklingError("a tensor that is stored conjugated or negated")
    # as_strided refuses a view that leaves the storage; Tensor.set_ would enlarge the storage instead.
    return flat.as_strided(tuple(size), tuple(stride), offset)


def _rebuild_tensor_v3(flat: Tensor, offset: int, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any) -> Tensor:
    return _rebuild_tensor(flat.view(dtype), offset, size, stride)


def _rebuild_subclass(build: Any, kind: Any, arguments: tuple, state: Any) -> Any:
    if not isinstance(build, _Call):
        raise pickle.UnpicklingError("a tensor of an unknown class")
    return build(*arguments)


def _reconstruct_object(kind: Any, base: Any, state: Any) -> StandIn:
    if not (isinstance(kind, type) and issubclass(kind, StandIn)):
        raise pickle.UnpicklingError("an object of an unexpected class")
    return kind()


_DTYPES = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
_STORAGES = {
    f"{kind}Storage": dtype
    for kind, dtype in {
        "Double": torch.float64,
        "Float": torch.float32,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
        "ComplexDouble": torch.complex128,
        "ComplexFloat": torch.complex64,
        "Untyped": torch.uint8,
    }.items()
}

_ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": _Record,
    "collections.Counter": _Record,
    "collections.defaultdict": _Call(lambda *factory: _Record()),
    "collections.deque": _Call(lambda items=(), *limit: list(items)),
    "builtins.set": _Call(set),
    "builtins.frozenset": _Call(frozenset),
    "builtins.complex": _Call(complex),
    "builtins.slice": _Call(slice),
    "builtins.object": _Type(object),
    "builtins.dict": _Type(dict),
    "builtins.list": _Type(list),
    "builtins.int": _Type(int),
    "builtins.float": _Type(float),
    "copyreg._reconstructor": _Call(_reconstruct_object),
    "_codecs.encode": _Call(_encode),
    "torch.Size": _Call(lambda sizes=(): tuple(sizes)),
    "torch.device": _Call(lambda *place: ":".join(str(part) for part in place)),
    "torch.Tensor": _Type(Tensor),
    "torch.nn.parameter.Parameter": _Type(Tensor),
    "torch._utils._rebuild_tensor": _Call(_rebuild_tensor),
    "torch._utils._rebuild_tensor_v2": _Call(_rebuild_tensor),
    "torch._utils._rebuild_tensor_v3": _Call(lambda *parts: _rebuild_tensor_v3(*parts[:7])),
    "torch._utils._rebuild_parameter": _Call(lambda data, *rest: data),
    "torch._utils._rebuild_parameter_with_state": _Call(lambda data, *rest: data),
    "torch._tensor._rebuild_from_type_v2": _Call(_rebuild_subclass),
    "numpy.ndarray": _Type(np.ndarray),
    "numpy.dtype": _Call(_DType),
    **{f"torch.{name}": value for name, value in _DTYPES.items()},
    **{f"torch.{name}": _Type(dtype) for name, dtype in _STORAGES.items()},
    **{f"torch.storage.{name}": _Type(dtype) for name, dtype in _STORAGES.items()},
    **{
        f"numpy.{core}.multiarray.{name}": _Call(function)
        for core in ("core", "_core")
        for name, function in {
            "scalar": _numpy_scalar,
            "_reconstruct": lambda *kind: _Array((0,), np.uint8),
        }.items()
    },
}

# Plain records of the standard library that training scripts store; they become stand-ins like project classes do.
_INERT = {
    "argparse.Namespace",
    "types.SimpleNamespace",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "datetime.timezone",
} | {f"pathlib.{name}" for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")}
_INERT_PREFIXES = ("torch.nn.", "torch.optim.")
_PYTHON2_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_REFUSED_ROOTS = sys.stdlib_module_names | {"__builtin__", "commands", "cPickle", "torch", "numpy", "torchvision"}


class SafeUnpickler(pickle._Unpickler):
    """An unpickler that answers every name itself; ``storage`` turns a persistent id into a flat tensor.

    It builds on the unpickler written in Python: the one in C makes room for whatever memo index a pickle mentions, so
    that six bytes can ask for gigabytes, and it answers extension codes from a cache without asking ``find_class``.
    """

    dispatch: ClassVar[dict] = {
        code: method
        for code, method in pickle._Unpickler.dispatch.items()
        if code not in (pickle.EXT1[0], pickle.EXT2[0], pickle.EXT4[0])
    }

    def __init__(self, file: BinaryIO, storage: Callable[[tuple], Tensor] | None = None) -> None:
        # latin1 keeps byte strings of Python 2 pickles as they are
        super().__init__(file, encoding="latin1")
        self._storage = storage
        self._stand_ins: dict[str, type[StandIn]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Answer a global without importing anything."""
        full = f"{_PYTHON2_NAMES.get(module, module)}.{name}"
        if full in _ALLOWED:
            return _ALLOWED[full]
        known_root = module.partition(".")[0] in _REFUSED_ROOTS
        if known_root and full not in _INERT and not full.startswith(_INERT_PREFIXES):
            raise UnsafePickleError(f"{module}.{name}")
        if full not in self._stand_ins:
            self._stand_ins[full] = type(name, (StandIn,), {"__module__": module})
        return self._stand_ins[full]

    def persistent_load(self, identity: Any) -> Tensor:
        """Answer a reference to a tensor's storage."""
        if self._storage is None or not isinstance(identity, tuple) or identity[:1] != ("storage",):
            raise pickle.UnpicklingError(f"reference to {identity!r}")
        return self._storage(identity)


def read(path: Path) -> Any:
    """Return the object saved in a ``torch.save`` file, on the CPU: the zip format and the one before torch 1.6.

    Raises:
        UnsafePickleError: the file names something outside the allowed set; nothing of it was run.
        NotACheckpointError: not such a file, truncated, or damaged (zip archives carry checksums, which are verified).
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            return _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(file)
        except (UnsafePickleError, NotACheckpointError):
            raise
        except OSError as error:
            raise NotACheckpointError(f"reading stopped: {error}") from error
        except Exception as error:  # a damaged pickle can fail in any way, and each of them means the same
            raise NotACheckpointError(f"{type(error).__name__}: {error}") from error


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        roots = [name[: -len("data.pkl")] for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise NotACheckpointError("a zip archive without a data.pkl, so not written by torch.save")
        root = roots[0]
        if f"{root}constants.pkl" in names:
            raise NotACheckpointError("a TorchScript program, not a checkpoint; export its weights with state_dict()")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != sys.byteorder.encode():
            raise NotACheckpointError("written on a machine of the other byte order")
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise NotACheckpointError("a compressed archive; torch.save stores its records uncompressed")
        flats: dict[str, Tensor] = {}

        def storage(identity: tuple) -> Tensor:
            _, kind, key, _, count = identity
            if key not in flats:
                flats[key] = _flat(bytearray(archive.read(f"{root}data/{key}")), kind.value)
            # one storage may be asked for as another type; a view keeps them shared
            return flats[key].view(kind.value)[:count]

        with archive.open(f"{root}data.pkl") as pickled:
            return SafeUnpickler(pickled, storage).load()


def _read_legacy(file: BinaryIO) -> Any:
    file.seek(0)
    size = os.fstat(file.fileno()).st_size
    try:
        magic = SafeUnpickler(file).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # text or any other file: whatever the unpickler stumbled over is of no use to a reader
        raise NotACheckpointError("neither of the two formats that torch.save writes, or cut short") from error
    if magic != _LEGACY_MAGIC:
        raise NotACheckpointError("a pickle, but not one written by torch.save")
    if SafeUnpickler(file).load() != _LEGACY_PROTOCOL:
        raise NotACheckpointError("an unknown version of the old torch.save format")
    SafeUnpickler(file).load()  # sizes of the C types on the machine that wrote it
    flats: dict[str, Tensor] = {}

    def storage(identity: tuple) -> Tensor:
        _, kind, key, _, count, view = identity
        if key not in flats:
            if count * kind.value.itemsize > size:
                raise NotACheckpointError("a storage larger than the file: truncated")
            flats[key] = torch.empty(count, dtype=kind.value)
        if view is None:
            return flats[key]
        _, start, length = view
        return flats[key][start : start + length]

    result = SafeUnpickler(file, storage).load()
    for key in SafeUnpickler(file).load():
        flat = flats[key]
        (count,) = struct.unpack("<q", file.read(8))
        raw = file.read(flat.nbytes)
        if count != flat.numel() or len(raw) != flat.nbytes:
            raise NotACheckpointError("the tensors are cut short: truncated")
        flat.copy_(_flat(bytearray(raw), flat.dtype))
    return result


def _flat(raw: bytearray, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
