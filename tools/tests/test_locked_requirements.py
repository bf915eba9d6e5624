"""Reading poetry.lock: groups, markers, hashes, and what changes the fingerprint."""

from pathlib import Path

import pytest

from locked_requirements import LockError, fingerprint, locked_packages, main, read_lock

LOCK = """
[[package]]
name = "everywhere"
version = "1.0"
groups = ["a", "b"]
files = [{file = "x.whl", hash = "sha256:22"}, {file = "x.tar.gz", hash = "sha256:11"}]

[[package]]
name = "by-group"
version = "2.0"
groups = ["a", "b"]
markers = {a = "python_version < '3.12'", b = "sys_platform == 'linux'"}
files = [{file = "y.whl", hash = "sha256:33"}]

[[package]]
name = "only-b"
version = "3.0"
groups = ["b"]
markers = "os_name == 'posix'"
files = [{file = "z.whl", hash = "sha256:44"}]

[[package]]
name = "unmarked-in-b"
version = "4.0"
groups = ["a", "b"]
markers = {a = "os_name == 'nt'"}
files = [{file = "w.whl", hash = "sha256:55"}]

[[package]]
name = "member"
version = "0.1.0"
groups = ["a"]
files = []
source = {type = "directory", url = "packages/member"}

[metadata]
lock-version = "2.1"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "poetry.lock").write_text(LOCK)
    (tmp_path / "packages/member").mkdir(parents=True)
    (tmp_path / "packages/member/pyproject.toml").write_text("[project]\n")
    return tmp_path


def lines(root: Path, *groups: str) -> list[str]:
    packages = locked_packages(read_lock(root / "poetry.lock"), groups or None)
    return [locked.requirement(with_hashes=False) for locked in packages]


def test_all_groups_join_their_markers_and_leave_members_out(root):
    assert lines(root) == [
        "by-group==2.0 ; (python_version < '3.12') or (sys_platform == 'linux')",
        "everywhere==1.0",
        "only-b==3.0 ; os_name == 'posix'",
        "unmarked-in-b==4.0",
    ]


def test_one_group_has_its_own_markers(root):
    assert lines(root, "a") == [
        "by-group==2.0 ; python_version < '3.12'",
        "everywhere==1.0",
        "unmarked-in-b==4.0 ; os_name == 'nt'",
    ]


def test_hashes_of_all_files_are_printed(root, capsys):
    assert main(["--root", str(root), "--group", "a"]) == 0
    assert "everywhere==1.0 \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\n" in capsys.readouterr().out


def test_an_unknown_group_is_named_with_the_known_ones(root, capsys):
    assert main(["--root", str(root), "--group", "c"]) == 1
    assert "no group c in the lock; it has a, b" in capsys.readouterr().err


def test_a_missing_lock_is_named(tmp_path):
    with pytest.raises(LockError, match=r"poetry\.lock is missing"):
        read_lock(tmp_path / "poetry.lock")
    with pytest.raises(LockError, match=r"poetry\.lock is missing"):
        fingerprint(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [("[[package", "not valid TOML"), ("[metadata]\nlock-version = '2.0'", "lock-version 2.0")]
)
def test_an_unreadable_lock_says_why(tmp_path, content, message):
    (tmp_path / "poetry.lock").write_text(content)
    with pytest.raises(LockError, match=message):
        read_lock(tmp_path / "poetry.lock")


def test_the_fingerprint_follows_the_lock_the_members_and_the_place(root, tmp_path_factory):
    seen = {fingerprint(root)}
    assert fingerprint(root) in seen
    for path in [root / "poetry.lock", root / "packages/member/pyproject.toml"]:
        path.write_text(path.read_text() + "# changed\n")
        seen.add(fingerprint(root))
    (root / "packages/second").mkdir()
    (root / "packages/second/pyproject.toml").write_text("")
    seen.add(fingerprint(root))
    moved = tmp_path_factory.mktemp("moved") / "root"
    root.rename(moved)
    seen.add(fingerprint(moved))
    assert len(seen) == 5
