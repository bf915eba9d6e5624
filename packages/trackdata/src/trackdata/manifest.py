"""The list of a dataset's videos with their lengths, made once and kept in a file.

Opening half a million files takes hours, so what was learned about a file is kept until its size or its time of change
differs. The file has one line of JSON for each video, sorted by key, those that cannot be read with the reason. While
it is made, lines go to a second file beside it, so that an interrupted run is continued by running it again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from trackdata.errors import AnnotationError
from trackdata.index import cache_folder, is_writable
from trackdata.process_map import Died, map_in_processes
from trackdata.storage import Store
from trackdata.storage.folders import INDEX_FOLDER
from trackdata.writing import alone, write_atomically

FORMAT = "trackdata videos 1"
_SYNC_EVERY = 64  # lines that may be lost when the machine, not only the program, stops


@dataclass(frozen=True)
class Entry:
    """One video.

    Attributes:
        key: its key in the store; that of a folder of images ends in a slash.
        stamp: see :meth:`trackdata.storage.Store.stamp`.
        frames: number of frames, 0 when it cannot be read.
        fps: frames per second, None when unknown.
        duration: in seconds, None when unknown.
        size: (height, width) in pixels, None when it cannot be read.
        fault: why it cannot be read, "" when it can.
    """

    key: str
    stamp: str
    frames: int = 0
    fps: float | None = None
    duration: float | None = None
    size: tuple[int, int] | None = None
    fault: str = ""


@dataclass(frozen=True)
class Manifest:
    """All videos of a dataset, sorted by key."""

    entries: tuple[Entry, ...]

    @cached_property
    def readable(self) -> tuple[Entry, ...]:
        """Videos with at least one frame."""
        return tuple(entry for entry in self.entries if not entry.fault)

    @cached_property
    def unreadable(self) -> tuple[Entry, ...]:
        """The others."""
        return tuple(entry for entry in self.entries if entry.fault)

    @cached_property
    def digest(self) -> str:
        """Names and lengths of the readable videos as a sha256: equal where two machines would draw the same frames."""
        digest = hashlib.sha256()
        for entry in self.readable:
            digest.update(f"{entry.key}\t{entry.frames}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()


@dataclass(frozen=True)
class Places:
    """Where the manifest of a dataset may be kept.

    Attributes:
        file: where it is written.
        elsewhere: a second file whose entries are believed too, or None.
    """

    file: Path
    elsewhere: Path | None = None


def manifest_places(store: Store, cache: str | Path | None = None) -> Places:
    """Beside the data, in ``.trackdata/`` of the root or of the folder its archive lies in, or in a cache folder.

    Args:
        store: the dataset.
        cache: the cache folder to use. None prefers the place beside the data, and takes
            :func:`trackdata.index.cache_folder` where nothing can be written there.

    Raises:
        AnnotationError: neither place can be written to.
    """
    root = Path(store.where("")).absolute()
    folder = next(place for place in (root, *root.parents) if place.is_dir())
    name = "-".join(("videos", *root.relative_to(folder).parts)) + ".jsonl"
    beside = folder / INDEX_FOLDER / name
    if cache is None and is_writable(beside.parent):
        return Places(beside)
    base = cache_folder() if cache is None else Path(cache)
    if base is None or not is_writable(base):
        raise AnnotationError(
            f"{root}: the manifest can be kept neither in {beside.parent} nor in {base}; set TRACKDATA_CACHE"
        )
    return Places(base / f"{root.name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}-{name}", beside)


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file, or what there is of one that is not finished; empty when it does not exist or is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return Manifest(())
    if not lines or lines[0] != _HEADER:
        return Manifest(())
    return Manifest(tuple(entry for line in lines[1:] if (entry := _parse(line)) is not None))


def _parse(line: str) -> Entry | None:
    """The entry on a line; None for one that was cut off when the program was killed, or is damaged otherwise."""
    try:
        fields = json.loads(line)
        height_width = fields.pop("size")
        return Entry(**fields, size=None if height_width is None else tuple(height_width))
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def build_manifest(
    places: Places,
    stamps: Mapping[str, str],
    inspect: Callable[[str], Entry],
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Bring a manifest up to date and return it.

    Several processes may ask at once; one of them does the work and the others wait for it.

    Args:
        places: see :func:`manifest_places`.
        stamps: the present stamp of every video by key. Entries with another stamp are made anew, those without a video
            are dropped.
        inspect: makes an entry; picklable.
        workers: processes that inspect videos; 1 works in this one. More start fresh interpreters, so a script must
            guard its entry point with ``if __name__ == "__main__"``.
        on_progress: called with the number of videos that are done and of all.

    Raises:
        OSError: the disk is full.
    """
    for path in filter(None, (places.file, places.elsewhere)):
        present = read_manifest(path)
        if {entry.key: entry.stamp for entry in present.entries} == dict(stamps):
            return present
    with alone(places.file.with_name(f".{places.file.name}.lock")):
        return _complete(places, stamps, inspect, workers, on_progress)


def _complete(
    places: Places,
    stamps: Mapping[str, str],
    inspect: Callable[[str], Entry],
    workers: int,
    on_progress: Callable[[int, int], None] | None,
) -> Manifest:
    unfinished = places.file.with_name(f"{places.file.name}.partial")
    files = filter(None, (places.elsewhere, places.file, unfinished))
    found = (entry for file in files for entry in read_manifest(file).entries)
    known = {entry.key: entry for entry in found if stamps.get(entry.key) == entry.stamp}
    missing = [key for key in stamps if key not in known]
    write_atomically(unfinished, _text(known.values()))
    with unfinished.open("a", encoding="utf-8") as journal:
        if on_progress and known:
            on_progress(len(known), len(stamps))
        for count, (key, made) in enumerate(map_in_processes(inspect, missing, workers), start=1):
            died = Entry(key, stamps[key], fault="the process that read it died")
            known[key] = died if isinstance(made, Died) else made
            journal.write(_line(known[key]))
            journal.flush()
            if count % _SYNC_EVERY == 0:
                os.fsync(journal.fileno())
            if on_progress:
                on_progress(len(known), len(stamps))
    manifest = Manifest(tuple(known[key] for key in sorted(stamps)))
    write_atomically(places.file, _text(manifest.entries))
    unfinished.unlink()
    return manifest


_HEADER = json.dumps({"format": FORMAT})


def _text(entries: Iterable[Entry]) -> str:
    return _HEADER + "\n" + "".join(map(_line, entries))


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry)) + "\n"
