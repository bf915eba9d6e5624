"""Do the members' version ranges, path entries, groups and licences agree?"""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name

from checks.repository import DIRECTION, Member, Repository


def check_metadata(repository: Repository) -> Iterator[str]:
    for member in repository.members.values():
        yield from _check_place(repository, member)
        yield from _check_siblings(repository, member)
    yield from _check_groups(repository)


def _check_place(repository: Repository, member: Member) -> Iterator[str]:
    if member.folder.name != member.name:
        yield f"{member.folder.name}: the folder and the package name {member.name} must be equal"
    if not (member.source / "__init__.py").is_file():
        yield f"{member.name}: [tool.poetry] packages names src/{member.module}, which has no __init__.py"
    if member.requires_python != repository.requires_python:
        yield (
            f"{member.name}: requires-python is '{member.requires_python}', "
            f"the root's is '{repository.requires_python}': they must be equal"
        )
    licence = member.folder / "LICENSE"
    if not licence.is_file() or licence.read_bytes() != (repository.root / "LICENSE").read_bytes():
        yield f"{member.name}: LICENSE must be a copy of the root's, so that the wheel carries it"


def _check_siblings(repository: Repository, member: Member) -> Iterator[str]:
    """Each required sibling has a path entry and a range that admits it, and nothing else has a path entry."""
    required = set()
    for extra, requirement in member.requirements():
        where = f"{member.name}[{extra}]" if extra else member.name
        sibling = repository.members.get(canonicalize_name(requirement.name))
        if requirement.url:
            yield f"{where} requires '{requirement}': a published package cannot depend on a URL; give a version range"
        if sibling is None:
            continue
        required.add(sibling.name)
        if sibling.layer >= member.layer:
            yield f"{where} requires {sibling.name}: {DIRECTION}"
        if not requirement.specifier.contains(sibling.version, prereleases=True):
            yield f"{where} requires '{requirement}', which does not admit this repository's {sibling.version}"
        if not any(specifier.operator in ("<", "==", "~=") for specifier in requirement.specifier):
            yield f"{where} requires '{requirement}': give an upper bound, packages of this repository change together"
        for wanted in sorted(requirement.extras - set(sibling.extras)):
            yield f"{where} requires '{requirement}', but {sibling.name} has no extra '{wanted}'"
    for name in sorted(required - set(member.paths)):
        yield f"{member.name}: [tool.poetry.dependencies] lacks {name} = {{ path = ..., develop = true }}"
    for name, path in member.paths.items():
        if name not in required:
            yield f"{member.name}: [tool.poetry.dependencies] has a path for {name}, which [project] does not require"
        elif path != repository.members[name].folder:
            yield f"{member.name}: the path of {name} leads to {path}, not to {repository.members[name].folder}"


def _check_groups(repository: Repository) -> Iterator[str]:
    for member in repository.members.values():
        entry = repository.groups.get(member.name, {}).get(member.name)
        if not isinstance(entry, dict) or "path" not in entry:
            yield f"root pyproject.toml: no group {member.name} with {member.name} = {{ path = ..., develop = true }}"
            continue
        if (repository.root / entry["path"]).resolve() != member.folder:
            yield f"root pyproject.toml: group {member.name} leads to {entry['path']}, not to {member.folder.name}"
        if entry.get("develop") is not True:
            yield f"root pyproject.toml: group {member.name} lacks develop = true"
        for wanted in sorted(set(entry.get("extras", [])) - set(member.extras)):
            yield f"root pyproject.toml: group {member.name} wants its extra '{wanted}', which does not exist"
