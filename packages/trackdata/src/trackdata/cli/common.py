"""What the verbs of the command line share: exit codes, usage errors, naming a dataset on disk."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    from rich.console import Console

    from trackdata.sequences import Dataset

BAD_USAGE, FAILED, INTERRUPTED = 2, 1, 130
Repeated = tyro.conf.UseAppendAction


class UsageError(ValueError):
    """The command line asks for something that cannot be; the message says what to change."""


@dataclass(frozen=True)
class Source:
    """A dataset on disk."""

    dataset: str
    """name of the dataset: see `trackdata datasets`"""
    root: Path
    """folder of the dataset"""
    split: str | None = None
    """split of the dataset"""
    limit: int | None = None
    """only the first so many sequences"""


def open_source(source: Source) -> Dataset:
    """The dataset a command names.

    Raises:
        UsageError: an unknown name, a limit below 1, or a dataset that no tracker can run on: one without boxes, or of
            still images.
    """
    from trackdata.datasets import UnknownDatasetError, dataset_info, open_dataset

    if source.limit is not None and source.limit < 1:
        raise UsageError(f"--limit must be at least 1, got {source.limit}")
    try:
        info = dataset_info(source.dataset)
    except UnknownDatasetError as error:
        raise UsageError(str(error)) from error
    if not info.boxes:
        raise UsageError(f"{info.name} ({info.title}) has no boxes to start a tracker from, nor to compare with")
    dataset = open_dataset(source.dataset, source.root, source.split)
    if dataset.still:
        raise UsageError(f"{info.name} ({info.title}) is made of still images, in which nothing can be followed")
    return dataset


def open_sources(
    names: Sequence[str], roots: Sequence[Path], split: str | None, limit: int | None
) -> list[tuple[Source, Dataset]]:
    """Several datasets, each with the source that names it.

    Args:
        names: NAME or NAME:SPLIT.
        roots: one for all, or one each.
        split: of those that name none.

    Raises:
        UsageError: as :func:`open_source`, no dataset, another number of roots, or two datasets that would share their
            folder of results.
    """
    if not names:
        raise UsageError("give --dataset, one or more of those that `trackdata datasets` lists")
    if len(roots) not in (1, len(names)):
        raise UsageError(f"give one --root for all or one for each --dataset, got {len(roots)} for {len(names)}")
    opened = []
    for place, name in enumerate(names):
        name, _, own_split = name.partition(":")
        source = Source(name, roots[place if len(roots) > 1 else 0], own_split or split, limit)
        opened.append((source, open_source(source)))
    called = [dataset.name for _, dataset in opened]
    if len(set(called)) != len(called):
        raise UsageError(f"each dataset once, got {', '.join(called)}")
    return opened


def tell_failures(failures: Sequence[tuple[str, Mapping[str, str]]]) -> int:
    """Print what failed, by tracker; 1 when anything did."""
    failed = [(tracker, name, reason) for tracker, reasons in failures for name, reason in reasons.items()]
    for tracker, name, reason in failed:
        print(f"trackdata: {tracker} has no result for {name}: {reason}", file=sys.stderr)
    return FAILED if failed else 0


def error_console() -> Console:
    """Where progress and notes go, so that standard output holds results alone."""
    from rich.console import Console

    return Console(stderr=True)
