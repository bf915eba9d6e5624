#!/usr/bin/env python3
"""Put a trained `tiny_long` into onestream-track as the model that comes with it, with its card and what it scores.

    onestream-track train tiny_long --root VIDEO --output RUN      # VIDEO: see commands() below, or the card
    tools/ship_tiny.py RUN --output runs/ship --clips CLIP ...

Run it with the environment of the repository: .venv/bin/python tools/ship_tiny.py
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tyro

MEASURES = ("AO", "SR0.5", "SR0.75")
# Folder below the data root, preset, split, sequences, size, seed; 40 frames each.
VIDEO = (
    ("rich", "rich", "train", 640, "320x240", 10),
    ("rich", "rich", "val", 24, "320x240", 13),
    ("coarse", "rich", "train", 320, "160x120", 11),
    ("hard", "hard", "train", 200, "320x240", 12),
)
UNSEEN = {"rich": 20, "standard": 2}  # presets and seeds of what it is measured on

CARD = """\
# Model card: tiny

The model that `onestream-track` follows a target with when no weights are given: a one-stream tracker of OSTrack's
architecture with early candidate elimination, {parameters:,} parameters, {megabytes:.1f} MB.

- **Trained on** generated video alone, nothing recorded and nothing downloaded: {pairs:,} pairs of frames out of
  {sequences:,} sequences by `trackdata synth` of this repository.
- **Recipe** `{recipe}`, seed {seed}, {epochs} epochs, {precision}, no pre-training; {versions}.
- **Licence** Apache-2.0.
- **sha256** `{sha256}`

## Make it again

```sh
{commands}
```

On another processor or another version of PyTorch the weights come out slightly different.

## How well it tracks

As GOT-10k counts (in per cent; frames/s on two CPU cores, everything but decoding), with the policy of its card
({policy}).
Generated video: 30 sequences of 60 frames each that it has not seen. Real clips: no
weights were trained on them, but the policy was chosen with them in view, see benchmarks/tiny.md.

{table}

Its scores are no probabilities, and it knows no kinds of objects: it follows what it is told to, whatever that is.
"""


@dataclass(frozen=True)
class Options:
    """Measure a trained tiny_long and make it the model that comes with the package."""

    run: tyro.conf.Positional[Path]
    """folder of the training"""
    output: Path = Path("runs/ship")
    """gets generated video and results"""
    clips: tuple[Path, ...] = ()
    """folders of frames with a file of boxes each, as the dataset `folder` reads them"""
    workers: int = 1
    """processes that generate and track; frames/s are those of a machine that is busy with so many"""


def commands() -> str:
    """How the model is made."""
    lines = [
        f"trackdata synth --layout got10k --output VIDEO/{folder} --split {split} --preset {preset} --size {size} "
        f"--sequences {count} --frames 40 --seed {seed}"
        for folder, preset, split, count, size, seed in VIDEO
    ]
    return "\n".join([*lines, "onestream-track train tiny_long --root VIDEO --output RUN"])


def measure(weights: Path, policy: dict[str, Any], options: Options) -> dict[str, dict[str, float]]:
    """AO, SR0.5, SR0.75 and frames/s by what was tracked."""
    from onestream_track import evaluate
    from trackdata.datasets import open_dataset
    from trackdata.synth import preset, write_got10k

    places = {}
    for name, seed in UNSEEN.items():
        folder = options.output / "unseen" / name
        write_got10k(folder, "val", 30, replace(preset(name), frames=60), seed=seed, workers=options.workers)
        places[f"generated, {name}"] = open_dataset("got10k", folder, "val")
    places |= {clip.resolve().name: open_dataset("folder", clip) for clip in options.clips}
    given = {"weights": str(weights), "device": "cpu", "policy": policy}
    found = {}
    for place, dataset in places.items():
        results = options.output / "results" / place.replace(", ", "-")
        (scores,) = evaluate(dataset, results, options=given, convention="got10k", workers=options.workers)
        found[place] = {name: round(scores.values[name], 4) for name in MEASURES}
        found[place]["fps"] = round(scores.values["fps"], 1)
    return found


def table(measured: dict[str, dict[str, float]]) -> str:
    """Markdown, a row for each of what was tracked."""
    lines = [f"| | {' | '.join(MEASURES)} | frames/s |", "|---|" + "---:|" * 4]
    for place, values in measured.items():
        cells = [f"{100 * values[name]:.1f}" for name in MEASURES]
        lines.append(f"| {place} | {' | '.join(cells)} | {values['fps']:.0f} |")
    return "\n".join(lines)


def main(options: Options) -> None:
    """Measure, then write weights and card."""
    from onestream_track.recipes import get_recipe
    from onestream_track.shipped import SHIPPED
    from trackcore import checkpoints

    recipe = get_recipe("tiny_long")
    weights = options.run / "weights.safetensors"
    checkpoint = checkpoints.load(weights)
    card = dict(checkpoint.meta["card"])
    if card["recipe"] != "tiny_long":
        raise SystemExit(f"{weights} was trained by {card['recipe']}, not by tiny_long")
    policy = asdict(recipe.policy)
    measured = measure(weights, policy, options)
    card |= {
        "name": "tiny",
        "data": commands().splitlines()[:-1],
        "policy": policy,
        "licence": "Apache-2.0",
        "measured": measured,
    }
    checkpoints.save_weights(SHIPPED, checkpoint.state, card)
    written = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8"))
    usual = asdict(type(recipe.policy)())
    text = CARD.format(
        parameters=written["parameters"],
        megabytes=SHIPPED.stat().st_size / 1e6,
        pairs=written["step"] * recipe.loop.batch_size,
        sequences=sum(count for _, _, split, count, *_ in VIDEO if split == "train"),
        recipe=written["recipe"],
        seed=written["plan"]["seed"],
        epochs=written["epoch"],
        precision=recipe.loop.precision,
        versions=f"torch {written['torch']}",
        sha256=written["sha256"],
        commands=commands(),
        policy=", ".join(f"{name} {value}" for name, value in policy.items() if value != usual[name]) or "as published",
        table=table(measured),
    )
    SHIPPED.with_name("README.md").write_text(text, encoding="utf-8")
    print(table(measured))


if __name__ == "__main__":
    main(tyro.cli(Options))
