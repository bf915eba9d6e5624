"""COCO as still images: 2017 and 2014 (Lin et al., ECCV 2014).

On disk::

    annotations/instances_train2017.json
    images/train2017/000000000009.jpg ...      or train2017/000000000009.jpg ...

Published trackers read it in two ways. OSTrack and pytracking take one item per annotation that is no crowd; SparseTT
takes one item per image, of whose annotations (crowds are among them) one is drawn each time. The annotation file is
parsed once; its boxes are kept in an index, and outlines in another, which is made when the first mask is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Literal, get_args

import numpy as np
from pycocotools import mask as rle

from trackdata.datasets.info import DatasetInfo, published
from trackdata.deferred import Deferred
from trackdata.frames import StoredFrames
from trackdata.index import load_or_build
from trackdata.json_arrays import array_elements
from trackdata.parsing import valid_boxes
from trackdata.sequences import AnnotationError, Sequence
from trackdata.storage import Store, open_store, read_text
from trackdata.storage.store import join

SPLITS = ("train2017", "val2017", "train2014", "val2014")
Items = Literal["annotations", "images"]
_FOLDER, _PREFIX = "annotations", "instances_"
_VERSION = 1  # goes up when the indices' content changes
_LARGEST = 1 << 28  # pixels of an image; more is a damaged file
_FARTHEST = 1 << 17  # pixels from the origin to a corner of an outline


class Coco:
    """COCO, or a dataset in its format. Sequences are read from an index; building the dataset reads no image.

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
        items: Items = "annotations",
        crowd: bool = False,
        min_size: float | None = None,
        masks: bool = True,
        name: str | None = None,
    ) -> None:
        """
        Args:
            root: the folder, archive or LMDB with ``annotations``.
            split: ``train2017`` stands for ``annotations/instances_train2017.json``; None takes the only such file.
            items: ``annotations`` makes one sequence of one frame per annotation, called by the annotation's id.
                ``images`` makes one per image that has any, called by the image file: its frames are the image once for
                each of its annotations, so that drawing a frame draws an annotation.
            crowd: also annotations of crowds (``iscrowd``).
            min_size: leave out annotations whose width or height is not above this, in pixels. Published OSTrack has
                such a rule, 50, that has no effect on training; so the default None keeps all, also empty boxes, which
                are not valid.
            masks: whether sequences have masks. Without, whoever reads pairs spends no time on them.
            name: what reports call it; by default ``coco`` and the split.

        Raises:
            ValueError: unknown ``items``.
            AnnotationError: there is no such annotation file, or it is damaged.
        """
        if items not in get_args(Items):
            raise ValueError(f"items is one of {', '.join(get_args(Items))}, got {items!r}")
        self._store = open_store(root)
        split = find_split(self._store) if split is None else split
        self._items = items
        self._key = join(_FOLDER, f"{_PREFIX}{split}.json")
        if not self._store.is_file(self._key):
            known = ", ".join(annotated_splits(self._store)) or "none"
            raise AnnotationError(f"{self._store.where(self._key)}: there is no such file (splits there: {known})")
        self.name = name or f"coco_{split}"
        self._table = Deferred(partial(_select, self._store, split, self._key, items, crowd, min_size))
        self._masks = masks
        self._outlines = Deferred(partial(_load_outlines, self._store, split, self._key))
        first = self._table.value["files"][:1]
        folders = (join("images", split), split)
        found = (folder for folder in folders if len(first) and self._store.is_file(join(folder, first[0].decode())))
        self._images = next(found, folders[0])

    def __len__(self) -> int:
        return len(self._table.value["starts"]) - 1

    def __getitem__(self, index: int) -> Sequence:
        """Sequence ``index``. ``attributes`` has ``resolution`` (width, height), per frame ``annotations`` (ids) and
        ``classes`` (names), and ``major_class``, COCO's supercategory. Classes that differ between the frames of an
        image leave ``object_class`` and ``major_class`` None."""
        table = self._table.value
        index = range(len(self))[index]
        rows = table["rows"][table["starts"][index] : table["starts"][index + 1]]
        image = table["image"][rows[0]]
        file = table["files"][image].decode()
        height, width = table["sizes"][image].tolist()
        categories = [table["categories"][category] for category in table["category"][rows]]
        object_class, major_class = categories[0] if len(set(categories)) == 1 else (None, None)
        ids = tuple(table["ids"][rows].tolist())
        boxes = table["boxes"][rows]
        return Sequence(
            name=str(ids[0]) if self._items == "annotations" else PurePath(file).stem,
            frames=StoredFrames(self._store, (join(self._images, file),) * len(rows)),
            boxes=boxes,
            valid=valid_boxes(boxes),
            object_class=object_class,
            attributes={
                "resolution": (width, height),
                "annotations": ids,
                "classes": tuple(name for name, _ in categories),
                "major_class": major_class,
            },
            masks=partial(self._mask, rows, (height, width)) if self._masks else None,
        )

    def _mask(self, rows: np.ndarray, size: tuple[int, int], frame: int) -> np.ndarray:
        outlines = self._outlines.value
        row = rows[frame]
        counts = outlines["counts"][outlines["starts"][row] : outlines["starts"][row + 1]].tobytes()
        if not counts:
            number = self._table.value["ids"][row]
            raise AnnotationError(f"{self._store.where(self._key)}: the annotation {number} has no segmentation")
        return rle.decode({"size": list(size), "counts": counts}).astype(bool)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} {self._items}>"


def annotated_splits(store: Store) -> list[str]:
    """Splits whose annotation is in ``store``, sorted."""
    names = (PurePath(name) for name in store.files(_FOLDER))
    return [
        name.stem.removeprefix(_PREFIX) for name in names if name.suffix == ".json" and name.stem.startswith(_PREFIX)
    ]


def find_split(store: Store) -> str:
    """The only split in ``store``. Raises AnnotationError when there is none, or a choice to be made."""
    splits = annotated_splits(store)
    if len(splits) == 1:
        return splits[0]
    where = store.where(_FOLDER)
    if not splits:
        raise AnnotationError(
            f"{where}: no annotation of COCO there; expected {_PREFIX}train2017.json or another split"
        )
    raise AnnotationError(f"{where}: several splits of COCO, give one of {', '.join(splits)}")


def _select(store: Store, split: str, key: str, items: Items, crowd: bool, min_size: float | None) -> Mapping[str, Any]:
    """The index of boxes, ``rows``: the annotations chosen, and ``starts``: where the rows of each item begin."""
    table = load_or_build(store, f"coco-{split}", [key], {"version": _VERSION}, partial(_build_boxes, store, key))
    chosen = np.ones(len(table["ids"]), bool) if crowd else ~table["crowd"]
    if min_size is not None:
        chosen &= (table["boxes"][:, 2:] > min_size).all(axis=1)
    rows = np.flatnonzero(chosen)
    starts = np.arange(len(rows) + 1)
    if items == "images":
        rows = rows[np.argsort(table["image"][rows], kind="stable")]
        _, starts = np.unique(table["image"][rows], return_index=True)
        starts = np.append(starts, len(rows))
    return {
        **table,
        "categories": [tuple(names) for names in table["categories"]],
        "rows": rows.astype(np.int32),
        "starts": starts.astype(np.int32),
    }


def _build_boxes(store: Store, key: str) -> Mapping[str, Any]:
    """Everything but the outlines.

    ``files`` (I,) bytes, ``sizes`` (I, 2) height and width; per annotation, in the file's order, ``ids``, ``boxes``
    (A, 4), ``crowd``, ``image`` and ``category``: positions in ``files`` and in ``categories``, which has (name,
    supercategory).
    """
    file = read_text(store, key)
    images, categories = {}, {}
    annotations: list[tuple[int, int, int, int]] = []
    boxes: list[list[float]] = []
    for array, element in array_elements(file.text, file.source):
        try:
            if array == "images":
                images[element["id"]] = (element["file_name"].encode(), element["height"], element["width"])
            elif array == "annotations":
                x, y, w, h = element["bbox"]
                boxes.append((x, y, w, h))
                place = (element["id"], element["image_id"], element["category_id"], element.get("iscrowd", 0))
                annotations.append(place)
            elif array == "categories":
                categories[element["id"]] = (element["name"], element.get("supercategory"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else f"is not as COCO has them ({error})"
            raise AnnotationError(f"{file.source}: element {str(element)[:200]} of {array!r} {what}") from None
    try:
        ids, image_ids, category_ids, crowd = np.array(annotations, np.int64).reshape(-1, 4).T
        sizes = np.array([size for _, *size in images.values()], np.int32).reshape(-1, 2)
        table = {"ids": ids, "boxes": np.array(boxes, np.float64).reshape(-1, 4), "crowd": crowd != 0, "sizes": sizes}
        known = np.array(list(images), np.int64), np.array(list(categories), np.int64)
        if (sizes < 0).any() or sizes.astype(np.int64).prod(axis=1).max(initial=0) > _LARGEST:
            raise ValueError(f"an image of more than {_LARGEST:,} pixels")
    except (OverflowError, TypeError, ValueError) as error:
        raise AnnotationError(f"{file.source}: not all numbers are such, or of a sensible size ({error})") from None
    return table | {
        "files": np.array([name for name, _, _ in images.values()], "S"),
        "categories": list(categories.values()),
        "image": _places(image_ids, known[0], f"{file.source}: annotations name images"),
        "category": _places(category_ids, known[1], f"{file.source}: annotations name categories"),
    }


def _places(wanted: np.ndarray, ids: np.ndarray, complaint: str) -> np.ndarray:
    """Where each of the ids ``wanted`` stands among ``ids``, int32."""
    order = np.argsort(ids)
    places = np.searchsorted(ids, wanted, sorter=order)
    found = places < len(ids)
    found[found] = ids[order[places[found]]] == wanted[found]
    if not found.all():
        raise AnnotationError(f"{complaint} that are not listed, for example {wanted[~found][0]}")
    return order[places].astype(np.int32)


def _load_outlines(store: Store, split: str, key: str) -> Mapping[str, Any]:
    name = f"coco-{split}-outlines"
    return load_or_build(store, name, [key], {"version": _VERSION}, partial(_build_outlines, store, key))


def _build_outlines(store: Store, key: str) -> Mapping[str, np.ndarray]:
    """Masks as run lengths in COCO's compressed form: those of annotation i are the bytes starts[i] to starts[i + 1] of
    ``counts``, none for an annotation without segmentation. Same masks as ``COCO.annToMask``."""
    file = read_text(store, key)
    sizes: dict[int, tuple[int, int]] = {}
    counts: list[bytes] = []
    for array, element in array_elements(file.text, file.source):
        if array == "images":
            sizes[element["id"]] = (element["height"], element["width"])
    for array, element in array_elements(file.text, file.source):
        if array == "annotations":
            try:
                counts.append(_compress(element.get("segmentation"), *sizes[element["image_id"]]))
            except Exception as error:  # pycocotools raises bare exceptions
                number = element.get("id")
                raise AnnotationError(f"{file.source}: segmentation of annotation {number}: {error}") from error
    starts = np.cumsum([0, *map(len, counts)])
    return {"counts": np.frombuffer(b"".join(counts), np.uint8), "starts": starts}


def _compress(segmentation: Any, height: int, width: int) -> bytes:
    """Polygons, or run lengths in either form, as compressed run lengths."""
    if not segmentation:
        return b""
    if isinstance(segmentation, list):
        # pycocotools takes memory for every pixel that an outline passes, and does not look whether there is any.
        farthest = max(max(map(max, segmentation)), -min(map(min, segmentation)))
        if not (farthest <= _FARTHEST and math.isfinite(sum(map(sum, segmentation)))):
            raise ValueError(f"its outline leads {farthest} pixels away")
        return rle.merge(rle.frPyObjects(segmentation, height, width))["counts"]
    if list(segmentation["size"]) != [height, width]:
        raise ValueError(f"it is of size {segmentation['size']}, the image of {[height, width]}")
    counts = segmentation["counts"]
    runs = counts if isinstance(counts, list) else _run_lengths(counts)
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise ValueError(f"its runs make {sum(runs)} of {height * width} pixels")
    return rle.frPyObjects({"size": [height, width], "counts": runs}, height, width)["counts"]


def _run_lengths(text: str) -> list[int]:
    """The run lengths in COCO's compressed form: five bits a character, from the lowest on, the sixth saying that more
    follow; from the fourth run on, what is added to the run before the last. Raises IndexError when text is missing."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        value, shift, bits = 0, 0, 0x20
        while bits & 0x20:
            bits = ord(text[place]) - 48
            value |= (bits & 0x1F) << shift
            shift += 5
            place += 1
        if bits & 0x10:
            value |= -1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs


COCO = DatasetInfo(
    name="coco",
    title="COCO",
    open=Coco,
    splits=SPLITS,
    layout="annotations/instances_<split>.json, images/<split>/*.jpg or <split>/*.jpg",
    annotation="box, outline and class of objects in still images",
)
_WITHOUT_MASKS = replace(COCO, open=partial(Coco, masks=False))  # published trackers train on the boxes alone
DATASETS = (
    COCO,
    published(_WITHOUT_MASKS, "COCO17", "train2017"),
    published(_WITHOUT_MASKS, "COCO14", "train2014"),
    published(replace(COCO, open=partial(Coco, items="images", crowd=True, masks=False)), "SPARSETT_COCO", "train2017"),
)
