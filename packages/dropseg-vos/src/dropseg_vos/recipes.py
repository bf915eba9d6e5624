"""Recipes under the published names, and small ones for generated video. Nothing here imports torch.

An epoch of the loop is a thousand steps, for logs and checkpoints; how often the data is gone through is counted apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from dropseg_vos.config import DataConfig, LossConfig, ModelConfig, OptimizerConfig, Recipe, Source
from trackcore import recipes
from trackcore.recipes import recipe
from trackcore.training.config import LoopConfig

FAMILY = "dropseg"

# Folders below the data root are called as in the published programs.
DAVIS = Source("davis2017", "DAVIS", "train", repeats=5, max_jump=25)
YOUTUBE_VOS = Source("youtubevos", "YouTube", "train_stcn", max_jump=5, resized=480)
BL30K = Source("bl30k", "BL30K", max_jump=25)
STATIC = tuple(
    Source("static_images", "static", part, repeats=5 if part.endswith("_small") else 1)
    for part in ("fss", "DUTS-TR", "DUTS-TE", "ecssd", "BIG_small", "HRSOD_small")
)

_STEPS = 1000  # of an epoch
_BATCH = 32  # 4 for each of 8 processes


def get_recipe(name: str) -> Recipe:
    """The recipe called ``name``. Raises UnknownRecipeError, which names the nearest, when there is none."""
    return cast(Recipe, recipes.get_recipe(name.removeprefix(f"{FAMILY}/"), FAMILY))


def recipe_names() -> list[str]:
    """Names of this package's recipes, sorted."""
    return recipes.recipe_names(FAMILY)


def _published(data: DataConfig, iterations: int, lr: float, milestone: int) -> Recipe:
    return Recipe(
        model=ModelConfig(),
        data=data,
        optimizer=OptimizerConfig(lr=lr, milestone=milestone),
        loop=LoopConfig(
            epochs=iterations // _STEPS,
            samples_per_epoch=_STEPS * _BATCH,
            batch_size=_BATCH,
            workers=8,
            precision="fp16",
            seed=14159265,
            log_every=100,
        ),
    )


@recipe("stage0", family=FAMILY)
def stage0() -> Recipe:
    """Pairs made of still images; one object."""
    return _published(DataConfig(train=STATIC, objects=1), 300_000, 1e-5, 150_000)


@recipe("stage1", family=FAMILY)
def stage1() -> Recipe:
    """BL30K."""
    return _published(DataConfig(train=(BL30K,), area=(0.25, 1.0)), 500_000, 1e-5, 400_000)


@recipe("stage2", family=FAMILY)
def stage2() -> Recipe:
    """YouTube-VOS and DAVIS, after BL30K."""
    return _published(DataConfig(train=(DAVIS, YOUTUBE_VOS)), 300_000, 1e-5, 250_000)


@recipe("stage3", family=FAMILY)
def stage3() -> Recipe:
    """YouTube-VOS and DAVIS."""
    return _published(DataConfig(train=(DAVIS, YOUTUBE_VOS)), 210_000, 2e-5, 125_000)


@recipe("retrain_s03", family=FAMILY)
def retrain_s03() -> Recipe:
    """The released network: stage 3 alone, starting from DropMAE."""
    return stage3()


# `trackdata synth` writes both layouts; images of the second are made into pairs.
_GENERATED = Source("davis2017", "davis2017", "train", max_jump=40)
_GENERATED_HELD_OUT = Source("davis2017", "davis2017", "val", max_jump=40)


@recipe("tiny", family=FAMILY)
def tiny() -> Recipe:
    """A small network that learns from scratch on generated video in minutes on two CPU cores."""
    return Recipe(
        model=ModelConfig(
            image_size=96, short_side=200, patch=8, width=96, depth=3, heads=3, mlp_ratio=2.0, drop_path=0.0,
            start_grid=8, pyramid=(24, 16), decoder=(32, 24, 16), stem="convolutional", start="scratch",
        ),
        data=DataConfig(
            train=(_GENERATED,), validation=(_GENERATED_HELD_OUT,), objects=1, area=(0.15, 0.6), empty="redraw"
        ),
        loss=LossConfig(start=50, end=250, kept=0.25),
        optimizer=OptimizerConfig(lr=2e-3, schedule="cosine", warmup_steps=50),
        loop=LoopConfig(
            epochs=10,
            samples_per_epoch=2048,
            batch_size=32,
            validation_samples=128,
            validate_every=2,
            best_metric="iou",
            clip_norm=1.0,
            log_every=32,
        ),
    )  # fmt: skip


@recipe("tiny_static", family=FAMILY)
def tiny_static() -> Recipe:
    """The static stage for ``tiny``: pairs made of generated still images, one object."""
    video = tiny()
    stills = (Source("static_images", "static_images"),)
    return replace(
        video,
        data=replace(video.data, train=stills, validation=()),
        loop=replace(video.loop, epochs=4, validation_samples=0, best_metric=None),
    )


@recipe("debug", family=FAMILY)
def debug() -> Recipe:
    """A few steps of a minute network: shows that everything runs, not that it learns."""
    small = tiny()
    return replace(
        small,
        model=replace(
            small.model,
            image_size=32,
            short_side=48,
            width=24,
            depth=2,
            heads=2,
            start_grid=4,
            pyramid=(8, 8),
            decoder=(8, 8, 8),
        ),
        data=replace(small.data, objects=2),
        loss=LossConfig(start=2, end=6, kept=0.5),
        optimizer=replace(small.optimizer, warmup_steps=2),
        loop=replace(
            small.loop,
            epochs=2,
            samples_per_epoch=16,
            batch_size=4,
            validation_samples=4,
            validate_every=1,
            workers=0,
            log_every=1,
        ),
    )


@recipe("debug_static", family=FAMILY)
def debug_static() -> Recipe:
    """``debug`` on pairs made of still images."""
    small, stills = debug(), tiny_static()
    return replace(small, data=stills.data, loop=replace(small.loop, validation_samples=0, best_metric=None))
