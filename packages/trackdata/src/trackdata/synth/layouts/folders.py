"""TNL2K, TC128, ITB and DTB70: one folder a sequence, boxes of every frame in one file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from trackdata.datasets import dtb70, tnl2k
from trackdata.synth.challenges import named
from trackdata.synth.layouts.images import flags, rows, write_frames, write_lines
from trackdata.synth.layouts.layout import Item, Layout, Order
from trackdata.synth.layouts.sentences import describe
from trackdata.synth.sequence import SynthSequence

_SCENES = ("Animal", "Cartoon", "Drone", "Human-body", "Human-part", "Sign", "Sport", "Vehicle", "Other")


def _item(order: Order, number: int, folder: str, *more: str) -> Item:
    name = folder.rpartition("/")[2]
    return Item(name, number, (folder, *more), order.frames, f"{folder}/synth.json")


def _attributes(sequence: SynthSequence, names: dict[str, str]) -> str:
    return ",".join(flags(holds.any() for holds in named(sequence.challenge_frames, names).values()))


def _plan_tnl2k(order: Order) -> list[Item]:
    names = [f"Synth_video_{number + 1:03d}-Done" for number in range(order.sequences)]
    return [_item(order, number, name, f"att/{name}_attribute.txt") for number, name in enumerate(names)]


def _write_tnl2k(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    own, attributes = (folder / place for place in item.places)
    write_frames(own / "imgs", sequence, "{:05d}.jpg")
    write_lines(own / "groundtruth.txt", rows(sequence.tracks[0].boxes))
    write_lines(own / "language.txt", [describe(sequence).capitalize()])
    write_lines(attributes, [_attributes(sequence, tnl2k.CHALLENGES)])


def _plan_tc128(order: Order) -> list[Item]:
    # every other name is that of a video which the dataset's authors collected themselves
    names = [f"Synth{number + 1}{'_ce' if number % 2 else ''}" for number in range(order.sequences)]
    return [_item(order, number, name) for number, name in enumerate(names)]


def _write_tc128(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    own, first = folder / item.name, 1 + 4 * (item.number % 3)  # some begin with a later image
    write_frames(own / "img", sequence, "{:04d}.jpg", first=first)
    write_lines(own / f"{item.name}_gt.txt", rows(sequence.tracks[0].boxes, origin=1))
    write_lines(own / f"{item.name}_frames.txt", [f"{first},{first + len(sequence) - 1}"])


def _plan_itb(order: Order) -> list[Item]:
    scenes = [_SCENES[number % len(_SCENES)] for number in range(order.sequences)]
    return [_item(order, number, f"{scene}/synth-{number + 1}") for number, scene in enumerate(scenes)]


def _write_itb(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    own = folder / item.places[0]
    write_frames(own, sequence, "{:05d}.jpg")
    write_lines(own / "groundtruth.txt", rows(sequence.tracks[0].boxes))


def _plan_dtb70(order: Order) -> list[Item]:
    names = [f"Synth{number + 1}" for number in range(order.sequences)]
    return [_item(order, number, name, f"att/{name}.txt") for number, name in enumerate(names)]


def _write_dtb70(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    own, attributes = (folder / place for place in item.places)
    write_frames(own / "img", sequence, "{:05d}.jpg")
    write_lines(own / "groundtruth_rect.txt", rows(sequence.tracks[0].boxes, origin=1))
    write_lines(attributes, [_attributes(sequence, dtb70.CHALLENGES)])


_folders = partial(Layout, splits=("test",))
TNL2K = _folders(name="tnl2k", title="a sentence in language.txt, 17 attributes", plan=_plan_tnl2k, write=_write_tnl2k)
TC128 = _folders(name="tc128", title="boxes counted from 1, range of images", plan=_plan_tc128, write=_write_tc128)
ITB = _folders(name="itb", title="sequences in folders of scenes", plan=_plan_itb, write=_write_itb)
DTB70 = _folders(name="dtb70", title="boxes counted from 1, 11 attributes", plan=_plan_dtb70, write=_write_dtb70)
