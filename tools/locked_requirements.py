#!/usr/bin/env python3
"""Print the third-party versions of poetry.lock as pip requirements.

`tools/bootstrap.sh` feeds them to `pip install --no-deps`: setting up needs the standard library and pip, not Poetry.

    tools/locked_requirements.py                       everything, with hashes
    tools/locked_requirements.py --group trackcore     one dependency group of the root pyproject.toml
    tools/locked_requirements.py --no-hashes           usable as a pip constraints file
    tools/locked_requirements.py --fingerprint         a hash of all that decides what an environment must hold

Packages of this repository (directory entries of the lock) are never printed: they are installed from their folders.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class LockError(Exception):
    """poetry.lock is missing or not in a format this tool reads."""


@dataclass(frozen=True)
class Locked:
    """One third-party package of the lock, as wanted by a set of groups.

    `marker` is a PEP 508 environment marker, or "" when the package is wanted everywhere.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def requirement(self, with_hashes: bool) -> str:
        line = f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")
        if not with_hashes:
            return line
        return " \\\n    ".join([line, *(f"--hash={digest}" for digest in self.hashes)])


def read_lock(path: Path) -> dict:
    """Return the parsed lock file; raises `LockError` when it cannot be used."""
    try:
        lock = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LockError(f"{path} is missing: take it from version control, or run `poetry lock`") from None
    except tomllib.TOMLDecodeError as error:
        raise LockError(f"{path} is not valid TOML ({error}): take it from version control again") from None
    version = lock.get("metadata", {}).get("lock-version", "none")
    if not version.startswith("2.") or version == "2.0":
        raise LockError(
            f"{path} has lock-version {version}, expected 2.1 or a later 2.x: write it with Poetry 2.1 or newer"
        )
    return lock


def locked_groups(lock: dict) -> set[str]:
    """Return the names of the dependency groups that the lock covers."""
    return {group for package in lock["package"] for group in package["groups"]}


def locked_packages(lock: dict, groups: Collection[str] | None = None) -> list[Locked]:
    """Return the third-party packages that `groups` (default: every group) need, sorted by name and version.

    Raises `LockError` for a group the lock does not know.
    """
    known = locked_groups(lock)
    wanted = known if groups is None else set(groups)
    if unknown := sorted(wanted - known):
        raise LockError(f"no group {', '.join(unknown)} in the lock; it has {', '.join(sorted(known))}")
    packages = []
    for package in lock["package"]:
        hit = wanted.intersection(package["groups"])
        if not hit or package.get("source", {}).get("type") == "directory":
            continue
        hashes = tuple(sorted(entry["hash"] for entry in package["files"]))
        packages.append(Locked(package["name"], package["version"], _marker(package.get("markers", ""), hit), hashes))
    return sorted(packages, key=lambda locked: (locked.name, locked.version))


def _marker(markers: str | dict[str, str], groups: set[str]) -> str:
    """Join the markers under which `groups` want a package; the lock has one marker for all, or one for each group."""
    if isinstance(markers, str):
        return markers
    each = [markers.get(group, "") for group in sorted(groups)]
    if "" in each:
        return ""
    unique = list(dict.fromkeys(each))
    return unique[0] if len(unique) == 1 else " or ".join(f"({marker})" for marker in unique)


def fingerprint(root: Path) -> str:
    """Return a hash of the lock, the members' metadata, this Python and the place of the checkout.

    The place counts because scripts and editable installs name absolute paths. Raises `LockError` without a lock.
    """
    digest = hashlib.sha256()
    for path in [root / "poetry.lock", *sorted(root.glob("packages/*/pyproject.toml"))]:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise LockError(f"{path} is missing: take it from version control, or run `poetry lock`") from None
        digest.update(f"{path.relative_to(root).as_posix()}\n{len(content)}\n".encode())
        digest.update(content)
    digest.update(f"{sys.version_info[:2]} {platform.machine()} {sys.platform} {root}".encode())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Print the third-party versions of poetry.lock as pip requirements.")
    parser.add_argument("--group", action="append", metavar="NAME", help="only what this group needs; may be repeated")
    parser.add_argument("--no-hashes", action="store_true", help="leave the hashes of the files out")
    parser.add_argument(
        "--fingerprint", action="store_true", help="print a hash of what decides the environment instead"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository; default: the one this file is in")
    options = parser.parse_args(arguments)
    try:
        if options.fingerprint:
            print(fingerprint(options.root.resolve()))
            return 0
        lock = read_lock(options.root / "poetry.lock")
        for locked in locked_packages(lock, options.group):
            print(locked.requirement(with_hashes=not options.no_hashes))
    except LockError as error:
        print(f"locked_requirements: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
