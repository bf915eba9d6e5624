"""TNL2K: videos with a sentence about the target, 700 of them to test on (Wang et al., CVPR 2021).

On disk::

    <root>/<sequence>/imgs/00001.png ...       frames, .png or .jpg
                     /groundtruth.txt          x,y,w,h a line
                     /language.txt             the sentence
    <root>/att/<sequence>_attribute.txt        17 flags, from the benchmark's evaluation toolkit; may be missing
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from trackdata.datasets.challenges import find_challenges
from trackdata.datasets.folder import list_frames
from trackdata.datasets.info import DatasetInfo, check_split
from trackdata.frames import StoredFrames
from trackdata.parsing import parse_boxes, valid_boxes
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Store, open_store, read_text
from trackdata.storage.store import join

CHALLENGES: Mapping[str, str] = {
    "CM": "Camera Motion",
    "ROT": "Rotation",
    "DEF": "Deformation",
    "FOC": "Full Occlusion",
    "IV": "Illumination Variation",
    "OV": "Out-of-View",
    "POC": "Partial Occlusion",
    "VC": "Viewpoint Change",
    "SV": "Scale Variation",
    "BC": "Background Clutter",
    "MB": "Motion Blur",
    "ARC": "Aspect Ratio Change",
    "LR": "Low Resolution",
    "FM": "Fast Motion",
    "AS": "Adversarial Samples",
    "TC": "Thermal Crossover",
    "MS": "Modality Switch",
}


class Tnl2k(SequenceList):
    """TNL2K: the folders of ``root`` that hold a ``groundtruth.txt``, sorted. Building it reads no annotation."""

    def __init__(self, root: str | Path | Store, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder or archive with the sequences' folders.
            split: there are none.
            name: what reports call it; by default ``tnl2k``.

        Raises:
            ValueError: a split.
            AnnotationError: there is no sequence.
        """
        check_split("TNL2K", split, ())
        store = open_store(root)
        names = [folder for folder in store.folders() if store.is_file(join(folder, "groundtruth.txt"))]
        if not names:
            raise AnnotationError(f"{store.where('')}: no folder with a file groundtruth.txt there")
        super().__init__(name or "tnl2k", names, partial(read_sequence, store))


def read_sequence(store: Store, name: str) -> Sequence:
    """The sequence in the folder ``name``.

    ``attributes["language"]`` is the first line of the sentence's file in lower case, as published trackers read it;
    ``attributes["challenges"]`` has the names from ``att/``.

    Raises:
        AnnotationError: boxes or images are missing or malformed, or their numbers differ.
    """
    file = read_text(store, join(name, "groundtruth.txt"))
    boxes = parse_boxes(file)
    images = list_frames(store, join(name, "imgs"))
    frames = StoredFrames(store, tuple(sorted(images.keys)))  # published scores are of this order
    if len(boxes) != len(frames):
        raise AnnotationError(f"{file.source}: {len(boxes)} boxes for {len(frames)} images in {join(name, 'imgs')}")
    attributes = find_challenges(store, (f"att/{name}_attribute.txt", f"annos/att/{name}_attribute.txt"), CHALLENGES)
    if store.is_file(sentence := join(name, "language.txt")):
        attributes["language"] = next(iter(read_text(store, sentence).lines), "").lower()
    return Sequence(name, frames, boxes, valid_boxes(boxes), attributes=attributes)


DATASETS = (
    DatasetInfo(
        name="tnl2k",
        title="TNL2K",
        open=Tnl2k,
        layout="<sequence>/imgs/*.png, <sequence>/groundtruth.txt, <sequence>/language.txt",
        annotation="box in every frame, one sentence, 17 attributes",
        tag="tnl2k",
        convention="ostrack/tnl2k",
        challenges=CHALLENGES,
    ),
)
