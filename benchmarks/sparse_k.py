"""Does it matter how many keys a search token attends to? The tiny SparseTT with several k, at equal training.

    python benchmarks/sparse_k.py --output runs/sparse-k

Everything is trained and tested on video generated here. Started again, it goes on where it was.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from pretraining import MEASURES, generate

PAGE = Path(__file__).with_name("sparse-k.md")


@dataclass(frozen=True)
class Options:
    """Train and test the tiny tracker with several numbers of keys."""

    output: Path
    """folder of video, runs and results"""
    counts: tuple[int, ...] = (4, 16, 0)
    """keys per query; 0 stands for all, which is dense attention"""
    seeds: tuple[int, ...] = (0, 1, 2)
    """of the fresh weights and of the training samples"""
    epochs: int | None = None
    """the whole schedule, shortened to so many epochs; the recipe's when left out"""
    precision: str = "fp32"
    """of the training; bf16 is faster on processors that have instructions for it"""
    train: int = 240
    """sequences to train on, of 40 frames"""
    unseen: int = 60
    """sequences to test on, of 60 frames"""
    workers: int = 2
    """processes that generate and test, and that load samples"""
    table: Path = PAGE
    """gets the results"""


def track(options: Options, count: int, seed: int) -> dict[str, float]:
    """Train and test the tracker with ``count`` keys; what it scores on unseen video, in per cent."""
    from sparse_track.evaluation import evaluate
    from sparse_track.recipes import get_recipe
    from sparse_track.training import train
    from trackdata.datasets import open_dataset

    recipe = get_recipe("tiny")
    neck = replace(recipe.model.neck, top_k=count or None)
    recipe = replace(
        recipe,
        model=replace(recipe.model, neck=neck),
        loop=replace(recipe.loop, seed=seed, device="cpu", workers=options.workers, precision=options.precision),
    )
    if options.epochs is not None:
        *before, last = recipe.optimizer.schedule
        schedule = (*before, replace(last, until=options.epochs))
        recipe = replace(
            recipe,
            optimizer=replace(recipe.optimizer, schedule=schedule),
            loop=replace(recipe.loop, epochs=options.epochs),
        )
    name = f"k{count or 'all'}-{seed}"
    summary = train(recipe, options.output / "video", options.output / name, name="tiny")
    dataset = open_dataset("got10k", options.output / "unseen", "val")
    given = {"weights": str(summary.weights), "device": "cpu"}
    scores = evaluate(dataset, options.output / "results" / name, options=given, workers=options.workers)[0]
    return {measure: 100 * scores.values[measure] for measure in MEASURES}


def results(options: Options) -> Iterator[list[dict]]:
    """All results of this length there are, again after each new one; known ones are taken from `results.json`."""
    path = options.output / "results.json"
    known = json.loads(path.read_text()) if path.exists() else []
    for seed in options.seeds:
        for count in options.counts:
            key = {"k": count, "seed": seed, "epochs": options.epochs}
            if not any(key.items() <= entry.items() for entry in known):
                known.append(key | track(options, count, seed))
                path.write_text(json.dumps(known, indent=2) + "\n")
                print(known[-1], flush=True)
            yield [entry for entry in known if entry["epochs"] == options.epochs]


def table(entries: list[dict]) -> str:
    """Markdown: means over seeds, and the AO of each seed."""
    counts = sorted({entry["k"] for entry in entries}, key=lambda count: count or math.inf)
    seeds = sorted({entry["seed"] for entry in entries})
    lines = [
        f"| keys | {' | '.join(MEASURES)} | {' | '.join(f'AO, seed {seed}' for seed in seeds)} |",
        "|---|" + "---:|" * (len(MEASURES) + len(seeds)),
    ]
    for count in counts:
        own = {entry["seed"]: entry for entry in entries if entry["k"] == count}
        means = [statistics.mean(entry[measure] for entry in own.values()) for measure in MEASURES]
        alone = [f"{own[seed]['AO']:.1f}" if seed in own else "" for seed in seeds]
        lines.append(f"| {count or 'all'} | {' | '.join(f'{mean:.1f}' for mean in means)} | {' | '.join(alone)} |")
    return "\n".join(lines)


def write(page: Path, found: str) -> None:
    """Put the table in place of the one in the page of results."""
    begin, end = "<!-- results -->\n", "\n<!-- end -->"
    text = page.read_text() if page.exists() else f"{begin}{end}\n"
    before, rest = text.split(begin)
    page.write_text(before + begin + found + end + rest.split(end)[1])


def main(options: Options) -> None:
    """Run what is missing; after each run the table is up to date."""
    options.output.mkdir(parents=True, exist_ok=True)
    generate(options)
    for entries in results(options):
        write(options.table, table(entries))
    print(table(entries))


if __name__ == "__main__":
    main(tyro.cli(Options))
