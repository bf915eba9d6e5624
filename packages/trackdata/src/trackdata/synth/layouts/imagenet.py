"""ImageNet VID and DET: one XML file an image, with the boxes of all objects."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from trackdata.synth.annotations import Track
from trackdata.synth.layouts.classes import NAMES
from trackdata.synth.layouts.images import write_frames
from trackdata.synth.layouts.layout import SEVERAL, Item, Layout, Order, stamp_of
from trackdata.synth.sequence import SynthSequence

_OCCLUDED = 0.25  # of an object's pixels in the image that something covers
_VIDEOS = 1000  # in a folder of the training videos

Tag = tuple[str, object]  # name, and text or elements inside


def _xml(tags: Iterable[Tag], depth: int = 0) -> str:
    """Elements, one a line, indented by tabs as the originals are."""
    lines = []
    for name, content in tags:
        indent = "\t" * depth
        if isinstance(content, list):
            lines.append(f"{indent}<{name}>\n{_xml(content, depth + 1)}{indent}</{name}>\n")
        else:
            lines.append(f"{indent}<{name}>{escape(str(content))}</{name}>\n")
    return "".join(lines)


def _annotation(folder: str, file: str, size: tuple[int, int], objects: list[Tag]) -> str:
    source: list[Tag] = [("database", "ILSVRC_2015")]
    shape: list[Tag] = [("width", size[0]), ("height", size[1])]
    head: list[Tag] = [("folder", folder), ("filename", file), ("source", source), ("size", shape)]
    return _xml([("annotation", [*head, *objects])])


def _corners(box: np.ndarray) -> list[Tag]:
    """Of the pixels' outer edges: most readers take width and height as differences of the corners."""
    x, y, w, h = box.astype(int).tolist()
    return [("xmax", x + w), ("xmin", x), ("ymax", y + h), ("ymin", y)]


def _plan_vid(order: Order) -> list[Item]:
    items = []
    for number in range(order.sequences):
        video = f"{order.split}/ILSVRC2015_{order.split}_{number:08d}"
        if order.split == "train":
            video = f"train/ILSVRC2015_VID_train_{number // _VIDEOS:04d}/ILSVRC2015_train_{number:08d}"
        name = video.rpartition("/")[2]
        places = (f"Data/VID/{video}", f"Annotations/VID/{video}")
        items.append(Item(name, number, places, order.frames, stamp_of(name, order.split), plan=video))
    return items


def _write_vid(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    images, annotations = (folder / place for place in item.places)
    write_frames(images, sequence, "{:06d}.JPEG", first=0)
    annotations.mkdir(parents=True)
    for index in range(len(sequence)):
        objects = [_tracked(number, track, index) for number, track in enumerate(sequence.tracks)]
        present = [("object", tags) for tags in objects if tags is not None]
        text = _annotation(item.plan.partition("/")[2] or item.plan, f"{index:06d}", sequence.scene.size, present)
        (annotations / f"{index:06d}.xml").write_text(text, encoding="utf-8")


def _tracked(number: int, track: Track, index: int) -> list[Tag] | None:
    """An object in a frame; None where nothing of it is visible: its track has a gap there."""
    if track.absent[index]:
        return None
    return [
        ("trackid", number),
        ("name", NAMES[track.object_class].synset),
        ("bndbox", _corners(track.boxes[index])),
        ("occluded", int(track.hidden[index] > _OCCLUDED)),
        ("generated", 0),
    ]


def _plan_det(order: Order) -> list[Item]:
    """Images of 2013, in a folder of their synset, and of 2014, in turns. The synset is not known before the image is
    drawn, so those of 2013 are put under one that suits all."""
    items = []
    for number in range(order.sequences):
        if number % 2:
            image = f"ILSVRC2014_train_0000/ILSVRC2014_train_{number + 1:08d}"
        else:
            image = f"ILSVRC2013_train/n00001740/n00001740_{number + 1}"
        name = image.rpartition("/")[2]
        places = (f"Data/DET/train/{image}.JPEG", f"Annotations/DET/train/{image}.xml")
        items.append(Item(name, number, places, order.frames, stamp_of(name, order.split), plan=image))
    return items


def _write_det(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    image, annotation = (folder / place for place in item.places)
    image.parent.mkdir(parents=True)
    annotation.parent.mkdir(parents=True)
    index = len(sequence) // 2
    image.write_bytes(sequence.jpeg(index))
    objects: list[Tag] = []
    for sort, found in zip(sequence.scene.classes, sequence.annotations(index), strict=True):
        if not found.absent:
            objects.append(("object", [("name", NAMES[sort].synset), ("bndbox", _corners(found.visible_box))]))
    place, _, file = item.plan.rpartition("/")
    text = _annotation(place, file, sequence.scene.size, objects)
    annotation.write_text(text, encoding="utf-8")


IMAGENET_VID = Layout(
    name="imagenet_vid",
    title="one XML file a frame, tracks with gaps, occlusion flags",
    plan=_plan_vid,
    write=_write_vid,
    splits=("train", "val"),
    objects=SEVERAL,
)
IMAGENET_DET = Layout(
    name="imagenet_det",
    title="still images, one XML file each",
    plan=_plan_det,
    write=_write_det,
    splits=("train",),
    still=True,
    objects=SEVERAL,
)
