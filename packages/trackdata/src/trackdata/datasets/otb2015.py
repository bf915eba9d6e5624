"""OTB: 100 sequences, also called OTB100 and TB-100 (Wu et al., TPAMI 2015), with the subsets OTB2013 and TB-50.

On disk::

    <root>/<folder>/img/0001.jpg ...        frames, numbered from 1 with four digits (Board: five)
                   /groundtruth_rect.txt    x,y,w,h a line, counted from 1; commas, tabs or blanks
                   /attrs.txt               abbreviations of attributes, or 11 flags; may be missing

Jogging and Skating2 have two targets, Human4 has its boxes in ``groundtruth_rect.2.txt``. Some sequences use a part of
the images: David 300 to 770, BlurCar1 247 to 988, BlurCar3 3 to 359, BlurCar4 18 to 397, Diving up to 215, Football1 up
to 74, Freeman3 up to 460, Freeman4 up to 283; and Tiger1 starts at image and row 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from trackdata.datasets.challenges import find_challenges
from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.datasets.lists import ListedSequence, read_list, read_listed, read_table
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store

SPLITS = ("otb2015", "otb2013", "tb50", "toolkit", "all")

CHALLENGES: Mapping[str, str] = {
    "IV": "Illumination Variation",
    "OPR": "Out-of-Plane Rotation",
    "SV": "Scale Variation",
    "OCC": "Occlusion",
    "DEF": "Deformation",
    "MB": "Motion Blur",
    "FM": "Fast Motion",
    "IPR": "In-Plane Rotation",
    "OV": "Out-of-View",
    "BC": "Background Clutter",
    "LR": "Low Resolution",
}

_BOXES = re.compile(r"groundtruth_rect(?:\.(\d+))?\.txt")


@cache
def sequences(split: str | None) -> Mapping[str, ListedSequence]:
    """The published sequences of ``split``, None or a member of :data:`SPLITS` other than ``all``, by name."""
    known = read_table("otb2015")
    if split == "toolkit":
        return {entry.name: entry for entry in map(_as_in_toolkit, known.values())}
    names = known if split in (None, "otb2015") else read_list(split)
    return {name: known[name] for name in names}


def _as_in_toolkit(entry: ListedSequence) -> ListedSequence:
    """Named as in the GOT-10k toolkit: targets after a dot, but none for Human4, whose other file is empty."""
    name, _, target = entry.name.partition("_")
    return replace(entry, name=name if name == "Human4" else ".".join(filter(None, (name, target))), skip=0)


class Otb2015(SequenceList):
    """OTB, or a dataset written in its layout. Building it reads no annotation."""

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive with the sequences' folders.
            split: ``otb2015`` or None (100 sequences), ``otb2013`` (51) and ``tb50`` (50), with names as pytracking and
                OSTrack use them (``Jogging_1``, ``Human4_2``); ``toolkit``: the 100 as the GOT-10k toolkit reads them
                (``Jogging.1``, ``Human4``, Tiger1 from its first frame). All of them name every sequence, whether it is
                on disk or not. ``all``: every folder with a file of boxes, its images in natural order.
            name: what reports call it; by default ``otb2015``, or its other split.

        Raises:
            ValueError: unknown split.
            AnnotationError: ``all``, and there is no such folder.
        """
        check_split("OTB2015", split, SPLITS)
        store = open_store(root)
        entries = _on_disk(store) if split == "all" else sequences(split)
        own = "otb2015" if split in ("toolkit", "all") else split
        super().__init__(name or own or "otb2015", list(entries), partial(read_sequence, store, entries))


def _on_disk(store: Store) -> dict[str, ListedSequence]:
    published_folders = {entry.folder for entry in sequences(None).values()}
    entries = {entry.name: entry for entry in sequences(None).values() if store.is_file(entry.annotation)}
    for folder in store.folders():
        if f"{folder}/img" in published_folders:
            continue
        for match in filter(None, map(_BOXES.fullmatch, store.files(folder))):
            name = f"{folder}_{match[1]}" if match[1] else folder
            entries[name] = ListedSequence(name, f"{folder}/img", f"{folder}/{match[0]}")
    if not entries:
        raise AnnotationError(f"{store.where('')}: no folder with a file groundtruth_rect.txt there")
    return dict(sorted(entries.items()))


def read_sequence(store: Store, entries: Mapping[str, ListedSequence], name: str) -> Sequence:
    """The sequence ``name``. ``attributes["challenges"]`` has the names from ``attrs.txt``.

    Raises:
        AnnotationError: boxes are missing or malformed, or there are not as many as the published list says.
    """
    entry = entries[name]
    folder = entry.annotation.partition("/")[0]
    sequence = read_listed(store, entry, origin=1)
    return replace(sequence, attributes=find_challenges(store, (f"{folder}/attrs.txt", f"att/{name}.txt"), CHALLENGES))


OTB2015 = DatasetInfo(
    name="otb2015",
    title="OTB2015",
    open=Otb2015,
    splits=SPLITS,
    layout="<sequence>/img/%04d.jpg, <sequence>/groundtruth_rect.txt, <sequence>/attrs.txt",
    annotation="box in every frame, class, 11 attributes",
    origin=1,
    tag="otb",
    convention="ostrack/otb",
    challenges=CHALLENGES,
)
DATASETS = (OTB2015, published(OTB2015, "otb"))
