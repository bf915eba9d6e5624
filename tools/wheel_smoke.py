#!/usr/bin/env python3
"""Use a package as its users get it: built wheels, a clean environment, nothing else of this repository.

    .venv/bin/python tools/wheel_smoke.py                      onestream-track
    .venv/bin/python tools/wheel_smoke.py trackdata            another package
    .venv/bin/python tools/wheel_smoke.py trackcore --tests    with all extras, then its own tests against the wheel

Builds the wheels of the package and of the siblings it requires, lets pip resolve their third-party requirements with
the locked versions as constraints, imports the package, runs `--help` of its console scripts, and for onestream-track
tracks a small video. Packages of this repository that it does not require must be absent, or the run fails.

With --reuse the third-party packages are not installed but taken from the running environment, which saves minutes and
several GB; the requirements written into the wheels are then not tried.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.utils import canonicalize_name

from checks.repository import Member, Repository, read_repository
from checks.wheels import BuildError, build_wheel
from locked_requirements import ROOT, locked_packages

FRAMES, START = 8, "40,30,32,24"

# Runs in the clean environment: a textured square that moves to the right over a flat background.
WRITE_VIDEO = """
import sys
import numpy as np
from trackcore.video import open_sink

patch = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
with open_sink(sys.argv[1], 10) as sink:
    for step in range(int(sys.argv[2])):
        frame = np.full((120, 160, 3), 96, np.uint8)
        frame[30:54, 40 + 4 * step : 72 + 4 * step] = patch
        sink.write(frame)
"""

ABSENT = """
import importlib.util, sys

found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
sys.exit(f"installed, but not required: {', '.join(found)}" if found else 0)
"""


class SmokeError(Exception):
    """Something that works in the repository does not work from the wheels."""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the repository, echo it, and return its output; raises `SmokeError` where it fails."""
    text = [str(word) for word in command]
    print("$", " ".join(word if "\n" not in word else "..." for word in text), flush=True)
    result = subprocess.run(text, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise SmokeError(f"exit status {result.returncode}:\n{result.stdout.strip()}")
    return result.stdout


def required_members(repository: Repository, member: Member, with_extras: bool) -> list[Member]:
    """Return the member and the siblings that it requires, directly or through others."""
    found: list[Member] = []
    todo = [(member, frozenset(member.extras if with_extras else ()))]
    while todo:
        current, extras = todo.pop()
        if current not in found:
            found.append(current)
        for extra, requirement in current.requirements():
            sibling = repository.members.get(canonicalize_name(requirement.name))
            if sibling and (not extra or extra in extras):
                todo.append((sibling, frozenset(requirement.extras)))
    return found


def make_environment(repository: Repository, members: list[Member], folder: Path, tests: bool, reuse: bool) -> Path:
    """Install the wheels of `members` into a new environment and return its Python.

    With `tests`, the first of them with all its extras, and what its tests need.
    """
    wheels = [build_wheel(member, folder / "wheels" / member.name) for member in members]
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if reuse:
        site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
        here = next(path for path in sys.path if path.endswith("site-packages"))
        # A path in a .pth file is searched, but .pth files inside it are not read: editable packages stay out.
        (Path(site) / "reused.pth").write_text(f"{here}\n")
        run(*install, "--no-deps", "--ignore-installed", *wheels, cwd=folder)
        return python
    constraints = folder / "constraints.txt"
    locked = [package.requirement(with_hashes=False) for package in locked_packages(repository.lock)]
    constraints.write_text("\n".join(locked) + "\n")
    first, *others = wheels
    extras = f"[{','.join(members[0].extras)}]" if tests and members[0].extras else ""
    run(*install, "--constraint", constraints, f"{first}{extras}", *others, cwd=folder)
    run(python, "-m", "pip", "check", cwd=folder)
    if tests:
        run(*install, "--constraint", constraints, "pytest", "hypothesis", cwd=folder)
    return python


def track_video(python: Path, folder: Path) -> None:
    """Track a small video from the command line with an untrained network, and look at what was written."""
    video, output, boxes = folder / "video.mp4", folder / "out.mp4", folder / "boxes.txt"
    run(python, "-c", WRITE_VIDEO, video, str(FRAMES), cwd=folder)
    command = [python.parent / "onestream-track", "track", video, "--init", START, "--recipe", "debug"]
    run(*command, "--output", output, "--save", boxes, cwd=folder)
    lines = [[float(value) for value in line.split(",")] for line in boxes.read_text().splitlines()]
    if len(lines) != FRAMES or any(len(line) != 4 for line in lines):
        raise SmokeError(f"{boxes.name} holds {lines}, expected {FRAMES} lines of x,y,w,h")
    if lines[0] != [float(value) for value in START.split(",")]:
        raise SmokeError(f"{boxes.name} begins with {lines[0]}, expected the given box {START}")
    if not output.is_file() or output.stat().st_size == 0:
        raise SmokeError(f"{output.name} was not written")


def smoke(repository: Repository, member: Member, folder: Path, tests: bool, reuse: bool) -> None:
    members = required_members(repository, member, with_extras=tests)
    python = make_environment(repository, members, folder, tests, reuse)
    absent = [other.module for other in repository.members.values() if other not in members]
    run(python, "-c", ABSENT, *absent, cwd=folder)
    run(python, "-c", f"import {member.module}", cwd=folder)
    for script in member.scripts:
        run(python.parent / script, "--help", cwd=folder)
    if member.name == "onestream-track":
        track_video(python, folder)
    if tests:
        options = ["--rootdir", folder, "--config-file", ROOT / "pyproject.toml", "-q", "-m", "not slow"]
        print(run(python, "-m", "pytest", *options, member.folder / "tests", cwd=folder), end="")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the wheels of a package and use them in a clean environment.")
    parser.add_argument("package", nargs="?", default="onestream-track", help="default: onestream-track")
    parser.add_argument("--tests", action="store_true", help="install all extras and run the package's fast tests too")
    parser.add_argument("--reuse", action="store_true", help="take third-party packages from the running environment")
    options = parser.parse_args(arguments)
    repository = read_repository(ROOT)
    if options.package not in repository.members:
        parser.error(f"no package '{options.package}'; there are {', '.join(repository.members)}")
    member = repository.members[options.package]
    with tempfile.TemporaryDirectory(prefix="wheel-smoke-") as folder:
        try:
            smoke(repository, member, Path(folder).resolve(), options.tests, options.reuse)
        except (SmokeError, BuildError) as error:
            print(f"wheel_smoke: {error}", file=sys.stderr)
            return 1
    print(f"wheel_smoke: {options.package} works from its wheels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
