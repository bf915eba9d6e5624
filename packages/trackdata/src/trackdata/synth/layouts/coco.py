"""COCO: still images and one JSON file with boxes, outlines and classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as rle

from trackdata.datasets.coco import SPLITS
from trackdata.synth.layouts.classes import NAMES
from trackdata.synth.layouts.layout import SEVERAL, Item, Layout, Order, Record, stamp_of
from trackdata.synth.sequence import SynthSequence

_START = {"train2017": 0, "val2017": 400_000, "train2014": 500_000, "val2014": 900_000}  # numbers of images do not meet


def _file(split: str, number: int) -> str:
    name = f"{_START[split] + number + 1:012d}.jpg"
    return f"COCO_{split}_{name}" if split.endswith("2014") else name


def _plan(order: Order) -> list[Item]:
    items = []
    for number in range(order.sequences):
        file = _file(order.split, number)
        place = f"images/{order.split}/{file}"
        name = file.removesuffix(".jpg")
        items.append(Item(name, number, (place,), order.frames, stamp_of(name, order.split)))
    return items


def _write(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> Record:
    index = len(sequence) // 2
    path = folder / item.places[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(sequence.jpeg(index))
    width, height = sequence.scene.size
    number = _START[order.split] + item.number + 1
    objects = zip(sequence.scene.classes, sequence.annotations(index), sequence.masks(index), strict=True)
    annotations = [
        {
            "id": 1000 * number + place,
            "image_id": number,
            "category_id": NAMES[sort].coco[1],
            "segmentation": outline(masks.visible),
            "area": float(annotation.area),
            "bbox": annotation.visible_box.tolist(),
            "iscrowd": 0,
        }
        for place, (sort, annotation, masks) in enumerate(objects)
        if not annotation.absent
    ]
    image = {"id": number, "file_name": path.name, "width": width, "height": height}
    return {"image": image, "annotations": annotations}


def outline(mask: np.ndarray) -> list[list[float]] | dict[str, Any]:
    """A mask ``(H, W)`` as polygons where these say exactly the same, else as run lengths (holes, thin diagonals)."""
    height, width = mask.shape
    # each pixel becomes two by two, so that outlines can run between pixels and not through them
    double = mask.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(double, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygons = [polygon for contour in contours if len(polygon := _between_pixels(contour[:, 0])) >= 8]
    if polygons:
        drawn = rle.decode(rle.merge(rle.frPyObjects(polygons, height, width)))
        if np.array_equal(drawn.astype(bool), mask):
            return polygons
    counts = rle.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    return {"size": [height, width], "counts": counts}


def _between_pixels(points: np.ndarray) -> list[float]:
    """Corners of an outline, x and y in turn, without those in the middle of a straight line."""
    corners = (points + 1) // 2
    corners = corners[np.any(corners != np.roll(corners, 1, axis=0), axis=1)]
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0] != 0
    return corners[turns].astype(float).ravel().tolist()


def _close(order: Order, items: list[Item], records: list[Record], read: Callable[[str], str]) -> Mapping[str, str]:
    categories = sorted({names.coco for names in NAMES.values()}, key=lambda coco: coco[1])
    table = {
        "info": {"description": "generated video in the format of COCO", "version": "1.0"},
        "licenses": [],
        "images": [record["image"] for record in records if record],
        "annotations": [annotation for record in records if record for annotation in record["annotations"]],
        "categories": [{"id": number, "name": name, "supercategory": above} for name, number, above in categories],
    }
    return {f"annotations/instances_{order.split}.json": json.dumps(table)}


COCO = Layout(
    name="coco",
    title="still images, boxes and outlines of the visible pixels in one JSON file",
    plan=_plan,
    write=_write,
    splits=SPLITS,
    close=_close,
    still=True,
    objects=SEVERAL,
)
