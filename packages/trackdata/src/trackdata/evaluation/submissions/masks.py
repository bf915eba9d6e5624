"""Archives of label maps: DAVIS 2017 (test-dev) and YouTube-VOS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from trackdata.evaluation.results import ResultError
from trackdata.evaluation.segmentation.results import MaskResults
from trackdata.evaluation.submissions.archives import SubmissionError, beside, grouped, write_zip
from trackdata.labels import decode_palette, encode_labels
from trackdata.sequences import AnnotationError
from trackdata.storage.store import join
from trackdata.videos import SegmentedVideo


def pack_davis(results: Path, videos: Iterable[SegmentedVideo], archive: Path | None = None) -> Path:
    """Write the zip for DAVIS 2017's server: one folder per video at the top, a palette image for every frame.

    Args:
        results: folder or archive with ``<video>/<frame>.png``, at its top, in ``Annotations`` or in its only folder.
        videos: all that the server expects.
        archive: where to write; ``<results>_submit.zip`` next to ``results`` when None.

    Raises:
        SubmissionError: label maps are missing, damaged, of another size, or hold numbers that are no objects of the
            video.
        AnnotationError: a video cannot be read.
    """
    return _pack(results, list(videos), archive, "")


def pack_youtubevos(results: Path, videos: Iterable[SegmentedVideo], archive: Path | None = None) -> Path:
    """Write the zip for YouTube-VOS's server: ``Annotations/<video>/<frame>.png``, for the frames in meta.json alone.

    Arguments and errors as for :func:`pack_davis`.
    """
    return _pack(results, list(videos), archive, "Annotations")


def _pack(results: Path, videos: list[SegmentedVideo], archive: Path | None, top: str) -> Path:
    if not videos:
        raise SubmissionError(results, ["no video is expected in the archive"])
    try:
        found = MaskResults.open(results, [video.name for video in videos])
    except ResultError as error:
        raise SubmissionError(results, [str(error)]) from error
    reasons = {video.name: reason for video in videos if (reason := _faults(found, video))}
    if reasons:
        raise SubmissionError(results, grouped(reasons))
    entries = (entry for video in videos for entry in _entries(found, video, join(top, video.name)))
    return write_zip(archive or beside(results), entries)


def _faults(results: MaskResults, video: SegmentedVideo) -> str:
    """What is wrong with the label maps of a video, in one line; empty when nothing is."""
    frames = _wanted(video)
    folder = join(results.folder, video.name)
    there = {name.removesuffix(".png") for name in results.store.files(folder) if name.endswith(".png")}
    if not there.intersection(frames):
        return "no result"
    missing = [frame for frame in frames if frame not in there]
    faults = [f"{len(missing)} of {len(frames)} frames are missing: {', '.join(missing)}"] if missing else []
    for frame in frames:
        if frame not in there:
            continue
        try:
            labels = results.labels(video.name, frame, video.size)
        except (AnnotationError, ResultError) as error:
            faults.append(str(error))
            continue
        strange = np.setdiff1d(labels, (0, *video.objects))
        if len(strange):
            objects = ", ".join(map(str, video.objects))
            faults.append(f"frame {frame} holds {', '.join(map(str, strange))}, the objects are {objects}")
    return "; ".join(faults)


def _wanted(video: SegmentedVideo) -> list[str]:
    return [name for name, wanted in zip(video.frame_names, video.wanted, strict=True) if wanted]


def _entries(results: MaskResults, video: SegmentedVideo, folder: str) -> Iterator[tuple[str, bytes]]:
    for frame in _wanted(video):
        key = join(join(results.folder, video.name), f"{frame}.png")
        data = results.store.read(key)
        if decode_palette(data, results.store.where(key)) is None:  # grey images become what the servers ask for
            data = encode_labels(results.labels(video.name, frame, video.size))
        yield f"{folder}/{frame}.png", data
