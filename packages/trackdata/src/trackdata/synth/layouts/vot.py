"""The VOT challenges: polygons, masks or rectangles, tags of what is hard, anchors of multi-start runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from trackdata.datasets.lists import read_list
from trackdata.datasets.vot import LISTS, LONG_TERM, SHORT_TERM
from trackdata.regions import NOTHING, Mask, Polygon, format_region
from trackdata.synth.annotations import Track
from trackdata.synth.layouts.images import flags, rows, write_frames, write_lines
from trackdata.synth.layouts.layout import Item, Layout, Order, Record
from trackdata.synth.layouts.naming import official
from trackdata.synth.sequence import SynthSequence

_ANCHORS = 50  # frames from one anchor to the next
_TAGS: Mapping[str, tuple[str, ...]] = {
    "camera_motion": ("Camera Motion",),
    "illum_change": ("Illumination Variation",),
    "motion_change": ("Fast Motion",),
    "occlusion": ("Partial Occlusion", "Full Occlusion"),
    "size_change": ("Scale Variation",),
}


def _plan(challenge: str, order: Order) -> list[Item]:
    names = read_list(LISTS[challenge]) if challenge in LISTS else ()
    style = "longterm{}" if challenge in LONG_TERM else "synth{}"
    return [
        Item(name, number, (name,), order.frames, f"{name}/synth.json")
        for number, name in enumerate(official(names, order, style))
    ]


def _write(challenge: str, item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    own = folder / item.name
    write_frames(own / "color", sequence, "{:08d}.jpg")
    write_lines(own / "groundtruth.txt", _regions(challenge, sequence))
    frames = sequence.challenge_frames
    for tag, names in _TAGS.items():
        write_lines(own / f"{tag}.tag", flags(np.logical_or.reduce([frames[name] for name in names])))
    if challenge in SHORT_TERM and challenge >= "vot2020":
        write_lines(own / "anchor.value", _anchors(sequence.tracks[0]))
    width, height = sequence.scene.size
    meta = {"channels.color": "color/%08d.jpg", "format": "default", "fps": 30, "name": item.name}
    meta |= {"width": width, "height": height, "length": len(sequence)}
    write_lines(own / "sequence", (f"{key}={value}" for key, value in meta.items()))


def _regions(challenge: str, sequence: SynthSequence) -> list[str]:
    track = sequence.tracks[0]
    if challenge in LONG_TERM:
        boxes = rows(track.boxes, form=".4f")
        return ["nan,nan,nan,nan" if absent else row for row, absent in zip(boxes, track.absent, strict=True)]
    as_mask = challenge >= "vot2020"
    found = []
    for index in range(len(sequence)):
        mask = sequence.masks(index)[0]
        pixels = mask.visible if as_mask else mask.amodal
        region = NOTHING
        if mask.visible.any():
            region = _mask(pixels) if as_mask else _polygon(pixels)
        found.append(format_region(region, decimals=2))
    return found


def _mask(pixels: np.ndarray) -> Mask:
    rows_, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, left = int(rows_[0]), int(columns[0])
    return Mask(pixels[top : rows_[-1] + 1, left : columns[-1] + 1], left, top)


def _polygon(pixels: np.ndarray) -> Polygon:
    """The smallest rectangle, at any angle, around the pixels' outer edges."""
    points = np.argwhere(pixels)[:, ::-1].astype(np.float32)
    corners = np.concatenate([points + shift for shift in ((0, 0), (1, 0), (0, 1), (1, 1))]).astype(np.float32)
    found = cv2.boxPoints(cv2.minAreaRect(corners))
    return Polygon(tuple((float(x), float(y)) for x, y in found))


def _anchors(track: Track) -> list[int]:
    """1 where a run starts forward, -1 where one starts backward: towards the longer part, where the target shows."""
    count = len(track.cover)
    values = np.zeros(count, int)
    for index in (*range(0, count, _ANCHORS), count - 1):
        visible = np.flatnonzero(~track.absent)
        nearest = int(visible[np.argmin(np.abs(visible - index))])
        values[nearest] = 1 if nearest < count / 2 else -1
    return values.tolist()


def _close(order: Order, items: list[Item], records: list[Record], read: Callable[[str], str]) -> Mapping[str, str]:
    return {"list.txt": "".join(f"{item.name}\n" for item in items)}


def _layout(challenge: str) -> Layout:
    kind = "masks, anchors" if challenge >= "vot2020" else "polygons"
    return Layout(
        name=challenge,
        title=f"{'rectangles, NaN when absent' if challenge in LONG_TERM else kind}; tags in every frame",
        plan=partial(_plan, challenge),
        write=partial(_write, challenge),
        splits=("test",),
        close=_close,
    )


VOT = tuple(_layout(challenge) for challenge in (*SHORT_TERM, *LONG_TERM))
