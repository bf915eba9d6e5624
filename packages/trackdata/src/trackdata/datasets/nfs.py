"""NfS, Need for Speed: 100 videos at 240 frames a second (Galoogahi et al., ICCV 2017), mostly tested on at 30.

Two layouts. The one that published trackers are scored on, converted to 30 frames a second by pytracking's authors::

    <root>/sequences/<name>/00001.jpg ...       frames, numbered from 1
          /anno/nfs_<name>.txt                  x,y,w,h a line, between tabs

The original, at both speeds::

    <root>/<name>/<30 or 240>/<name>/00001.jpg ...
                             /<name>.txt        track left top right bottom frame lost occluded generated "class"

In the original, some files of the 30 have one row for each frame at 240: every eighth counts. Where rows and images
then differ by one, the last of the longer is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from trackdata.datasets.challenges import find_challenges
from trackdata.datasets.folder import list_frames, natural_key
from trackdata.datasets.info import DatasetInfo, check_split
from trackdata.datasets.lists import ListedSequence, read_listed, read_table
from trackdata.parsing import TextFile, parse_boxes, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_text

SPLITS = ("converted", "30", "240", "all")

CHALLENGES: Mapping[str, str] = {
    "IV": "Illumination Variation",
    "SV": "Scale Variation",
    "OCC": "Occlusion",
    "DEF": "Deformation",
    "FM": "Fast Motion",
    "VC": "Viewpoint Change",
    "OV": "Out-of-View",
    "BC": "Background Clutter",
    "LR": "Low Resolution",
}


class Nfs(SequenceList):
    """NfS, or a dataset written in one of its layouts. Building it reads no annotation."""

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive.
            split: ``converted``: the 100 published sequences of the converted layout, whether they are on disk or not,
                called ``nfs_<name>``; ``all``: every file of boxes in this layout; ``30`` and ``240``: the original
                layout at this speed, what is on disk, called ``<name>``. None is ``converted`` where there is a folder
                ``anno``, else ``30``.
            name: what reports call it; by default ``nfs``, for the original layout with the speed.

        Raises:
            ValueError: unknown split.
            AnnotationError: nothing of the split is there.
        """
        check_split("NfS", split, SPLITS)
        store = open_store(root)
        if split is None:
            split = "converted" if "anno" in store.folders() else "30"
        if split in ("30", "240"):
            names, read = _original_names(store, split), partial(read_original, store, split)
            super().__init__(name or f"nfs_{split}", names, read)
        else:
            entries = _on_disk(store) if split == "all" else read_table("nfs30")
            super().__init__(name or "nfs", list(entries), partial(read_converted, store, entries))


def _on_disk(store: Store) -> dict[str, ListedSequence]:
    known = read_table("nfs30")
    names = [file[:-4] for file in store.files("anno") if file.startswith("nfs_") and file.endswith(".txt")]
    if not names:
        raise AnnotationError(f"{store.where('anno')}: no files nfs_<name>.txt there")
    return {
        name: known.get(name, ListedSequence(name, f"sequences/{name.removeprefix('nfs_')}", f"anno/{name}.txt"))
        for name in sorted(names, key=natural_key)
    }


def _original_names(store: Store, speed: str) -> list[str]:
    names = [name for name in store.folders() if store.is_file(f"{name}/{speed}/{name}.txt")]
    if not names:
        raise AnnotationError(f"{store.where('')}: no files <name>/{speed}/<name>.txt of NfS there")
    return names


def read_converted(store: Store, entries: Mapping[str, ListedSequence], name: str) -> Sequence:
    """The sequence ``name`` of the converted layout; ``attributes["challenges"]`` has the names from ``anno/att/``.

    Raises:
        AnnotationError: boxes are missing or malformed, or there are not as many as the published list says.
    """
    sequence = read_listed(store, entries[name])
    return replace(sequence, attributes=find_challenges(store, (f"anno/att/{name}.txt",), CHALLENGES))


def read_original(store: Store, speed: str, name: str) -> Sequence:
    """The sequence ``name`` of the original layout.

    Raises:
        AnnotationError: boxes are missing or malformed, there are no images, or numbers differ by more than one.
    """
    file = read_text(store, f"{name}/{speed}/{name}.txt")
    boxes = parse_tracks(file)
    frames = list_frames(store, f"{name}/{speed}/{name}")
    if abs(len(boxes) / len(frames) - 8) < 1:
        boxes = boxes[::8]
    if abs(len(boxes) - len(frames)) > 1:
        raise AnnotationError(f"{file.source}: {len(boxes)} boxes for {len(frames)} images")
    count = min(len(boxes), len(frames))
    boxes = boxes[:count]
    listed = read_table("nfs30").get(f"nfs_{name}")
    return Sequence(
        name=name,
        frames=replace(frames, keys=frames.keys[:count]),
        boxes=boxes,
        valid=valid_boxes(boxes),
        object_class=listed.object_class if listed else None,
    )


def parse_tracks(file: TextFile) -> np.ndarray:
    """Boxes ``(N, 4)`` from the original's lines, in which left, top, right, bottom follow the number of the track.

    Raises:
        AnnotationError: a line has fewer columns, something is not a number, or there are no lines.
    """
    lines = [line.split() for line in file.lines]
    short = next((number for number, fields in enumerate(lines, start=1) if len(fields) < 5), None)
    if short is not None:
        raise AnnotationError(f"{file.source}: line {short}: expected track, left, top, right, bottom")
    corners = parse_boxes(replace(file, text="\n".join(" ".join(fields[1:5]) for fields in lines)))
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


DATASETS = (
    DatasetInfo(
        name="nfs",
        title="NfS",
        open=Nfs,
        splits=SPLITS,
        layout="sequences/<name>/%05d.jpg, anno/nfs_<name>.txt; or <name>/<30|240>/<name>/*.jpg and <name>.txt beside",
        annotation="box in every frame, class",
        tag="nfs",
        convention="ostrack/nfs",
        challenges=CHALLENGES,
    ),
)
