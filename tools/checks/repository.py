"""What the pyproject.toml files and the lock say, read once for all checks."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from locked_requirements import read_lock

# What may be imported by what: each package imports only packages of a lower layer. Methods are on top.
LAYERS = {"trackcore": 0, "trackdata": 1}
METHOD_LAYER = 2
DIRECTION = "imports run one way, methods -> trackdata -> trackcore, and no method imports another"


class RepositoryError(Exception):
    """A pyproject.toml is missing something without which nothing can be checked."""


@dataclass(frozen=True)
class Member:
    """One package of the repository, as its own pyproject.toml describes it.

    `paths` holds the path entries of `[tool.poetry.dependencies]`, resolved; `scripts` the console scripts with what
    each runs, as `module:name`; `entry_points` the same of all other entry points.
    """

    folder: Path
    name: str
    version: Version
    module: str
    requires_python: SpecifierSet
    dependencies: tuple[Requirement, ...]
    extras: dict[str, tuple[Requirement, ...]]
    paths: dict[str, Path]
    scripts: dict[str, str]
    entry_points: tuple[str, ...]

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.module

    @property
    def layer(self) -> int:
        return LAYERS.get(self.name, METHOD_LAYER)

    @property
    def targets(self) -> tuple[str, ...]:
        """The `module:name` of every console script and entry point."""
        return (*self.scripts.values(), *self.entry_points)

    def requirements(self) -> Iterator[tuple[str, Requirement]]:
        """Yield every requirement with the extra it belongs to, "" for the plain ones."""
        for requirement in self.dependencies:
            yield "", requirement
        for extra, requirements in self.extras.items():
            for requirement in requirements:
                yield extra, requirement


@dataclass(frozen=True)
class Repository:
    root: Path
    requires_python: SpecifierSet
    members: dict[str, Member]
    groups: dict[str, dict]  # of the root: group name -> {dependency: Poetry's version text or table}

    @cached_property
    def lock(self) -> dict:
        return read_lock(self.root / "poetry.lock")

    @cached_property
    def modules(self) -> dict[str, Member]:
        """The members by the module they install."""
        return {member.module: member for member in self.members.values()}


def read_repository(root: Path) -> Repository:
    """Read the root's and the members' pyproject.toml; raises `RepositoryError` naming the file that cannot be used."""
    project, poetry = _read(root / "pyproject.toml")
    members = [read_member(path.parent) for path in sorted(root.glob("packages/*/pyproject.toml"))]
    groups = {name: group.get("dependencies", {}) for name, group in poetry.get("group", {}).items()}
    return Repository(
        root=root,
        requires_python=SpecifierSet(project.get("requires-python", "")),
        members={member.name: member for member in members},
        groups=groups,
    )


def read_member(folder: Path) -> Member:
    path = folder / "pyproject.toml"
    project, poetry = _read(path)
    try:
        include = [package["include"] for package in poetry["packages"] if package.get("from") == "src"]
        if len(include) != 1:
            raise RepositoryError(f"{path}: [tool.poetry] packages must name one package from src, found {include}")
        entry_points = [target for group in project.get("entry-points", {}).values() for target in group.values()]
        return Member(
            folder=folder.resolve(),
            name=canonicalize_name(project["name"]),
            version=Version(project["version"]),
            module=include[0],
            requires_python=SpecifierSet(project.get("requires-python", "")),
            dependencies=tuple(map(Requirement, project.get("dependencies", []))),
            extras={
                extra: tuple(map(Requirement, requirements))
                for extra, requirements in project.get("optional-dependencies", {}).items()
            },
            paths={
                canonicalize_name(name): (folder / entry["path"]).resolve()
                for name, entry in poetry.get("dependencies", {}).items()
                if isinstance(entry, dict) and "path" in entry
            },
            scripts=project.get("scripts", {}),
            entry_points=tuple(entry_points),
        )
    except KeyError as error:
        raise RepositoryError(f"{path} has no {error}") from None
    except InvalidRequirement as error:
        raise RepositoryError(f"{path}: {error}") from None


def _read(path: Path) -> tuple[dict, dict]:
    """Return the tables `[project]` and `[tool.poetry]`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RepositoryError(f"{path} is not valid TOML: {error}") from None
    return content.get("project", {}), content.get("tool", {}).get("poetry", {})
