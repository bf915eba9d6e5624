"""Which files go into which LMDB or zip, and under which names.

Names are paths below the dataset's root, as in all published LMDB. What differs between datasets:

=============  =========================================================================================================
LaSOT          a split is the folders of its sequences
GOT-10k        a split is its folder, also where it is a list of positions in that folder; names begin with ``train/``
TrackingNet    one LMDB or zip for each chunk, ``TRAIN_0_lmdb`` and so on, and ``seq_list.json`` beside them
COCO           images are below ``images/<split>/``, also where the folder has them in ``<split>/``
ImageNet VID   ``cache.json`` has the tracks, for readers that do not read XML
=============  =========================================================================================================

Everything else is packed as it lies in its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Literal

from trackdata.datasets import dataset_info
from trackdata.datasets.coco import annotated_splits
from trackdata.datasets.got10k import SPLITS as GOT10K_SPLITS
from trackdata.datasets.got10k import find_folder
from trackdata.datasets.imagenet_vid import SPLITS as VID_SPLITS
from trackdata.datasets.info import check_split
from trackdata.datasets.lists import read_list
from trackdata.datasets.trackingnet import CHUNKS, CLASS_MAP, ORDER, find_chunks
from trackdata.packing.published import list_tracks, list_videos
from trackdata.storage import Below, Store, walk

Kind = Literal["lmdb", "zip"]


@dataclass(frozen=True)
class Container:
    """The content of one LMDB or zip.

    Attributes:
        name: of the folder of the dataset that it stands for; "" for the whole dataset.
        source: where the files are.
        parts: (folder or file of the source, its name here); "" is all of it.
        made: files that the source does not have.
    """

    name: str
    source: Store
    parts: tuple[tuple[str, str], ...] = (("", ""),)
    made: Mapping[str, bytes] = field(default_factory=dict)

    def keys(self) -> list[str]:
        """Names of all files, sorted by their bytes as UTF-8. Lists the folders of the source."""
        found = {*self.made}
        for folder, name in self.parts:
            keys = [folder] if folder and self.source.is_file(folder) else walk(self.source, folder)
            found.update(_moved(key, folder, name) for key in keys)
        return sorted(found)

    def read(self, key: str) -> bytes:
        """The bytes of a file. Raises OSError where they cannot be read."""
        return self.made[key] if key in self.made else self.source.read(self.source_key(key))

    def source_key(self, key: str) -> str:
        """The source's name of a file."""
        for place in _upwards(key):
            if place in self._folders:
                return _moved(key, place, self._folders[place])
        raise FileNotFoundError(f"{self.source.where(key)}: is in no part that is packed")

    @cached_property
    def _folders(self) -> Mapping[str, str]:
        return {name: folder for folder, name in self.parts}


@dataclass(frozen=True)
class Plan:
    """How a dataset is packed.

    Attributes:
        dataset: its name; None for any tree of files.
        containers: what is written. One without a name is the output itself, others lie in it.
        loose: small files that lie beside named containers.
    """

    dataset: str | None
    containers: tuple[Container, ...]
    loose: Mapping[str, bytes] = field(default_factory=dict)


def plan(source: Store, kind: Kind = "lmdb", dataset: str | None = None, split: str | None = None) -> Plan:
    """How ``dataset`` is packed.

    Args:
        source: the dataset's root.
        kind: what it is packed into.
        dataset: its name; None packs any tree of files.
        split: only what belongs to this split.

    Raises:
        UnknownDatasetError: no such dataset.
        ValueError: no such split, or a dataset whose splits are not apart on disk.
        AnnotationError: the source does not hold the dataset.
    """
    if dataset is not None and (scheme := SCHEMES.get(dataset)) is not None:
        return scheme(source, kind, split)
    title = "a tree of files" if dataset is None else dataset_info(dataset).title
    if split is not None:
        raise ValueError(
            f"{title} is packed as a whole; leave out the split {split!r}, or give its folder as the root "
            f"(splits are known for {', '.join(SCHEMES)})"
        )
    return Plan(dataset, (Container("", source),))


def _lasot(source: Store, kind: Kind, split: str | None) -> Plan:
    check_split("LaSOT", split, ("train", "test", "all"))
    if split in (None, "all"):
        return Plan("lasot", (Container("", source),))
    folders = [f"{name.rpartition('-')[0]}/{name}" for name in read_list(f"lasot_{split}")]
    return Plan("lasot", (Container("", source, _same(folder for folder in folders if source.files(folder))),))


def _got10k(source: Store, kind: Kind, split: str | None) -> Plan:
    check_split("GOT-10k", split, tuple(GOT10K_SPLITS))
    folder = source if split is None else find_folder(source, split)
    if folder is source and source.is_file("list.txt"):  # published readers look for train/list.txt
        own = PurePath(source.where("")).name
        return Plan("got10k", (Container("", source, (("", own if own in GOT10K_SPLITS.values() else ""),)),))
    return Plan("got10k", (Container("", source, _same([GOT10K_SPLITS[split] if split else ""])),))


def _trackingnet(source: Store, kind: Kind, split: str | None) -> Plan:
    chunks = find_chunks(source, split) if split else [name for name in (*CHUNKS, "TEST") if source.folders(name)]
    if not chunks or chunks == [""]:  # the root is one chunk
        return Plan("trackingnet", (Container("", source),))
    loose = {name: source.read(name) for name in (CLASS_MAP, ORDER) if source.is_file(name)}
    if kind == "lmdb" and ORDER not in loose:
        loose[ORDER] = list_videos(source, chunks)
    return Plan("trackingnet", tuple(Container(name, Below(source, name)) for name in chunks), loose)


def _coco(source: Store, kind: Kind, split: str | None) -> Plan:
    splits = annotated_splits(source)
    if split is not None:
        check_split("COCO", split, tuple(splits))
        folder = next((folder for folder in (f"images/{split}", split) if source.files(folder)), f"images/{split}")
        annotation = f"annotations/instances_{split}.json"
        return Plan("coco", (Container("", source, ((annotation, annotation), (folder, f"images/{split}"))),))
    parts = []
    for name in (*source.files(), *source.folders()):
        moved = name in splits and not source.files(f"images/{name}")
        parts.append((name, f"images/{name}" if moved else name))
    return Plan("coco", (Container("", source, tuple(parts)),))


def _imagenet_vid(source: Store, kind: Kind, split: str | None) -> Plan:
    check_split("ImageNet VID", split, tuple(VID_SPLITS))
    folders = ["cache.json"] if source.is_file("cache.json") else []
    for part in VID_SPLITS[split or "train_val"]:
        folders += [f"Annotations/VID/{part}", f"Data/VID/{part}"]
    made = {}
    if kind == "lmdb" and not source.is_file("cache.json") and source.folders("Annotations/VID/train"):
        made["cache.json"] = list_tracks(source)
    return Plan("imagenet_vid", (Container("", source, _same(folders if split else [""]), made),))


SCHEMES: Mapping[str, Callable[[Store, Kind, str | None], Plan]] = {
    "coco": _coco,
    "got10k": _got10k,
    "imagenet_vid": _imagenet_vid,
    "lasot": _lasot,
    "trackingnet": _trackingnet,
}


def _same(folders: Iterator[str] | list[str]) -> tuple[tuple[str, str], ...]:
    return tuple((folder, folder) for folder in folders)


def _moved(key: str, folder: str, name: str) -> str:
    """The name that a file in ``folder`` (or that is ``folder``) has where that is called ``name``."""
    rest = key.removeprefix(folder).removeprefix("/")
    return f"{name}/{rest}" if name and rest else name or rest


def _upwards(key: str) -> Iterator[str]:
    """The key, the folder it lies in, the one above, ..., and the root."""
    while key:
        yield key
        key = key.rpartition("/")[0]
    yield ""
