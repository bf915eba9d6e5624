"""Does pre-training help the tiny tracker? From DropMAE, from P = 0 and from scratch, at equal tracker steps.

    python benchmarks/pretraining.py --output runs/pretraining

Everything is trained and tested on video generated here. Started again, it goes on where it was.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

PAGE = Path(__file__).with_name("pretraining.md")
MEASURES = ("AO", "SR0.5", "SR0.75")
STARTS = {"DropMAE, P = 0.1": 0.1, "P = 0": 0.0, "scratch": None}


@dataclass(frozen=True)
class Options:
    """Train and test the tiny tracker from three beginnings."""

    output: Path
    """folder of video, runs and results"""
    seeds: tuple[int, ...] = (0, 1, 2)
    """of the pre-training and of the tracker's training"""
    pretrain_epochs: int = 8
    """of 4096 frame pairs"""
    epochs: int = 4
    """of 4096 pairs of template and search region, the whole schedule of the tracker"""
    train: int = 240
    """sequences to train on, of 40 frames"""
    unseen: int = 60
    """sequences to test on, of 60 frames"""
    workers: int = 2
    """processes that generate and test"""
    table: Path = PAGE
    """gets the results"""


def generate(options: Options) -> None:
    """Video in GOT-10k's layout: `train` and `val` to train on, `unseen/val` to test on."""
    from trackdata.synth import preset, write_got10k

    config = preset("standard", frames=40)
    video = options.output / "video"
    write_got10k(video, "train", options.train, config, seed=0, workers=options.workers)
    write_got10k(video, "val", 20, config, seed=1, workers=options.workers)
    longer = replace(config, frames=60)
    write_got10k(options.output / "unseen", "val", options.unseen, longer, seed=2, workers=options.workers)


def pretrain(options: Options, drop: float, seed: int) -> Path:
    """Weights of an encoder for the tracker."""
    from dropmae_pretrain import convert, get_recipe, train

    recipe = get_recipe("tiny")
    recipe = replace(
        recipe,
        objective=replace(recipe.objective, drop=drop),
        loop=replace(recipe.loop, epochs=options.pretrain_epochs, seed=seed, device="cpu"),
    )
    run = options.output / f"dropmae-{drop:g}-{seed}"
    summary = train(recipe, options.output / "video", run, name="tiny")
    encoder = run / "encoder.safetensors"
    if not encoder.exists():
        convert(summary.weights, "onestream", encoder)
    return encoder


def track(options: Options, start: str, seed: int) -> dict[str, float]:
    """Train the tracker from one beginning; what it scores on unseen video, in per cent."""
    from onestream_track.evaluation import evaluate
    from onestream_track.recipes import get_recipe
    from onestream_track.training import train
    from trackdata.datasets import open_dataset

    drop = STARTS[start]
    encoder = None if drop is None else pretrain(options, drop, seed)
    recipe = get_recipe("droptrack/tiny")
    recipe = replace(recipe, loop=replace(recipe.loop, epochs=options.epochs, seed=seed, device="cpu"))
    name = f"tracker-{'scratch' if drop is None else f'{drop:g}'}-{seed}"
    summary = train(recipe, options.output / "video", options.output / name, name="tiny", start_weights=encoder)
    dataset = open_dataset("got10k", options.output / "unseen", "val")
    given = {"weights": str(summary.weights), "device": "cpu"}
    scores = evaluate(dataset, options.output / "results" / name, options=given, workers=options.workers)[0]
    return {measure: 100 * scores.values[measure] for measure in MEASURES}


def results(options: Options) -> Iterator[dict]:
    """One by one, what all beginnings and seeds came to; those already in `results.json` are taken from there."""
    path = options.output / "results.json"
    known = json.loads(path.read_text()) if path.exists() else []
    for seed in options.seeds:
        for start in STARTS:
            key = {"start": start, "seed": seed, "pretrain_epochs": options.pretrain_epochs, "epochs": options.epochs}
            found = next((entry for entry in known if key.items() <= entry.items()), None)
            if found is None:
                found = key | track(options, start, seed)
                known.append(found)
                path.write_text(json.dumps(known, indent=2) + "\n")
            yield found


def table(options: Options, entries: list[dict]) -> str:
    """Markdown: the mean over seeds of each measure, and the AO of each seed."""
    seeds = sorted({entry["seed"] for entry in entries})
    lines = [
        f"| start | {' | '.join(MEASURES)} | {' | '.join(f'AO, seed {seed}' for seed in seeds)} |",
        "|---|" + "---:|" * (len(MEASURES) + len(seeds)),
    ]
    for start in STARTS:
        own = {entry["seed"]: entry for entry in entries if entry["start"] == start}
        means = [statistics.mean(entry[measure] for entry in own.values()) for measure in MEASURES]
        alone = [f"{own[seed]['AO']:.1f}" if seed in own else "" for seed in seeds]
        lines.append(f"| {start} | {' | '.join(f'{mean:.1f}' for mean in means)} | {' | '.join(alone)} |")
    return "\n".join(lines)


def main(options: Options) -> None:
    """Run what is missing, print the table, and put it in place of the one in the page of results."""
    options.output.mkdir(parents=True, exist_ok=True)
    generate(options)
    entries = []
    for entry in results(options):
        entries.append(entry)
        print(entry, flush=True)
    found = table(options, entries)
    print(found)
    begin, end = "<!-- results -->\n", "\n<!-- end -->"
    page = options.table.read_text() if options.table.exists() else f"{begin}{end}\n"
    before, rest = page.split(begin)
    options.table.write_text(before + begin + found + end + rest.split(end)[1])


if __name__ == "__main__":
    main(tyro.cli(Options))
