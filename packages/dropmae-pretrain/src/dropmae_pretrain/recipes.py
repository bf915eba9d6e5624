"""Recipes: the published pre-trainings, and small ones for tests and demonstrations.

Published runs took 64 pairs on each of 8 x 8 GPUs. Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from dropmae_pretrain.config import DataConfig, ModelConfig, ObjectiveConfig, OptimizerConfig, Recipe
from trackcore import recipes
from trackcore.recipes import recipe
from trackcore.training.config import LoopConfig

FAMILY = "dropmae"

# Networks under the names of the published command line; only the first has published weights.
NETWORKS = {
    "mae_vit_base_patch16": ModelConfig(),
    "mae_vit_large_patch16": ModelConfig(width=1024, depth=24, heads=16),
    "mae_vit_huge_patch14": ModelConfig(patch=14, width=1280, depth=32, heads=16),
}
NETWORKS |= {f"{name}_dec512d8b": config for name, config in NETWORKS.items()}  # the same, spelt out

K400_VIDEOS, K700_VIDEOS = 241_553, 526_336  # on the authors' disks; of K700 the log gives the least number


def get_recipe(name: str) -> Recipe:
    """The recipe called ``name``, with or without ``dropmae/`` in front.

    Raises:
        UnknownRecipeError: no such recipe; the message names the nearest.
    """
    return cast(Recipe, recipes.get_recipe(name.removeprefix(f"{FAMILY}/"), FAMILY))


def recipe_names() -> list[str]:
    """Names of the recipes, sorted."""
    return recipes.recipe_names(FAMILY)


@recipe("k400_1600e", family=FAMILY)
def k400_1600e() -> Recipe:
    """ViT-B, Kinetics-400, 1600 epochs; weights and log are published."""
    return _published(K400_VIDEOS, 1600)


@recipe("k400_400e", family=FAMILY)
def k400_400e() -> Recipe:
    """ViT-B, Kinetics-400, 400 epochs; the command of the published README."""
    return _published(K400_VIDEOS, 400)


@recipe("k700_800e", family=FAMILY)
def k700_800e() -> Recipe:
    """ViT-B, Kinetics-700, 800 epochs; weights and log are published."""
    return _published(K700_VIDEOS, 800)


@recipe("tiny", family=FAMILY)
def tiny() -> Recipe:
    """A small auto-encoder of 8 x 8 patches that learns on generated video in minutes on two CPU cores.

    So few pairs teach matching only where it is easy: one crop for both frames, a part of them, frames close in time;
    and where it pays: in pixels as they are, since what is left of a normalised patch is texture too fine for it.
    """
    return Recipe(
        model=ModelConfig(
            image_size=64, patch=8, width=96, depth=3, heads=3, decoder_width=64, decoder_depth=2, decoder_heads=4,
            mlp_ratio=2.0, stem="convolutional", start="scratch",
        ),
        objective=ObjectiveConfig(normalise_target=False),
        data=DataConfig(
            split="train", validation_split="val", pairs_per_video=None, gap=10, area=(0.1, 0.5), same_crop=True
        ),
        optimizer=OptimizerConfig(lr=2e-3, warmup_epochs=1),
        loop=LoopConfig(
            epochs=8,
            samples_per_epoch=4096,
            batch_size=64,
            leftover="step",
            validation_samples=128,
            validate_every=4,
            log_every=16,
        ),
    )  # fmt: skip


@recipe("debug", family=FAMILY)
def debug() -> Recipe:
    """A few steps of a minute network: shows that everything runs, not that it learns."""
    small = tiny()
    return replace(
        small,
        model=replace(small.model, image_size=32, width=32, depth=2, heads=2, decoder_width=32, decoder_heads=2),
        optimizer=replace(small.optimizer, warmup_epochs=0.5),
        loop=replace(small.loop, epochs=2, samples_per_epoch=18, batch_size=4, micro_batch=2, validation_samples=4,
                     validate_every=1, workers=0, log_every=1),
    )  # fmt: skip


def _published(videos: int, epochs: int) -> Recipe:
    return Recipe(
        model=NETWORKS["mae_vit_base_patch16"],
        loop=LoopConfig(
            epochs=epochs,
            samples_per_epoch=videos,
            batch_size=4096,
            micro_batch=64,
            leftover="step",
            workers=10,
            precision="bf16",
            log_every=20,
        ),
    )
