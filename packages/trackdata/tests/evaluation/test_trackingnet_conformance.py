"""The stored numbers of the TrackingNet server's program."""

from __future__ import annotations

import json

import numpy as np
import pytest

from trackdata.evaluation import read_tracks
from trackdata.evaluation.conventions import TrackingNet
from trackdata.evaluation.records import Track, Truth
from trackdata.evaluation.scores import evaluate
from trackdata.evaluation.scoring import score

FIGURES = ("coverage", "S_area", "P_area", "P_norm_area")


@pytest.fixture(scope="module")
def server(conformance_folder):
    return json.loads((conformance_folder / "trackingnet_server.json").read_text())


@pytest.fixture(scope="module")
def truths(server, world):
    return [Truth(name, _written(world.truth(name).boxes)) for name in server["sequences"]]


@pytest.mark.parametrize("j", [0, 1, 2])
def test_all_sequences(j, world, server, truths):
    tracks = {truth.name: Track(_written(world.boxes(truth.name, j))) for truth in truths}
    scores = evaluate(TrackingNet(), tracks, truths)
    _compare(scores, server["values"][f"trk{j}/all"])
    for entry in scores.sequences:
        _compare(entry, server["values"][f"trk{j}/{entry.name}"])
    assert scores.repairs.padded == 10
    assert scores.repairs.cut == 7


@pytest.mark.parametrize("j", [0, 1, 2])
def test_a_missing_file_counts_as_empty_boxes(j, world, server, truths):
    tracks = {truth.name: Track(_written(world.boxes(truth.name, j))) for truth in truths if truth.name != "plain"}
    scores = evaluate(TrackingNet(), tracks, truths, failures={"plain": "no result"})
    _compare(scores, server["values"][f"trk{j}/all_but_plain_missing"])
    assert scores.failures == {"plain": "no result"}
    assert scores.repairs.padded == 10 + 120


@pytest.mark.parametrize("j", [0, 1, 2])
def test_files_with_windows_line_ends(j, world, server, truths, tmp_path):
    tracks = {}
    for truth in truths:
        rows = world.boxes(truth.name, j)
        text = "".join(",".join(f"{value:.2f}" for value in row) + "\r\n" for row in rows)
        (tmp_path / f"{truth.name}.txt").write_bytes(text.encode())
        tracks[truth.name] = read_tracks(tmp_path, truth.name)
    _compare(evaluate(TrackingNet(), tracks, truths), server["values"][f"trk{j}/all_crlf"])


def test_everything_stored_is_compared(server):
    places = [*server["sequences"], "all", "all_but_plain_missing", "all_crlf"]
    assert set(server["values"]) == {f"trk{j}/{place}" for j in range(3) for place in places}


def test_missing_files_from_a_folder(made, tmp_path):
    """The same way through a dataset: sequences without a file lower the means, and stay among the failures."""
    data = made.Listed([made.make_sequence("a", 40), made.make_sequence("b", 40)])
    (tmp_path / "b.txt").write_text("".join(f"{5 + i},6,10,8\n" for i in range(40)))
    scores = score(tmp_path, data, "trackingnet")
    assert [entry.name for entry in scores.sequences] == ["a", "b"]
    assert scores.sequences[1].values["S_area"] == pytest.approx(1.0)
    assert scores.values["coverage"] == pytest.approx((1 + 40) / 80)
    assert scores.failures == {"a": "no result"}


def _compare(entry, expected) -> None:
    np.testing.assert_allclose([100 * entry.values[figure] for figure in FIGURES], expected, atol=1e-6, rtol=0)


def _written(boxes: np.ndarray) -> np.ndarray:
    return np.array([[float(f"{value:.2f}") for value in row] for row in boxes])
