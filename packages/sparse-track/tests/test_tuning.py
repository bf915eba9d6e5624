"""Searching for post-processing: the published space, resuming, several workers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("optuna")

import optuna

from sparse_track import tuning
from sparse_track.cli import main
from sparse_track.commands.tune import Ranges
from sparse_track.tuning import STUDY, SearchSpace, tune

NAMES = ["test_lr", "window_influence", "penalty_k"]


class Published:
    """Draws as the published search does: one uniform number after the other."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)

    def suggest_float(self, name, low, high):
        return self.random.uniform(low, high)


@pytest.mark.parametrize("benchmark", ["otb2015", "uav123"])
def test_the_published_space_is_the_default(conformance_folder, benchmark):
    stored = json.loads((conformance_folder / "training_and_search.json").read_text())["hpo"]
    told = next(entry for entry in stored if entry["benchmark"] == benchmark)
    ranges = {entry["path"].rpartition("/")[2]: tuple(entry["range"]) for entry in told["space"]}
    assert dataclasses.asdict(SearchSpace()) == vars(Ranges()) == ranges
    trial = Published(told["numpy_seed"])
    for sample in told["samples"]:
        published = {path.rpartition("/")[2]: value for path, value in sample.items()}
        assert SearchSpace().suggest(trial) == pytest.approx(published, abs=1e-12)


def test_a_range_that_goes_down():
    with pytest.raises(ValueError, match="penalty_k goes from low to high"):
        SearchSpace(penalty_k=(0.2, 0.1))


@pytest.fixture
def search(weights, video, tmp_path):
    """Tunes the debug tracker in two sequences."""

    def run(**options):
        given = {"options": {"weights": str(weights), "device": "cpu"}, "split": "val", "seed": 0} | options
        return tune("got10k", video, tmp_path / "tuning", **given)

    return run


def test_a_search_goes_on_where_it_was(search, tmp_path):
    counts = []
    first = search(trials=2, on_trial=counts.append)
    assert first.trials == 2
    assert counts == [1, 2, 2]
    assert first.metric == "AO"
    assert list(first.best) == NAMES
    assert first.value == max(value for _, value in first.table)
    again = search(trials=2)
    assert again == first
    more = search(trials=3)
    assert more.trials == 3
    assert {tuple(changes.values()) for changes, _ in first.table} < {tuple(c.values()) for c, _ in more.table}
    # the study is Optuna's own
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "tuning" / STUDY))
    )
    study = optuna.load_study(study_name="tracking", storage=storage)
    assert len(study.trials) == 3
    assert study.best_value == more.value


def test_a_trial_scores_what_its_hyperparameters_score(search, weights, video, tmp_path):
    """Found values given to `evaluate` by its flags."""
    from sparse_track.evaluation import evaluate
    from trackdata.datasets import open_dataset

    found = search(trials=2)
    options = {"weights": str(weights), "device": "cpu", "changes": dict(found.best)}
    (scores,) = evaluate(open_dataset("got10k", video, "val"), tmp_path / "results", options=options)
    assert scores.values["AO"] == pytest.approx(found.value, abs=1e-12)


def test_an_interrupted_trial_is_tried_again(search, monkeypatch):
    asked = []

    def interrupted(*given, identity, **options):
        asked.append(identity)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tuning, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(trials=1)
    values = asked[0]["options"]["changes"]
    found = search(trials=1, seed=None)
    assert found.trials == 1
    assert found.best == values


def test_an_interruption_of_the_process(search, tmp_path):
    """A trial that nobody works on any more, as a killed process leaves it."""
    search(trials=1)
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "tuning" / STUDY))
    )
    study = optuna.load_study(study_name="tracking", storage=storage)
    left = SearchSpace().suggest(study.ask())
    found = search(trials=2)
    assert found.trials == 2
    assert left in [changes for changes, _ in found.table]


def test_a_narrow_space_another_metric_and_the_published_sampler(search):
    found = search(
        trials=2, sampler="random", metric="SR0.5", limit=1,
        space=SearchSpace(test_lr=(0.5, 0.5), penalty_k=(0.2, 0.3)),
    )  # fmt: skip
    assert found.metric == "SR0.5"
    for changes, _ in found.table:
        assert changes["test_lr"] == 0.5
        assert 0.2 <= changes["penalty_k"] <= 0.3


def test_an_unknown_metric(search):
    with pytest.raises(ValueError, match=r"no 'EAO' \(known: AO"):
        search(trials=1, metric="EAO")


def test_a_tracker_that_fails(search, tmp_path):
    with pytest.raises(Exception, match=r"missing\.pkl"):
        search(trials=1, options={"weights": str(tmp_path / "missing.pkl"), "recipe": "debug", "device": "cpu"})


@pytest.mark.slow
def test_workers_share_a_study(weights, video, tmp_path, capsys):
    words = ["tune", "--dataset", "got10k", "--root", str(video), "--split", "val", "--weights", str(weights)]
    words += ["--device", "cpu", "--output", str(tmp_path), "--trials"]
    assert main([*words, "4", "--workers", "2"]) == 0
    shown = capsys.readouterr().out
    assert "the best of" in shown
    assert "take it with: --test-lr 0." in shown
    trials = [folder.name for folder in (tmp_path / "trials").iterdir()]
    assert len(trials) in (4, 5)  # both may claim the last one
    assert main([*words, "3"]) == 0
    assert {folder.name for folder in (tmp_path / "trials").iterdir()} == set(trials)
