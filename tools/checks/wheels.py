"""Do the built wheels say what pyproject.toml says, and hold the package and nothing else?"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from checks.repository import Member, Repository


class BuildError(Exception):
    """A wheel could not be built; the text is the end of the build's output."""


def build_wheel(member: Member, destination: Path) -> Path:
    """Build the member's wheel into an empty or new folder and return its path; raises `BuildError`.

    Builds with the backend of the running environment, so nothing is downloaded.
    """
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(destination),
        str(member.folder),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(destination.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-5:])
        raise BuildError(f"{member.name}: `{' '.join(command[1:])}` gave no wheel:\n{tail}")
    return wheels[0]


def check_wheels(repository: Repository, scratch: Path) -> Iterator[str]:
    """Build every member's wheel under `scratch` and compare it with its sources."""
    for member in repository.members.values():
        try:
            wheel = build_wheel(member, scratch / member.name)
        except BuildError as error:
            yield str(error)
            continue
        yield from check_wheel(member, wheel)


def check_wheel(member: Member, wheel: Path) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata_name).decode("utf-8")
    headers = Parser().parsestr(text)  # behind them stands the README, which may well speak of file: URLs
    for name, value in headers.items():
        if "file:" in value:
            yield f"{wheel.name}: METADATA holds 'file:', a path of this machine, in {name}: {value}"
    built = {_normal(Requirement(line)) for line in headers.get_all("Requires-Dist", [])}
    wanted = {_normal(requirement, extra) for extra, requirement in member.requirements()}
    for line in sorted(wanted - built):
        yield f"{wheel.name}: Requires-Dist lacks '{line}' of pyproject.toml"
    for line in sorted(built - wanted):
        yield f"{wheel.name}: Requires-Dist has '{line}', which pyproject.toml does not"
    if headers["Version"] != str(member.version):
        yield f"{wheel.name}: Version is {headers['Version']}, pyproject.toml says {member.version}"
    for path in sorted(member.source.rglob("*.py")):
        if (name := path.relative_to(member.folder / "src").as_posix()) not in names:
            yield f"{wheel.name}: lacks {name}"
    for name in sorted(names):
        top = name.split("/")[0]
        if top != member.module and not top.endswith(".dist-info"):
            yield f"{wheel.name}: holds {name}, outside {member.module}/"
    if not any(name.split("/")[-1] == "LICENSE" for name in names):
        yield f"{wheel.name}: holds no LICENSE"


def _normal(requirement: Requirement, extra: str = "") -> str:
    """Write a requirement in one way, with the marker that an extra adds to it in a wheel."""
    marker = str(requirement.marker) if requirement.marker else ""
    if extra:
        condition = f'extra == "{extra}"'
        marker = str(Marker(f"({marker}) and {condition}" if marker else condition))
    specifiers = ",".join(sorted(str(specifier) for specifier in requirement.specifier))
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{canonicalize_name(requirement.name)}{extras}{specifiers}" + (f" ; {marker}" if marker else "")
