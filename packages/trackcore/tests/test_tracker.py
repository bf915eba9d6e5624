"""The tracker protocol's checks and the registry over entry points."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import numpy as np
import pytest

from trackcore import tracker
from trackcore.baselines import StaticTracker
from trackcore.tracker import (
    Prediction,
    Tracker,
    UnknownTrackerError,
    check_box,
    check_frame,
    create_tracker,
    list_trackers,
)

FRAME = np.zeros((120, 160, 3), np.uint8)


class ThirdParty:
    """A tracker another package might register."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def init(self, frame: np.ndarray, box: np.ndarray) -> None: ...

    def update(self, frame: np.ndarray) -> Prediction:
        return Prediction(np.zeros(4))


@pytest.fixture
def third_party(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "third_party_package", SimpleNamespace(Fast=ThirdParty))
    entry = EntryPoint("zeta:fast", "third_party_package:Fast", tracker.GROUP)
    ours = EntryPoint("alpha", "trackcore.baselines:StaticTracker", tracker.GROUP)
    monkeypatch.setattr(tracker, "entry_points", lambda group: EntryPoints([entry, ours]).select(group=group))


def test_own_trackers_are_registered():
    assert {"static", "opencv:mil"} <= set(list_trackers())
    assert isinstance(create_tracker("static"), StaticTracker)
    assert isinstance(create_tracker("opencv:mil", seed=5), Tracker)


@pytest.mark.usefixtures("third_party")
def test_third_parties_register_by_entry_point():
    assert list_trackers() == ["alpha", "zeta:fast"]
    made = create_tracker("zeta:fast", speed=2.5)
    assert isinstance(made, Tracker)
    assert made.speed == 2.5


def test_unknown_name_gives_the_nearest_and_all():
    with pytest.raises(UnknownTrackerError, match=r"'opencv:mill'; did you mean 'opencv:mil'\? \(known: .*static"):
        create_tracker("opencv:mill")


def test_unknown_name_without_anything_near():
    with pytest.raises(UnknownTrackerError) as caught:
        create_tracker("qqqq")
    assert "did you mean" not in str(caught.value)


def test_no_tracker_at_all(monkeypatch):
    monkeypatch.setattr(tracker, "entry_points", lambda group: EntryPoints())
    assert list_trackers() == []
    with pytest.raises(UnknownTrackerError, match="known: none"):
        create_tracker("static")


def test_wrong_options_are_an_error():
    with pytest.raises(TypeError, match="speed"):
        create_tracker("static", speed=2)


def test_listing_trackers_does_not_import_torch():
    code = "import sys; from trackcore.tracker import list_trackers; list_trackers(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_a_tracker():
    assert not isinstance(object(), Tracker)


def test_prediction_cannot_be_rebound():
    prediction = Prediction(np.zeros(4))
    assert (prediction.score, prediction.mask, dict(prediction.extras)) == (None, None, {})
    with pytest.raises(AttributeError):
        prediction.score = 1.0


def test_check_frame_returns_the_frame_itself():
    assert check_frame(FRAME) is FRAME


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME[:, :, 0], r"uint8 array of shape \(120, 160\).*to_rgb"),
        (FRAME.astype(np.uint16), "uint16"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (FRAME.tolist(), "got list"),
        (None, "got NoneType"),
        (np.zeros((0, 5, 3), np.uint8), "at least one pixel"),
    ],
)
def test_check_frame_refuses(frame, message):
    with pytest.raises(ValueError, match=message):
        check_frame(frame)


@pytest.mark.parametrize(
    "box",
    [
        [1, 2, 3, 4],
        (1.5, 2, 3, 4),
        np.array([[1, 2, 3, 4]]),
        (-5, -5, 10, 10),
        (159.5, 119.5, 1, 1),
        (-9, -9, 999, 999),
    ],
)
def test_check_box_accepts(box):
    checked = check_box(box, (120, 160))
    assert checked.shape == (4,)
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked, np.asarray(box, np.float64).reshape(4))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([1, 2, 3], "got 3"),
        ([1, 2, 3, 4, 5], "got 5"),
        ([1, np.nan, 3, 4], "NaN or infinity"),
        ([1, 2, np.inf, 4], "NaN or infinity"),
        ([1, 2, 0, 4], "no area"),
        ([1, 2, 3, -4], "no area"),
        ([160, 2, 3, 4], "outside the frame of 160 x 120"),
        ([1, 120, 3, 4], "outside"),
        ([-3, 2, 3, 4], "outside"),
        ([1, -4, 3, 4], "outside"),
    ],
)
def test_check_box_refuses(box, message):
    with pytest.raises(ValueError, match=message):
        check_box(box, (120, 160))
