"""The ``onestream-track`` command: train, track, evaluate, list recipes.

``--help`` imports no torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from onestream_track.config import Recipe

BAD_USAGE, FAILED, INTERRUPTED = 2, 1, 130
Repeated = tyro.conf.UseAppendAction


class UsageError(ValueError):
    """The command line asks for something that cannot be; the message says what to change."""


@dataclass(frozen=True)
class Network:
    """Which tracker."""

    weights: Path | None = None
    """own .safetensors, whose card names the network, or a published .pth.tar"""
    recipe: str | None = None
    """name of the network's recipe, for weights that do not tell (see `onestream-track recipes`)"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """of the backbone; the head always runs in float32"""

    def options(self) -> dict[str, Any]:
        """Arguments for :func:`onestream_track.tracker.create`."""
        if self.weights is None and self.recipe is None:
            raise UsageError("give --weights FILE, or --recipe NAME to try a network without trained weights")
        if self.weights is None:
            print(
                f"onestream-track: no --weights: {self.recipe!r} runs with random weights and its boxes mean nothing",
                file=sys.stderr,
            )
        weights = str(self.weights) if self.weights is not None else None
        return {"weights": weights, "recipe": self.recipe, "device": self.device, "precision": self.precision}


@dataclass(frozen=True)
class Track:
    """Follow a target through a video, a folder of images, a camera (its number) or an rtsp/http address."""

    source: tyro.conf.Positional[str]
    """video file, folder of images, camera number or address"""
    init: str
    """the target's box x,y,w,h in pixels of the first frame"""
    network: tyro.conf.OmitArgPrefixes[Network]
    output: Path | None = None
    """overlay to write: a video file or a folder for frames"""
    save: Path | None = None
    """text file to write: one line x,y,w,h a frame, the first being the given box"""

    def __call__(self) -> int:
        return _track(self)


@dataclass(frozen=True)
class Evaluate:
    """Track every sequence of a dataset once, print the scores, write a report. Finished sequences are kept."""

    dataset: str
    """name of the dataset: see `trackdata datasets`"""
    root: Path
    """folder of the dataset"""
    network: tyro.conf.OmitArgPrefixes[Network]
    output: Path = Path("results")
    """results go to OUTPUT/TRACKER/DATASET, the report to OUTPUT/report"""
    split: str | None = None
    """split of the dataset"""
    name: str = "onestream"
    """what the tracker is called in the report"""
    compare: Annotated[tuple[str, ...], Repeated] = ()
    """another registered tracker to run as well, such as static or opencv:mil; may be repeated"""
    convention: str = "default"
    """how to score: default, got10k, ostrack/TAG, pytracking/TAG, ..."""
    workers: int = 1
    """processes"""
    limit: int | None = None
    """only the first so many sequences"""

    def __call__(self) -> int:
        return _evaluate(self)


@dataclass(frozen=True)
class Recipes:
    """List the recipes."""

    def __call__(self) -> int:
        from onestream_track.recipes import recipe_names

        print("\n".join(recipe_names()))
        return 0


@dataclass(frozen=True)
class Train:
    """Train a recipe. Started again with the same output, it goes on where it was."""

    root: Path
    """folder below which the recipe's datasets lie"""
    output: Path
    """run folder: recipe, checkpoints, logs, weights"""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    start_weights: Path | None = None
    """MAE or DropMAE encoder, or a tracker, to start from"""
    config: Path | None = None
    """recipe.yaml of an earlier run to take instead of the recipe; flags still change it"""
    resume: bool = True
    """go on from the run folder's newest checkpoint"""


COMMANDS: dict[str, Callable[..., Any]] = {"track": Track, "evaluate": Evaluate, "recipes": Recipes}
USAGE = """usage: onestream-track {train,track,evaluate,recipes} ...

  train RECIPE --root DIR --output DIR   train a tracker
  track SOURCE --init x,y,w,h            follow a target through a video
  evaluate --dataset D --root P          score a tracker over a dataset
  recipes                                list the recipes

`onestream-track COMMAND --help` lists the options (for train: `onestream-track train RECIPE --help`)."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line ``args`` (the process's own when None).

    Returns:
        0; 1 when something failed; 2 when the command line makes no sense; 130 when it was interrupted.
    """
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else BAD_USAGE
    try:
        if words[0] == "train":
            return _train(words[1:])
        return tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="onestream-track", args=words)()
    except SystemExit as stop:  # tyro has printed help or what is wrong
        return stop.code if isinstance(stop.code, int) else BAD_USAGE
    except KeyboardInterrupt:
        print("onestream-track: interrupted", file=sys.stderr)
        return INTERRUPTED
    except UsageError as error:
        print(f"onestream-track: {error}", file=sys.stderr)
        return BAD_USAGE
    except ImportError as error:
        if (error.name or "").split(".")[0] in ("trackdata", "accelerate"):
            print(f"onestream-track: this needs {error.name}: pip install 'onestream-track[train]'", file=sys.stderr)
            return FAILED
        raise
    except (ValueError, OSError, RuntimeError) as error:  # what the library raises for input it cannot use
        print(f"onestream-track: {error}", file=sys.stderr)
        return FAILED


def _train(words: list[str]) -> int:
    from onestream_track.recipes import get_recipe, recipe_names
    from trackcore.recipes import from_yaml

    if not words or words[0].startswith("-"):
        if words and words[0] in ("-h", "--help"):
            print(
                f"usage: onestream-track train RECIPE --root DIR --output DIR\n\nrecipes: {', '.join(recipe_names())}"
            )
            return 0
        raise UsageError(f"train needs a recipe: {', '.join(recipe_names())}")
    name, *flags = words
    recipe = get_recipe(name)
    if (file := _flag(flags, "--config")) is not None:
        recipe = from_yaml(Recipe, Path(file).read_text())
    defaults = Train(root=tyro.MISSING, output=tyro.MISSING, recipe=recipe)
    asked = tyro.cli(Train, default=defaults, args=flags, prog=f"onestream-track train {name}")

    from rich.console import Console

    from onestream_track.training import train

    summary = train(
        asked.recipe, asked.root, asked.output, name=name, start_weights=asked.start_weights, resume=asked.resume
    )
    if os.environ.get("RANK", "0") == "0":  # under torchrun every process gets here
        Console().print(summary)
    return INTERRUPTED if summary.interrupted else 0


def _flag(words: Sequence[str], name: str) -> str | None:
    """The value of a flag, looked up before the flags that depend on it are parsed."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _parse_box(text: str) -> list[float]:
    try:
        box = [float(number) for number in text.replace(" ", ",").split(",") if number]
    except ValueError:
        box = []
    if len(box) != 4:
        raise UsageError(f"--init takes x,y,w,h in pixels, such as 120,80,40,60; got {text!r}")
    return box


def _track(asked: Track) -> int:
    box, options = _parse_box(asked.init), asked.network.options()

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from onestream_track.tracker import create
    from trackcore.following import track_video
    from trackcore.video import open_video

    tracker = create(**options)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with open_video(asked.source, on_error="skip") as frames, Progress(*columns) as bar:
        job = bar.add_task("tracking", total=frames.length)
        followed = track_video(
            tracker,
            frames,
            box,
            output=asked.output,
            boxes=asked.save,
            on_frame=lambda frame, prediction: bar.advance(job),
        )
    skipped = f", {followed.skipped} undecodable ones left out" if followed.skipped else ""
    score = "" if followed.score is None else f", mean score {followed.score:.2f}"
    print(f"{followed.frames} frames{skipped}: {followed.rate:.1f} frames/s in the tracker{score}")
    for path in (asked.output, asked.save):
        if path is not None:
            print(f"wrote {path}")
    return INTERRUPTED if followed.interrupted else 0


def _evaluate(asked: Evaluate) -> int:
    options = asked.network.options()

    from rich.console import Console

    from onestream_track.evaluation import evaluate
    from trackdata.datasets import open_dataset
    from trackdata.evaluation import RunProgress, comparison_table

    dataset = open_dataset(asked.dataset, asked.root, asked.split)
    with RunProgress() as progress:
        shown: dict[str, Callable[..., None]] = {}

        def on_progress(tracker: str, state: Any) -> None:
            if tracker not in shown:
                shown[tracker] = progress.of(tracker)
            shown[tracker](state)

        scores = evaluate(
            dataset,
            asked.output,
            name=asked.name,
            options=options,
            compare=asked.compare,
            convention=asked.convention,
            workers=asked.workers,
            limit=asked.limit,
            on_progress=on_progress,
        )
    Console().print(comparison_table(scores))
    print(f"report: {asked.output / 'report' / 'report.html'}")
    failures = {f"{entry.tracker}: {name}": why for entry in scores for name, why in entry.failures.items()}
    for name, why in failures.items():
        print(f"onestream-track: {name} failed: {why}", file=sys.stderr)
    return FAILED if failures else 0
