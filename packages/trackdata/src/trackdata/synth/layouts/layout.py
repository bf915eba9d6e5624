"""What a layout is: which files a generated video becomes, and which lists and tables close a dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackdata.synth.config import Count
from trackdata.synth.sequence import SynthSequence

SEVERAL: Count = (1, 4)  # objects of datasets that annotate more than one


@dataclass(frozen=True)
class Order:
    """What is to be written.

    Attributes:
        split: of the dataset.
        sequences: how many videos.
        frames: of each, where the layout leaves that open.
        listed: use the names of published lists, with the lengths that they state; else names outside of the lists,
            with as many frames as asked for.
        masks: write masks of the target where the dataset has none.
    """

    split: str
    sequences: int
    frames: int
    listed: bool = True
    masks: bool = False


@dataclass(frozen=True)
class Item:
    """A part of a dataset that is written as a whole or not at all.

    Attributes:
        name: what it is called; unique within the dataset and its split, and fit to be a file's name.
        number: which generated sequence it shows, from 0.
        places: keys of the files and folders it consists of.
        frames: of the video.
        objects: how many annotated objects it must have, fewest and most; None leaves it to the configuration.
        stamp: key of the note on how it was made; below one of ``places``, or of its own.
        plan: whatever else the layout needs to write it.
    """

    name: str
    number: int
    places: tuple[str, ...]
    frames: int
    stamp: str
    objects: Count | None = None
    plan: Any = None


Record = Mapping[str, Any] | None
Writer = Callable[[Item, SynthSequence, Path, Order], Record]
Closer = Callable[[Order, list[Item], list[Record], Callable[[str], str]], Mapping[str, str]]


def no_closing(order: Order, items: list[Item], records: list[Record], read: Callable[[str], str]) -> Mapping[str, str]:
    """For layouts without lists or tables."""
    return {}


def the_root(split: str) -> str:
    """For layouts whose splits lie beside one another."""
    return ""


@dataclass(frozen=True)
class Layout:
    """The official layout of a dataset on disk.

    Attributes:
        name: as the dataset's in :mod:`trackdata.datasets`.
        title: one line on what is written.
        splits: the splits, first the one that is written by default; none when any word will do.
        plan: the items of an order, in the order of the dataset.
        write: writes an item's files to the folder that it is given, under the keys of its ``places``; what it returns
            is kept for ``close``.
        close: the files that go with all items: their keys and texts. It gets all records, and a function that reads
            the text of a file of the dataset, empty when there is none.
        home: the folder of a split below the root; keys are relative to it.
        has_masks: whether ``Order.masks`` means anything.
        still: items are single images; their frame is the middle one.
        objects: how many objects are annotated where nobody asks for a number, fewest and most.
    """

    name: str
    title: str
    plan: Callable[[Order], list[Item]]
    write: Writer
    splits: tuple[str, ...] = ()
    close: Closer = no_closing
    home: Callable[[str], str] = the_root
    has_masks: bool = False
    still: bool = False
    objects: Count = (1, 1)


def stamp_of(name: str, split: str) -> str:
    """Key of the stamp of an item whose files lie in several folders."""
    return f".synth/{split}/{name}.json"
