"""Scoring boxes from result files: 180 sequences of 1000 frames, three trackers; beside it the GOT-10k toolkit.

python benchmarks/speed/evaluation.py
"""

from __future__ import annotations

import io
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from machine import measure_machine
from reporting import Figure, report

WIDTH, HEIGHT = 1280, 720
CONVENTIONS = ("default", "got10k", "ostrack/lasot", "lasot_official", "otb_toolkit", "trackingnet")


def median_cpu_seconds(run: Callable[[], object], repeats: int) -> float:
    """Median processor time of this process: what one core takes, whatever else the machine does."""
    seconds = []
    for number in range(1 + repeats):
        began = time.process_time()
        run()
        if number:
            seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def annotation(index: int, frames: int) -> np.ndarray:
    """A smooth path of boxes, (frames, 4)."""
    generator = np.random.default_rng(index)
    t = np.arange(frames)[:, None]
    periods, phases = generator.uniform(200, 900, 4), generator.uniform(0, 6, 4)
    waves = np.sin(2 * np.pi * t / periods + phases)
    return np.array([WIDTH / 2, HEIGHT / 2, 120, 90]) + waves * np.array([400, 200, 50, 40])


def prediction(truth: np.ndarray, tracker: int, index: int) -> np.ndarray:
    """The path with errors that grow with the number of the tracker."""
    noise = np.random.default_rng(1000 * tracker + index).normal(0, 4 + 8 * tracker, truth.shape)
    return np.maximum(truth + noise, 1.0)


def write_files(root: Path, sequences: int, frames: int, trackers: int) -> None:
    """Annotation in GOT-10k's layout without frames, and result files with four decimals and times."""
    from trackdata.evaluation import Track, write_track
    from trackdata.evaluation.results import OWN

    names = [f"GOT-10k_Val_{index + 1:06d}" for index in range(sequences)]
    folder = root / "val"
    folder.mkdir()
    (folder / "list.txt").write_text("\n".join(names) + "\n")
    for index, name in enumerate(names):
        truth = annotation(index, frames)
        (folder / name).mkdir()
        (folder / name / "groundtruth.txt").write_text(OWN(truth))
        (folder / name / "absence.label").write_text("0\n" * frames)
        (folder / name / "cover.label").write_text("8\n" * frames)
        (folder / name / "cut_by_image.label").write_text("0\n" * frames)
        (folder / name / "meta_info.ini").write_text(f"[METAINFO]\nresolution: ({WIDTH}, {HEIGHT})\n")
        for frame in range(1, frames + 1):
            (folder / name / f"{frame:08d}.jpg").touch()
        for tracker in range(trackers):
            track = Track(prediction(truth, tracker, index), np.full(frames, 0.0125 + tracker / 1000))
            write_track(root / f"tracker{tracker}", name, track)


def ours(root: Path, trackers: int, repeats: int) -> list[Figure]:
    """From files to scores, the annotation included, by convention."""
    from trackdata.datasets import open_dataset
    from trackdata.evaluation import Truth, score

    def fresh():
        return open_dataset("got10k", root, "val")

    dataset = fresh()
    truths = [Truth.of(dataset[index]) for index in range(len(dataset))]
    frames = trackers * sum(len(truth) for truth in truths)
    figures = []

    def timed(name: str, run: Callable[[], object], note: str = "") -> None:
        seconds = median_cpu_seconds(run, repeats)
        figures.append(Figure(name, seconds, "run", note=f"{note}{frames / seconds / 1e6:.2f} million boxes a second"))

    def scored(convention: str, data) -> None:
        for tracker in range(trackers):
            score(root / f"tracker{tracker}", data, convention)

    for convention in CONVENTIONS:
        timed(f"boxes, from result files, {convention}", lambda c=convention: scored(c, dataset))
    timed("boxes, from result files, default, and annotation files", lambda: scored("default", fresh()))
    return figures


def toolkit(root: Path, trackers: int, repeats: int) -> list[Figure]:
    """The GOT-10k toolkit's reports on the same boxes, where it is installed: OTB style and GOT-10k."""
    from trackdata.evaluation import read_tracks, write_toolkit

    try:
        from got10k.experiments import ExperimentGOT10k, ExperimentOTB
    except ImportError:
        return []
    names = (root / "val/list.txt").read_text().split()
    results, reports = root / "toolkit", root / "reports"
    for tracker in range(trackers):
        for name in names:
            [track] = read_tracks(root / f"tracker{tracker}", name)
            own = results / "GOT-10k" / f"tracker{tracker}" / name
            own.mkdir(parents=True)
            np.savetxt(own / f"{name}_001.txt", track.boxes, fmt="%.3f", delimiter=",")
            np.savetxt(own / f"{name}_time.txt", track.times, fmt="%.8f", delimiter=",")
            write_toolkit(results / "OTB" / f"tracker{tracker}", name, track)
    length = len(read_tracks(root / "tracker0", names[0])[0].boxes)
    truths = {name: annotation(index, length) for index, name in enumerate(names)}

    class Memory:
        """What the toolkit's experiments ask of a dataset; the annotation is in memory."""

        seq_names = names

        def __init__(self, with_meta: bool) -> None:
            self.with_meta = with_meta

        def __len__(self) -> int:
            return len(names)

        def __getitem__(self, index):
            name = names[index] if isinstance(index, int) else index
            boxes = truths[name]
            meta = {"resolution": str((WIDTH, HEIGHT)), "cover": np.full(len(boxes), 8.0)}
            return ([""] * len(boxes), boxes, meta) if self.with_meta else ([""] * len(boxes), boxes)

    def experiment(kind, folder: str):
        made = kind.__new__(kind)  # its __init__ insists on a dataset on disk
        made.dataset, made.subset, made.use_dataset = Memory(folder == "GOT-10k"), "val", True
        made.nbins_iou, made.nbins_ce = 101 if folder == "GOT-10k" else 21, 51
        made.result_dir, made.report_dir = str(results / folder), str(reports / folder)
        made.plot_curves = lambda *_, **__: None  # scores are compared, not pictures
        return made

    tried = [f"tracker{tracker}" for tracker in range(trackers)]
    figures = []
    for kind, folder in ((ExperimentOTB, "OTB"), (ExperimentGOT10k, "GOT-10k")):
        instance = experiment(kind, folder)

        def run(instance=instance) -> None:
            with redirect_stdout(io.StringIO()):
                instance.report(tried)
            shutil.rmtree(reports)

        figures.append(Figure(f"boxes, GOT-10k toolkit, {folder} report", median_cpu_seconds(run, repeats), "run"))
    return figures


@dataclass(frozen=True)
class Options:
    """Time the scoring of result files."""

    sequences: int = 180
    """sequences"""
    frames: int = 1000
    """frames of each"""
    trackers: int = 3
    """trackers"""
    repeats: int = 5
    """timed runs; the median counts"""
    toolkit: bool = True
    """time the GOT-10k toolkit as well"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_files(root, options.sequences, options.frames, options.trackers)
        figures = ours(root, options.trackers, options.repeats)
        if options.toolkit:
            figures += toolkit(root, options.trackers, options.repeats)
    report("evaluation", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
