"""Pre-train the debug recipe on generated pairs: ``run_debug.py RUN_DIR [shard]``."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from dropmae_pretrain.config import ObjectiveConfig
from dropmae_pretrain.recipes import get_recipe
from dropmae_pretrain.training import train_on


def noise(epoch: int, index: int) -> dict:
    """A pair of random frames."""
    first, second = np.random.default_rng([epoch, index]).normal(size=(2, 3, 32, 32)).astype(np.float32)
    return {"first": first, "second": second, "faults": {}}


def main() -> None:
    recipe = get_recipe("debug")
    # Without dropout all that is random belongs to the samples, so any number of processes trains alike; a stem's
    # batch norms would depend on how samples are dealt.
    recipe = replace(
        recipe,
        model=replace(recipe.model, stem="linear", start="published"),
        objective=ObjectiveConfig(drop=0.0),
        loop=replace(recipe.loop, micro_batch=2, samples_per_epoch=16, log_to="none", device="cpu",
                     shard="shard" in sys.argv[2:]),
    )  # fmt: skip
    train_on(recipe, noise, Path(sys.argv[1]), validation_pairs=noise)


if __name__ == "__main__":
    main()
