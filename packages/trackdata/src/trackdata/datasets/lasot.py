"""LaSOT: 1,400 long videos of 70 classes (Fan et al., CVPR 2019), of which protocol II tests on 280.

On disk::

    <root>/<class>/<class>-<n>/img/00000001.jpg ...   frames, numbered from 1
                              /groundtruth.txt        x,y,w,h a line, whole numbers, counted from 1
                              /full_occlusion.txt     one line of 0 and 1, one for each frame
                              /out_of_view.txt        the same
                              /nlp.txt                one sentence about the target
    <root>/att/<sequence>.txt                         14 flags, from the benchmark's evaluation toolkit; may be missing

The target is absent where it is fully occluded or out of view; 73 % of these frames have a box all the same. A few
frames have an empty box without being flagged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from trackdata.datasets.challenges import find_challenges
from trackdata.datasets.folder import natural_key
from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.datasets.lists import read_list
from trackdata.frames import NumberedFrames
from trackdata.parsing import parse_boxes, parse_column, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_text
from trackdata.storage.store import join

SPLITS = ("train", "test", "all")

CHALLENGES: Mapping[str, str] = {
    "IV": "Illumination Variation",
    "POC": "Partial Occlusion",
    "DEF": "Deformation",
    "MB": "Motion Blur",
    "CM": "Camera Motion",
    "ROT": "Rotation",
    "BC": "Background Clutter",
    "VC": "Viewpoint Change",
    "SV": "Scale Variation",
    "FOC": "Full Occlusion",
    "FM": "Fast Motion",
    "OV": "Out-of-View",
    "LR": "Low Resolution",
    "ARC": "Aspect Ratio Change",
}


class Lasot(SequenceList):
    """LaSOT, or a dataset written in its layout. Building it reads no annotation."""

    def __init__(
        self,
        root: str | Path | Store,
        split: str | None = None,
        vid_ids: Iterable[int] | None = None,
        name: str | None = None,
    ) -> None:
        """
        Args:
            root: the folder or archive with the folders of the classes.
            split: ``train`` (1,120 sequences) and ``test`` (280) are protocol II and name every sequence, whether it is
                on disk or not; ``all`` is what lies in the folders of the classes.
            vid_ids: in the place of a split: these numbers of every class that is on disk.
            name: what reports call it; by default ``lasot`` and the split.

        Raises:
            ValueError: unknown split, or not one of ``split`` and ``vid_ids``.
            AnnotationError: ``all`` or ``vid_ids``, and there is no folder of a class.
        """
        store = open_store(root)
        check_split("LaSOT", split, SPLITS)
        if (split is None) == (vid_ids is None):
            given = "both" if split else "neither"
            raise ValueError(f"LaSOT needs a split ({', '.join(SPLITS)}) or vid_ids, got {given}")
        if vid_ids is not None:
            numbers = list(vid_ids)
            names = [f"{folder}-{number}" for folder in class_folders(store) for number in numbers]
        else:
            names = all_names(store) if split == "all" else read_list(f"lasot_{split}")
        super().__init__(name or "_".join(filter(None, ("lasot", split))), names, partial(read_sequence, store))


def class_folders(store: Store) -> list[str]:
    """The folders of ``store`` that hold a sequence named after them, sorted.

    Raises:
        AnnotationError: there are none.
    """
    found = [folder for folder in store.folders() if _sequences(store, folder)]
    if not found:
        raise AnnotationError(f"{store.where('')}: no folder <class> with sequences <class>-<number> there")
    return found


def all_names(store: Store) -> list[str]:
    """The sequences in :func:`class_folders`, by class and number."""
    return [name for folder in class_folders(store) for name in _sequences(store, folder)]


def _sequences(store: Store, folder: str) -> list[str]:
    return sorted((name for name in store.folders(folder) if name.startswith(f"{folder}-")), key=natural_key)


def read_sequence(store: Store, name: str) -> Sequence:
    """The sequence ``name`` of LaSOT or LaSOT_ext.

    It has as many frames as there are boxes, whatever images lie there. ``visible`` is: not absent, and a valid box.
    ``attributes["language"]`` is the sentence, ``attributes["challenges"]`` has the names from ``att/``.

    Raises:
        AnnotationError: a file is missing or malformed, or there are not as many flags as boxes.
    """
    object_class = name.partition("-")[0]
    folder = join(object_class, name)
    boxes = parse_boxes(read_text(store, join(folder, "groundtruth.txt")))
    valid = valid_boxes(boxes)
    absent = _absent(store, folder, len(boxes))
    attributes = find_challenges(store, (f"att/{name}.txt", f"annos/att/{name}.txt"), CHALLENGES)
    if store.is_file(sentence := join(folder, "nlp.txt")):
        attributes["language"] = " ".join(read_text(store, sentence).lines)
    return Sequence(
        name=name,
        frames=NumberedFrames(store, join(folder, "img"), len(boxes)),
        boxes=boxes,
        valid=valid,
        visible=None if absent is None else ~absent & valid,
        absent=absent,
        origin=1,
        object_class=object_class,
        attributes=attributes,
    )


def _absent(store: Store, folder: str, length: int) -> np.ndarray | None:
    keys = [join(folder, f"{flag}.txt") for flag in ("full_occlusion", "out_of_view")]
    missing = [key for key in keys if not store.is_file(key)]
    if len(missing) == len(keys):
        return None
    if missing:
        raise AnnotationError(
            f"{store.where(missing[0])}: there is no such file; full_occlusion.txt and out_of_view.txt belong together"
        )
    occluded, outside = (parse_column(read_text(store, key), length) != 0 for key in keys)
    return occluded | outside


LASOT = DatasetInfo(
    name="lasot",
    title="LaSOT",
    open=Lasot,
    splits=SPLITS,
    layout="<class>/<class>-<n>/img/%08d.jpg, groundtruth.txt, full_occlusion.txt, out_of_view.txt, nlp.txt",
    annotation="box, full occlusion and out of view in every frame, one sentence, 14 attributes",
    origin=1,
    tag="lasot",
    convention="ostrack/lasot",
    challenges=CHALLENGES,
)
DATASETS = (LASOT, published(LASOT, "LASOT", "train"))
