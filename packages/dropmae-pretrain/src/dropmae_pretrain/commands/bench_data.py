"""``dropmae-pretrain bench-data``: pairs per second of the loader alone, by number of worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from dropmae_pretrain.videos import DatasetName


@dataclass(frozen=True)
class BenchData:
    """Measure how fast frame pairs are read, decoded and cropped when nobody trains.

    Training reports the share of its time that it waits for data; where that is not near zero, this tells how many
    workers would do.
    """

    root: tyro.conf.Positional[Path]
    """folder, archive or LMDB of videos or images"""
    dataset: DatasetName = "kinetics"
    """kinetics (videos) or images (stills, whose pairs are two crops)"""
    split: str | None = None
    """a folder below it"""
    cache: Path | None = None
    """folder for the manifest, where it does not lie beside the data"""
    workers: tuple[int, ...] = (0, 1, 2)
    """numbers of loader processes to try"""
    size: int = 224
    """side of a crop in pixels"""
    gap: int = 50
    """the frames of a pair are less than this many frames apart"""
    batch: int = 16
    """pairs a loader process prepares at a time"""
    seconds: float = 10.0
    """how long to measure each"""


def run(words: Sequence[str]) -> int:
    """Print one line for each number of workers; returns 0."""
    asked = tyro.cli(BenchData, args=list(words), prog="dropmae-pretrain bench-data")

    from rich.console import Console
    from rich.table import Table

    from dropmae_pretrain.loader_speed import measure_loader, measure_pair
    from dropmae_pretrain.pair_config import CropConfig, PairConfig
    from dropmae_pretrain.pairs import FramePairSource
    from dropmae_pretrain.videos import open_training_videos

    videos = open_training_videos(asked.root, dataset=asked.dataset, split=asked.split, cache=asked.cache)
    kind = "crops" if asked.dataset == "images" else "frames"
    source = FramePairSource(videos, PairConfig(kind, asked.gap, crop=CropConfig(asked.size)))
    parts = measure_pair(source)
    print(f"one process: {1000 * parts.reading:.1f} ms to read a pair, {1000 * parts.cropping:.1f} ms to crop it")
    table = Table("workers", "pairs/s", "pairs/s per worker")
    for workers in asked.workers:
        rate = measure_loader(source, workers, batch=asked.batch, seconds=asked.seconds)
        table.add_row(str(workers), f"{rate.per_second:.1f}", f"{rate.per_second / max(1, workers):.1f}")
    Console().print(table)
    return 0
