"""Measures of one video: J and F of every object in every frame that counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from trackdata.errors import AnnotationError
from trackdata.evaluation.results import ResultError
from trackdata.evaluation.segmentation.assignment import best_assignment
from trackdata.evaluation.segmentation.measures import boundary_radius, label_measures
from trackdata.evaluation.segmentation.protocols import VOID, MaskProtocol
from trackdata.videos import SegmentedVideo

ReadLabels = Callable[[str, str, tuple[int, int]], np.ndarray]  # (video, frame, (height, width)) -> label map


@dataclass(frozen=True)
class VideoMeasures:
    """J and F of the objects of one video.

    Attributes:
        video: its name.
        objects: numbers of the objects, one for each row.
        values: ``(objects, N, 2)`` J and F by frame; NaN where an object does not count.
        problems: what was wrong with results, one line each. They were scored all the same.
    """

    video: str
    objects: tuple[int, ...]
    values: np.ndarray
    problems: tuple[str, ...] = ()


@dataclass
class _Problems:
    """Collects what is wrong with results: frames by kind of fault, the first one quoted."""

    seen: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, detail: str) -> None:
        self.seen.setdefault(kind, []).append(detail)

    def lines(self) -> tuple[str, ...]:
        return tuple(
            f"{kind}: {details[0]}" + (f" and {len(details) - 1} more" if len(details) > 1 else "")
            for kind, details in self.seen.items()
        )


def measure_video(video: SegmentedVideo, read: ReadLabels, protocol: MaskProtocol) -> VideoMeasures:
    """J and F of one video.

    A result that is missing, damaged or of another size counts as one without any object, and is told among the
    problems.

    Args:
        read: gives the reported label map of a frame.

    Raises:
        AnnotationError: the annotation of a frame that counts cannot be read.
        ResultError: a result has numbers above all objects and the protocol makes that an error.
    """
    objects = protocol.objects(video)
    counts = np.array([protocol.counts(video, number) for number in objects]).reshape(len(objects), len(video))
    problems = _Problems()
    frames = np.flatnonzero(counts.any(axis=0))
    if protocol.matched:
        return _measure_proposals(video, read, protocol, objects, frames, problems)
    values = np.full((len(objects), len(video), 2), np.nan)
    radius = boundary_radius(video.size)
    for frame in frames:
        truth, result = _maps(video, read, protocol, frame, max(objects), problems)
        rows = np.flatnonzero(counts[:, frame])
        values[rows, frame] = label_measures(truth, result, [(objects[row], objects[row]) for row in rows], radius)
    return VideoMeasures(video.name, objects, values, problems.lines())


def _measure_proposals(
    video: SegmentedVideo,
    read: ReadLabels,
    protocol: MaskProtocol,
    objects: tuple[int, ...],
    frames: np.ndarray,
    problems: _Problems,
) -> VideoMeasures:
    """Every object with the proposal that fits it best over the whole video; without one it is never found."""
    maps = [_maps(video, read, protocol, frame, protocol.proposals, problems) for frame in frames]
    largest = max((int(result.max(initial=0)) for _, result in maps), default=0)
    proposals = range(1, max(min(largest, protocol.proposals), len(objects)) + 1)
    pairs = [(number, proposal) for number in objects for proposal in proposals]
    radius = boundary_radius(video.size)
    every = np.array([label_measures(truth, result, pairs, radius) for truth, result in maps])
    every = every.reshape(len(frames), len(objects), len(proposals), 2)
    chosen = best_assignment(every.mean(axis=(0, 3)))  # (object, proposal), by object
    if protocol.proposal_order:
        chosen.sort(key=lambda pair: pair[1])
    values = np.full((len(objects), len(video), 2), np.nan)
    for row, (at, proposal) in enumerate(chosen):
        values[row, frames] = every[:, at, proposal]
    return VideoMeasures(video.name, objects, values, problems.lines())


def _maps(
    video: SegmentedVideo, read: ReadLabels, protocol: MaskProtocol, frame: int, largest: int, problems: _Problems
) -> tuple[np.ndarray, np.ndarray]:
    """Annotated and reported label map of a frame."""
    truth = video.labels(int(frame))
    name = video.frame_names[frame]
    try:
        result = read(video.name, name, truth.shape)
    except (AnnotationError, ResultError) as error:
        problems.add("counted as empty", str(error))
        result = np.zeros_like(truth)
    found = int(result.max(initial=0))
    if found > largest:
        what = f"frame {name} has the number {found}, the largest is {largest}"
        if protocol.strays == "error":
            raise ResultError(f"{video.name}: {what}")
        problems.add("numbers that no object has were ignored", what)
    if protocol.void == "excluded":
        void = truth == VOID
        truth, result = np.where(void, 0, truth).astype(truth.dtype), np.where(void, 0, result).astype(result.dtype)
    return truth, result
