"""Everything around the network: crop, normalise, decode, frames from disk, generated video.

python benchmarks/speed/pipeline.py
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import tyro
from machine import measure_machine, median_seconds
from reporting import Figure, report

HEIGHT, WIDTH = 720, 1280
BOX = (500.0, 300.0, 140.0, 90.0)
RECIPES = {"256": "ostrack/vitb_256_mae_ce_32x4_ep300", "384": "ostrack/vitb_384_mae_ce_32x4_ep300"}


def picture(shift: int = 0):
    """A 720p frame with detail at several scales, so that codecs have ordinary work."""
    import cv2
    import numpy as np

    generator = np.random.default_rng(0)
    image = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for cells, weight in ((6, 110.0), (40, 70.0), (200, 30.0), (800, 15.0)):
        coarse = generator.uniform(0, 1, (cells * 9 // 16 + 2, cells + 2, 3)).astype(np.float32)
        image += weight * cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.roll(image.clip(0, 255).astype(np.uint8), shift, axis=1)


def around_the_network(repeats: int) -> list[Figure]:
    """One frame at 720p with a network that answers at once."""
    import numpy as np
    import torch

    from onestream_track.heads import Maps, decode, find_peak
    from onestream_track.recipes import get_recipe
    from onestream_track.targets import hann_window, normalise
    from onestream_track.tracker import OneStreamTracker
    from trackcore.boxes import clip_to_frame
    from trackcore.crops import box_from_crop, crop

    frame, box = picture(), np.array(BOX)
    figures = []
    for size, name in RECIPES.items():
        config = get_recipe(name).model
        cells = config.search_grid
        score = torch.full((1, 1, cells, cells), 0.01)
        score[0, 0, cells // 2, cells // 2] = 0.9
        maps = Maps(score, torch.full((1, 2, cells, cells), 0.25), torch.full((1, 2, cells, cells), 0.5))
        cut = crop(frame, box, config.search_factor, config.search_size)
        window = hann_window(cells)

        def locate(maps=maps, cut=cut, window=window) -> np.ndarray:
            index = find_peak(window * maps.score).index
            found = decode(maps, index)[0].double().numpy()
            return clip_to_frame(box_from_crop(found, box, cut.scale, cut.image.shape[0]), HEIGHT, WIDTH, 10)

        tracker = OneStreamTracker(lambda *_, maps=maps, **__: SimpleNamespace(maps=maps), config)
        tracker.init(frame, box)

        def update(tracker=tracker) -> None:
            tracker.set_box(box)
            tracker.update(frame)

        steps = {
            "crop": lambda config=config: crop(frame, box, config.search_factor, config.search_size),
            "normalise": lambda cut=cut: normalise(cut.image),
            "decode": locate,
            "all of it": update,
        }
        with torch.inference_mode():
            figures += [
                Figure(f"search {size}, {step}", median_seconds(function, repeats, warmup=5))
                for step, function in steps.items()
            ]
    return figures


def frames_from_disk(repeats: int) -> list[Figure]:
    """Reading and writing 720p frames."""
    from trackcore.video import FolderWriter, VideoWriter, open_video, read_image

    frames = [picture(4 * number) for number in range(30)]
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        stills, clip = Path(folder) / "frames", Path(folder) / "clip.mp4"

        def write(sink) -> None:
            with sink:
                for frame in frames:
                    sink.write(frame)

        def read(path: Path) -> None:
            with open_video(path) as source:
                for _ in source:
                    pass

        write(FolderWriter(stills))
        first = min(stills.iterdir())
        size = f"{first.stat().st_size / 1e3:.0f} kB"
        figures.append(Figure("720p JPEG, read", median_seconds(lambda: read_image(first), repeats), note=size))
        some = max(1, repeats // 10)
        figures.append(
            Figure("720p video, written", median_seconds(lambda: write(VideoWriter(clip, 30)), some, 1) / len(frames))
        )
        figures.append(Figure("720p video, read", median_seconds(lambda: read(clip), some, 1) / len(frames)))
    return figures


def generated_video(sequences: int, workers: int) -> list[Figure]:
    """Rendering, and writing a data set as training uses it (rendered, JPEG, boxes)."""
    import statistics

    from trackdata.synth import SynthConfig, generate_sequence, write_got10k

    config = SynthConfig()
    size = f"{config.size[0]} x {config.size[1]}"

    def render(index: int) -> float:
        def run() -> None:
            for _ in generate_sequence(0, "train", index, config).frames():
                pass

        return median_seconds(run, repeats=1, warmup=0) / config.frames

    rendered = statistics.median([render(index) for index in range(sequences)])
    with tempfile.TemporaryDirectory() as folder:
        written = write_got10k(Path(folder), "train", sequences, config, workers=workers)
    note = f"{sequences} sequences of {config.frames} frames"
    return [
        Figure(f"generated {size}, rendered, 1 process", rendered, note=note),
        Figure(f"generated {size}, written, {workers} processes", 1 / written.rate, note=note),
    ]


@dataclass(frozen=True)
class Options:
    """Time everything around the network at 720p."""

    repeats: int = 100
    """timed calls; the median counts"""
    sequences: int = 8
    """generated sequences"""
    workers: int = 2
    """processes that write generated video"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine()
    figures = around_the_network(options.repeats)
    figures += frames_from_disk(options.repeats)
    figures += generated_video(options.sequences, options.workers)
    report("pipeline", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
