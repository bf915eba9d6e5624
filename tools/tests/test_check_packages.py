"""Each check finds the fault planted for it, and finds none in the untouched copy."""

import shutil
from pathlib import Path

import pytest

from check_packages import main
from checks.imports import check_imports
from checks.lock import check_lock
from checks.metadata import check_metadata
from checks.repository import Repository, RepositoryError, read_repository
from checks.wheels import build_wheel, check_wheel
from locked_requirements import ROOT

POETRY_SOURCE = '[package.source]\ntype = "directory"'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of what describes the repository: metadata, lock and licences, with packages of one empty module."""
    for name in ("pyproject.toml", "poetry.lock", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    for member in read_repository(ROOT).members.values():
        folder = tmp_path / "packages" / member.name
        (folder / "src" / member.module).mkdir(parents=True)
        for name in ("pyproject.toml", "LICENSE", "README.md"):
            shutil.copy(member.folder / name, folder / name)
        write(folder / "src" / member.module / "__init__.py", "")
        for target in member.targets:
            module, _, name = target.partition(":")
            path = (folder / "src" / Path(*module.split("."))).with_suffix(".py")
            write(path, (path.read_text() if path.exists() else "") + f"def {name}(): ...\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} does not hold {old!r}"
    path.write_text(text.replace(old, new))


def faults(check, root: Path) -> str:
    return "\n".join(check(read_repository(root)))


def test_the_untouched_copy_has_no_fault(root):
    for check in (check_metadata, check_lock, check_imports):
        assert faults(check, root) == ""


METADATA = [
    # what, file, old text, new text, part of the fault
    (
        "a range that leaves the sibling out",
        "trackdata",
        '"trackcore>=0.1,<0.2"',
        '"trackcore>=0.2,<0.3"',
        "does not admit",
    ),
    ("a range without an end", "trackdata", '"trackcore>=0.1,<0.2"', '"trackcore>=0.1"', "upper bound"),
    (
        "a path instead of a range",
        "trackdata",
        '"trackcore>=0.1,<0.2"',
        '"trackcore @ file:///x"',
        "cannot depend on a URL",
    ),
    ("no path entry", "trackdata", 'trackcore = { path = "../trackcore", develop = true }', "", "lacks trackcore"),
    ("a path elsewhere", "trackdata", '"../trackcore"', '"../onestream-track"', "the path of trackcore leads to"),
    ("a path without a range", "trackdata", '    "trackcore>=0.1,<0.2",\n', "", "which [project] does not require"),
    ("an extra that is not there", "onestream-track", "trackcore[train]", "trackcore[trian]", "no extra 'trian'"),
    ("a dependency upwards", "trackcore", '"torch>=2.6"', '"trackdata>=0.1,<0.2"', "imports run one way"),
    ("another Python", "trackcore", ">=3.11,<3.14", ">=3.10,<3.14", "requires-python"),
    ("another name", "trackcore", 'name = "trackcore"', 'name = "core"', "must be equal"),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"), [case[1:] for case in METADATA], ids=[case[0] for case in METADATA]
)
def test_planted_metadata_faults_are_found(root, name, old, new, message):
    replace(root / "packages" / name / "pyproject.toml", old, new)
    assert message in faults(check_metadata, root)


def test_a_package_without_a_group_is_found(root):
    replace(
        root / "pyproject.toml",
        'onestream-track = { path = "packages/onestream-track", develop = true, extras = ["train"] }',
        "",
    )
    assert "no group onestream-track" in faults(check_metadata, root)


def test_a_package_without_its_licence_is_found(root):
    write(root / "packages/trackcore/LICENSE", "other terms")
    assert "LICENSE must be a copy" in faults(check_metadata, root)


def test_a_file_without_a_version_is_named(root):
    replace(root / "packages/trackcore/pyproject.toml", 'version = "0.1.0"', "")
    with pytest.raises(RepositoryError, match=r"packages/trackcore/pyproject\.toml has no 'version'"):
        read_repository(root)


LOCK = [
    (
        "a range that leaves the locked version out",
        "packages/trackcore/pyproject.toml",
        '"av>=14.1"',
        '"av>=13,<14"',
        "outside 'av",
    ),
    (
        "a new requirement",
        "packages/trackdata/pyproject.toml",
        '"jinja2>=3.1"',
        '"jinja2>=3.1", "xarray>=2024"',
        "lacks xarray",
    ),
    (
        "a wider requirement",
        "packages/trackdata/pyproject.toml",
        '"jinja2>=3.1"',
        '"jinja2>=3"',
        "trackdata now has 'jinja2 >=3'",
    ),
    (
        "a dropped requirement",
        "packages/trackdata/pyproject.toml",
        '    "jinja2>=3.1",\n',
        "",
        "no longer has 'jinja2 >=3.1'",
    ),
    (
        "a changed extra",
        "packages/trackcore/pyproject.toml",
        '"accelerate>=1.2"',
        '"accelerate>=1"',
        "in its extra train",
    ),
    (
        "another version of a member",
        "packages/trackcore/pyproject.toml",
        'version = "0.1.0"',
        'version = "0.1.1"',
        "0.1.1",
    ),
    (
        "another version wanted by the root",
        "pyproject.toml",
        'torch = "2.14.1"',
        'torch = "2.14.0"',
        "outside 'torch 2.14.0'",
    ),
    ("a dependency in no wanted group", "poetry.lock", 'name = "jinja2"', 'name = "jinja3"', "would not install it"),
    ("an index of its own", "poetry.lock", POETRY_SOURCE, '[package.source]\ntype = "legacy"', "source of its own"),
]


@pytest.mark.parametrize(("path", "old", "new", "message"), [case[1:] for case in LOCK], ids=[case[0] for case in LOCK])
def test_planted_lock_faults_are_found(root, path, old, new, message):
    replace(root / path, old, new)
    assert message in faults(check_lock, root)


def test_two_locked_versions_in_one_environment_are_found(root):
    lock = root / "poetry.lock"
    entry = next(part for part in lock.read_text().split("[[package]]") if 'name = "safetensors"' in part)
    lock.write_text(lock.read_text() + "\n[[package]]" + entry.replace('version = "0.8.0"', 'version = "0.7.0"'))
    assert "wants safetensors both as" in faults(check_lock, root)


IMPORTS = [
    # what, file under packages/, its text, part of the fault
    ("data in the core", "trackcore/src/trackcore/x.py", "def f():\n    import trackdata\n", "imports run one way"),
    (
        "a method in the data",
        "trackdata/src/trackdata/x.py",
        "from onestream_track import cli\n",
        "imports run one way",
    ),
    (
        "something undeclared",
        "trackdata/src/trackdata/x.py",
        "def f():\n    import hypothesis\n",
        "not even in an extra",
    ),
    ("an extra at the top", "onestream-track/src/onestream_track/__init__.py", "import trackdata\n", "plain install"),
    (
        "an extra behind a module",
        "onestream-track/src/onestream_track/loading.py",
        "from . import x\ndef create(): ...\n",
        "packages/trackcore/src/trackcore/training.py:1 imports accelerate, which a plain install",
    ),
    ("a broken file", "trackcore/src/trackcore/x.py", "def f(:\n", "invalid syntax"),
    (
        "an entry point to nothing",
        "trackcore/src/trackcore/baselines.py",
        "StaticTracker = 1\n",
        "MilTracker' names nothing",
    ),
]


@pytest.mark.parametrize(("path", "text", "message"), [case[1:] for case in IMPORTS], ids=[case[0] for case in IMPORTS])
def test_planted_import_faults_are_found(root, path, text, message):
    write(root / "packages/onestream-track/src/onestream_track/x.py", "from trackcore import training\n")
    write(root / "packages/trackcore/src/trackcore/training.py", "import accelerate\n")
    write(root / "packages" / path, text)
    assert message in faults(check_imports, root)


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import trackdata\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import trackdata\n",
        "try:\n    import trackdata\nexcept ImportError:\n    trackdata = None\n",
        "import os.path, numpy, cv2\nfrom . import cli\nfrom trackcore.baselines import StaticTracker\n",
    ],
    ids=["in a function", "for types", "with a fallback", "declared"],
)
def test_permitted_imports_are_no_fault(root, text):
    write(root / "packages/onestream-track/src/onestream_track/__init__.py", text)
    assert faults(check_imports, root) == ""


def test_a_module_that_no_entry_point_reaches_may_need_an_extra(root):
    write(root / "packages/onestream-track/src/onestream_track/training.py", "import trackdata\nimport accelerate\n")
    assert "accelerate" in faults(check_imports, root)  # declared by trackcore[train], not by this package itself
    write(root / "packages/onestream-track/src/onestream_track/training.py", "import trackdata\n")
    assert faults(check_imports, root) == ""


@pytest.fixture
def repository(root) -> Repository:
    return read_repository(root)


def test_a_wheel_says_what_its_sources_say(repository, tmp_path):
    member = repository.members["onestream-track"]
    write(member.folder / "README.md", "The weights are found by file: URL too.\n")
    wheel = build_wheel(member, tmp_path / "dist")
    assert list(check_wheel(member, wheel)) == []


def test_a_wheel_of_other_sources_is_found(repository, tmp_path):
    """Poetry's own path dependencies put a path into the wheel; a stale wheel lacks files and requirements."""
    metadata = repository.members["trackdata"].folder / "pyproject.toml"
    text = metadata.read_text()
    metadata.write_text(
        text.replace('    "trackcore>=0.1,<0.2",\n', "").replace(
            "dependencies = [", 'dynamic = ["dependencies"]\n_ = ['
        )
    )
    wheel = build_wheel(repository.members["trackdata"], tmp_path / "dist")
    write(repository.members["trackdata"].source / "later.py", "")
    found = "\n".join(check_wheel(repository.members["trackdata"], wheel))
    assert "METADATA holds 'file:'" in found
    assert "Requires-Dist lacks 'trackcore<0.2,>=0.1'" in found
    assert "lacks trackdata/later.py" in found


def test_the_command_lists_every_fault_and_fails(root, capsys):
    replace(root / "packages/trackdata/pyproject.toml", '"trackcore>=0.1,<0.2"', '"trackcore>=0.2"')
    replace(root / "packages/trackcore/pyproject.toml", '"av>=14.1"', '"av>=13,<14"')
    assert main(["--root", str(root), "metadata", "lock"]) == 1
    printed = capsys.readouterr().out
    assert "metadata: 2 faults" in printed
    assert "outside 'av >=13,<14' of trackcore" in printed


def test_the_command_succeeds_without_faults(root, capsys):
    assert main(["--root", str(root), "metadata", "lock", "imports"]) == 0
    assert capsys.readouterr().out == "metadata: ok\nlock: ok\nimports: ok\n"


def test_the_command_names_an_unknown_check(root, capsys):
    with pytest.raises(SystemExit):
        main(["--root", str(root), "whels"])
    assert "no check whels; there are metadata, lock" in capsys.readouterr().err
