"""Kinetics (video files without annotation) and still images with a mask each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trackdata.labels import write_labels
from trackdata.synth.layouts.layout import Item, Layout, Order, stamp_of
from trackdata.synth.layouts.naming import youtube_id
from trackdata.synth.sequence import SynthSequence

_CLASSES = ("abseiling", "dancing ballet", "juggling balls", "riding a bike", "walking the dog")
_RATE = 25.0  # frames per second
_KEY_FRAME_EVERY = 12  # frames; pre-training reads single frames, which are decoded from the key frame before them


def _plan_kinetics(order: Order) -> list[Item]:
    items = []
    for number in range(order.sequences):
        start = number % 60
        seconds = -(-order.frames // int(_RATE))
        name = f"{youtube_id(order.split, number)}_{start:06d}_{start + seconds:06d}"
        place = f"{order.split}/{_CLASSES[number % len(_CLASSES)]}/{name}.mp4"
        items.append(Item(name, number, (place,), order.frames, stamp_of(name, order.split)))
    return items


def _write_kinetics(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    from trackcore.sinks import VideoWriter

    path = folder / item.places[0]
    path.parent.mkdir(parents=True)
    with VideoWriter(path, _RATE, key_frame_every=_KEY_FRAME_EVERY) as sink:
        for frame in sequence.frames():
            sink.write(frame)


def _plan_saliency(order: Order) -> list[Item]:
    names = [f"{number + 1:08d}" for number in range(order.sequences)]
    return [_pair(order, n, name, f"images/{name}.jpg", f"gt/{name}.png") for n, name in enumerate(names)]


def _plan_static(order: Order) -> list[Item]:
    """Numbered images; those of FSS in folders of ten, one a class."""
    items = []
    for number in range(order.sequences):
        stem = f"{order.split}/{number + 1:05d}"
        if order.split == "fss":
            stem = f"fss/class_{number // 10 + 1}/{number % 10 + 1}"
        items.append(_pair(order, number, stem.replace("/", "."), f"{stem}.jpg", f"{stem}.png"))
    return items


def _pair(order: Order, number: int, name: str, image: str, mask: str) -> Item:
    return Item(name, number, (image, mask), order.frames, stamp_of(name, order.split))


def _write_pair(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    image, mask = (folder / place for place in item.places)
    image.parent.mkdir(parents=True)
    index = _shown(sequence)
    image.write_bytes(sequence.jpeg(index))
    write_labels(mask, sequence.mask(index).astype(np.uint8) * 255, palette=None)


def _shown(sequence: SynthSequence) -> int:
    """The frame nearest to the middle that shows the target."""
    middle = len(sequence) // 2
    order = sorted(range(len(sequence)), key=lambda index: abs(index - middle))
    return next(index for index in order if not sequence.annotations(index)[0].absent)


KINETICS = Layout(
    name="kinetics",
    title="video files in folders of classes, without annotation",
    plan=_plan_kinetics,
    write=_write_kinetics,
    splits=("train", "val"),
)
SALIENCY = Layout(
    name="saliency",
    title="still images with a mask each, by number",
    plan=_plan_saliency,
    write=_write_pair,
    splits=("train",),
    still=True,
)
STATIC_IMAGES = Layout(
    name="static_images",
    title="still images with a mask each, in the folders of STCN",
    plan=_plan_static,
    write=_write_pair,
    splits=("DUTS-TR", "DUTS-TE", "fss", "ecssd", "BIG_small", "HRSOD_small"),
    still=True,
)
