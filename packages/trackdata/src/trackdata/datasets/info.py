"""What is known about a dataset before it is opened: one line of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackdata.sequences import Dataset
    from trackdata.storage import Store


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset that :func:`trackdata.datasets.open_dataset` knows.

    Attributes:
        name: what ``open_dataset`` and the command line call it.
        title: its own name.
        open: (store, split) to the dataset; raises ValueError for an unknown split and AnnotationError when the store
            does not hold the dataset.
        splits: names of its splits; none when there is only one.
        layout: where files lie below the root, in one line.
        annotation: what is annotated, in one line.
        origin: 0 or 1, the pixel number its boxes count from.
        tag: the dataset's tag in OSTrack's and pytracking's scoring.
        convention: the one published numbers on it use; see ``trackdata.evaluation.conventions``.
        alias: another name of a split of a dataset that is listed anyway.
    """

    name: str
    title: str
    open: Callable[[Store, str | None], Dataset]
    layout: str
    annotation: str
    splits: tuple[str, ...] = ()
    origin: int = 0
    tag: str = "otb"
    convention: str = "default"
    alias: bool = False


def check_split(info_title: str, split: str | None, splits: tuple[str, ...]) -> None:
    """Raise ValueError naming the known splits when ``split`` is given and not among them."""
    if split is not None and split not in splits:
        known = f"there are {', '.join(splits)}" if splits else "it has none"
        raise ValueError(f"{info_title} has no split {split!r}; {known}")
