"""``trackdata verify``, from the outside."""

import json

import pytest

from trackdata.cli import main


def test_sound_data(mini, capsys):
    command = ["verify", "--dataset", "got10k", "--root", str(mini / "got10k"), "--split", "val"]
    assert main([*command, "--decode", "all", "--workers", "2"]) == 0
    printed = capsys.readouterr()
    assert "2 sequences, 43 frames, 43 decoded" in printed.out
    assert "no faults, 0 notes" in printed.out
    assert "sequences" in printed.err


def test_faults_are_listed_and_give_exit_code_1(mini, tmp_path, capsys):
    command = ["verify", "--dataset", "lasot", "--root", str(mini / "lasot"), "--split", "test"]
    assert main([*command, "--json", str(tmp_path / "report.json")]) == 1
    printed = capsys.readouterr().out
    assert "listed but not there" in printed
    assert "bear-2:" in printed
    assert "and 229 more; --json FILE has all" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["by_kind"] == {"missing": 279}
    assert len(report["findings"]) == report["faults"] == 279


def test_notes_alone_give_exit_code_0(mini, capsys):
    assert main(["verify", "--dataset", "lasot", "--root", str(mini / "lasot"), "--split", "all"]) == 0
    assert "note" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--dataset", "got10", "--root", "."], 2, "did you mean 'got10k'"),
        (["--dataset", "got10k", "--root", ".", "--split", "x"], 1, "no split 'x'"),
        (["--dataset", "got10k", "--root", ".", "--decode", "some"], 2, "--decode"),
        (["--dataset", "got10k", "--root", ".", "--workers", "0"], 1, "at least 1"),
        (["--root", "."], 2, "--dataset"),
    ],
)
def test_what_cannot_be(arguments, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("a\n")
    assert main(["verify", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_folder_that_holds_something_else(tmp_path, capsys):
    assert main(["verify", "--dataset", "got10k", "--root", str(tmp_path), "--split", "val"]) == 1
    assert "expected val/list.txt or list.txt of GOT-10k there" in capsys.readouterr().out
