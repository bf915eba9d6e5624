"""Does refinement help? Base trackers with and without it, on unseen generated sequences and on clips of your own.

    python benchmarks/refinement.py --output runs/refinement --clips bag

Trains the recipe `small` on generated video, if no weights are given. Started again, it goes on where it was. KCF and
CSRT take part where OpenCV has them; refinement.md says how to come by them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

if TYPE_CHECKING:
    from alpha_refine import Rules
    from trackdata.evaluation import Scores
    from trackdata.sequences import Dataset

PAGE = Path(__file__).with_name("refinement.md")
BEGIN, END = "<!-- results -->\n", "\n<!-- end -->"
MEASURES = ("AO", "SR0.5", "SR0.75")
UNSEEN = "generated"
SEEDS = {"train": 10, "val": 11, "unseen": 20}


@dataclass(frozen=True)
class Options:
    """Evaluate base trackers with and without a small refiner."""

    output: Path
    """folder of video, training and results"""
    weights: Path | None = None
    """refiner to use; by default the recipe `small` is trained below OUTPUT"""
    tiny: Path | None = None
    """weights of a one-stream tracker, which is one of the bases; by default the model that comes with the package"""
    bases: tuple[str, ...] = ("opencv:mil", "opencv:kcf", "opencv:csrt")
    """other base trackers; those that this OpenCV lacks are left out"""
    clips: tuple[Path, ...] = ()
    """folders of frames with a file of boxes each, as the dataset `folder` reads them"""
    train: int = 160
    """generated sequences to train on in GOT-10k's layout, of 40 frames; there are 60 more with masks"""
    epochs: int = 12
    """of 4096 pairs"""
    precision: str = "fp32"
    """of the training: fp32, or bf16 where the processor has units for it"""
    unseen: int = 30
    """generated sequences to test on, of 60 frames"""
    rules: bool = True
    """also try other rules than the default ones"""
    workers: int = 1
    """processes that generate and track"""
    table: Path = PAGE
    """gets the results"""


def variants() -> dict[str, Rules]:
    """Rules by what they are called in the second table."""
    from alpha_refine import Rules

    return {
        "no feedback": Rules(feedback=False),
        "overlap at least 0.5, no feedback": Rules(min_overlap=0.5, feedback=False),
    }


def generate(options: Options) -> None:
    """Video to train on, in the two layouts of the recipe, and `unseen/val` to test on."""
    from trackdata.synth import preset, write_got10k, write_layout
    from trackdata.synth.layouts import layout

    config, video = preset("rich", frames=40), options.output / "video"
    if options.weights is None:
        davis = layout("davis2017")
        for split, boxes, masks in (("train", options.train, 60), ("val", 12, 10)):
            seed, several = SEEDS[split], replace(config, objects=davis.objects)
            write_got10k(video, split, boxes, config, seed=seed, workers=options.workers)
            write_layout(davis, video / davis.name, split, masks, several, seed=seed + 2, workers=options.workers)
    longer, unseen = replace(config, frames=60), options.output / "unseen"
    write_got10k(unseen, "val", options.unseen, longer, seed=SEEDS["unseen"], workers=options.workers)


def refiner_weights(options: Options) -> Path:
    """Weights of the refiner, trained if none are given."""
    if options.weights is not None:
        return options.weights
    from alpha_refine import get_recipe, train

    recipe = get_recipe("small")
    recipe = replace(
        recipe, loop=replace(recipe.loop, epochs=options.epochs, precision=options.precision, device="cpu")
    )
    return Path(train(recipe, options.output / "video", options.output / "small", name="small").weights)


def datasets(options: Options) -> dict[str, Dataset]:
    """What is tracked, by name."""
    from trackdata.datasets import open_dataset

    unseen = {UNSEEN: open_dataset("got10k", options.output / "unseen", "val")}
    return unseen | {clip.resolve().name: open_dataset("folder", clip) for clip in options.clips}


def bases(options: Options) -> dict[str, tuple[str, dict[str, str]]]:
    """Base trackers that work here: how the table calls them, registered name and options."""
    from onestream_track.shipped import SHIPPED
    from trackcore.opencv_trackers import MissingTrackerError
    from trackcore.tracker import create_tracker

    wanted = {base: (base, {}) for base in options.bases}
    wanted["tiny"] = "onestream", {"weights": str(options.tiny or SHIPPED), "device": "cpu"}
    usable = {}
    for called, (base, given) in wanted.items():
        try:
            create_tracker(base, **given)
        except MissingTrackerError as error:
            print(f"{called} is left out: {error}")
        else:
            usable[called] = base, given
    return usable


def measure(options: Options, weights: Path) -> dict[tuple[str, str], dict[str, Scores]]:
    """Scores by (dataset, base), and among them by "alone", "default" and the names of :func:`variants`."""
    from alpha_refine import Rules, load_tracker
    from alpha_refine.evaluation import refined_identity
    from trackcore.tracker import create_tracker
    from trackdata.evaluation import tracker_identity

    refiner = {"weights": str(weights), "device": "cpu"}
    tried = {"default": Rules()} | (variants() if options.rules else {})
    found: dict[tuple[str, str], dict[str, Scores]] = {}
    for place, dataset in datasets(options).items():
        for called, (base, given) in bases(options).items():
            entrants = {"alone": (partial(create_tracker, base, **given), tracker_identity(base, given))}
            for rule, rules in tried.items():
                factory = partial(load_tracker, base, base_options=given, rules=rules, **refiner)
                entrants[rule] = factory, refined_identity(base, refiner, rules, given)
            found[place, called] = {
                entrant: track(f"{called}, {entrant}", factory, identity, dataset, options)
                for entrant, (factory, identity) in entrants.items()
            }
    return found


def track(
    name: str, factory: Callable[[], Any], identity: dict[str, Any], dataset: Dataset, options: Options
) -> Scores:
    """Scores of one tracker on one dataset."""
    from trackdata.evaluation import run, score

    done = run(name, factory, dataset, options.output / "results", identity=identity, workers=options.workers)
    if done.failures:
        raise RuntimeError(f"{name} on {dataset.name}: {done.failures}")
    scores = score(done, dataset, "got10k")
    print(f"{dataset.name}, {name}: {shown(scores)}", flush=True)
    return scores


def shown(scores: Scores) -> str:
    """The three measures in per cent, as cells of a table."""
    return " | ".join(f"{100 * scores.values[name]:.1f}" for name in MEASURES)


def tables(found: dict[tuple[str, str], dict[str, Scores]]) -> str:
    """Markdown: every base with and without refinement, and SR0.75 by rules."""
    lines = [
        f"| on | base tracker | {' | '.join(MEASURES)} | frames/s | "
        f"refined: {' | '.join(MEASURES)} | frames/s | SR0.75 changes by |",
        "|---|---|" + "---:|" * 9,
    ]
    for (place, called), entries in found.items():
        alone, refined = entries["alone"], entries["default"]
        rates = [f"{scores.values['fps']:.0f}" for scores in (alone, refined)]
        change = 100 * (refined.values["SR0.75"] - alone.values["SR0.75"])
        lines.append(
            f"| {place} | {called} | {shown(alone)} | {rates[0]} | {shown(refined)} | {rates[1]} | {change:+.1f} |"
        )
    rules = [rule for rule in next(iter(found.values())) if rule not in ("alone", "default")]
    if not rules:
        return "\n".join(lines)
    columns = ("alone", "default", *rules)
    lines += ["", "SR0.75 by rules:", "", f"| on | base tracker | {' | '.join(columns)} |"]
    lines.append("|---|---|" + "---:|" * len(columns))
    for (place, called), entries in found.items():
        values = [f"{100 * entries[column].values['SR0.75']:.1f}" for column in columns]
        lines.append(f"| {place} | {called} | {' | '.join(values)} |")
    return "\n".join(lines)


def write(text: str, table: Path) -> None:
    """Put the tables in the place of those in the page of results."""
    page = table.read_text() if table.exists() else f"{BEGIN}{END}\n"
    before, rest = page.split(BEGIN)
    table.write_text(before + BEGIN + text + END + rest.split(END)[1])


def main(options: Options) -> None:
    """Run what is missing, print the tables and put them into the page."""
    options.output.mkdir(parents=True, exist_ok=True)
    generate(options)
    text = tables(measure(options, refiner_weights(options)))
    print(text)
    write(text, options.table)


if __name__ == "__main__":
    main(tyro.cli(Options))
