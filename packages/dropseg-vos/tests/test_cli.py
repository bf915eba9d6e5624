"""What the command line says before anything is computed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dropseg_vos
from dropseg_vos.cli import VERBS, main


@pytest.mark.parametrize("words", [["--help"], ["train", "debug", "--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_does_not_import_torch(words):
    code = (
        "import sys; from dropseg_vos.cli import main; status = main(sys.argv[1:]); "
        "loaded = {'torch', 'cv2', 'timm'} & set(sys.modules); "
        "sys.exit(f'{status} {loaded}' if status or loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_no_verb(capsys):
    assert main([]) == 2
    assert "usage: dropseg-vos" in capsys.readouterr().out
    assert main(["track"]) == 2
    assert "no verb 'track'" in capsys.readouterr().err


def test_missing_extras_are_named(monkeypatch, capsys):
    def fail(words):
        raise ImportError("No module named 'torchvision'", name="torchvision")

    monkeypatch.setattr("dropseg_vos.commands.train.run", fail)
    assert main(["train", "debug"]) == 1
    assert "pip install 'dropseg-vos[train]'" in capsys.readouterr().err


def test_names_of_the_package():
    for name in dropseg_vos.__all__:
        assert getattr(dropseg_vos, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'track'"):
        dropseg_vos.track  # noqa: B018
