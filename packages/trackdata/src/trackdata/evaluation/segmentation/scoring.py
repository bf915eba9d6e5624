"""From reported masks and a dataset of segmented videos to scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackdata.errors import AnnotationError
from trackdata.evaluation.scores import Scores
from trackdata.evaluation.segmentation.protocols import MaskProtocol, mask_protocol
from trackdata.evaluation.segmentation.results import MaskResults
from trackdata.evaluation.segmentation.statistics import sequence_statistics
from trackdata.evaluation.segmentation.videos import VideoMeasures, measure_video
from trackdata.evaluation.sequence_scores import SequenceScores
from trackdata.memory import keep_freed_memory
from trackdata.process_map import Died, map_in_processes
from trackdata.videos import SegmentedVideo, VideoList


def score_masks(
    results: str | Path,
    videos: VideoList,
    protocol: str | MaskProtocol | None = None,
    name: str | None = None,
    workers: int = 1,
    limit: int | None = None,
    seen: Collection[str] | None = None,
) -> Scores:
    """Score a folder or archive of PNG label maps.

    Masks that are missing, damaged or of another size count as empty. They, and numbers that no object has, are told in
    ``notes``; a video whose annotation cannot be read is a failure and enters no mean.

    Args:
        results: ``<results>/<video>/<frame>.png``, also below ``Annotations``.
        videos: what :func:`trackdata.datasets.open_videos` gives.
        protocol: see :mod:`~trackdata.evaluation.segmentation.protocols`; by default the one of the dataset's name.
        name: what to call the method; by default the last part of ``results``.
        workers: processes.
        limit: only the first so many videos.
        seen: classes that were seen in training, for the protocols that report them apart.

    Raises:
        ValueError: no such protocol, no protocol of the dataset's name, or a limit below 1.
        ResultError: there is no result of any video, or the protocol refuses one.
    """
    rules = protocol if isinstance(protocol, MaskProtocol) else mask_protocol(protocol or default_protocol(videos.name))
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    names = videos.video_names[:limit]
    reported = MaskResults.open(results, names, rules.binary)
    measured: dict[int, VideoMeasures] = {}
    failures: dict[str, str] = {}
    for index, outcome in map_in_processes(_Job(videos, reported, rules), range(len(names)), workers):
        if isinstance(outcome, VideoMeasures):
            measured[index] = outcome
        else:
            failures[names[index]] = "its process died" if isinstance(outcome, Died) else outcome
    method = name or Path(results).resolve().name
    ordered = [(videos[index], measured[index]) for index in sorted(measured)]
    return combine(ordered, rules, method, videos.name, failures, seen)


def default_protocol(dataset: str) -> str:
    """The protocol that goes with a dataset's name. Raises ValueError when none does."""
    for prefix in ("davis2017", "davis2016", "youtubevos", "folder"):
        if dataset.lower().startswith(prefix):
            return prefix
    raise ValueError(f"no mask protocol goes with the name of the dataset {dataset}; name one")


@dataclass(frozen=True)
class _Job:
    """Measures one video in whatever process; a message stands for an annotation that cannot be read."""

    videos: VideoList
    results: MaskResults
    protocol: MaskProtocol

    def __call__(self, index: int) -> VideoMeasures | str:
        keep_freed_memory()
        try:
            return measure_video(self.videos[index], self.results.labels, self.protocol)
        except AnnotationError as error:
            return str(error)


def combine(
    measured: Sequence[tuple[SegmentedVideo, VideoMeasures]],
    protocol: MaskProtocol,
    method: str = "method",
    dataset: str = "dataset",
    failures: dict[str, str] | None = None,
    seen: Collection[str] | None = None,
) -> Scores:
    """Scores of a dataset: one row per object, means over all objects of all videos.

    ``J&F`` is the mean of ``J_mean`` and ``F_mean``. With ``seen``, protocols that tell classes apart add ``J_seen``,
    ``F_seen``, ``J_unseen``, ``F_unseen`` and their mean, ``overall``.
    """
    rows, classes = [], []
    for video, measures in measured:
        for number, values in zip(measures.objects, measures.values, strict=True):
            rows.append(_object_row(video, number, values, protocol))
            classes.append(video.classes.get(number))
    columns = ("J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay")
    table = np.array([[row.values[column] for column in columns] for row in rows]).reshape(-1, len(columns))
    means = dict(zip(columns, _means(table, protocol.nan_spreads), strict=True))
    values = {"J&F": (means["J_mean"] + means["F_mean"]) / 2, **means}
    if protocol.by_class and seen is not None:
        known = np.array([kind in set(seen) for kind in classes], dtype=bool)
        groups = {"seen": table[known], "unseen": table[~known]}
        for group, part in groups.items():
            values[f"J_{group}"], _, _, values[f"F_{group}"], _, _ = _means(part, protocol.nan_spreads)
        values["overall"] = float(np.mean([values[f"{m}_{group}"] for m in "JF" for group in groups]))
    notes = {measures.video: "; ".join(measures.problems) for _, measures in measured if measures.problems}
    return Scores(
        tracker=method,
        dataset=dataset,
        convention=f"masks/{protocol.name}",
        values={name: float(value) for name, value in values.items()},
        curves={},
        thresholds={},
        sequences=tuple(rows),
        failures=dict(failures or {}),
        notes=notes,
    )


def _object_row(video: SegmentedVideo, number: int, values: np.ndarray, protocol: MaskProtocol) -> SequenceScores:
    """The row of one object; its curves are J and F by frame."""
    counted = ~np.isnan(values[:, 0])
    region, boundary = (sequence_statistics(values[counted, at], protocol.eight_bit_decay) for at in (0, 1))
    figures = {f"J_{part}": value for part, value in region._asdict().items()}
    figures |= {f"F_{part}": value for part, value in boundary._asdict().items()}
    return SequenceScores(
        name=f"{video.name}_{number}",
        frames=len(video),
        scored=int(counted.sum()),
        absent=0,
        unannotated=int((~video.annotated).sum()),
        values={"J&F": (region.mean + boundary.mean) / 2, **figures},
        curves={"J": values[:, 0], "F": values[:, 1]},
    )


def _means(table: np.ndarray, nan_spreads: bool) -> list[float]:
    """Means of the columns of ``(objects, C)``, NaN where there is nothing."""
    means = []
    for column in table.T:
        usable = column if nan_spreads else column[~np.isnan(column)]
        means.append(float(usable.mean()) if len(usable) else np.nan)
    return means
