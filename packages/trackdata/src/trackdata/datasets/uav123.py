"""UAV123 and UAV20L: 123 videos from drones, and 20 long ones (Mueller et al., ECCV 2016).

On disk; both share the images, of which sequences are ranges::

    <root>/data_seq/UAV123/<folder>/000001.jpg ...   frames, numbered from 1
          /anno/UAV123/<sequence>.txt                x,y,w,h a line; NaN,NaN,NaN,NaN where the target is absent
          /anno/UAV123/att/<sequence>.txt            12 flags; may be missing
          /anno/UAV20L/...                           the same for UAV20L

Published results call the sequence bike1 of UAV123 ``uav_bike1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from trackdata.datasets.challenges import find_challenges
from trackdata.datasets.folder import natural_key
from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.datasets.lists import ListedSequence, read_listed, read_table
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store

Version = Literal["UAV123", "UAV20L"]
SPLITS = ("toolkit", "all")

CHALLENGES: Mapping[str, str] = {
    "SV": "Scale Variation",
    "ARC": "Aspect Ratio Change",
    "LR": "Low Resolution",
    "FM": "Fast Motion",
    "FOC": "Full Occlusion",
    "POC": "Partial Occlusion",
    "OV": "Out-of-View",
    "BC": "Background Clutter",
    "IV": "Illumination Variation",
    "VC": "Viewpoint Change",
    "CM": "Camera Motion",
    "SOB": "Similar Object",
}


@cache
def sequences(version: Version, prefix: bool = True) -> Mapping[str, ListedSequence]:
    """The published sequences by name; ``prefix`` is whether those of UAV123 begin with ``uav_``."""
    known = read_table(version.lower()).values()
    entries = known if prefix else (replace(entry, name=entry.name.removeprefix("uav_")) for entry in known)
    return {entry.name: entry for entry in entries}


class Uav(SequenceList):
    """UAV123 or UAV20L, or a dataset written in their layout. Building it reads no annotation."""

    def __init__(
        self,
        root: str | Path | Store,
        split: str | None = None,
        name: str | None = None,
        version: Version = "UAV123",
    ) -> None:
        """
        Args:
            root: the folder or archive with ``anno`` and ``data_seq``.
            split: None: the published sequences, whether they are on disk or not; ``toolkit``: the same with the names
                of their files (``bike1``), as the GOT-10k toolkit calls them; ``all``: the
                same for every file of boxes on disk, in natural order. Sequences outside the published list have all
                images of the folder named after them.
            name: what reports call it; by default ``uav123`` or ``uav20l``.
            version: which of the two.

        Raises:
            ValueError: unknown split.
            AnnotationError: ``all``, and there is no file of boxes.
        """
        check_split(version, split, SPLITS)
        store = open_store(root)
        entries = _on_disk(store, version) if split == "all" else sequences(version, prefix=split is None)
        super().__init__(name or version.lower(), list(entries), partial(read_sequence, store, entries))


def _on_disk(store: Store, version: Version) -> dict[str, ListedSequence]:
    known = sequences(version, prefix=False)
    names = [file.removesuffix(".txt") for file in store.files(f"anno/{version}") if file.endswith(".txt")]
    if not names:
        raise AnnotationError(f"{store.where(f'anno/{version}')}: no files of boxes there")
    return {
        name: known.get(name, ListedSequence(name, f"data_seq/UAV123/{name}", f"anno/{version}/{name}.txt"))
        for name in sorted(names, key=natural_key)
    }


def read_sequence(store: Store, entries: Mapping[str, ListedSequence], name: str) -> Sequence:
    """The sequence ``name``. ``attributes["challenges"]`` has the names from ``att/``; ``absent`` are rows of NaN.

    Raises:
        AnnotationError: boxes are missing or malformed, or there are not as many as the published list says.
    """
    folder, _, file = entries[name].annotation.rpartition("/")
    sequence = read_listed(store, entries[name], origin=1)
    return replace(
        sequence,
        absent=np.isnan(sequence.boxes).all(axis=1),
        attributes=find_challenges(store, (f"{folder}/att/{file}",), CHALLENGES),
    )


UAV123 = DatasetInfo(
    name="uav123",
    title="UAV123",
    open=Uav,
    splits=SPLITS,
    layout="data_seq/UAV123/<folder>/%06d.jpg, anno/UAV123/<sequence>.txt, anno/UAV123/att/<sequence>.txt",
    annotation="box in every frame, NaN where absent, class, 12 attributes",
    origin=1,
    tag="uav",
    convention="ostrack/uav",
    challenges=CHALLENGES,
)
UAV20L = replace(
    UAV123,
    name="uav20l",
    title="UAV20L",
    open=partial(Uav, version="UAV20L"),
    layout="data_seq/UAV123/<folder>/%06d.jpg, anno/UAV20L/<sequence>.txt, anno/UAV20L/att/<sequence>.txt",
)
DATASETS = (UAV123, UAV20L, published(UAV123, "uav"))
