"""DTB70: 70 videos from drones (Li and Yeung, AAAI 2017).

On disk::

    <root>/<sequence>/img/00001.jpg ...        frames
                     /groundtruth_rect.txt     x,y,w,h a line
    <root>/att/<sequence>.txt                  11 flags; may be missing
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from trackdata.datasets.challenges import find_challenges
from trackdata.datasets.folder import list_frames
from trackdata.datasets.info import DatasetInfo, check_split
from trackdata.parsing import parse_boxes, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_text
from trackdata.storage.store import join

CHALLENGES: Mapping[str, str] = {
    "SV": "Scale Variation",
    "ARV": "Aspect Ratio Variation",
    "OCC": "Occlusion",
    "DEF": "Deformation",
    "FCM": "Fast Camera Motion",
    "IPR": "In-Plane Rotation",
    "OPR": "Out-of-Plane Rotation",
    "OV": "Out-of-View",
    "BC": "Background Clutter",
    "SOA": "Similar Objects Around",
    "MB": "Motion Blur",
}


class Dtb70(SequenceList):
    """DTB70: the folders of ``root`` that hold a ``groundtruth_rect.txt``, sorted. Building it reads no annotation."""

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive with the sequences' folders.
            split: there are none.
            name: what reports call it; by default ``dtb70``.

        Raises:
            ValueError: a split.
            AnnotationError: there is no sequence.
        """
        check_split("DTB70", split, ())
        store = open_store(root)
        names = [folder for folder in store.folders() if store.is_file(join(folder, "groundtruth_rect.txt"))]
        if not names:
            raise AnnotationError(f"{store.where('')}: no folder with a file groundtruth_rect.txt there")
        super().__init__(name or "dtb70", names, partial(read_sequence, store))


def read_sequence(store: Store, name: str) -> Sequence:
    """The sequence in the folder ``name``.

    Raises:
        AnnotationError: boxes or images are missing or malformed, or their numbers differ.
    """
    file = read_text(store, join(name, "groundtruth_rect.txt"))
    boxes, frames = parse_boxes(file), list_frames(store, join(name, "img"))
    if len(boxes) != len(frames):
        raise AnnotationError(f"{file.source}: {len(boxes)} boxes for {len(frames)} images in {join(name, 'img')}")
    attributes = find_challenges(store, (f"att/{name}.txt", join(name, "attrs.txt")), CHALLENGES)
    return Sequence(name, frames, boxes, valid_boxes(boxes), origin=1, attributes=attributes)


DATASETS = (
    DatasetInfo(
        name="dtb70",
        title="DTB70",
        open=Dtb70,
        layout="<sequence>/img/%05d.jpg, <sequence>/groundtruth_rect.txt",
        annotation="box in every frame, 11 attributes",
        origin=1,
        convention="otb_toolkit",
        challenges=CHALLENGES,
    ),
)
