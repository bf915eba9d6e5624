"""Searching for the post-processing that scores best on a dataset, with Optuna.

The study lies in one file, ``study.journal``, which the workers of a search write to and which is taken up again when
the search is started once more. Needs ``pip install sparse-track[train,tune]``.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from sparse_track.evaluation import identity
from sparse_track.loading import create
from trackdata.datasets import open_dataset
from trackdata.evaluation import run, score
from trackdata.sequences import Dataset

DIGITS = 4  # values are rounded to so many decimals, as published
STUDY = "study.journal"
_APART = 10_000  # seeds of workers, which must not try the same

Sampler = Literal["tpe", "random"]


@dataclass(frozen=True)
class SearchSpace:
    """Ranges that are searched; the defaults are those published for OTB2015 and UAV123.

    Attributes:
        test_lr, window_influence, penalty_k: lowest and highest value.
    """

    test_lr: tuple[float, float] = (0.50, 0.98)
    window_influence: tuple[float, float] = (0.20, 0.26)
    penalty_k: tuple[float, float] = (0.04, 0.08)

    def __post_init__(self) -> None:
        for entry in fields(self):
            low, high = getattr(self, entry.name)
            if not low <= high:
                raise ValueError(f"the range of {entry.name} goes from low to high, got {low} to {high}")

    def suggest(self, trial: Any) -> dict[str, float]:
        """Hyper-parameters of a trial: any object with ``suggest_float(name, low, high)``."""
        return {name: round(trial.suggest_float(name, low, high), DIGITS) for name, (low, high) in asdict(self).items()}


@dataclass(frozen=True)
class Found:
    """What a search has come to.

    Attributes:
        trials: finished ones in all, over interruptions.
        best: hyper-parameters of the best trial.
        value: its score.
        metric: what was maximised.
        table: hyper-parameters and score of all finished trials, best first.
    """

    trials: int
    best: Mapping[str, float]
    value: float
    metric: str
    table: tuple[tuple[Mapping[str, float], float], ...]


@dataclass(frozen=True)
class _Job:
    """Everything a worker needs to know."""

    dataset: str
    root: str
    split: str | None
    output: str
    options: Mapping[str, Any]
    space: SearchSpace
    trials: int
    metric: str | None
    convention: str
    limit: int | None
    sampler: Sampler
    seed: int | None
    threads: int | None


def tune(
    dataset: str,
    root: str | Path,
    output: str | Path,
    *,
    options: Mapping[str, Any],
    split: str | None = None,
    trials: int = 50,
    space: SearchSpace | None = None,
    metric: str | None = None,
    convention: str = "default",
    limit: int | None = None,
    workers: int = 1,
    sampler: Sampler = "tpe",
    seed: int | None = None,
    on_trial: Callable[[int], None] | None = None,
) -> Found:
    """Search until ``trials`` trials are finished; started again it goes on where it was.

    A trial that was under way when an earlier search ended is tried again, and keeps the sequences it had tracked.

    Args:
        dataset, root, split: what to track, as ``trackdata.datasets.open_dataset`` takes them.
        output: gets the study, and the results of each trial in a folder of its own.
        options: for :func:`sparse_track.loading.create`.
        trials: finished trials in all, those of earlier searches included.
        space: ranges; the published ones when None.
        metric: what is maximised, a name among the convention's scores; the first one when None.
        convention: of the scores, see ``trackdata.evaluation.CONVENTIONS``.
        limit: only the first so many sequences.
        workers: processes, each with trials of its own.
        sampler: ``tpe`` learns from earlier trials, ``random`` is the published search.
        seed: of the sampler, for searches with one worker; with several the order of trials is not fixed.
        on_trial: called with the number of finished trials after each one (with one worker), and at the end.

    Raises:
        ValueError: a trial finished without this metric; the message names those there are.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    shared = max(1, (os.cpu_count() or 1) // workers) if workers > 1 else None
    job = _Job(
        dataset, str(root), split, str(output), dict(options), space or SearchSpace(), trials, metric, convention,
        limit, sampler, seed, shared,
    )  # fmt: skip
    study = _open(job)
    _try_again(study)
    if workers == 1:
        _work(job, on_trial)
    else:
        context = multiprocessing.get_context("spawn")
        jobs = [replace(job, seed=None if seed is None else seed + _APART * number) for number in range(workers)]
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for done in [pool.submit(_work, job) for job in jobs]:
                done.result()
    finished = sorted(_finished(study), key=lambda trial: trial.value, reverse=True)
    if on_trial is not None:
        on_trial(len(finished))
    table = tuple((trial.user_attrs["changes"], trial.value) for trial in finished)
    return Found(len(finished), table[0][0], table[0][1], finished[0].user_attrs["metric"], table)


def _open(job: _Job) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(Path(job.output) / STUDY)))
    study = optuna.create_study(study_name="tracking", storage=storage, direction="maximize", load_if_exists=True)
    # a search that goes on does not draw the numbers once more with which it began
    seed = None if job.seed is None else job.seed + len(study.get_trials(deepcopy=False))
    study.sampler = (
        optuna.samplers.RandomSampler(seed) if job.sampler == "random" else optuna.samplers.TPESampler(seed=seed)
    )
    return study


def _try_again(study: optuna.Study) -> None:
    """Trials that were under way when a search was interrupted: nobody works on them, so they are asked for again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _work(job: _Job, on_trial: Callable[[int], None] | None = None) -> None:
    """Try until all trials are finished or under way."""
    if job.threads is not None:
        import torch

        torch.set_num_threads(job.threads)
    study = _open(job)
    dataset = open_dataset(job.dataset, job.root, job.split)
    claimed = (TrialState.COMPLETE, TrialState.RUNNING)
    while len(study.get_trials(deepcopy=False, states=claimed)) < job.trials:
        trial = study.ask()
        study.tell(trial, _objective(trial, job, dataset))  # not told, a trial is under way; see _try_again
        if on_trial is not None:
            on_trial(len(_finished(study)))


def _objective(trial: optuna.Trial, job: _Job, dataset: Dataset) -> float:
    changes = job.space.suggest(trial)
    options = {**job.options, "changes": {**(job.options.get("changes") or {}), **changes}}
    name = "_".join(f"{value:.{DIGITS}f}" for value in changes.values())
    folder = Path(job.output) / "trials" / name
    result = run(name, partial(create, **options), dataset, folder, identity=identity(options), limit=job.limit)
    scores = score(result, dataset, job.convention, limit=job.limit)
    if scores.failures:
        failed, why = next(iter(scores.failures.items()))
        raise RuntimeError(f"{len(scores.failures)} sequences failed, the first one {failed}: {why}")
    metric = job.metric or next(iter(scores.values))
    if metric not in scores.values:
        raise ValueError(f"the scores have no {metric!r} (known: {', '.join(scores.values)})")
    trial.set_user_attr("changes", changes)
    trial.set_user_attr("metric", metric)
    return float(scores.values[metric])
