"""Scoring masks at the scale of DAVIS 2017 val, against the definitions written out.

python benchmarks/speed/masks.py
"""

from __future__ import annotations

import math
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from machine import measure_machine
from PIL import Image
from reporting import Figure, report

HEIGHT, WIDTH = 480, 854


def outline(center: np.ndarray, radii: tuple[float, float], seed: int, phase: float) -> np.ndarray:
    """Corners of a closed wavy curve, (120, 2) int32."""
    waves = np.random.default_rng(seed)
    sizes, shifts = waves.normal(0, 0.12, 6), waves.uniform(0, 2 * np.pi, 6)
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = 1 + sum(size * np.sin((n + 2) * angle + shifts[n] + phase) for n, size in enumerate(sizes))
    points = center + np.stack([radii[0] * np.cos(angle), radii[1] * np.sin(angle)], axis=1) * radius[:, None]
    return points.round().astype(np.int32)


def label_map(video: int, frame: int, objects: int, error: float) -> np.ndarray:
    """Objects of two to ten per cent of a 480p frame, moving and changing shape; ``error`` shifts and bends them."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(1, objects + 1):
        place = np.random.default_rng(1000 * video + number)
        start, step = place.uniform((150, 120), (WIDTH - 150, HEIGHT - 120)), place.uniform(-1.5, 1.5, 2)
        radii = place.uniform(45, 120, 2)
        center = start + step * frame + error * np.array([4.0, -3.0])
        cv2.fillPoly(labels, [outline(center, radii, 1000 * video + number, 0.05 * frame + 0.2 * error)], number)
    return labels


def write_dataset(root: Path, videos: int, frames: int, objects: int) -> None:
    """Annotation and results of a set in DAVIS's layout; the frames themselves are tiny."""
    from trackdata.labels import write_labels

    (root / "ImageSets/2017").mkdir(parents=True)
    names = [f"video{index:02d}" for index in range(videos)]
    (root / "ImageSets/2017/val.txt").write_text("\n".join(names))
    for video, name in enumerate(names):
        pictures = root / "JPEGImages/480p" / name
        pictures.mkdir(parents=True)
        for frame in range(frames):
            Image.new("RGB", (1, 1)).save(pictures / f"{frame:05d}.jpg")
            write_labels(root / f"Annotations/480p/{name}/{frame:05d}.png", label_map(video, frame, objects, 0.0))
            write_labels(root / f"results/{name}/{frame:05d}.png", label_map(video, frame, objects, 1.0))


def literal_scores(root: Path) -> dict[str, float]:
    """J and F as the definitions read: whole frames, one object and one frame after the other."""
    radius = math.ceil(0.008 * math.hypot(HEIGHT, WIDTH))
    steps = np.arange(-radius, radius + 1)
    disc = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.uint8)
    regions, boundaries = [], []
    for folder in sorted((root / "Annotations/480p").iterdir()):
        names = sorted(path.name for path in folder.iterdir())
        truth = np.array([np.array(Image.open(folder / name)) for name in names])
        found = np.array([np.array(Image.open(root / "results" / folder.name / name)) for name in names])
        truth[truth == 255] = 0
        for number in range(1, int(truth[0].max()) + 1):
            each = [
                (literal_region(a == number, b == number), literal_boundary(a == number, b == number, disc))
                for a, b in zip(truth[1:-1], found[1:-1], strict=True)
            ]
            regions.append(np.mean([region for region, _ in each]))
            boundaries.append(np.mean([boundary for _, boundary in each]))
    return {"J_mean": float(np.mean(regions)), "F_mean": float(np.mean(boundaries))}


def literal_region(truth: np.ndarray, found: np.ndarray) -> float:
    union = np.sum(truth | found)
    return np.sum(truth & found) / union if union else 1.0


def literal_boundary(truth: np.ndarray, found: np.ndarray, disc: np.ndarray) -> float:
    lines = [literal_line(mask) for mask in (truth, found)]
    wide = [cv2.dilate(line.astype(np.uint8), disc).astype(bool) for line in lines]
    counts = [np.sum(line) for line in lines]
    if not all(counts):
        return float(counts[0] == counts[1])
    precision, recall = np.sum(lines[1] & wide[0]) / counts[1], np.sum(lines[0] & wide[1]) / counts[0]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def literal_line(mask: np.ndarray) -> np.ndarray:
    right, lower, diagonal = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    right[:, :-1], lower[:-1], diagonal[:-1, :-1] = mask[:, 1:], mask[1:], mask[1:, 1:]
    line = (mask ^ right) | (mask ^ lower) | (mask ^ diagonal)
    line[-1], line[:, -1] = mask[-1] ^ right[-1], mask[:, -1] ^ lower[:, -1]
    line[-1, -1] = False
    return line


def processor_seconds() -> float:
    """Processor time of this process and of those it waited for, which says more than a clock on a busy machine."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def scoring(root: Path, frames: int, workers: tuple[int, ...], with_literal: bool) -> list[Figure]:
    """Whole runs over the same files, once each: they take long enough."""
    from trackdata.datasets import open_videos
    from trackdata.evaluation.segmentation import score_masks

    videos = open_videos("davis2017", root, "val")
    figures, values = [], {}

    def timed(label: str, run: Callable[[], dict[str, float]]) -> None:
        began, busy = time.perf_counter(), processor_seconds()
        values[label] = run()
        wall, used = time.perf_counter() - began, processor_seconds() - busy
        figures.append(Figure(label, wall / frames, "frame", note=f"{wall:.1f} s, {used:.1f} s of processor time"))

    for count in workers:
        label = f"masks, scored by {count} process" + ("es" if count > 1 else "")
        timed(label, lambda count=count: dict(score_masks(root / "results", videos, workers=count).values))
    if with_literal:
        timed("masks, the definitions written out", lambda: literal_scores(root))
    for measure in ("J_mean", "F_mean"):
        found = {round(value[measure], 9) for value in values.values()}
        if len(found) > 1:
            raise RuntimeError(f"the scorers disagree on {measure}: {found}")
    return figures


@dataclass(frozen=True)
class Options:
    """Time the scoring of a set of masks as large as DAVIS 2017 val."""

    videos: int = 30
    """videos"""
    frames: int = 67
    """frames of each"""
    objects: int = 2
    """objects of each"""
    workers: tuple[int, ...] = (1, os.cpu_count() or 1)
    """processes"""
    literal: bool = True
    """time the definitions written out as well"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder), options.videos, options.frames, options.objects)
        figures = scoring(Path(folder), options.videos * options.frames, options.workers, options.literal)
    report("masks", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
