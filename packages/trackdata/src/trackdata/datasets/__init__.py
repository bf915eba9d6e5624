"""Datasets by name. Each reader is a module of its own with a tuple ``DATASETS`` that describes what it opens.

Other packages add datasets through the entry-point group ``trackdata.datasets``: an entry's value is a
:class:`~trackdata.datasets.info.DatasetInfo` or a tuple of them.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from trackdata.datasets.info import DatasetInfo

if TYPE_CHECKING:
    from trackdata.sequences import Dataset
    from trackdata.storage import Store
    from trackdata.videos import VideoList

__all__ = [
    "DatasetInfo",
    "UnknownDatasetError",
    "dataset_info",
    "dataset_names",
    "list_datasets",
    "open_dataset",
    "open_videos",
]

GROUP = "trackdata.datasets"
MODULES = (
    "coco",
    "davis",
    "dtb70",
    "folder",
    "got10k",
    "imagenet_det",
    "imagenet_vid",
    "images",
    "itb",
    "kinetics",
    "lasot",
    "lasot_ext",
    "masked_images",
    "nfs",
    "otb2015",
    "tc128",
    "tnl2k",
    "trackingnet",
    "uav123",
    "vot",
    "youtubevos",
)


class UnknownDatasetError(ValueError):
    """There is no dataset of this name."""


@cache
def _catalogue() -> dict[str, DatasetInfo]:
    described = [info for module in MODULES for info in import_module(f"{__name__}.{module}").DATASETS]
    for entry in entry_points(group=GROUP):
        added = entry.load()
        described += [added] if isinstance(added, DatasetInfo) else list(added)
    return {info.name: info for info in sorted(described, key=lambda info: info.name)}


def list_datasets() -> list[DatasetInfo]:
    """What can be opened, sorted by name. Names in capitals are those of published recipes for one split."""
    return list(_catalogue().values())


def dataset_names() -> list[str]:
    """Names that :func:`open_dataset` takes, sorted."""
    return list(_catalogue())


def dataset_info(name: str) -> DatasetInfo:
    """What is known about the dataset ``name``.

    Raises:
        UnknownDatasetError: no such name; the message has the nearest and all known ones.
    """
    known = _catalogue()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownDatasetError(f"there is no dataset {name!r}{hint} (known: {', '.join(known)})")
    return known[name]


def open_dataset(name: str, root: str | Path | Store, split: str | None = None) -> Dataset:
    """Open a dataset: reads its list of sequences, no annotation and no frame.

    Args:
        name: one of :func:`dataset_names`.
        root: the dataset's folder, archive or LMDB; see :func:`trackdata.storage.open_store`.
        split: a split of the dataset; for ``folder`` a folder below ``root``. None takes what ``root`` itself holds.

    Raises:
        UnknownDatasetError: no such name; the message has the nearest and all known ones.
        ValueError: no such split.
        AnnotationError: the folder does not hold this dataset.
    """
    from trackdata.storage import open_store

    return dataset_info(name).open(open_store(root), split)


def open_videos(name: str, root: str | Path | Store, split: str | None = None) -> VideoList:
    """Open a dataset for video object segmentation: all objects of a video at once.

    Args:
        name: one of :func:`dataset_names` whose description has ``videos``.
        root, split: as for :func:`open_dataset`.

    Raises:
        UnknownDatasetError: no such name, or it is no dataset of segmented videos; the message has those there are.
        ValueError: no such split.
        AnnotationError: the folder does not hold this dataset.
    """
    from trackdata.storage import open_store

    info = dataset_info(name)
    if info.videos is None:
        segmented = ", ".join(other.name for other in list_datasets() if other.videos is not None)
        raise UnknownDatasetError(f"{name} is no dataset of segmented videos (there are: {segmented})")
    return info.videos(open_store(root), split)
