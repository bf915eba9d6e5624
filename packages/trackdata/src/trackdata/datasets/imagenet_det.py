"""ImageNet DET: the training images of the detection challenge, 200 classes (Russakovsky et al., IJCV 2015).

On disk::

    Data/DET/train/ILSVRC2013_train/n01443537/n01443537_10007.JPEG ...     a folder for each synset
    Data/DET/train/ILSVRC2014_train_0000/ILSVRC2014_train_00000001.JPEG    ..., to ILSVRC2014_train_0006
    Annotations/DET/train/...                                              the same with .xml for .JPEG

Alpha-Refine has the same folders under the names ``a`` (2013) and ``b`` to ``h`` (2014) and takes one item per object.
SparseTT looks for images two folders deep, so it finds those of 2013 alone, and takes one item per image, of whose
objects one is drawn each time. The XML files are read once, into an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Literal, get_args

import numpy as np

from trackdata.datasets.imagenet_vid import corner_sizes
from trackdata.datasets.imagenet_xml import Annotation, parse_xml
from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.deferred import Deferred
from trackdata.frames import StoredFrames
from trackdata.index import load_or_build
from trackdata.parsing import valid_boxes
from trackdata.sequences import AnnotationError, Sequence
from trackdata.storage import Store, open_store, read_annotation
from trackdata.storage.store import join

Items = Literal["objects", "images"]
AreaRule = Literal["box", "published"]
FOLDERS = ("ILSVRC2013_train", *(f"ILSVRC2014_train_{number:04d}" for number in range(7)))
LETTERS = tuple("abcdefgh")  # Alpha-Refine's names of the same
_ANNOTATIONS, _IMAGES = "Annotations/DET/train", "Data/DET/train"
_VERSION = 1  # goes up when the index's content changes
_READERS = 8  # threads that read XML files: most of the time is spent waiting for the disk


class ImageNetDet:
    """ImageNet DET as still images. Sequences are read from an index; building the dataset reads no image.

    Attributes:
        name: what reports call it.
        still: True.
    """

    still = True

    def __init__(
        self,
        root: str | Path | Store,
        split: str | None = None,
        *,
        items: Items = "objects",
        two_levels: bool = False,
        plus_one: bool = False,
        max_target_area: float | None = None,
        area_rule: AreaRule = "box",
        name: str | None = None,
    ) -> None:
        """
        Args:
            root: the folder or archive with ``Annotations`` and ``Data``.
            split: ``train`` or None, the same.
            items: ``objects`` makes one sequence of one frame per object. ``images`` makes one per image that has any:
                its frames are the image once for each of its objects, so that drawing a frame draws an object.
            two_levels: only images in a folder of a folder, which leaves out those of 2014 (SparseTT).
            plus_one: w = xmax - xmin + 1 and the same for h (SparseTT) instead of xmax - xmin (Alpha-Refine).
            max_target_area: leave out objects of which the square root of box area over image area is not below this;
                None keeps them.
            area_rule: ``box`` computes the area as w * h; ``published`` as x * y * w * h, as Alpha-Refine does by
                mistake: then hardly any object is left that does not touch the left or upper border.
            name: what reports call it.

        Raises:
            ValueError: unknown split or option.
            AnnotationError: no annotation, or a file is damaged.
        """
        check_split("ImageNet DET", split, ("train",))
        if items not in get_args(Items):
            raise ValueError(f"items is one of {', '.join(get_args(Items))}, got {items!r}")
        if area_rule not in get_args(AreaRule):
            raise ValueError(f"area_rule is one of {', '.join(get_args(AreaRule))}, got {area_rule!r}")
        self._store = open_store(root)
        self._items = items
        self.name = name or "imagenet_det"
        rules = {
            "items": items,
            "two_levels": two_levels,
            "plus_one": plus_one,
            "max_target_area": max_target_area,
            "area_rule": area_rule,
        }
        self._objects = Deferred(partial(_select, self._store, **rules))
        self._objects.value  # noqa: B018 - what is wrong is told now, and forked workers share the table

    def __len__(self) -> int:
        return len(self._objects.value["starts"]) - 1

    def __getitem__(self, index: int) -> Sequence:
        """Sequence ``index``, called by the image and, when there is one per object, the object's place in the file.

        ``attributes`` has ``resolution`` (width, height) and ``classes`` (synsets, one per frame)."""
        table = self._objects.value
        index = range(len(self))[index]
        rows = slice(table["starts"][index], table["starts"][index + 1])
        image = table["image"][rows.start]
        key = table["images"][image].decode()
        boxes = table["boxes"][rows]
        classes = tuple(synset.decode() for synset in table["synset"][rows])
        stem = PurePath(key).name
        return Sequence(
            name=stem if self._items == "images" else f"{stem}.{table['place'][rows.start]}",
            frames=StoredFrames(self._store, (join(_IMAGES, f"{key}.JPEG"),) * len(boxes)),
            boxes=boxes,
            valid=valid_boxes(boxes),
            object_class=classes[0] if len(set(classes)) == 1 else None,
            attributes={"resolution": tuple(table["sizes"][image].tolist()), "classes": classes},
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} {self._items}>"


def _select(
    store: Store,
    *,
    items: Items,
    two_levels: bool,
    plus_one: bool,
    max_target_area: float | None,
    area_rule: AreaRule,
) -> Mapping[str, np.ndarray]:
    """The table of objects that pass, their ``boxes``, and ``starts``: where the rows of each item begin."""
    table = _read_objects(store)
    boxes = corner_sizes(table["corners"], plus_one)
    kept = np.ones(len(boxes), bool)
    if two_levels:
        kept &= np.char.count(table["images"], b"/")[table["image"]] == 2
    if max_target_area is not None:
        areas = boxes.prod(axis=1) if area_rule == "published" else boxes[:, 2:].prod(axis=1)
        sizes = table["sizes"][table["image"]].astype(np.float64).prod(axis=1)
        kept &= np.sqrt(np.maximum(areas, 0) / sizes) < max_target_area
    table = table | {key: table[key][kept] for key in ("image", "place", "synset", "corners")}
    starts = np.arange(len(table["image"]) + 1)
    if items == "images":
        _, starts = np.unique(table["image"], return_index=True)
        starts = np.append(starts, len(table["image"]))
    return table | {"boxes": boxes[kept], "starts": starts}


def _read_objects(store: Store) -> dict[str, np.ndarray]:
    """The table of all objects, from the index.

    ``images`` (I,) bytes, keys below ``Data/DET/train`` without their endings, and ``sizes`` (I, 2) width and height;
    per object ``image`` (R,), its place in ``images``, ``place`` (R,), its place among the image's objects, ``synset``
    (R,) bytes and ``corners`` (R, 4) xmin, ymin, xmax, ymax.
    """
    known = store.folders(_ANNOTATIONS)
    tops = [name for name in FOLDERS if name in known] or [name for name in LETTERS if name in known]
    if not tops:
        raise AnnotationError(
            f"{store.where(_ANNOTATIONS)}: no annotation of ImageNet DET there; expected folders "
            f"{FOLDERS[0]}, {FOLDERS[1]} to {FOLDERS[-1]}, or {', '.join(LETTERS)}"
        )
    folders = [
        folder
        for top in tops
        for folder in (top, *(join(top, name) for name in store.folders(join(_ANNOTATIONS, top))))
    ]
    inputs = [join(_ANNOTATIONS, folder) for folder in folders]
    return load_or_build(store, "imagenet-det", inputs, {"version": _VERSION}, partial(_build, store, folders))


def _build(store: Store, folders: list[str]) -> Mapping[str, Any]:
    images = [
        join(folder, name.removesuffix(".xml"))
        for folder in folders
        for name in store.files(join(_ANNOTATIONS, folder))
        if name.endswith(".xml")
    ]
    with ThreadPoolExecutor(_READERS) as threads:
        annotations = list(threads.map(partial(_read, store), images))
    rows = [
        (image, place, item)
        for image, annotation in enumerate(annotations)
        for place, item in enumerate(annotation.objects)
    ]
    return {
        "images": np.array(images, "S"),
        "sizes": np.array([annotation.size for annotation in annotations], np.int32).reshape(-1, 2),
        "image": np.array([image for image, _, _ in rows], np.int32),
        "place": np.array([place for _, place, _ in rows], np.int32),
        "synset": np.array([item.synset.encode() for _, _, item in rows], "S"),
        "corners": np.array([item.corners for _, _, item in rows], np.int32).reshape(-1, 4),
    }


def _read(store: Store, image: str) -> Annotation:
    key = join(_ANNOTATIONS, f"{image}.xml")
    return parse_xml(read_annotation(store, key), store.where(key))


DET = DatasetInfo(
    name="imagenet_det",
    title="ImageNet DET",
    open=ImageNetDet,
    splits=("train",),
    layout="Data/DET/train/.../*.JPEG, Annotations/DET/train/.../*.xml",
    annotation="box and class of objects in still images",
)
_ALPHAREFINE = partial(ImageNetDet, max_target_area=1.0, area_rule="published")
_SPARSETT = partial(ImageNetDet, items="images", two_levels=True, plus_one=True)
DATASETS = (
    DET,
    published(replace(DET, open=_ALPHAREFINE), "ALPHAREFINE_DET", "train"),
    published(replace(DET, open=_SPARSETT), "SPARSETT_DET", "train"),
)
