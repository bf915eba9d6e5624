"""LaSOT and LaSOT_ext: boxes in whole numbers counted from 1, absent frames flagged in two files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from trackdata.datasets.lasot import CHALLENGES
from trackdata.datasets.lists import read_list
from trackdata.synth.challenges import named
from trackdata.synth.layouts.images import flags, rows, write_frames, write_lines
from trackdata.synth.layouts.layout import Item, Layout, Order
from trackdata.synth.layouts.naming import official
from trackdata.synth.layouts.sentences import describe
from trackdata.synth.sequence import SynthSequence


def _plan(lists: dict[str, str], order: Order) -> list[Item]:
    names = official(read_list(lists[order.split]), order, "shape-{}")
    items = []
    for number, name in enumerate(names):
        folder = f"{name.partition('-')[0]}/{name}"
        items.append(Item(name, number, (folder, f"att/{name}.txt"), order.frames, f"{folder}/synth.json"))
    return items


def _write(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    own, attributes = (folder / place for place in item.places)
    write_frames(own / "img", sequence, "{:08d}.jpg")
    track = sequence.tracks[0]
    write_lines(own / "groundtruth.txt", rows(track.boxes, origin=1))
    write_lines(own / "full_occlusion.txt", [",".join(flags(track.absent & ~track.outside))], end="")
    write_lines(own / "out_of_view.txt", [",".join(flags(track.outside))], end="")
    write_lines(own / "nlp.txt", [describe(sequence)])
    held = named(sequence.challenge_frames, CHALLENGES)
    write_lines(attributes, [",".join(flags(holds.any() for holds in held.values()))])


_TITLE = "boxes counted from 1, full occlusion and out of view flagged, a sentence, 14 attributes"
LASOT = Layout(
    name="lasot",
    title=_TITLE,
    plan=partial(_plan, {"train": "lasot_train", "test": "lasot_test"}),
    write=_write,
    splits=("train", "test"),
)
LASOT_EXT = Layout(
    name="lasot_ext",
    title=_TITLE,
    plan=partial(_plan, {"test": "lasot_extension"}),
    write=_write,
    splits=("test",),
)
