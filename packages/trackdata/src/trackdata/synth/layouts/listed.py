"""OTB, UAV123, UAV20L and NfS: datasets whose published lists say which images make a sequence.

Readers refuse annotation of another length than the list states, so items of the lists have those lengths; the shortest
come first. Several sequences may share a folder of images: as ranges (UAV123), or as targets of one video (OTB).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from trackdata.datasets import nfs, otb2015, uav123
from trackdata.datasets.lists import ListedSequence, read_table
from trackdata.synth.annotations import Track
from trackdata.synth.challenges import named
from trackdata.synth.layouts.images import flags, rows, write_frames, write_lines
from trackdata.synth.layouts.layout import Item, Layout, Order, stamp_of
from trackdata.synth.sequence import SynthSequence


@dataclass(frozen=True)
class _Listed:
    """Sequences that share a folder of images.

    Attributes:
        entries: the sequences.
        tracks: which object each of them is.
        first: number of the first image.
    """

    entries: tuple[ListedSequence, ...]
    tracks: tuple[int, ...]
    first: int

    @property
    def frames(self) -> int:
        return max(entry.last for entry in self.entries) - self.first + 1


@dataclass(frozen=True)
class _Style:
    """How one of the datasets writes its files.

    Attributes:
        table: the published list.
        folder, annotation: of a sequence outside the list, with a place for its number; ``digits`` of its images.
        boxes: the lines of boxes of a track.
        attributes: key of the file of attributes of an entry, and its text from abbreviation to whether it holds.
        challenges: abbreviation to name.
    """

    table: str
    folder: str
    annotation: str
    digits: int
    boxes: Callable[[Track], list[str]]
    attributes: Callable[[ListedSequence, Mapping[str, bool]], tuple[str, str]]
    challenges: Mapping[str, str]


def _videos(style: _Style) -> list[_Listed]:
    """The published sequences by folder of images, shortest first."""
    folders: dict[str, list[ListedSequence]] = {}
    for entry in read_table(style.table).values():
        folders.setdefault(entry.folder, []).append(entry)
    videos = []
    for entries in folders.values():
        spans = {(entry.first, entry.last) for entry in entries}
        together = len(spans) == 1  # several targets of one video; else several parts of it
        numbers = tuple(range(len(entries))) if together else (0,) * len(entries)
        videos.append(_Listed(tuple(entries), numbers, min(entry.first for entry in entries)))
    return sorted(videos, key=lambda video: video.frames)


def _plan(style: _Style, order: Order) -> list[Item]:
    videos = _videos(style)[: order.sequences] if order.listed else []
    for number in range(1, order.sequences - len(videos) + 1):
        entry = ListedSequence(
            name=f"synth{number}",
            folder=style.folder.format(number),
            annotation=style.annotation.format(number),
            last=order.frames,
            digits=style.digits,
        )
        videos.append(_Listed((entry,), (0,), 1))
    items = []
    for number, video in enumerate(videos):
        folder = video.entries[0].folder
        files = [entry.annotation for entry in video.entries]
        files += [style.attributes(entry, {})[0] for entry in video.entries]
        name = folder.replace("/", ".")
        objects = max(video.tracks) + 1
        items.append(
            Item(
                name,
                number,
                (folder, *dict.fromkeys(files)),
                video.frames,
                stamp_of(name, order.split),
                objects=(objects, objects) if objects > 1 else None,
                plan=video,
            )
        )
    return items


def _write(style: _Style, item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    video: _Listed = item.plan
    entry = video.entries[0]
    write_frames(folder / entry.folder, sequence, f"{{:0{entry.digits}d}}.{entry.suffix}", first=video.first)
    held = named(sequence.challenge_frames, style.challenges)
    for entry, number in zip(video.entries, video.tracks, strict=True):
        span = slice(entry.first - video.first, entry.last - video.first + 1)
        write_lines(folder / entry.annotation, style.boxes(sequence.tracks[number])[span])
        key, text = style.attributes(entry, {short: bool(holds[span].any()) for short, holds in held.items()})
        write_lines(folder / key, [text])


def _otb_boxes(track: Track) -> list[str]:
    return rows(track.boxes, separator="\t", origin=1)


def _otb_attributes(entry: ListedSequence, held: Mapping[str, bool]) -> tuple[str, str]:
    text = ", ".join(short for short, holds in held.items() if holds)
    return f"{entry.annotation.partition('/')[0]}/attrs.txt", text


def _uav_boxes(track: Track) -> list[str]:
    boxes = rows(track.boxes, origin=1)
    return ["NaN,NaN,NaN,NaN" if absent else row for row, absent in zip(boxes, track.absent, strict=True)]


def _flags_beside(entry: ListedSequence, held: Mapping[str, bool]) -> tuple[str, str]:
    folder, _, name = entry.annotation.rpartition("/")
    return f"{folder}/att/{name}", ",".join(flags(held.values()))


def _nfs_boxes(track: Track) -> list[str]:
    return rows(track.boxes.astype(np.float64), separator="\t")


_OTB = _Style(
    "otb2015", "Synth{}/img", "Synth{}/groundtruth_rect.txt", 4, _otb_boxes, _otb_attributes, otb2015.CHALLENGES
)
_NFS = _Style("nfs30", "sequences/synth_{}", "anno/nfs_synth_{}.txt", 5, _nfs_boxes, _flags_beside, nfs.CHALLENGES)


def _uav(version: str) -> _Style:
    annotation = f"anno/{version}/synth{{}}.txt"
    return _Style(
        version.lower(), "data_seq/UAV123/synth{}", annotation, 6, _uav_boxes, _flags_beside, uav123.CHALLENGES
    )


def _layout(name: str, title: str, style: _Style, split: str) -> Layout:
    return Layout(name, title, partial(_plan, style), partial(_write, style), splits=(split,))


OTB2015 = _layout("otb2015", "boxes counted from 1, abbreviated attributes; published lengths", _OTB, "otb2015")
UAV123 = _layout(
    "uav123", "boxes counted from 1, NaN when absent, 12 attributes; published lengths", _uav("UAV123"), "test"
)
UAV20L = _layout("uav20l", "as uav123, for long videos", _uav("UAV20L"), "test")
NFS = _layout("nfs", "the converted 30 frames a second, boxes between tabs; published lengths", _NFS, "converted")
