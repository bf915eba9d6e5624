"""Do imports run one way, and can each package be imported with only what it declares?

Read from the sources with `ast`, nothing is executed. An import is *eager* when importing its module runs it: at the
top of the module or of a class, but not inside a function, under `if TYPE_CHECKING:` or where an ImportError is caught.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from checks.repository import DIRECTION, Member, Repository


@dataclass(frozen=True)
class Import:
    """One imported module: its absolute dotted name, where it stands, and when it runs."""

    name: str
    path: Path
    line: int
    eager: bool
    typing_only: bool

    @property
    def top(self) -> str:
        return self.name.split(".")[0]


class _Collector(ast.NodeVisitor):
    def __init__(self, path: Path, package: str) -> None:
        self.path, self.package = path, package
        self.found: list[Import] = []
        self._eager, self._typing_only = True, False

    def _add(self, name: str, node: ast.stmt) -> None:
        eager = self._eager and not self._typing_only
        self.found.append(Import(name, self.path, node.lineno, eager, self._typing_only))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self.package.split(".")
            parents = parents[: len(parents) - node.level + 1]
            base = ".".join([*parents, base] if base else parents)
        # `from a import b` runs a, and a.b too where b is a module; a name that is no module is dropped when resolved.
        for alias in node.names:
            self._add(f"{base}.{alias.name}", node)

    def _visit_lazily(self, nodes: list[ast.stmt]) -> None:
        before, self._eager = self._eager, False
        for node in nodes:
            self.visit(node)
        self._eager = before

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_lazily(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Try(self, node: ast.Try) -> None:
        caught = {
            name.id
            for handler in node.handlers
            if handler.type
            for name in ast.walk(handler.type)
            if hasattr(name, "id")
        }
        if caught & {"ImportError", "ModuleNotFoundError"}:
            self._visit_lazily(node.body)
            for child in (*node.handlers, *node.orelse, *node.finalbody):
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)
            return
        before, self._typing_only = self._typing_only, True
        for child in node.body:
            self.visit(child)
        self._typing_only = before
        for child in node.orelse:
            self.visit(child)


def collect_imports(path: Path, module: str) -> list[Import]:
    """Return the imports of one file, which is the module of that dotted name."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    collector = _Collector(path, package)
    collector.visit(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    return collector.found


def module_files(member: Member) -> dict[str, Path]:
    """Return the member's files by dotted module name."""
    files = {}
    for path in sorted(member.source.rglob("*.py")):
        parts = path.relative_to(member.source.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def check_imports(repository: Repository) -> Iterator[str]:
    files = {name: path for member in repository.members.values() for name, path in module_files(member).items()}
    try:
        imports = {name: collect_imports(path, name) for name, path in files.items()}
    except SyntaxError as error:
        yield f"{error.filename}:{error.lineno}: {error.msg}"
        return
    for member in repository.members.values():
        yield from _check_direction(repository, member, imports)
        yield from _check_targets(member, files)
        yield from _check_plain_install(repository, member, files, imports)


def _check_direction(repository: Repository, member: Member, imports: dict[str, list[Import]]) -> Iterator[str]:
    """Every import, however late, is of the package itself, a lower layer or something declared."""
    declared = {canonicalize_name(requirement.name) for _, requirement in member.requirements()}
    for found in _own(member, imports):
        where = f"{found.path.relative_to(repository.root)}:{found.line} imports {found.top}"
        undeclared = f"{where}, which {member.name} does not require, not even in an extra"
        if found.top == member.module or found.top in sys.stdlib_module_names:
            continue
        sibling = repository.modules.get(found.top)
        if sibling and sibling.layer >= member.layer:
            yield f"{where}: {DIRECTION}"
        elif sibling and sibling.name not in declared:
            yield f"{undeclared}: add {sibling.name}"
        elif not sibling and not declared.intersection(distributions(found.top)):
            yield f"{undeclared}: add {_names(found.top)}"


def _check_targets(member: Member, files: dict[str, Path]) -> Iterator[str]:
    """Console scripts and entry points lead to something that exists."""
    for target in member.targets:
        module, _, name = target.partition(":")
        if module not in files:
            yield f"{member.name}: the entry point '{target}' names no module of the package"
            continue
        tree = ast.parse(files[module].read_text(encoding="utf-8"))
        bound = {getattr(node, "name", None) for node in tree.body}
        bound |= {
            alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        bound |= {
            name.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for name in node.targets
            if isinstance(name, ast.Name)
        }
        if name not in bound:
            yield f"{member.name}: the entry point '{target}' names nothing that {files[module].name} defines"


def _check_plain_install(
    repository: Repository, member: Member, files: dict[str, Path], imports: dict[str, list[Import]]
) -> Iterator[str]:
    """Without extras, the package, its console scripts and its entry points import.

    Follows eager imports, into siblings too, from these starting points.
    """
    available, installed_siblings = _plain_install(repository, member)
    starts = dict.fromkeys([member.module, *(target.partition(":")[0] for target in member.targets)])
    for start in starts:
        todo, seen = list(_ancestry(start, files)), set()
        while todo:
            module = todo.pop()
            if module in seen:
                continue
            seen.add(module)
            for found in imports[module]:
                if not found.eager or found.top in sys.stdlib_module_names:
                    continue
                where = f"{found.path.relative_to(repository.root)}:{found.line}"
                sibling = repository.modules.get(found.top)
                if sibling and sibling.name in installed_siblings:
                    todo += _ancestry(found.name, files)
                elif sibling or not available.intersection(distributions(found.top)):
                    yield (
                        f"{where} imports {found.top}, which a plain install of {member.name} does not bring, and "
                        f"importing {start} gets there: import it inside the function that needs it, "
                        f"or require {_names(found.top)}"
                    )


def _plain_install(repository: Repository, member: Member) -> tuple[set[str], set[str]]:
    """Return the distributions that installing a member without extras declares, and the members among them."""
    available: set[str] = set()
    siblings = {member.name}
    todo = [(member, frozenset())]
    while todo:
        current, extras = todo.pop()
        for extra, requirement in current.requirements():
            name = canonicalize_name(requirement.name)
            if extra and extra not in extras:
                continue
            if name in repository.members:
                siblings.add(name)
                todo.append((repository.members[name], frozenset(requirement.extras)))
            else:
                available.add(name)
    return available, siblings


def _own(member: Member, imports: dict[str, list[Import]]) -> Iterator[Import]:
    for module, found in imports.items():
        if module.split(".")[0] == member.module:
            yield from found


def _ancestry(name: str, files: dict[str, Path]) -> Iterator[str]:
    """Yield the modules that importing a dotted name runs: a, a.b, a.b.c, as far as they are modules."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        if (module := ".".join(parts[:end])) in files:
            yield module


@cache
def distributions(module: str) -> frozenset[str]:
    """Return the distributions that bring a top-level module; its own name where none is installed."""
    return frozenset(map(canonicalize_name, metadata.packages_distributions().get(module, [module])))


def _names(module: str) -> str:
    return " or ".join(sorted(distributions(module)))
