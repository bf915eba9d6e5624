"""Writing zip archives, and saying what keeps one from being written."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


class SubmissionError(ValueError):
    """Results cannot be packed.

    Attributes:
        problems: everything that is missing or wrong; the message lists them all.
    """

    def __init__(self, results: Path | str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{results} is not ready for the server, nothing was written:{listed}")


def grouped(reasons: Mapping[str, str]) -> list[str]:
    """One line per reason: names that share one stand together. ``reasons`` has the reason by name."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return [f"{', '.join(listed)}: {reason}" for reason, listed in names.items()]


def beside(folder: Path) -> Path:
    """Where an archive of ``folder`` goes by default: ``<folder>_submit.zip`` next to it."""
    folder = Path(folder).resolve()
    return folder.with_name(f"{folder.name}_submit.zip")


def write_zip(path: Path, entries: Iterable[tuple[str, bytes | None]]) -> Path:
    """Write a zip whose bytes depend on the entries alone.

    Args:
        path: appears complete or not at all, also when an entry cannot be made.
        entries: names and contents, asked for one after the other; None makes a folder, whose name ends in a slash.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in entries:
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_STORED if content is None else zipfile.ZIP_DEFLATED
                info.external_attr = (0o40755 << 16) | 0x10 if content is None else 0o644 << 16
                archive.writestr(info, content or b"")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def pack_folder(folder: Path, archive: Path) -> Path:
    """A zip of the text files that lie directly in ``folder``, as they are: what OSTrack's packers leave as a backup.

    Raises:
        SubmissionError: there are none.
    """
    files = sorted(Path(folder).glob("*.txt"))
    if not files:
        raise SubmissionError(folder, ["no text files"])
    return write_zip(archive, ((file.name, file.read_bytes()) for file in files))
