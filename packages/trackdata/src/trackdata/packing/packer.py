"""Writing what a plan says."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from trackdata.packing.comparing import STORES, ahead, compare, read_source
from trackdata.packing.lmdb_writer import LmdbWriter
from trackdata.packing.manifests import Manifest, Newlines, digest_names, read_manifest
from trackdata.packing.plans import Container, Kind, plan
from trackdata.packing.reports import Packed, PackError, PackProgress, PackReport
from trackdata.packing.zip_writer import ZipWriter
from trackdata.storage import Store, open_store
from trackdata.storage.lmdbs import DATA_FILE
from trackdata.writing import alone, write_atomically

_WRITERS = {"lmdb": LmdbWriter, "zip": ZipWriter}
_BATCH_FILES, _BATCH_BYTES = 4096, 1 << 26


def pack(
    source: str | Path | Store,
    output: str | Path,
    kind: Kind = "lmdb",
    dataset: str | None = None,
    split: str | None = None,
    *,
    newlines: Newlines = "as_is",
    workers: int = 4,
    overwrite: bool = False,
    on_progress: Callable[[PackProgress], None] | None = None,
) -> PackReport:
    """Pack a dataset, or any tree of files, and compare what was written with the source.

    An LMDB or zip is called ``<name>.part`` until it is complete. A run that was stopped in any way is continued by the
    same call. Files that cannot be read are left out and reported; the next call tries them again.

    Args:
        source: folder, archive or LMDB of the dataset.
        output: folder of the LMDB, or name of the zip archive; with TrackingNet a folder for both.
        kind: what to pack into.
        dataset, split: which; see :func:`~trackdata.packing.plans.plan`.
        newlines: ``published`` changes text files so that published LMDB readers read them rightly; ``as_is`` packs the
            same bytes.
        workers: threads that read.
        overwrite: replace what was packed of something else; nothing that is no pack is ever removed.
        on_progress: called in this thread.

    Raises:
        PackError: there is something else at ``output``, it lies inside the source, the disk is full, or what was
            written does not read back the same.
        ValueError: no such dataset or split, or workers below 1.
        AnnotationError: the source is none, or does not hold the dataset.
    """
    began = time.perf_counter()
    source, output = open_store(source), Path(output).expanduser().absolute()
    _check(source, output, kind, workers)
    content = plan(source, kind, dataset, split)
    job = _Job(kind, content.dataset, newlines, workers, on_progress or _ignore)
    packed = []
    for container in content.containers:
        path = _place(output, container.name, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock")
        try:
            with alone(lock):
                packed.append(job.run(container, path, overwrite))
        finally:
            lock.unlink(missing_ok=True)
    for name, data in content.loose.items():
        write_atomically(output / name, data)
    return PackReport(output, tuple(packed), time.perf_counter() - began)


def check_pack(
    source: str | Path | Store | None,
    output: str | Path,
    kind: Kind = "lmdb",
    dataset: str | None = None,
    split: str | None = None,
    *,
    workers: int = 4,
    on_progress: Callable[[PackProgress], None] | None = None,
) -> PackReport:
    """Compare a pack with its source, byte by byte, and with its manifest; without a source, with the manifest alone.

    Args:
        source, output, kind, dataset, split, workers, on_progress: as for :func:`pack`.

    Raises:
        PackError: there is no pack, or neither source nor manifest.
        ValueError, AnnotationError: as for :func:`pack`.
    """
    began = time.perf_counter()
    output = Path(output).expanduser().absolute()
    loose = {}
    if source is None:
        containers = {path: Container("", STORES[kind](path)) for path in _find(output, kind)}
    else:
        content = plan(open_store(source), kind, dataset, split)
        containers = {_place(output, container.name, kind): container for container in content.containers}
        loose = content.loose
    packed = []
    for path, container in containers.items():
        if not path.exists():
            raise PackError(f"{path}: there is no such pack")
        manifest = read_manifest(path)
        if source is None and manifest is None:
            raise PackError(f"{path}: has no manifest, so it can only be compared with its source; give that")
        newlines = manifest.newlines if manifest and source is not None else "as_is"
        part = compare(container, STORES[kind](path), container.keys(), {}, newlines, workers, on_progress or _ignore)
        if manifest and (part.keys, part.content) != (manifest.keys, manifest.content):
            part = replace(part, faults={**part.faults, "(content)": "is not what the manifest says"})
        packed.append(part)
    missing = [name for name in loose if not (output / name).is_file() or (output / name).read_bytes() != loose[name]]
    if missing:
        packed.append(Packed(output, 0, 0, "", faults=dict.fromkeys(missing, "is missing or differs")))
    return PackReport(output, tuple(packed), time.perf_counter() - began)


def _ignore(progress: PackProgress) -> None:
    pass


def _check(source: Store, output: Path, kind: Kind, workers: int) -> None:
    if kind not in _WRITERS:
        raise ValueError(f"a dataset is packed into {' or '.join(_WRITERS)}, not {kind!r}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    root = Path(source.where("")).resolve()
    if root == output.resolve() or (root.is_dir() and root in output.resolve().parents):
        raise PackError(f"{output}: lies inside the source {root}; choose a place outside it")


def _place(output: Path, name: str, kind: Kind) -> Path:
    if name:
        return output / (f"{name}_lmdb" if kind == "lmdb" else f"{name}.zip")
    if kind == "zip" and output.suffix != ".zip":
        raise PackError(f"{output}: the name of a zip archive ends in .zip")
    return output


def _find(output: Path, kind: Kind) -> list[Path]:
    """The pack at ``output``, or those in it."""
    if output.is_file() or (output / DATA_FILE).is_file():
        return [output]
    found = sorted(output.glob("*.zip") if kind == "zip" else (path.parent for path in output.glob(f"*/{DATA_FILE}")))
    if not found:
        raise PackError(f"{output}: there is no such pack")
    return found


@dataclass(frozen=True)
class _Job:
    """How containers are written."""

    kind: Kind
    dataset: str | None
    newlines: Newlines
    workers: int
    tell: Callable[[PackProgress], None]

    def run(self, container: Container, path: Path, overwrite: bool) -> Packed:
        """Write a container and compare it, or see that it is there already."""
        part = path.with_name(f"{path.name}.part")
        keys = container.keys()
        if not keys:
            raise PackError(f"{container.source.where('')}: there are no files to pack")
        names = digest_names(keys)
        if path.exists() and not overwrite:
            if (manifest := read_manifest(path)) is None:
                raise PackError(f"{path}: exists and was not packed by trackdata; choose another output or remove it")
            if (manifest.names, manifest.newlines) != (names, self.newlines):
                raise PackError(
                    f"{path}: was packed from other files or with other newlines; choose another output or overwrite it"
                )
            if not manifest.left_out:
                return Packed(path, manifest.keys, manifest.bytes, manifest.content)
            if not part.exists():
                STORES[self.kind](path).close()
                path.rename(part)
        try:
            written, left_out = self._write(container, part, keys)
            store = STORES[self.kind](part)
            try:
                packed = compare(container, store, keys, left_out, self.newlines, self.workers, self.tell)
            finally:
                store.close()  # it is written to again, and renamed
            if packed.faults:
                key, fault = next(iter(packed.faults.items()))
                raise PackError(
                    f"{part}: {len(packed.faults):,} files are not as in the source, for example {key} {fault}; if the "
                    "source has changed since packing began, remove this and pack again"
                )
            about = {"keys": packed.keys, "bytes": packed.bytes, "names": names, "content": packed.content}
            manifest = Manifest(self.dataset, **about, newlines=self.newlines, left_out=len(left_out))
            _WRITERS[self.kind].seal(part, manifest)
        except OSError as error:
            raise PackError(_explain(part, error)) from error
        _replace(part, path, self.kind)
        return replace(packed, path=path, written=written)

    def _write(self, container: Container, part: Path, keys: list[str]) -> tuple[int, dict[str, str]]:
        """Number of files added, and why others were not."""
        left_out: dict[str, str] = {}
        with _WRITERS[self.kind](part, keys) as writer:
            missing = writer.missing(keys)
            batch: list[tuple[str, bytes]] = []
            done, size, total = len(keys) - len(missing), 0, 0
            for key, data in ahead(
                lambda key: (key, read_source(container, self.newlines, key)), missing, self.workers
            ):
                done += 1
                reason = data if isinstance(data, str) else writer.unfit(key, data)
                if reason is not None:
                    left_out[key] = reason
                    continue
                batch.append((key, data))
                size, total = size + len(data), total + len(data)
                if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
                    writer.add(batch)
                    batch, size = [], 0
                    self.tell(PackProgress(part, "write", done, len(keys), total))
            writer.add(batch)
            self.tell(PackProgress(part, "write", done, len(keys), total))
        return len(missing) - len(left_out), left_out


def _replace(part: Path, path: Path, kind: Kind) -> None:
    """Give a finished pack its name. What bears that name goes, if it is a pack."""
    if path.exists():
        if read_manifest(path) is None:
            raise PackError(f"{path}: exists and was not packed by trackdata; remove it, then rename {part.name}")
        STORES[kind](path).close()
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    part.rename(path)


def _explain(part: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
        return f"{part}: the disk is full; make room, and the same command goes on from there ({error})"
    return f"{part}: cannot be written ({error}); once that is mended, the same command goes on from there"
