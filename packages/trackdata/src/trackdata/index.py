"""Parsed annotation, kept in one file so that parsing a large dataset is paid for once.

COCO's 860,000 annotations, the XML files of ImageNet VID or the number of frames of 30,000 videos take minutes to
collect and a moment to load. An index is a mapping of names to arrays and JSON values. Its file lies beside the data,
in ``<root>/.trackdata/``, so that everybody who uses the data has it, or in the user's cache folder when that place
cannot be written to. It is an ``.npz`` archive of plain arrays: loading one never runs code.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trackdata.storage import Store
from trackdata.storage.folders import INDEX_FOLDER
from trackdata.writing import alone, write_atomically

_log = logging.getLogger(__name__)

FORMAT = 1  # goes up whenever files of earlier versions must not be read
_VALUES = "values"  # the archive's member with everything that is no array, as JSON
_ARRAY = "array."  # arrays are the members array.<name>


def load_or_build(
    store: Store,
    name: str,
    inputs: Sequence[str],
    options: Mapping[str, Any],
    build: Callable[[], Mapping[str, Any]],
) -> dict[str, Any]:
    """The index ``name`` of the dataset in ``store``: from its file while that is up to date, else from ``build``.

    It is up to date when the stamps of ``inputs``, the options and the version of the file's format are those it was
    built with. When several processes ask at once, one builds and the others wait for its file. A damaged file is built
    again, with a note in the log; when no place can be written to, the index is built each time.

    Args:
        store: where the dataset lies.
        name: what to call the index, for example ``coco-train2017``; letters, digits, ``.``, ``_`` and ``-``.
        inputs: keys of the files and folders the index is made from. A folder stands for the names in it, not for what
            its files and folders hold (:meth:`trackdata.storage.Store.stamp`).
        options: JSON-able: what else decides the result, for instance the reader's options and a number that goes up
            when the reader changes. Indices of different options do not replace each other.
        build: makes the index: arrays of anything but objects, and JSON-able values. Long lists of numbers are loaded
            many times faster as arrays.

    Returns:
        What ``build`` returned, as it is loaded: tuples have become lists, and keys of inner mappings text.

    Raises:
        ValueError: a name that cannot be part of a file's name.
        TypeError: options or values that are neither JSON-able nor plain arrays.
        Exception: whatever ``build`` raises; nothing is written then.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"an index is called by letters, digits, '.', '_' and '-', got {name!r}")
    beside, cache = _places(store, name, options)
    # Made before the stamps are taken: a new folder in the root changes the root's stamp.
    writable = beside is not None and is_writable(beside.parent)
    fingerprint = _digest([FORMAT, options, [(key, store.stamp(key)) for key in inputs]])
    for path in filter(None, (beside, cache)):
        if (index := _load(path, fingerprint)) is not None:
            return index
    if not writable and (cache is None or not is_writable(cache.parent)):
        return _decode(_encode(build(), fingerprint), fingerprint)
    path = beside if writable else cache
    with alone(path.with_name(f".{path.name}.lock")):
        index = _load(path, fingerprint)  # another process may have written it while this one waited
        if index is None:
            content = _encode(build(), fingerprint)
            try:
                write_atomically(path, content)
            except OSError as error:
                _log.warning("%s: the index cannot be kept (%s)", path, error)
            index = _decode(content, fingerprint)
    return index


def cache_folder() -> Path | None:
    """The folder for what can be computed again: ``TRACKDATA_CACHE``, else ``trackdata`` in the platform's folder for
    caches of this user; None when there is no such folder."""
    if chosen := os.environ.get("TRACKDATA_CACHE"):
        return Path(chosen).expanduser().absolute()
    try:
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return Path(base) / "trackdata"


def _places(store: Store, name: str, options: Mapping[str, Any]) -> tuple[Path | None, Path | None]:
    """The index's file beside the data, and the one in the cache folder."""
    root = Path(store.where(""))
    beside = None
    if root.is_absolute():  # a store of another kind may call its place anything
        folder = next((place for place in (root, *root.parents) if place.is_dir()), None)
        if folder is not None:  # shorter than root when that is an archive, or a folder inside one
            inner = root.relative_to(folder).as_posix()
            beside = folder / INDEX_FOLDER / f"{name}-{_digest([options, inner])[:16]}.npz"
    cache = cache_folder()
    if cache is not None:
        cache = cache / "index" / f"{name}-{_digest([options, str(root)])[:16]}.npz"
    return beside, cache


def is_writable(folder: Path) -> bool:
    """Make the folder if need be, and say whether files can be put into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _encode(index: Mapping[str, Any], fingerprint: str) -> bytes:
    arrays = {key: value for key, value in index.items() if isinstance(value, np.ndarray)}
    for key, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"the index's array {key!r} holds Python objects; use numbers, or a list of JSON values")
    values = {key: index[key] for key in index if key not in arrays}
    told = {"fingerprint": fingerprint, "arrays": list(arrays), _VALUES: values}
    text = np.frombuffer(json.dumps(told).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **{_VALUES: text, **{_ARRAY + key: array for key, array in arrays.items()}})
    return buffer.getvalue()


def _decode(source: bytes | Path, fingerprint: str) -> dict[str, Any] | None:
    """The index in ``source``, or None when it was built from something else."""
    with np.load(io.BytesIO(source) if isinstance(source, bytes) else source, allow_pickle=False) as archive:
        told = json.loads(archive[_VALUES].tobytes())
        if told["fingerprint"] != fingerprint:
            return None
        arrays = {key: archive[_ARRAY + key] for key in told["arrays"]}
    return told[_VALUES] | arrays


def _load(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The index in the file at ``path``, or None when there is none that is up to date and in order."""
    if not path.is_file():
        return None
    try:
        return _decode(path, fingerprint)
    except Exception as error:  # a damaged file may fail anywhere in zipfile, NumPy and JSON
        _log.warning("%s: the index cannot be read and is built again (%s: %s)", path, type(error).__name__, error)
        return None
