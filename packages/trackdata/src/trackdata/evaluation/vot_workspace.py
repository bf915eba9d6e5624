"""Entries in the ``trackers.ini`` of a workspace of the VOT toolkit."""

from __future__ import annotations

import configparser
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trackdata.writing import write_atomically


@dataclass(frozen=True)
class Entry:
    """A tracker that is entered: the file, and what the toolkit calls the tracker."""

    file: Path
    name: str


def enter_tracker(
    workspace: Path, tracker: str, options: Sequence[str] = (), region: str = "rectangle", name: str | None = None
) -> Entry:
    """Enter a registered tracker into ``<workspace>/trackers.ini``, which is made when missing; the rest of the file
    stays as it is. Entering the same twice changes nothing.

    Args:
        options: ``KEY=VALUE``, as ``trackdata trax`` takes them.
        region: what the tracker reports.
        name: what the toolkit calls it; by default the tracker's name with characters replaced that the toolkit
            does not allow.

    Raises:
        ValueError: a name that the toolkit does not allow.
        FileExistsError: the file has another entry of this name.
    """
    name = re.sub(r"[^A-Za-z0-9_-]", "-", tracker) if name is None else name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"{name!r} is no name for a tracker in VOT: letters, digits, - and _ are")
    command = [sys.executable, "-m", "trackdata", "trax", "--tracker", tracker, "--region", region]
    for option in options:
        command += ["--tracker-option", option]
    wanted = {"label": tracker, "protocol": "trax", "command": shlex.join(command)}
    file = Path(workspace) / "trackers.ini"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text, str(file))
    if not parser.has_section(name):
        entry = "".join(f"{key} = {value}\n" for key, value in wanted.items())
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        write_atomically(file, f"{text}{gap}[{name}]\n{entry}")
    elif dict(parser.items(name)) != wanted:
        raise FileExistsError(f"{file} has another entry [{name}]; remove it there, or give a name of your own")
    return Entry(file, name)
