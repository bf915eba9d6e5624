"""Datasets by name. Each reader is a module of its own and is imported when it is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackdata.sequences import Dataset


class UnknownDatasetError(ValueError):
    """There is no dataset of this name."""


# Names under which published training recipes mention parts of GOT-10k, and the splits they stand for.
_PUBLISHED_GOT10K = {
    "GOT10K_vottrain": "vottrain",
    "GOT10K_votval": "votval",
    "GOT10K_train_full": "train_full",
    "GOT10K_official_val": "val",
}


def _got10k(root: Path, split: str | None) -> Dataset:
    from trackdata.datasets.got10k import Got10k

    return Got10k(root, split)


def _published_got10k(root: Path, split: str | None, name: str) -> Dataset:
    from trackdata.datasets.got10k import Got10k

    if split is not None:
        raise ValueError(f"{name} is one split of GOT-10k already; leave out {split!r} or use the name 'got10k'")
    return Got10k(root, _PUBLISHED_GOT10K[name], name)


def _folder(root: Path, split: str | None) -> Dataset:
    from trackdata.datasets.folder import Folder

    return Folder(root if split is None else root / split)


_READERS: dict[str, Callable[[Path, str | None], Dataset]] = {
    "got10k": _got10k,
    "folder": _folder,
    **{name: partial(_published_got10k, name=name) for name in _PUBLISHED_GOT10K},
}


def dataset_names() -> list[str]:
    """Names that :func:`open_dataset` takes, sorted. Those beginning with GOT10K are the published recipes' names."""
    return sorted(_READERS)


def open_dataset(name: str, root: str | Path, split: str | None = None) -> Dataset:
    """Open a dataset: reads its list of sequences, no annotation and no frame.

    Args:
        name: one of :func:`dataset_names`.
        root: the dataset's folder.
        split: a split of the dataset; for ``folder`` a folder below ``root``. None takes what ``root`` itself holds.

    Raises:
        UnknownDatasetError: no such name; the message has the nearest and all known ones.
        ValueError: no such split.
        AnnotationError: the folder does not hold this dataset.
    """
    if name not in _READERS:
        near = difflib.get_close_matches(name, _READERS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownDatasetError(f"there is no dataset {name!r}{hint} (known: {', '.join(dataset_names())})")
    return _READERS[name](Path(root), split)
