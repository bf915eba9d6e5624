"""What the verbs of the command line share: exit codes, usage errors, naming a dataset on disk."""

from __future__ import annotations

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
    """The dataset a command names. Raises UsageError for an unknown name or a limit below 1."""
    from trackdata.datasets import UnknownDatasetError, open_dataset

    if source.limit is not None and source.limit < 1:
        raise UsageError(f"--limit must be at least 1, got {source.limit}")
    try:
        return open_dataset(source.dataset, source.root, source.split)
    except UnknownDatasetError as error:
        raise UsageError(str(error)) from error


def error_console() -> Console:
    """Where progress and notes go, so that standard output holds results alone."""
    from rich.console import Console

    return Console(stderr=True)
