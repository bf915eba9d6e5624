"""What can be wrong with one sequence, video or image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from trackdata.clips import ClipFrames, read_frames
from trackdata.errors import AnnotationError, FrameError, MissingDataError
from trackdata.frames import Frames
from trackdata.sequences import Dataset
from trackdata.verification.findings import LISTED, Finding, Kind
from trackdata.videos import SegmentedVideo, VideoList

Decode = Literal["none", "first", "all"]
Size = tuple[int, int]  # width and height in pixels

_AT_ONCE = 64  # frames of a video file


class Checked(NamedTuple):
    """One item that was looked at.

    Attributes:
        frames, decoded: numbers of its frames, and of those that were decoded.
        findings: what was found.
    """

    frames: int
    decoded: int
    findings: tuple[Finding, ...]


def item_name(dataset: Dataset | VideoList, index: int) -> str:
    """The name of an item without reading it; its number where the dataset does not know."""
    names = getattr(dataset, "sequence_names", None) or getattr(dataset, "video_names", None)
    return names[index] if names else f"number {index}"


def check_item(dataset: Dataset | VideoList, decode: Decode, index: int) -> Checked:
    """Look at one item of a dataset. Whatever happens becomes a finding."""
    kind: Kind
    try:
        return _check(dataset, dataset[index], decode)
    except MissingDataError as error:
        kind, message = "missing", str(error)
    except (AnnotationError, OSError) as error:
        kind, message = "annotation", str(error)
    except Exception as error:  # one item must not stop the others
        kind, message = "crashed", f"{type(error).__name__}: {error}"
    return Checked(0, 0, (Finding(item_name(dataset, index), kind, message),))


def _check(dataset: Dataset | VideoList, item: Any, decode: Decode) -> Checked:
    frames = item.frames
    findings = Findings(item.name)
    missing = find_missing(frames)
    _tell_missing(findings, frames, missing)
    wanted = [place for place in _to_decode(frames, decode) if place not in missing]
    sizes, damaged = decode_sizes(frames, wanted)
    for reason, places in damaged.items():
        findings.add("damaged", reason, places)
    _check_sizes(findings, sizes, _stated_size(item))
    if isinstance(item, SegmentedVideo):
        _check_labels(findings, item, decode, sizes)
    elif hasattr(item, "boxes"):
        _check_boxes(findings, item, sizes)
        if getattr(dataset, "still", False) and item.masks is not None and decode != "none":
            _check_masks(findings, item, sizes)
    return Checked(len(frames), len(sizes) + sum(map(len, damaged.values())), tuple(findings.found))


class Findings:
    """Collects what is found about one item."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.found: list[Finding] = []

    def add(self, kind: Kind, message: str, frames: Iterable[int] = ()) -> None:
        """Add one finding about ``frames``, or about the whole item."""
        frames = [int(frame) for frame in frames]
        self.found.append(Finding(self._name, kind, message, tuple(frames[:LISTED]), len(frames)))

    def add_if(self, kind: Kind, message: str, where: np.ndarray) -> None:
        """Add a finding about the frames at which ``where`` is true, if there are any."""
        if where.any():
            self.add(kind, message, np.flatnonzero(where))


def find_missing(frames: Frames) -> set[int]:
    """Frames whose files are not there; found by listing folders, without opening anything."""
    if isinstance(frames, ClipFrames):
        return set() if frames.path.is_file() else set(range(len(frames)))
    store, keys = getattr(frames, "store", None), getattr(frames, "keys", ())
    if store is None:
        return set()
    split = [key.rpartition("/")[::2] for key in keys]
    present = {folder: set(store.files(folder)) for folder in {folder for folder, _ in split}}
    return {place for place, (folder, name) in enumerate(split) if name not in present[folder]}


def _tell_missing(findings: Findings, frames: Frames, missing: set[int]) -> None:
    if missing:
        place = frames.path if isinstance(frames, ClipFrames) else frames.store.where(frames.keys[min(missing)])
        findings.add("frames", f"{len(missing):,} of {len(frames):,} are not there; first {place}", sorted(missing))


def _to_decode(frames: Frames, decode: Decode) -> Sequence[int]:
    """Places of the frames to decode; of frames that are the same file, one."""
    if decode == "none" or len(frames) == 0:
        return []
    if decode == "first":
        return [0]
    keys = getattr(frames, "keys", None)
    return range(len(frames)) if keys is None else sorted({key: place for place, key in enumerate(keys)}.values())


def decode_sizes(frames: Frames, wanted: Sequence[int]) -> tuple[dict[int, Size], dict[str, list[int]]]:
    """The sizes of frames that can be decoded, by place; places of the others, by reason."""
    sizes: dict[int, Size] = {}
    damaged: dict[str, list[int]] = {}
    at_once = _AT_ONCE if isinstance(frames, ClipFrames) else 1
    for start in range(0, len(wanted), at_once):
        places = list(wanted[start : start + at_once])
        try:
            images = zip(places, read_frames(frames, places), strict=True)
            sizes.update((place, image.shape[1::-1]) for place, image in images)
        except FrameError:
            for place in places:
                try:
                    sizes[place] = frames[place].shape[1::-1]
                except FrameError as error:
                    damaged.setdefault(str(error), []).append(place)
    return sizes, damaged


def _stated_size(item: Any) -> Size | None:
    """The size that the annotation gives, as numbers or as text."""
    attributes: Mapping[str, Any] = getattr(item, "attributes", {})
    numbers = re.findall(r"\d+", str(attributes.get("resolution", "")))
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None


def _check_sizes(findings: Findings, sizes: Mapping[int, Size], stated: Size | None) -> None:
    if not sizes:
        return
    counted = Counter(sizes.values())
    if len(counted) > 1:
        usual = counted.most_common(1)[0][0]
        listed = ", ".join(f"{width} x {height} ({count:,})" for (width, height), count in counted.most_common())
        findings.add("size", f"frames of several sizes: {listed}", [p for p, size in sizes.items() if size != usual])
    elif stated is not None and stated not in counted:
        (width, height) = next(iter(counted))
        text = f"frames are {width} x {height}, the annotation says {stated[0]} x {stated[1]}"
        findings.add("size", text)


def _check_boxes(findings: Findings, item: Any, sizes: Mapping[int, Size]) -> None:
    boxes = np.asarray(item.boxes)
    if len(boxes) not in (1, len(item.frames)):
        findings.add("annotation", f"{len(boxes)} boxes for {len(item.frames)} frames")
        return
    x, y, w, h = (boxes - [item.origin, item.origin, 0, 0]).T
    finite = np.isfinite(boxes).all(axis=1)
    negative = finite & ((w < 0) | (h < 0))
    empty = ~negative & ~(finite & (w > 0) & (h > 0))
    present = np.ones(len(boxes), bool) if item.absent is None else ~np.asarray(item.absent)[: len(boxes)]
    findings.add_if("boxes", "boxes of negative size", negative & present)
    if item.absent is None:
        empty[1:] = False  # may be how this dataset says that the target is absent
    findings.add_if("boxes", "no box, and nothing says that the target is absent", empty & present)
    width, height = _size_of_each(sizes, _stated_size(item), len(boxes))
    outside = (x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0)  # false where anything is NaN
    findings.add_if("boxes", "boxes that lie outside the frame", outside & (w > 0) & (h > 0) & present)


def _size_of_each(sizes: Mapping[int, Size], stated: Size | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``(count,)`` widths and heights; NaN where not known."""
    default = stated or (next(iter(sizes.values())) if len(set(sizes.values())) == 1 else (np.nan, np.nan))
    known = np.full((count, 2), default, np.float64)
    for place, size in sizes.items():
        if place < count:
            known[place] = size
    return known[:, 0], known[:, 1]


def _check_masks(findings: Findings, item: Any, sizes: Mapping[int, Size]) -> None:
    width, height = _size_of_each(sizes, _stated_size(item), len(item.frames))
    known = np.flatnonzero(np.isfinite(width)).tolist()
    for _ in _check_maps(findings, item.masks, {place: (int(width[place]), int(height[place])) for place in known}):
        pass


def _check_labels(findings: Findings, video: SegmentedVideo, decode: Decode, sizes: Mapping[int, Size]) -> None:
    firsts = set(video.first_frames.values())
    wanted = {"none": set(), "first": firsts, "all": firsts | set(np.flatnonzero(video.annotated).tolist())}[decode]
    expected = {place: sizes.get(place, video.size[::-1]) for place in sorted(wanted)}
    maps = _check_maps(findings, video.labels, expected)
    others: dict[int, list[int]] = {}
    for place, labels in maps:
        present = set(np.unique(labels).tolist())
        for number in present.difference({0, 255}, video.objects):
            others.setdefault(number, []).append(place)
        for number, first in video.first_frames.items():
            if first == place and number not in present:
                findings.add("objects", f"object {number} is not in the frame said to be its first", [place])
    for number, places in sorted(others.items()):
        findings.add("objects", f"label {number} belongs to no object", places)


def _check_maps(
    findings: Findings, read: Callable[[int], np.ndarray | None], expected: Mapping[int, Size]
) -> Iterator[tuple[int, np.ndarray]]:
    """Masks or label maps of frames, by place; those that cannot be read or are of another size are findings."""
    for place, size in expected.items():
        try:
            labels = read(place)
        except (AnnotationError, OSError) as error:
            findings.add("masks", str(error), [place])
            continue
        if labels is None:
            continue
        if labels.shape[::-1] != size:
            text = f"a mask of {labels.shape[1]} x {labels.shape[0]} for a frame of {size[0]} x {size[1]}"
            findings.add("masks", text, [place])
        yield place, labels
