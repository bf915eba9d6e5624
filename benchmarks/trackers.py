"""Our trackers beside OpenCV's, on generated sequences that none has seen and on clips of your own: one table, one run.

    python benchmarks/trackers.py --output runs/trackers --sparse runs/smoke/sparse/weights.safetensors --clips bag

Started again, it goes on where it was. KCF and CSRT take part where OpenCV has them; refinement.md says how to come by
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from refinement import SEEDS, UNSEEN, shown, write

if TYPE_CHECKING:
    from trackdata.evaluation import Scores
    from trackdata.sequences import Dataset

PAGE = Path(__file__).with_name("trackers.md")
MEASURES = ("AO", "SR0.5", "SR0.75")


@dataclass(frozen=True)
class Options:
    """Evaluate trackers side by side."""

    output: Path
    """folder of video and results"""
    onestream: Path | None = None
    """weights of a one-stream tracker; by default the model that comes with the package"""
    sparse: Path | None = None
    """weights of a SparseTT tracker"""
    others: tuple[str, ...] = ("opencv:csrt", "opencv:kcf", "opencv:mil", "static")
    """other registered trackers; those that this OpenCV lacks are left out"""
    clips: tuple[Path, ...] = ()
    """folders of frames with a file of boxes each, as the dataset `folder` reads them"""
    unseen: int = 30
    """generated sequences, of 60 frames"""
    workers: int = 1
    """processes that generate and track; frames/s are those of a machine that is busy with so many"""
    table: Path = PAGE
    """gets the results"""


def datasets(options: Options) -> Iterator[tuple[str, Dataset]]:
    """What is tracked, by name."""
    from trackdata.datasets import open_dataset
    from trackdata.synth import preset, write_got10k

    unseen = options.output / "unseen"
    config = replace(preset("rich"), frames=60)
    write_got10k(unseen, "val", options.unseen, config, seed=SEEDS["unseen"], workers=options.workers)
    yield UNSEEN, open_dataset("got10k", unseen, "val")
    for clip in options.clips:
        yield clip.resolve().name, open_dataset("folder", clip)


def entrants(options: Options) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Trackers that work here: how the table calls them, registered name and options."""
    from onestream_track.shipped import SHIPPED
    from trackcore.opencv_trackers import MissingTrackerError
    from trackcore.tracker import create_tracker

    for registered, weights in (("onestream", options.onestream or SHIPPED), ("sparse", options.sparse)):
        if weights is not None:
            yield registered, registered, {"weights": str(weights), "device": "cpu"}
    for name in options.others:
        try:
            create_tracker(name)
        except MissingTrackerError as error:
            print(f"{name} is left out: {error}")
        else:
            yield name, name, {}


def measure(options: Options) -> dict[str, dict[str, Scores]]:
    """Scores by tracker and dataset."""
    from functools import partial

    from trackcore.tracker import create_tracker
    from trackdata.evaluation import run, score, tracker_identity

    places = dict(datasets(options))
    found: dict[str, dict[str, Scores]] = {}
    for called, registered, given in entrants(options):
        for place, dataset in places.items():
            done = run(
                called,
                partial(create_tracker, registered, **given),
                dataset,
                options.output / "results",
                identity=tracker_identity(registered, given),
                workers=options.workers,
            )
            if done.failures:
                raise RuntimeError(f"{called} on {place}: {done.failures}")
            found.setdefault(called, {})[place] = score(done, dataset, "got10k")
            print(f"{called} on {place}: {shown(found[called][place])}", flush=True)
    return found


def table(found: dict[str, dict[str, Scores]]) -> str:
    """Markdown, a row for each tracker; the mean is over datasets, each of them counted once."""
    places = list(next(iter(found.values())))
    heads = [f"{place}: {' / '.join(MEASURES)}" for place in places]
    lines = [
        f"| tracker | {' | '.join(heads)} | mean AO of the clips | frames/s |",
        "|---|" + "---:|" * (len(places) + 2),
    ]
    for called, scores in found.items():
        cells = [shown(scores[place]).replace(" | ", " / ") for place in places]
        clips = [scores[place].values["AO"] for place in places if place != UNSEEN]
        mean = f"{100 * sum(clips) / len(clips):.1f}" if clips else ""
        lines.append(f"| {called} | {' | '.join(cells)} | {mean} | {scores[UNSEEN].values['fps']:.0f} |")
    return "\n".join(lines)


def main(options: Options) -> None:
    """Run what is missing, print the table and put it into the page."""
    options.output.mkdir(parents=True, exist_ok=True)
    text = table(measure(options))
    print(text)
    write(text, options.table)


if __name__ == "__main__":
    main(tyro.cli(Options))
