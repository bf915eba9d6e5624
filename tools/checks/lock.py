"""Does poetry.lock fit the members as they are now, and does bootstrap install all of it?

Poetry notices a change of the root pyproject.toml by a content hash whose recipe differs between Poetry versions: that
check is left to `poetry check --lock`. What Poetry does not notice, a change in a member, is found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.constraints.version import parse_constraint

from checks.repository import Member, Repository
from locked_requirements import locked_packages

REMEDY = "run `poetry lock`"
SYSTEMS = {
    "Linux x86_64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "Linux aarch64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    "macOS arm64": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}


@dataclass(frozen=True)
class Wanted:
    """A dependency in the terms of the lock: `versions` may be a Poetry constraint such as ">=5.3,<8.3 || >=8.4"."""

    name: str
    extras: frozenset[str] = frozenset()
    versions: str = "*"
    marker: str = ""

    @classmethod
    def of(cls, requirement: Requirement) -> Wanted:
        return cls(
            canonicalize_name(requirement.name),
            frozenset(requirement.extras),
            str(requirement.specifier) or "*",
            str(requirement.marker or ""),
        )

    def admits(self, version: str) -> bool:
        return parse_constraint(self.versions).allows(PoetryVersion.parse(version))

    def applies(self, environment: Mapping[str, str]) -> bool:
        return not self.marker or Marker(self.marker).evaluate(dict(environment))

    def __str__(self) -> str:
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}{extras} {parse_constraint(self.versions)}{marker}"


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name and the marker variables of each environment the packages support."""
    for python in ("3.11", "3.12", "3.13"):
        for name, system in SYSTEMS.items():
            versions = {
                "python_version": python,
                "python_full_version": f"{python}.0",
                "implementation_version": python,
            }
            cpython = {
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
                "os_name": "posix",
            }
            yield f"Python {python} on {name}", {**versions, **cpython, **system, "extra": ""}


def check_lock(repository: Repository) -> Iterator[str]:
    packages = {}
    for package in repository.lock["package"]:
        packages.setdefault(canonicalize_name(package["name"]), []).append(package)
        source = package.get("source", {})
        if source and not (source["type"] == "directory" and package["name"] in repository.members):
            yield f"poetry.lock: {package['name']} comes from a source of its own ({source}); lock it from PyPI"
    for member in repository.members.values():
        yield from _check_record(member, packages)
        yield from _check_ranges(member, repository, packages)
    yield from _check_root(repository, packages)
    for name, environment in environments():
        yield from _check_closure(repository, packages, name, environment)


def _check_record(member: Member, packages: Mapping[str, list[dict]]) -> Iterator[str]:
    """The lock repeats what a member required when it was written: is that what the member requires now?"""
    if member.name not in packages:
        yield f"poetry.lock: lacks {member.name}; {REMEDY}"
        return
    (record,) = packages[member.name]
    locked = {("", str(wanted)) for wanted in _dependencies(record, optional=False)}
    for extra, texts in record.get("extras", {}).items():
        locked |= {(extra, str(Wanted.of(Requirement(text)))) for text in texts}
    current = {(extra, str(Wanted.of(requirement))) for extra, requirement in member.requirements()}
    for extra, wanted in sorted(locked ^ current):
        which = "no longer has" if (extra, wanted) in locked else "now has"
        yield f"poetry.lock: {member.name} {which} '{wanted}'{f' in its extra {extra}' if extra else ''}; {REMEDY}"
    if Version(record["version"]) != member.version:
        yield f"poetry.lock: has {member.name} {record['version']}, its pyproject.toml says {member.version}; {REMEDY}"


def _check_ranges(member: Member, repository: Repository, packages: Mapping[str, list[dict]]) -> Iterator[str]:
    """Every third-party range of a member admits the locked version."""
    for extra, requirement in member.requirements():
        wanted = Wanted.of(requirement)
        if wanted.name in repository.members:
            continue
        if wanted.name not in packages:
            group = f"; add the extra '{extra}' to its group in the root pyproject.toml" if extra else ""
            yield f"poetry.lock: lacks {wanted.name}, which {member.name} requires{group}; {REMEDY}"
        for package in packages.get(wanted.name, []):
            if not wanted.admits(package["version"]):
                yield f"poetry.lock: has {package['version']}, outside '{wanted}' of {member.name}; {REMEDY}"


def _check_root(repository: Repository, packages: Mapping[str, list[dict]]) -> Iterator[str]:
    """Every version that the root's groups ask for is the locked one."""
    for group, wanted in _root_wants(repository):
        if wanted.name in repository.members:
            continue
        if wanted.name not in packages:
            yield f"poetry.lock: lacks {wanted.name} of the root's group {group}; {REMEDY}"
        for package in packages.get(wanted.name, []):
            if not wanted.admits(package["version"]):
                yield f"poetry.lock: has {package['version']}, outside '{wanted}' of the root's group {group}; {REMEDY}"


def _check_closure(
    repository: Repository, packages: Mapping[str, list[dict]], where: str, environment: Mapping[str, str]
) -> Iterator[str]:
    """In one environment, what bootstrap installs without resolving anything holds all that is required, once each.

    Walks from the members and the root's groups along the dependencies that the lock records.
    """
    installed: dict[str, str] = {}
    for locked in locked_packages(repository.lock):
        if not Wanted(locked.name, marker=locked.marker).applies(environment):
            continue
        if locked.name in installed:
            both = f"{installed[locked.name]} and {locked.version}"
            yield f"{where}: the lock wants {locked.name} both as {both}; pin one of them in the root pyproject.toml"
        installed[locked.name] = locked.version
    todo = [wanted for _, wanted in _root_wants(repository) if wanted.applies(environment)]
    seen = set()
    while todo:
        wanted = todo.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        if member := repository.members.get(wanted.name):
            found = [(extra, Wanted.of(requirement)) for extra, requirement in member.requirements()]
            todo += [
                each for extra, each in found if (not extra or extra in wanted.extras) and each.applies(environment)
            ]
        elif wanted.name not in installed:
            yield f"{where}: '{wanted}' is required, but bootstrap would not install it; {REMEDY}"
        elif not wanted.admits(installed[wanted.name]):
            yield f"{where}: '{wanted}' is required, but bootstrap would install {installed[wanted.name]}; {REMEDY}"
        else:
            records = packages[wanted.name]
            record = next(each for each in records if each["version"] == installed[wanted.name])
            for extra in ("", *sorted(wanted.extras)):
                todo += [
                    each
                    for each in _dependencies(record)
                    if each.applies({**environment, "extra": canonicalize_name(extra)})
                ]


def check_environment(repository: Repository) -> Iterator[str]:
    """The running environment holds the locked versions, as far as their markers apply to it."""
    for locked in locked_packages(repository.lock):
        if not Wanted(locked.name, marker=locked.marker).applies({"extra": ""}):
            continue
        try:
            installed = metadata.version(locked.name)
        except metadata.PackageNotFoundError:
            yield f"environment: {locked.name} {locked.version} is not installed; run tools/bootstrap.sh"
            continue
        if Version(installed) != Version(locked.version):
            yield f"environment: holds {locked.name} {installed}, the lock has {locked.version}; run tools/bootstrap.sh"


def _root_wants(repository: Repository) -> Iterator[tuple[str, Wanted]]:
    """Yield what the root's groups ask for, with the group's name."""
    for group, dependencies in repository.groups.items():
        for name, entry in dependencies.items():
            yield group, _wanted(name, entry)


def _dependencies(record: Mapping, optional: bool = True) -> list[Wanted]:
    """Return the dependencies of a lock entry, with or without the optional ones."""
    found = []
    for name, entries in record.get("dependencies", {}).items():
        for entry in entries if isinstance(entries, list) else [entries]:
            if optional or isinstance(entry, str) or not entry.get("optional"):
                found.append(_wanted(name, entry))
    return found


def _wanted(name: str, entry: str | Mapping) -> Wanted:
    """Read a dependency as Poetry writes it: the version alone, or a table."""
    table = {"version": entry} if isinstance(entry, str) else entry
    extras = frozenset(table.get("extras", ()))
    return Wanted(canonicalize_name(name), extras, table.get("version", "*"), table.get("markers", ""))
