"""Segment the videos of a benchmark by its rules, score the results, pack them for its server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from dropseg_vos.baselines import BASELINES, Follower
from dropseg_vos.config import ModelConfig
from dropseg_vos.exporting import CARD
from dropseg_vos.loading import load_segmenter
from dropseg_vos.running import follow
from dropseg_vos.sizes import DAVIS, YOUTUBE_VOS, Sizing
from trackcore.video import Frame
from trackdata.datasets import open_videos
from trackdata.datasets.youtubevos import youtubevos_videos
from trackdata.errors import AnnotationError
from trackdata.evaluation import Scores, tracker_identity
from trackdata.evaluation.identity import digest
from trackdata.evaluation.segmentation import score_masks
from trackdata.evaluation.submissions.masks import pack_davis, pack_youtubevos
from trackdata.labels import encode_labels
from trackdata.videos import SegmentedVideo, VideoList
from trackdata.writing import write_atomically

Benchmark = Literal["davis2016", "davis2017", "youtubevos"]
SizeRule = Literal["auto", "published", "limit"]

# Splits whose masks are with the server; there is nothing to score.
_HIDDEN = ("test-dev", "test-challenge", "valid", "test")
_PUBLISHED_SIZES: Mapping[str, Sizing] = {"davis2016": DAVIS, "davis2017": DAVIS, "youtubevos": YOUTUBE_VOS}
_PUBLISHED_CROP = 384


@dataclass(frozen=True)
class MethodResult:
    """What became of one method on one benchmark.

    Attributes:
        method: its name.
        folder: ``<video>/<frame>.png``.
        frames, seconds: frames segmented in this run, and the time that took without reading and writing.
        reused: videos that were there already.
        failures: why videos have no result, by name.
        scores: None where the masks are not public.
    """

    method: str
    folder: Path
    frames: int
    seconds: float
    reused: int
    failures: Mapping[str, str] = field(default_factory=dict)
    scores: Scores | None = None

    @property
    def rate(self) -> float:
        """Frames per second, 0 when none was segmented."""
        return self.frames / self.seconds if self.seconds else 0.0


def open_benchmark(benchmark: Benchmark, root: str | Path, split: str | None = None) -> VideoList:
    """The videos of a benchmark; of YouTube-VOS, where there are no listed frames, among all frames.

    Raises:
        ValueError: no such benchmark or split.
        AnnotationError: the folder does not hold it.
    """
    if benchmark not in get_args(Benchmark):
        raise ValueError(f"benchmarks are {', '.join(get_args(Benchmark))}, got {benchmark!r}")
    try:
        return open_videos(benchmark, root, split)
    except AnnotationError as error:
        if benchmark != "youtubevos" or "frames='all'" not in str(error):
            raise
        return youtubevos_videos(root, split, frames="all")


def sizing_for(benchmark: Benchmark, config: ModelConfig, rule: SizeRule = "auto") -> Sizing:
    """At which size a network looks at the frames of a benchmark.

    Args:
        benchmark: which one.
        config: of the network.
        rule: ``published``: DAVIS as it is, YouTube-VOS with a short side of 480 pixels. ``limit``: made smaller to
            what suits the network. ``auto``: as published for networks of the published size.
    """
    if rule == "published" or (rule == "auto" and config.image_size == _PUBLISHED_CROP):
        return _PUBLISHED_SIZES[benchmark]
    return Sizing("limit", config.short_side)


def given_masks(video: SegmentedVideo) -> dict[int, np.ndarray]:
    """Label maps by the frame in which objects are given; others, seen there already, are left out.

    Raises:
        AnnotationError: a label map cannot be read.
    """
    masks = {}
    for frame in sorted(set(video.first_frames.values())):
        new = [number for number, first in video.first_frames.items() if first == frame]
        labels = video.labels(frame)
        masks[frame] = np.where(np.isin(labels, new), labels, 0).astype(labels.dtype)
    return {frame: mask for frame, mask in masks.items() if mask.any()}


def _frames(video: SegmentedVideo, needed: Sequence[int]) -> Iterator[Frame]:
    for index in needed:
        yield Frame(index, 0.0, video.frames[index])


def segment_benchmark_video(
    follower: Follower, video: SegmentedVideo, folder: Path, *, binary: bool = False, batch: int = 1
) -> tuple[int, float]:
    """Write the label maps of the frames that a benchmark asks for, ``<folder>/<frame>.png``.

    Frames that nobody asks for are not looked at, unless the follower needs them to get from frame to frame.

    Args:
        follower: what segments.
        video: with its given masks.
        folder: appears when it is complete.
        binary: write grey images of 0 and 255, as for DAVIS 2016, else palette images.
        batch: frames in one pass.

    Returns:
        Frames segmented, and the seconds that took.

    Raises:
        AnnotationError, FrameReadError, MaskError: a mask or frame cannot be read or used.
    """
    masks = given_masks(video)
    if not masks:
        raise AnnotationError(f"{video.name}: no object has a mask")
    first = min(masks)
    needed = [
        index for index in range(first, len(video)) if follower.sequential or video.wanted[index] or index in masks
    ]
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    count, seconds = 0, []
    for frame, prediction in follow(follower, _frames(video, needed), masks, batch=batch, on_time=seconds.append):
        count += 1
        if not video.wanted[frame.index]:
            continue
        labels = prediction.extras["labels"]
        data = encode_labels((labels > 0) * np.uint8(255), None) if binary else encode_labels(labels)
        (partial / f"{video.frame_names[frame.index]}.png").write_bytes(data)
    partial.replace(folder)
    return count, sum(seconds)


def run_method(
    follower: Follower,
    videos: VideoList,
    folder: Path,
    identity: Mapping[str, Any],
    *,
    binary: bool = False,
    batch: int = 1,
    limit: int | None = None,
    overwrite: bool = False,
    on_video: Callable[[str], None] = lambda name: None,
) -> MethodResult:
    """Segment all videos; those that are complete already are not segmented again.

    Args:
        follower: what segments.
        videos: of the benchmark.
        folder: ``<folder>/<video>/<frame>.png``; ``run.json`` there says what made them.
        identity: what makes the results the method's own.
        binary, batch: see :func:`segment_benchmark_video`.
        limit: only the first so many videos.
        overwrite: remove results of other options or weights instead of refusing to mix with them.
        on_video: called after each.

    Raises:
        ValueError: ``folder`` holds results of other options or weights.
    """
    record = folder / "run.json"
    told = {"dataset": videos.name, "identity": digest(identity), "described": dict(identity)}
    if record.exists() and json.loads(record.read_text()).get("identity") != told["identity"]:
        if not overwrite:
            raise ValueError(
                f"{folder} holds results of other options or weights; name these otherwise, or overwrite them"
            )
        shutil.rmtree(folder)
    write_atomically(record, json.dumps(told, indent=1, default=str) + "\n")
    frames, seconds, reused, failures = 0, 0.0, 0, {}
    for name in videos.video_names[:limit]:
        if (folder / name).is_dir():
            reused += 1
        else:
            try:
                count, took = segment_benchmark_video(
                    follower, videos.find(name), folder / name, binary=binary, batch=batch
                )
                frames, seconds = frames + count, seconds + took
            except (ValueError, OSError) as error:  # annotations, frames and masks that cannot be read or used
                failures[name] = f"{type(error).__name__}: {error}"
        on_video(name)
    return MethodResult(folder.parent.name, folder, frames, seconds, reused, failures)


def evaluate(
    benchmark: Benchmark,
    root: str | Path,
    output: str | Path,
    *,
    network: Mapping[str, Any],
    split: str | None = None,
    name: str = "dropseg",
    compare: Sequence[str] = (),
    sizes: SizeRule = "auto",
    batch: int = 1,
    protocol: str | None = None,
    seen: Sequence[str] | None = None,
    workers: int = 1,
    limit: int | None = None,
    overwrite: bool = False,
    on_video: Callable[[str, str], None] = lambda method, video: None,
) -> list[MethodResult]:
    """Segment a benchmark's videos by its rules and score them; started again it goes on where it was.

    Args:
        benchmark: ``davis2016`` (one object), ``davis2017``, ``youtubevos`` (objects that come later).
        root, split: the dataset; see :func:`trackdata.datasets.open_videos`.
        output: results go to ``<output>/<method>/<dataset>/<video>/<frame>.png``.
        network: arguments of :func:`dropseg_vos.loading.load_segmenter`.
        name: what the network is called.
        compare: baselines to run as well: names of :data:`dropseg_vos.baselines.BASELINES`.
        sizes: see :func:`sizing_for`.
        batch: frames in one pass.
        protocol, seen, workers: see :func:`trackdata.evaluation.segmentation.score_masks`.
        limit: only the first so many videos.
        overwrite: replace results of other options or weights.
        on_video: called with method and video after each.

    Returns:
        The network's results, then those of the baselines.

    Raises:
        ValueError: an unknown benchmark, split, baseline or protocol, or results of other options in the way.
        AnnotationError: the folder does not hold the dataset.
        CheckpointError: the weights cannot be used.
    """
    if unknown := [method for method in compare if method not in BASELINES]:
        raise ValueError(f"baselines are {', '.join(BASELINES)}, got {', '.join(unknown)}")
    if name in compare:
        raise ValueError(f"the network and a baseline are both called {name!r}; name the network otherwise")
    videos = open_benchmark(benchmark, root, split)
    segmenter = load_segmenter(**network)
    segmenter.sizing = sizing_for(benchmark, segmenter.backend.config, sizes)
    identity = _identity(network, segmenter.sizing)
    entrants: dict[str, tuple[Follower, Mapping[str, Any]]] = {name: (segmenter, identity)}
    entrants |= {method: (BASELINES[method](), tracker_identity(method)) for method in compare}
    results = []
    for method, (follower, told) in entrants.items():
        done = run_method(
            follower,
            videos,
            Path(output) / method / videos.name,
            told,
            binary=benchmark == "davis2016",
            batch=batch,
            limit=limit,
            overwrite=overwrite,
            on_video=lambda video, method=method: on_video(method, video),
        )
        scores = None
        if not is_hidden(split, benchmark) and len(done.failures) < len(videos.video_names[:limit]):
            scores = score_masks(done.folder, videos, protocol, method, workers, limit, seen)
        results.append(MethodResult(**{**vars(done), "scores": scores}))
    return results


def _identity(network: Mapping[str, Any], sizing: Sizing) -> dict[str, Any]:
    """What decides about results; files are described by their content, an exported folder by its card's."""
    described = {key: value for key, value in network.items() if key not in ("device", "pairs_per_pass")}
    weights = described.get("weights")
    if weights is not None and (Path(weights) / CARD).is_file():
        described["weights"] = str(Path(weights) / CARD)
    return tracker_identity("dropseg", {**described, "sizing": repr(sizing)})


def is_hidden(split: str | None, benchmark: Benchmark) -> bool:
    """Whether the masks of a split are not public, going by its name."""
    default = "valid" if benchmark == "youtubevos" else "val"
    return (split or default).rpartition("/")[2] in _HIDDEN


def pack(
    benchmark: Benchmark, folder: Path, root: str | Path, split: str | None, archive: Path, limit: int | None = None
) -> Path:
    """Check results and write the archive that the benchmark's server takes.

    Raises:
        SubmissionError: label maps are missing or wrong; the message lists all.
        ValueError: DAVIS 2016, which has no server.
    """
    if benchmark == "davis2016":
        raise ValueError("DAVIS 2016 has no server: its masks are public, and scored here")
    videos = open_benchmark(benchmark, root, split)
    chosen = (videos.find(name) for name in videos.video_names[:limit])
    return {"davis2017": pack_davis, "youtubevos": pack_youtubevos}[benchmark](folder, chosen, archive)
