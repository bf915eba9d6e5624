"""Reading a pack back and comparing it with its source."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from trackdata.packing.manifests import Newlines
from trackdata.packing.plans import Container
from trackdata.packing.published import with_published_newlines
from trackdata.packing.reports import Packed, PackProgress
from trackdata.storage import LmdbStore, Store, ZipStore, walk

Item = TypeVar("Item")
Result = TypeVar("Result")

STORES = {"lmdb": LmdbStore, "zip": ZipStore}
_AHEAD = 4  # files read ahead by each thread
_TELL_EVERY = 256  # files


def read_source(container: Container, newlines: Newlines, key: str) -> bytes | str:
    """The bytes of a file as they are packed, or in words why there are none."""
    try:
        key.encode()
        data = container.read(key)
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return with_published_newlines(key, data) if newlines == "published" else data


def compare(
    container: Container,
    store: LmdbStore | ZipStore,
    keys: list[str],
    left_out: Mapping[str, str],
    newlines: Newlines,
    workers: int,
    tell: Callable[[PackProgress], None],
) -> Packed:
    """Read everything in ``store`` and compare it with what should be there: ``keys`` without those left out."""
    there = sorted(walk(store))
    surplus = frozenset(there).difference(keys)
    faults = dict.fromkeys(sorted(set(keys).difference(there, left_out)), "is missing")
    content, size, traps = hashlib.sha256(), 0, 0
    files = ahead(partial(_compare_file, container, store, newlines, surplus), there, workers)
    for done, file in enumerate(files, start=1):
        content.update(f"{file.digest}  {file.key}\n".encode())
        size += file.size
        traps += file.trap
        if file.fault:
            faults[file.key] = file.fault
        if done % _TELL_EVERY == 0 or done == len(there):
            tell(PackProgress(store.path, "compare", done, len(there), size))
    return Packed(
        store.path,
        len(there),
        size,
        content.hexdigest(),
        compared=True,
        left_out=left_out,
        faults=faults,
        traps=traps,
    )


class _File(NamedTuple):
    key: str
    size: int
    digest: str
    trap: bool
    fault: str | None


def _compare_file(container: Container, store: Store, newlines: Newlines, surplus: frozenset[str], key: str) -> _File:
    try:
        data = store.read(key)
    except OSError as error:
        return _File(key, 0, "", False, f"cannot be read back ({error.strerror or error})")
    wanted = data if key in surplus else read_source(container, newlines, key)
    if key in surplus:
        fault = "is not in the source"
    elif isinstance(wanted, str):
        fault = f"cannot be compared: in the source it {wanted}"
    else:
        fault = None if data == wanted else "has other bytes than in the source"
    trap = isinstance(store, LmdbStore) and with_published_newlines(key, data) != data
    return _File(key, len(data), hashlib.sha256(data).hexdigest(), trap, fault)


def ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``function`` of every item, in order, computed by threads a few items ahead."""
    if workers == 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    threads = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(threads.submit(function, item))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
