#!/usr/bin/env python3
"""Check that the packages of this repository fit together; prints every fault and exits with 1 when there is one.

- metadata: the members' version ranges, path entries, groups and licences agree;
- lock: poetry.lock was written for the members as they are, and bootstrap installs all that is required, everywhere;
- environment: the environment this runs in holds the locked versions;
- imports: they run one way, and a plain install of a package can be imported;
- wheels: built wheels require what pyproject.toml requires, by version and never by path, and hold the package alone.

Run it with the environment of the repository: .venv/bin/python tools/check_packages.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from checks.imports import check_imports
from checks.lock import check_environment, check_lock
from checks.metadata import check_metadata
from checks.repository import Repository, RepositoryError, read_repository
from checks.wheels import check_wheels
from locked_requirements import ROOT, LockError


def checks(scratch: Path) -> dict[str, Callable[[Repository], Iterable[str]]]:
    """Return the checks by name, in the order they run; wheels are built under `scratch`."""
    return {
        "metadata": check_metadata,
        "lock": check_lock,
        "environment": check_environment,
        "imports": check_imports,
        "wheels": lambda repository: check_wheels(repository, scratch),
    }


def main(arguments: list[str] | None = None) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        available = checks(Path(scratch))
        parser = argparse.ArgumentParser(description="Check that the packages of this repository fit together.")
        parser.add_argument(
            "check", nargs="*", metavar="CHECK", help=f"which to run: {', '.join(available)}; default: all"
        )
        parser.add_argument("--root", type=Path, default=ROOT, help="the repository; default: the one this file is in")
        options = parser.parse_args(arguments)
        if unknown := sorted(set(options.check) - set(available)):
            parser.error(f"no check {', '.join(unknown)}; there are {', '.join(available)}")
        try:
            repository = read_repository(options.root.resolve())
            faults = {
                name: list(dict.fromkeys(check(repository)))
                for name, check in available.items()
                if not options.check or name in options.check
            }
        except (RepositoryError, LockError) as error:
            print(f"check_packages: {error}", file=sys.stderr)
            return 1
    for name, found in faults.items():
        print(f"{name}: {f'{len(found)} faults' if found else 'ok'}")
        for fault in found:
            print(f"  {fault}")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
