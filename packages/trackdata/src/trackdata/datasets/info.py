"""What is known about a dataset before it is opened: one line of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackdata.sequences import Dataset
    from trackdata.storage import Store
    from trackdata.videos import VideoList

UNKNOWN_CLASS = "unknown"  # the class of a sequence that its dataset should name the class of, but does not


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
        challenges: its attributes of sequences, abbreviation to name, in the benchmark's order.
        videos: (store, split) to the same data as segmented videos, all objects of a video at once; None for datasets
            that are none. See :func:`trackdata.datasets.open_videos`.
        alias: another name of a split of a dataset that is listed anyway.
        boxes: whether its videos have boxes of a target, so that trackers can be evaluated on them.
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
    challenges: Mapping[str, str] = field(default_factory=dict)
    videos: Callable[[Store, str | None], VideoList] | None = None
    alias: bool = False
    boxes: bool = True


def check_split(info_title: str, split: str | None, splits: tuple[str, ...]) -> None:
    """Raise ValueError naming the known splits when ``split`` is given and not among them."""
    if split is not None and split not in splits:
        known = f"there are {', '.join(splits)}" if splits else "it has none"
        raise ValueError(f"{info_title} has no split {split!r}; {known}")


def published(info: DatasetInfo, name: str, split: str | None = None) -> DatasetInfo:
    """``split`` of ``info`` under the name that published recipes, results or scoring code use for it."""
    return replace(
        info,
        name=name,
        title=f"{info.title}{f', split {split}' if split else ''}, as published code calls it",
        open=partial(_open_published, info, split, name),
        layout=f"as {info.name}",
        annotation=f"as {info.name}",
        splits=(),
        alias=True,
    )


def _open_published(info: DatasetInfo, split: str | None, name: str, root: Store, asked: str | None) -> Dataset:
    if asked is not None:
        raise ValueError(
            f"{name} is one split of {info.title} already; leave out {asked!r} or use the name {info.name!r}"
        )
    dataset = info.open(root, split)
    dataset.name = name
    return dataset
