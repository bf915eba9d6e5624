"""TrackingNet: boxes with two decimals, test videos with the first one alone, and a table of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from trackdata.datasets.trackingnet import CHUNKS, CLASS_MAP
from trackdata.synth.layouts.classes import NAMES
from trackdata.synth.layouts.images import rows, write_frames, write_lines
from trackdata.synth.layouts.layout import Item, Layout, Order, Record, stamp_of
from trackdata.synth.layouts.naming import youtube_id
from trackdata.synth.sequence import SynthSequence

_SPREAD = 3  # chunks over which the videos of "train" are spread


def _plan(order: Order) -> list[Item]:
    items = []
    for number in range(order.sequences):
        chunk = "TEST" if order.split == "test" else order.split.upper()
        if order.split == "train":
            chunk = CHUNKS[number % _SPREAD]
        name = f"{youtube_id(order.split, number)}_0"
        places = (f"{chunk}/frames/{name}", f"{chunk}/anno/{name}.txt")
        items.append(Item(name, number, places, order.frames, stamp_of(name, order.split)))
    return items


def _write(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> Record:
    frames, annotation = (folder / place for place in item.places)
    write_frames(frames, sequence, "{}.jpg", first=0)
    boxes = sequence.tracks[0].boxes
    write_lines(annotation, rows(boxes[:1] if order.split == "test" else boxes, form=".2f"))
    return {"class": NAMES[sequence.tracks[0].object_class].word}


def _close(order: Order, items: list[Item], records: list[Record], read: Callable[[str], str]) -> Mapping[str, str]:
    """The table of classes of all training chunks; what other chunks have in it stays."""
    if order.split == "test":
        return {}
    lines = dict(line.partition("\t")[::2] for line in read(CLASS_MAP).splitlines())
    lines |= {item.name: record.get("class", "") for item, record in zip(items, records, strict=True)}
    return {CLASS_MAP: "".join(f"{name}\t{word}\n" for name, word in sorted(lines.items()))}


TRACKINGNET = Layout(
    name="trackingnet",
    title="boxes with two decimals in chunks TRAIN_0 to TRAIN_11; of test videos the first box; classes",
    plan=_plan,
    write=_write,
    splits=("train", "test", *(chunk.lower() for chunk in CHUNKS)),
    close=_close,
)
