"""Refining results that another tracker has written, and evaluating with and without refinement."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from alpha_refine.evaluation import evaluate, refined_identity
from alpha_refine.loading import load_refiner
from alpha_refine.offline import refine_results
from alpha_refine.refined_tracker import RefinedTracker
from alpha_refine.replay import ReplayTracker
from alpha_refine.rules import Rules
from trackdata.datasets import open_dataset
from trackdata.evaluation import ResultError, Track, read_tracks, score, write_track
from trackdata.evaluation.passes import track_sequence
from trackdata.synth import preset, write_got10k


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_got10k(root, "val", 3, preset("easy", frames=6, size=(96, 72)), seed=0)
    return open_dataset("got10k", root, "val")


@pytest.fixture(scope="module")
def refiner(untrained):
    return {"weights": str(untrained), "device": "cpu"}


@pytest.fixture
def results(dataset, tmp_path):
    """Boxes of a tracker that is a bit off, for all sequences."""
    for index in range(len(dataset)):
        sequence = dataset[index]
        boxes = sequence.boxes + np.array([2.0, -1, 3, 1])
        boxes[0] = sequence.boxes[0]
        write_track(tmp_path / "rough", sequence.name, Track(boxes))
    return tmp_path / "rough"


class TestRefineResults:
    def test_it_is_the_same_as_refining_a_replayed_track(self, dataset, results, refiner, tmp_path):
        done = refine_results(results, dataset, tmp_path / "out", refiner=refiner)
        assert done.tracker == "rough+refined"
        assert not done.failures
        for index in range(len(dataset)):
            sequence = dataset[index]
            rough = read_tracks(results, sequence.name)[0].boxes
            tracker = RefinedTracker(ReplayTracker(rough), load_refiner(**refiner))
            expected = track_sequence(tracker, sequence).track.boxes
            found = read_tracks(done.folder, sequence.name)[0].boxes
            np.testing.assert_allclose(found, expected, atol=1e-4)
            assert not np.allclose(found[1:], rough[1:], atol=0.5)
        assert score(done, dataset).tracker == "rough+refined"

    def test_finished_sequences_are_kept_until_something_changes(self, dataset, results, refiner, tmp_path):
        def reused(**options):
            done = refine_results(results, dataset, tmp_path / "out", refiner=refiner, **options)
            return [outcome.reused for outcome in done.outcomes]

        assert reused(limit=2) == [False] * 2
        assert reused() == [True, True, False]
        assert reused(rules=Rules(min_overlap=0.9)) == [False] * 3
        assert reused(rules=Rules(min_overlap=0.9)) == [True] * 3
        other = Track(dataset[0].boxes + 1)
        write_track(results, dataset[0].name, other)
        assert reused(rules=Rules(min_overlap=0.9)) == [False] * 3

    def test_what_cannot_be_refined_is_told(self, dataset, results, refiner, tmp_path):
        names = [dataset[index].name for index in range(3)]
        (results / f"{names[0]}.txt").unlink()
        write_track(results, names[1], Track(dataset[1].boxes[:4]))
        done = refine_results(results, dataset, tmp_path / "out", refiner=refiner)
        assert set(done.failures) == set(names[:2])
        assert "no result" in done.failures[names[0]]
        assert "4 boxes for 6 frames" in done.failures[names[1]]
        assert done.outcomes[2].frames == 6

    @pytest.mark.slow
    def test_processes_give_the_same(self, dataset, results, refiner, tmp_path):
        folders = [
            refine_results(results, dataset, tmp_path / str(workers), refiner=refiner, workers=workers).folder
            for workers in (1, 2)
        ]
        for index in range(len(dataset)):
            one, two = (read_tracks(folder, dataset[index].name)[0].boxes for folder in folders)
            np.testing.assert_array_equal(one, two)

    def test_folders_without_results(self, dataset, refiner, tmp_path):
        with pytest.raises(ResultError, match="holds no result"):
            refine_results(tmp_path, dataset, tmp_path / "out", refiner=refiner)
        with pytest.raises(ResultError, match="not a folder"):
            refine_results(tmp_path / "nowhere", dataset, tmp_path / "out", refiner=refiner)
        assert not (tmp_path / "out").exists()


class TestEvaluate:
    def test_with_and_without(self, dataset, refiner, tmp_path):
        options = {"base": "opencv:mil", "base_options": {"seed": 1}, "refiner": refiner, "limit": 1}
        scores = evaluate(dataset, tmp_path, **options)
        assert [entry.tracker for entry in scores] == ["opencv:mil+refined", "opencv:mil"]
        assert (tmp_path / "report" / "report.html").exists()
        run = json.loads((tmp_path / "opencv-mil+refined" / "got10k_val" / "run.json").read_text())
        assert run["identity"]["options"]["base.seed"] == 1
        assert run["identity"]["options"]["weights"].startswith("sha256:")
        assert run["identity"]["options"]["rules"]["passes"] == 1

    def test_other_rules_are_another_tracker(self, dataset, refiner, tmp_path):
        told = []
        for passes in (1, 1, 2):
            evaluate(
                dataset, tmp_path, base="static", refiner=refiner, rules=replace(Rules(), passes=passes), alone=False,
                limit=1, on_progress=lambda tracker, state: told.append((tracker, state.outcome.reused)),
            )  # fmt: skip
        assert told == [("static+refined", False), ("static+refined", True), ("static+refined", False)]

    def test_another_export_is_another_tracker(self, dataset, refiner, tmp_path):
        """Of the refiner, and of the base tracker; what a folder holds counts, not what it is called."""
        exported, base = tmp_path / "exported", tmp_path / "base"
        for folder in (exported, base):
            folder.mkdir()
            (folder / "network.bin").write_bytes(b"one")
        options = {"weights": str(exported), "backend": "onnx"}
        rules, base_options = Rules(), {"weights": str(base)}
        seen = [refined_identity("onestream", options, rules, base_options)]
        for folder in (exported, base):
            (folder / "network.bin").write_bytes(b"two")
            seen.append(refined_identity("onestream", options, rules, base_options))
        assert seen[0] != seen[1] != seen[2] != seen[0]
        for folder in (exported, base):
            (folder / "network.bin").write_bytes(b"one")
        assert refined_identity("onestream", options, rules, base_options) == seen[0]

    def test_names_must_differ(self, dataset, refiner, tmp_path):
        with pytest.raises(ValueError, match="different names"):
            evaluate(dataset, tmp_path, base="static", refiner=refiner, compare=["static"])
