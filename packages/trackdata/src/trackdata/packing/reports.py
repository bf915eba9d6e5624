"""What packing tells while it works and when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


class PackError(RuntimeError):
    """Packing cannot begin or go on; the message says why and what to do."""


@dataclass(frozen=True)
class PackProgress:
    """How far packing is.

    Attributes:
        path: of the LMDB or zip.
        phase: ``write``, or ``compare`` with the source.
        done, total: files.
        bytes: read in this phase.
    """

    path: Path
    phase: Literal["write", "compare"]
    done: int
    total: int
    bytes: int


@dataclass(frozen=True)
class Packed:
    """What is in one LMDB or zip.

    Attributes:
        path: where it is.
        keys, bytes: number of its files and the sum of their sizes.
        content: their hash, as :attr:`~trackdata.packing.manifests.Manifest.content`.
        written: files written now; the others were there.
        compared: all of it was read back now and compared with the source.
        left_out: why files of the source are not in it, by name.
        faults: what is wrong with it, by name.
        traps: files that published LMDB readers misread: :func:`~trackdata.packing.published.with_published_newlines`.
    """

    path: Path
    keys: int
    bytes: int
    content: str
    written: int = 0
    compared: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    traps: int = 0


@dataclass(frozen=True)
class PackReport:
    """What packing did, or found.

    Attributes:
        output: where the packed dataset is.
        packed: one for each LMDB or zip.
        seconds: wall-clock time.
    """

    output: Path
    packed: tuple[Packed, ...]
    seconds: float

    @property
    def complete(self) -> bool:
        """Everything that is in the source is there, and nothing else."""
        return not any(part.faults or part.left_out for part in self.packed)

    def problems(self) -> list[str]:
        """One line for each file that is not there or is wrong."""
        lines = []
        for part in self.packed:
            lines += [f"{part.path}: {key} is left out: {reason}" for key, reason in part.left_out.items()]
            lines += [f"{part.path}: {key} {fault}" for key, fault in part.faults.items()]
        return lines

    def __str__(self) -> str:
        size, traps = sum(part.bytes for part in self.packed), sum(part.traps for part in self.packed)
        parts = [f"{sum(part.keys for part in self.packed):,} files, {size / 1e6:,.1f} MB in {self.output}"]
        if written := sum(part.written for part in self.packed):
            parts.append(f"{written:,} written now")
        if compared := sum(part.keys for part in self.packed if part.compared):
            parts.append(f"{compared:,} compared")
        if problems := len(self.problems()):
            parts.append(f"{problems:,} problems")
        if traps:
            parts.append(f"{traps:,} text files are misread by published LMDB readers (newlines: published helps)")
        return f"{'; '.join(parts)} ({self.seconds:.1f} s)"
