"""The command ``trackdata synth``."""

import subprocess
import sys

import pytest

from trackdata.cli import main
from trackdata.datasets import open_dataset, open_videos
from trackdata.synth.layouts import LAYOUTS

TINY = ["--sequences", "1", "--frames", "5", "--size", "48x36", "--preset", "easy"]


def test_one_layout(tmp_path, capsys):
    assert (
        main(["synth", "--output", str(tmp_path), "--layout", "davis2017", "--split", "val", "--objects", "2", *TINY])
        == 0
    )
    assert "1 sequences with 5 frames written" in capsys.readouterr().out
    (video,) = open_videos("davis2017", tmp_path, "val")
    assert video.name == "bike-packing"
    assert len(video) == 5
    assert (
        main(["synth", "--output", str(tmp_path), "--layout", "davis2017", "--split", "val", "--objects", "2", *TINY])
        == 0
    )
    assert "1 were there already" in capsys.readouterr().out


def test_got10k_is_the_default(tmp_path):
    assert main(["synth", "--output", str(tmp_path), "--masks", *TINY]) == 0
    assert (tmp_path / "train" / "GOT-10k_Train_000001" / "masks" / "00000005.png").is_file()
    assert len(open_dataset("got10k", tmp_path, "train")) == 1


def test_rich_worlds(tmp_path):
    arguments = [*TINY[:-1], "rich", "--layout", "coco", "--objects", "1-3"]
    assert main(["synth", "--output", str(tmp_path), *arguments]) == 0
    assert len(open_dataset("coco", tmp_path, "train2017")) >= 1


def test_all_layouts_at_once(tmp_path, capsys):
    assert main(["synth", "--output", str(tmp_path), "--layout", "all", "--own-names", *TINY]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(LAYOUTS)
    lines = capsys.readouterr().out.splitlines()
    assert sum("written to" in line for line in lines) == len(LAYOUTS)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--layout", "lasott"], 2, "--layout: no layout 'lasott', did you mean 'lasot'"),
        (["--objects", "many"], 2, "--objects is N or MIN-MAX"),
        (["--objects", "0-2"], 1, "objects must be a range within 1 to 255"),
        (["--layout", "all", "--split", "val"], 2, "--split goes with one layout"),
        (["--layout", "lasot", "--split", "val"], 1, "split must be one of train, test for lasot"),
        (["--layout", "lasot", "--masks"], 1, "masks must be off for lasot"),
        (["--preset", "richer"], 1, "did you mean 'rich'"),
        (["--size", "big"], 2, "--size is WIDTHxHEIGHT"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, arguments, code, message):
    assert main(["synth", "--output", str(tmp_path / "new"), "--sequences", "1", "--frames", "2", *arguments]) == code
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "new").exists()


def test_help_imports_nothing_heavy():
    code = "import sys; from trackdata.cli import main; main(['synth', '--help']); "
    code += "print(sorted({'torch', 'cv2'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.rstrip().endswith("[]")
