"""``dropmae-pretrain propagate``: judge an encoder without training anything, by carrying masks through videos."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Propagate:
    """Segment videos from their first masks with the frozen encoder's features, and score the masks: J, F and J&F.

    A proxy for what the weights are worth to a tracker or segmenter. It compares runs with each other, and with other
    encoders at the same settings; it is no segmentation method.
    """

    weights: tyro.conf.Positional[Path]
    """run folder, own .safetensors, or a published .pth, with or without decoder"""
    root: tyro.conf.Positional[Path]
    """folder or archive of the dataset"""
    output: Path
    """masks go to OUTPUT/<video>/<frame>.png, scores to OUTPUT/scores.json"""
    dataset: str = "davis2017"
    """dataset of segmented videos: davis2017, davis2016, youtubevos, ..."""
    split: str | None = "val"
    """split of the dataset"""
    side: int = 480
    """shorter side of the frames in pixels, rounded to whole patches"""
    context: int = 7
    """latest frames to copy labels from, besides the first"""
    radius: int = 12
    """how far away a cell may be copied from, in cells; 0 for any distance"""
    top_k: int = 5
    """most similar cells that are mixed"""
    temperature: float = 0.1
    """of the softmax over their similarities"""
    limit: int | None = None
    """only the first so many videos"""
    workers: int = 1
    """processes for scoring"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""


def run(words: Sequence[str]) -> int:
    """Write masks and scores, print the scores; 1 when a video's annotation cannot be read."""
    asked = tyro.cli(Propagate, args=list(words), prog="dropmae-pretrain propagate")

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from dropmae_pretrain.features import fit_to_patches, frame_features
    from dropmae_pretrain.loading import load_network
    from dropmae_pretrain.propagation import PropagationConfig, propagate
    from trackdata.datasets import open_videos
    from trackdata.evaluation.segmentation import score_masks
    from trackdata.labels import write_labels

    config = PropagationConfig(asked.context, asked.radius, asked.top_k, asked.temperature)
    videos = open_videos(asked.dataset, asked.root, asked.split)
    network = load_network(asked.weights, recipe=asked.recipe, device=asked.device, encoder_only=True).network

    def encode(image):
        return frame_features(network, fit_to_patches(image, asked.side, network.config.patch))

    names = videos.video_names[: asked.limit]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        done = bars.add_task("videos", total=len(names))
        for name in names:
            video = videos.find(name)
            for frame, labels in zip(video.frame_names, propagate(video, encode, config), strict=True):
                write_labels(asked.output / name / f"{frame}.png", labels)
            bars.advance(done)
    label = asked.weights.resolve().name
    scores = score_masks(asked.output, videos, name=label, workers=asked.workers, limit=asked.limit)
    scores.save(asked.output / "scores.json")
    for object_scores in scores.sequences:
        print(_line(object_scores.name, object_scores.values))
    print(_line(f"{label} on {scores.dataset}, {len(scores.sequences)} objects", scores.values))
    print(f"masks and scores: {asked.output}")
    for name, reason in scores.failures.items():
        print(f"dropmae-pretrain: {name} is not scored: {reason}", file=sys.stderr)
    return 1 if scores.failures else 0


def _line(name: str, values: Mapping[str, float]) -> str:
    shown = {"J&F": "J&F", "J": "J_mean", "F": "F_mean"}
    return f"{name}: " + ", ".join(f"{label} {100 * values[key]:.1f}" for label, key in shown.items())
