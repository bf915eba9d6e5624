"""``trackdata pack``, from the outside."""

import pytest

from trackdata.cli import main
from trackdata.storage import open_store, walk


def test_pack_and_verify(mini, tmp_path, capsys):
    command = ["pack", "--dataset", "got10k", "--root", str(mini / "got10k"), "--split", "val", "--output"]
    for output, kind in ((tmp_path / "lmdb", "lmdb"), (tmp_path / "val.zip", "zip")):
        assert main([*command, str(output), "--to", kind, "--workers", "2"]) == 0
        printed = capsys.readouterr()
        assert f"54 files, 0.0 MB in {output}; 54 written now; 54 compared" in printed.out
        assert "compare" in printed.err
        assert len(list(walk(open_store(output)))) == 54
        assert main([*command, str(output), "--to", kind]) == 0
        assert "written" not in capsys.readouterr().out
        assert main([*command, str(output), "--to", kind, "--verify-only"]) == 0
        assert main(["pack", "--output", str(output), "--to", kind, "--verify-only"]) == 0


def test_problems_are_told_and_counted(tree, tmp_path, capsys):
    for number in range(30):
        (tree / f"{number}.jpg").symlink_to("nowhere")
    command = ["pack", "--root", str(tree), "--output", str(tmp_path / "pack")]
    assert main(command) == 1
    printed = capsys.readouterr()
    assert f"trackdata: {tmp_path / 'pack'}: 0.jpg is left out: cannot be read" in printed.err
    assert "trackdata: and 10 more" in printed.err
    assert "30 problems" in printed.out
    for number in range(30):
        (tree / f"{number}.jpg").unlink()
    (tree / "list.txt").write_text("changed")
    assert main([*command, "--verify-only"]) == 1
    assert "list.txt has other bytes than in the source" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--output", "o"], 2, "give --root"),
        (["--root", ".", "--output", "../o", "--dataset", "got10"], 2, "did you mean 'got10k'"),
        (["--root", "nowhere", "--output", "o"], 1, "there is no such folder"),
        (["--root", ".", "--output", "../o.tar", "--to", "zip"], 1, "ends in .zip"),
        (["--root", ".", "--output", "o", "--to", "tar"], 2, "--to"),
        (["--output", "o", "--verify-only"], 1, "there is no such pack"),
        (["--root", ".", "--output", "../o", "--split", "val"], 1, "packed as a whole"),
        (["--root", ".", "--output", "../o", "--workers", "0"], 1, "workers must be at least 1"),
    ],
)
def test_what_cannot_be(arguments, code, message, tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("1")
    monkeypatch.chdir(tmp_path / "here")
    assert main(["pack", *arguments]) == code
    assert message in capsys.readouterr().err
