"""DAVIS and YouTube-VOS: label maps as palette images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from trackdata.datasets.lists import read_list
from trackdata.labels import write_labels
from trackdata.synth.layouts.classes import NAMES
from trackdata.synth.layouts.images import write_frames
from trackdata.synth.layouts.layout import SEVERAL, Item, Layout, Order, Record, stamp_of
from trackdata.synth.layouts.naming import hexadecimal, official
from trackdata.synth.sequence import SynthSequence

_STEP = 5  # frames of YouTube-VOS from one annotated frame to the next


def _plan_davis(year: int, order: Order) -> list[Item]:
    names = official(read_list(f"davis{year}_{order.split}"), order, "synth-{:03d}")
    objects = (1, 1) if year == 2016 else None
    return [
        Item(
            name,
            number,
            (f"JPEGImages/480p/{name}", f"Annotations/480p/{name}"),
            order.frames,
            stamp_of(name, order.split),
            objects=objects,
        )
        for number, name in enumerate(names)
    ]


def _write_davis(year: int, item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    images, annotations = (folder / place for place in item.places)
    write_frames(images, sequence, "{:05d}.jpg", first=0)
    # objects are those of the first frame, numbered without gaps
    first = [number for number, track in enumerate(sequence.tracks) if not track.absent[0]]
    for index in range(len(sequence)):
        masks = sequence.masks(index)
        if year == 2016:
            write_labels(annotations / f"{index:05d}.png", masks[0].visible.astype(np.uint8) * 255, palette=None)
            continue
        labels = np.zeros(masks[0].visible.shape, np.uint8)
        for number, place in enumerate(first, start=1):
            labels[masks[place].visible] = number
        write_labels(annotations / f"{index:05d}.png", labels)


def _close_davis(
    year: int, order: Order, items: list[Item], records: list[Record], read: Callable[[str], str]
) -> Mapping[str, str]:
    return {f"ImageSets/{year}/{order.split}.txt": "".join(f"{item.name}\n" for item in items)}


def _plan_youtubevos(order: Order) -> list[Item]:
    items = []
    for number in range(order.sequences):
        name = hexadecimal(order.split, number)
        base = f"2019/{order.split}"
        places = (f"{base}/JPEGImages/{name}", f"{base}/Annotations/{name}")
        items.append(Item(name, number, places, order.frames, stamp_of(name, order.split)))
    return items


def _write_youtubevos(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> Record:
    images, annotations = (folder / place for place in item.places)
    indices = range(0, len(sequence), _STEP)
    write_frames(images, sequence, "{:05d}.jpg", first=0, indices=indices)
    numbers = _numbers(item, len(sequence.tracks))
    starts: dict[int, int] = {}
    for index in indices:
        masks = sequence.masks(index)
        labels = np.zeros(masks[0].visible.shape, np.uint8)
        shown = [place for place, mask in enumerate(masks) if mask.visible.any()]
        new = [place for place in shown if place not in starts]
        starts |= dict.fromkeys(new, index)
        for place in shown if order.split == "train" else new:
            labels[masks[place].visible] = numbers[place]
        if order.split == "train" or new:
            write_labels(annotations / f"{index:05d}.png", labels)
    objects = {}
    for place, start in sorted(starts.items()):
        track = sequence.tracks[place]
        seen = [index for index in indices if index >= start and (order.split != "train" or not track.absent[index])]
        category = NAMES[track.object_class].word
        objects[str(numbers[place])] = {"category": category, "frames": [f"{index:05d}" for index in seen]}
    return {"objects": objects}


def _numbers(item: Item, count: int) -> list[int]:
    """Numbers of the objects; in every other video there is no number 2."""
    return [place + 1 + (item.number % 2 == 1 and place > 0) for place in range(count)]


def _close_youtubevos(
    order: Order, items: list[Item], records: list[Record], read: Callable[[str], str]
) -> Mapping[str, str]:
    videos = {item.name: dict(record or {}) for item, record in zip(items, records, strict=True)}
    return {f"2019/{order.split}/meta.json": json.dumps({"videos": videos}, indent=1)}


def _davis(year: int, title: str) -> Layout:
    return Layout(
        name=f"davis{year}",
        title=title,
        plan=partial(_plan_davis, year),
        write=partial(_write_davis, year),
        splits=("train", "val"),
        objects=(1, 1) if year == 2016 else SEVERAL,
        close=partial(_close_davis, year),
    )


DAVIS2016 = _davis(2016, "one object a video, its mask 0 and 255")
DAVIS2017 = _davis(2017, "palette images, objects of the first frame")
YOUTUBEVOS = Layout(
    name="youtubevos",
    title="every fifth frame, objects that appear later, numbers with gaps; of valid the first masks alone",
    plan=_plan_youtubevos,
    write=_write_youtubevos,
    splits=("train", "valid"),
    close=_close_youtubevos,
    objects=SEVERAL,
)
