"""What a user of one package gets: its wheels alone."""

import sys

import pytest

from checks.repository import read_repository
from locked_requirements import ROOT
from wheel_smoke import ABSENT, SmokeError, main, required_members, run


def names(package: str, with_extras: bool) -> set[str]:
    repository = read_repository(ROOT)
    return {member.name for member in required_members(repository, repository.members[package], with_extras)}


def test_tracking_needs_the_core_and_training_the_data():
    assert names("onestream-track", with_extras=False) == {"onestream-track", "trackcore"}
    assert names("onestream-track", with_extras=True) == {"onestream-track", "trackcore", "trackdata"}
    assert names("trackcore", with_extras=True) == {"trackcore"}


def test_a_package_that_should_be_absent_is_named(tmp_path):
    run(sys.executable, "-c", ABSENT, "no_such_module", cwd=tmp_path)
    with pytest.raises(SmokeError, match="installed, but not required: pytest"):
        run(sys.executable, "-c", ABSENT, "no_such_module", "pytest", cwd=tmp_path)


def test_an_unknown_package_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["trackcor"])
    said = capsys.readouterr().err
    assert "no package 'trackcor'; there are " in said
    assert "onestream-track" in said


@pytest.mark.slow
def test_wheels_without_trackdata_track_a_video(capfd):
    assert main(["onestream-track", "--reuse"]) == 0, capfd.readouterr().err
