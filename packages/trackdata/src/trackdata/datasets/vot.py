"""The VOT challenges: short-term 2018 to 2022 and long-term 2018, 2019, 2020 and 2022.

On disk, at the root or in ``sequences`` (as the Python toolkit has it)::

    list.txt                        one sequence name a line
    <sequence>/groundtruth.txt      a region a line: rectangle, polygon, mask, or no target; see trackdata.regions
              /color/00000001.jpg   frames, from 1; in older downloads without the folder color
              /sequence             the toolkit's "key=value" lines: channels.color, fps, width, height ...
              /<challenge>.tag      0 or 1 a line, where the challenge holds
              /anchor.value         where multi-start runs begin: 1 forward, -1 backward; other numbers in *.value

Without ``list.txt`` the short-term challenges of 2018, 2019, 2020 and 2022 have the published lists, the others all
folders with a ``groundtruth.txt``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Literal, get_args

import numpy as np

from trackdata.datasets.info import DatasetInfo, check_split, published
from trackdata.datasets.lists import read_list
from trackdata.errors import MissingDataError
from trackdata.frames import Frames, NumberedFrames
from trackdata.parsing import TextFile, parse_numbers, valid_boxes
from trackdata.regions import RegionFile, region_box, region_mask
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import Below, Store, open_store, read_text
from trackdata.storage.store import join

MaskBox = Literal["header", "tight"]
LISTS = {
    "vot2018": "vot2018_st",
    "vot2019": "vot2019_st",
    "vot2020": "vot2020_st",
    "vot2022": "vot2022_st",
}
SHORT_TERM = ("vot2018", "vot2019", "vot2020", "vot2021", "vot2022")
LONG_TERM = ("vot2018lt", "vot2019lt", "vot2020lt", "vot2022lt")
_PATTERNS = ("color/%08d.jpg", "%08d.jpg", "color/%08d.png", "%08d.png")
_PRINTF = re.compile(r"%0?(\d*)d")
_FOLDER = "sequences"


class Vot(SequenceList):
    """One of the VOT challenges. Building it reads the list alone."""

    def __init__(
        self,
        root: str | Path | Store,
        split: str | None = None,
        *,
        challenge: str | None = None,
        mask_box: MaskBox = "header",
        name: str | None = None,
    ) -> None:
        """
        Args:
            root: the folder or archive of the sequences, or a toolkit's workspace.
            split: there are none.
            challenge: one of :data:`SHORT_TERM` and :data:`LONG_TERM`; None for other data in this layout.
            mask_box: what the box of a mask is: the x, y, width and height its line begins with (``header``, as
                OSTrack reads them), or the box around its pixels (``tight``). They differ where a line has empty rows
                or columns at its borders.
            name: what reports call it; by default the challenge.

        Raises:
            ValueError: a split, or an unknown challenge or ``mask_box``.
            AnnotationError: there are no sequences.
        """
        check_split(challenge or "VOT", split, ())
        if challenge not in (None, *SHORT_TERM, *LONG_TERM):
            raise ValueError(f"challenge is one of {', '.join((*SHORT_TERM, *LONG_TERM))}, got {challenge!r}")
        if mask_box not in get_args(MaskBox):
            raise ValueError(f"mask_box is one of {', '.join(get_args(MaskBox))}, got {mask_box!r}")
        store = open_store(root)
        store = Below(store, _FOLDER) if store.is_file(f"{_FOLDER}/list.txt") or _sequences(store, _FOLDER) else store
        read = partial(read_sequence, store, mask_box=mask_box)
        super().__init__(name or challenge or "vot", _names(store, challenge), read)


def _names(store: Store, challenge: str | None) -> list[str]:
    if store.is_file("list.txt"):
        names = read_text(store, "list.txt").lines
    elif challenge in LISTS:
        names = list(read_list(LISTS[challenge]))
        if not any(store.is_file(join(name, "groundtruth.txt")) for name in names):
            names = []
    else:
        names = _sequences(store, "")
    if not names:
        raise AnnotationError(
            f"{store.where('')}: no sequences of {challenge or 'VOT'} there; expected list.txt or "
            "<sequence>/groundtruth.txt, or the same in a folder 'sequences'"
        )
    return names


def _sequences(store: Store, folder: str) -> list[str]:
    return [name for name in store.folders(folder) if store.is_file(join(join(folder, name), "groundtruth.txt"))]


@dataclass(frozen=True)
class RegionMasks:
    """Regions drawn as masks: ``masks(index)`` is ``(H, W)`` bool.

    Attributes:
        regions: one per frame.
        frames: the frames.
        size: (width, height) of the frames; None looks at the frame.
    """

    regions: RegionFile
    frames: Frames
    size: tuple[int, int] | None

    def __call__(self, index: int) -> np.ndarray:
        return region_mask(self.regions[index], self.size or self.frames[index].shape[1::-1])


def read_sequence(store: Store, name: str, mask_box: MaskBox = "header") -> Sequence:
    """The sequence in the folder ``name``. It has as many frames as there are regions, whatever images lie there.

    Boxes of polygons are their axis-aligned bounds; where there is no target they are NaN, or of zero size, and
    ``absent`` is set. ``masks`` is given where the annotation has masks. ``attributes`` has ``regions`` (one per
    frame), ``challenge_frames`` (challenge to ``(N,)`` bool, from the tags), ``challenges`` (those that hold in some
    frame), ``values`` (numbers per frame by name), and where they are known ``anchors`` (N,) (1 where a run starts
    forward, -1 backward, else 0), ``resolution`` (width, height) and ``fps``.

    Raises:
        AnnotationError: a file is missing or malformed, there are fewer images than regions, or more tags.
    """
    file = read_text(store, join(name, "groundtruth.txt"))
    regions = RegionFile(file)
    if len(regions) == 0:
        raise AnnotationError(f"{file.source}: the file holds no regions")
    boxes = _boxes(file, regions, mask_box)
    meta = _read_meta(store, join(name, "sequence"))
    frames = _find_frames(store, name, meta.get("channels.color"), len(regions))
    size = _size(meta, store.where(join(name, "sequence")))
    tags = _read_columns(store, name, ".tag", len(regions))
    values = _read_columns(store, name, ".value", len(regions))
    challenge_frames = {tag: column != 0 for tag, column in tags.items()}
    attributes = {
        "regions": regions,
        "challenge_frames": challenge_frames,
        "challenges": tuple(tag for tag, holds in challenge_frames.items() if holds.any()),
        "values": {key: column for key, column in values.items() if key != "anchor"},
    }
    if "anchor" in values:
        attributes["anchors"] = np.sign(values["anchor"]).astype(np.int64)
    if size is not None:
        attributes["resolution"] = size
    if "fps" in meta:
        attributes["fps"] = _number(meta["fps"], store.where(join(name, "sequence")))
    valid = valid_boxes(boxes)
    return Sequence(
        name=name,
        frames=frames,
        boxes=boxes,
        valid=valid,
        absent=~valid,
        attributes=attributes,
        masks=RegionMasks(regions, frames, size) if _has_masks(file) else None,
    )


def _boxes(file: TextFile, regions: RegionFile, mask_box: MaskBox) -> np.ndarray:
    boxes = np.empty((len(regions), 4))
    for frame, line in enumerate(file.lines):
        header = line[1:].replace(",", " ").split(maxsplit=4)[:4] if line[0] in "mM" and mask_box == "header" else ()
        if len(header) == 4 and all(number.lstrip("-").isdecimal() for number in header):
            boxes[frame] = header
        else:
            boxes[frame] = region_box(regions[frame])
    return boxes


def _has_masks(file: TextFile) -> bool:
    return any(line[0] in "mM" for line in file.lines)


def _read_meta(store: Store, key: str) -> dict[str, str]:
    """The "key=value" lines of a sequence file; nothing when it does not exist."""
    if not store.is_file(key):
        return {}
    pairs = (line.partition("=") for line in read_text(store, key).lines)
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def _size(meta: dict[str, str], source: str) -> tuple[int, int] | None:
    if not {"width", "height"} <= meta.keys():
        return None
    return int(_number(meta["width"], source)), int(_number(meta["height"], source))


def _number(text: str, source: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise AnnotationError(f"{source}: {text!r} is not a number") from None


def _find_frames(store: Store, name: str, channel: str | None, count: int) -> NumberedFrames:
    """Frames 1 to ``count``, called as ``channel`` says, or else as is usual."""
    patterns = _PATTERNS if channel is None else (channel,)
    found = next((pattern for pattern in patterns if store.is_file(join(name, _file(pattern, 1)))), None)
    if found is None:
        raise MissingDataError(
            f"{store.where(name)}: no frames there; expected {' or '.join(patterns)}, counted from 1"
        )
    last = join(name, _file(found, count))
    if not store.is_file(last):
        raise AnnotationError(f"{store.where(last)}: there is no such frame, but {count} regions in groundtruth.txt")
    place = PurePath(name, found)
    return NumberedFrames(store, place.parent.as_posix(), count, _PRINTF.sub(r"{:0\1d}", place.name))


def _file(pattern: str, number: int) -> str:
    return _PRINTF.sub(lambda match: f"{number:0{match[1] or 1}d}", pattern)


def _read_columns(store: Store, name: str, ending: str, count: int) -> dict[str, np.ndarray]:
    """The files ``<column><ending>`` as ``(count,)`` float64 each; zeros follow where a file is shorter."""
    columns = {}
    for file_name in store.files(name):
        if file_name.endswith(ending):
            file = read_text(store, join(name, file_name))
            numbers = parse_numbers(file).ravel()
            if len(numbers) > count:
                raise AnnotationError(f"{file.source}: {len(numbers)} numbers for {count} frames")
            columns[file_name.removesuffix(ending)] = np.pad(numbers, (0, count - len(numbers)))
    return columns


def _describe(challenge: str) -> DatasetInfo:
    kind = "long-term" if challenge in LONG_TERM else "short-term"
    return DatasetInfo(
        name=challenge,
        title=f"VOT{challenge[3:7]} {kind}",
        open=partial(Vot, challenge=challenge),
        layout="list.txt, <sequence>/groundtruth.txt, color/%08d.jpg, *.tag, *.value; or the same in sequences/",
        annotation="rectangle, polygon or mask in every frame, challenges, anchors of multi-start runs",
        tag="vot",
    )


_DESCRIBED = {challenge: _describe(challenge) for challenge in (*SHORT_TERM, *LONG_TERM)}
DATASETS = (
    *_DESCRIBED.values(),
    *(published(_DESCRIBED[f"vot20{year}"], f"vot{year}") for year in (18, 20, 22)),
)
