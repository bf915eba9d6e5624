"""Setting up from nothing, in a small repository whose only third-party packages are poetry-core and an empty one.

pip runs for real but without a network: the wheels are packed here, that of poetry-core from the running environment.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from locked_requirements import ROOT

pytestmark = pytest.mark.slow

MEMBER = """
[project]
name = "member"
version = "0.1.0"
requires-python = ">=3.11,<3.14"

[project.scripts]
member = "member:main"

[tool.poetry]
packages = [{ include = "member", from = "src" }]

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""


def pack_wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel of an empty package that calls itself by this name and version."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{module}/__init__.py", f"version = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "".join(f"{entry},,\n" for entry in [*archive.namelist(), f"{info}/RECORD"]))
    return wheel


def repack_wheel(folder: Path, name: str) -> Path:
    """Write the wheel of a pure Python distribution of the running environment."""
    distribution = metadata.distribution(name)
    module = name.replace("-", "_")
    wheel = folder / f"{module}-{distribution.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in distribution.files:
            path = file.as_posix()
            if not path.startswith("..") and not path.endswith(
                (".pyc", "/direct_url.json", "/INSTALLER", "/REQUESTED")
            ):
                archive.write(file.locate(), path)
    return wheel


def write_lock(root: Path, *wheels: Path) -> None:
    entries = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        files = f'[{{file = "{wheel.name}", hash = "sha256:{digest}"}}]'
        entry = f'name = "{name.replace("_", "-")}"\nversion = "{version}"\ngroups = ["dev"]\nfiles = {files}\n'
        entries.append(f"[[package]]\n{entry}")
    (root / "poetry.lock").write_text("\n".join([*entries, '[metadata]\nlock-version = "2.1"\n']))


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    repack_wheel(folder, "poetry-core")
    pack_wheel(folder, "torch", "1.0")
    pack_wheel(folder, "torch", "2.0")
    return folder


@pytest.fixture(scope="module")
def prepared(wheelhouse, tmp_path_factory) -> Path:
    """A small repository that has been set up."""
    root = tmp_path_factory.mktemp("prepared") / "repository"
    (root / "tools").mkdir(parents=True)
    for name in ("bootstrap.sh", "locked_requirements.py"):
        shutil.copy(ROOT / "tools" / name, root / "tools" / name)
    source = root / "packages/member/src/member"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("def main():\n    print('at work')\n")
    (root / "packages/member/pyproject.toml").write_text(MEMBER)
    write_lock(root, *wheelhouse.glob("poetry_core-*"), *wheelhouse.glob("torch-1*"))
    result = bootstrap(root, wheelhouse)
    assert result.returncode == 0, result.stdout + result.stderr
    return root


def bootstrap(root: Path, wheelhouse: Path | None, **variables: str) -> subprocess.CompletedProcess:
    """Run the script; without a wheelhouse, pip finds no package at all."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), "PYTHON": sys.executable}
    environment |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(wheelhouse or root)}
    command = [str(root / "tools/bootstrap.sh")]
    return subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=False)


def in_environment(root: Path, code: str) -> str:
    command = [str(root / ".venv/bin/python"), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def stub(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_it_installs_the_locked_versions_and_the_packages_in_place(prepared):
    assert in_environment(prepared, "import torch, member; print(torch.version, member.__file__)").split() == [
        "1.0",
        str(prepared / "packages/member/src/member/__init__.py"),
    ]
    script = subprocess.run([prepared / ".venv/bin/member"], capture_output=True, text=True, check=True)
    assert script.stdout == "at work\n"


def test_a_second_run_does_nothing(prepared):
    result = bootstrap(prepared, wheelhouse=None)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_changed_lock_is_followed_and_a_failed_install_is_tried_again(prepared, wheelhouse):
    write_lock(prepared, *wheelhouse.glob("poetry_core-*"), *wheelhouse.glob("torch-2*"))
    failed = bootstrap(prepared, wheelhouse=None)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert "installing the locked packages failed: ERROR: No matching distribution found for torch==2.0" in line
    log = prepared / ".venv/bootstrap-pip.log"
    assert str(log) in line
    assert "torch==2.0" in log.read_text()
    assert in_environment(prepared, "import torch; print(torch.version)") == "1.0"

    assert bootstrap(prepared, wheelhouse).returncode == 0
    assert in_environment(prepared, "import torch; print(torch.version)") == "2.0"


def test_a_wheel_that_is_not_the_locked_one_is_refused(prepared, wheelhouse, tmp_path):
    shutil.copytree(wheelhouse, tmp_path, dirs_exist_ok=True)
    with zipfile.ZipFile(next(tmp_path.glob("torch-1*")), "a") as archive:
        archive.writestr("torch/planted.py", "")
    write_lock(prepared, *wheelhouse.glob("poetry_core-*"), *wheelhouse.glob("torch-1*"))
    (prepared / ".venv/.bootstrap-stamp").unlink(missing_ok=True)
    shutil.rmtree(next(prepared.glob(".venv/lib/python*/site-packages/torch-*.dist-info")), ignore_errors=True)
    refused = bootstrap(prepared, tmp_path)
    assert refused.returncode == 1
    assert not list(prepared.glob(".venv/lib/python*/site-packages/torch/planted.py"))
    assert bootstrap(prepared, wheelhouse).returncode == 0


def test_a_package_cut_off_while_installing_is_installed_again(prepared, wheelhouse):
    info = next(prepared.glob(".venv/lib/python*/site-packages/torch-*.dist-info"))
    (info / "RECORD").unlink()
    (info.parent / "torch/__init__.py").unlink()
    (prepared / ".venv/.bootstrap-stamp").unlink()
    assert bootstrap(prepared, wheelhouse).returncode == 0
    assert in_environment(prepared, "import torch; print(bool(torch.version))") == "True"


def test_a_broken_environment_is_made_anew(prepared, wheelhouse):
    (prepared / ".venv/bin/python").unlink()
    result = bootstrap(prepared, wheelhouse)
    assert result.returncode == 0, result.stderr
    assert "Making .venv" in result.stdout
    assert in_environment(prepared, "import member; print(member.__name__)") == "member"


def test_a_moved_checkout_gets_an_environment_of_its_own(prepared, wheelhouse, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(prepared, moved, symlinks=True)
    result = bootstrap(moved, wheelhouse)
    assert result.returncode == 0, result.stderr
    assert in_environment(moved, "import member; print(member.__file__)").startswith(str(moved))


def test_a_python_without_ensurepip_is_helped_by_its_pip(prepared, wheelhouse, tmp_path):
    """As on Debian without python3-venv; the pip it installs comes from the wheelhouse."""
    fresh = tmp_path / "repository"
    shutil.copytree(prepared, fresh, ignore=shutil.ignore_patterns(".venv"))
    shutil.copytree(wheelhouse, tmp_path / "wheels")
    repack_wheel(tmp_path / "wheels", "pip")
    refuse = (
        'case "$*" in "-m venv --without-pip"*) ;; "-m venv"*) exit 1 ;; "-c"*base_executable*) echo "$0"; exit ;; esac'
    )
    python = stub(tmp_path / "bin", "python3", f'{refuse}\nexec "{sys.executable}" "$@"')
    result = bootstrap(fresh, tmp_path / "wheels", PYTHON=str(python))
    assert result.returncode == 0, result.stderr
    assert in_environment(fresh, "import member; print(member.__name__)") == "member"


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_another_python_is_refused_in_one_line(prepared, tmp_path, version):
    python = stub(tmp_path / "bin", "python3", f'case "$2" in *exit*) exit 1 ;; *) echo {version} ;; esac')
    result = bootstrap(prepared, None, PYTHON=str(python))
    assert result.returncode == 1
    assert result.stderr == (f"tools/bootstrap.sh: needs Python 3.11, 3.12 or 3.13, but PYTHON={python} is {version}\n")


def test_a_python_that_is_not_there_is_named(prepared):
    result = bootstrap(prepared, None, PYTHON="/nonexistent/python")
    assert result.returncode == 1
    assert "PYTHON=/nonexistent/python is not a working Python" in result.stderr


def test_a_disk_that_is_too_small_is_refused_before_anything_is_made(prepared, tmp_path):
    fresh = tmp_path / "repository"
    shutil.copytree(prepared, fresh, ignore=shutil.ignore_patterns(".venv"))
    stub(tmp_path / "bin", "df", "printf 'Filesystem blocks Used Available\\ndisk 9000000 0 3145728 0%% /\\n'")
    result = bootstrap(fresh, None, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert result.returncode == 1
    assert result.stderr == f"tools/bootstrap.sh: needs about 7 GB free on the disk of {fresh}, which has 3 GB\n"
    assert not (fresh / ".venv").exists()
