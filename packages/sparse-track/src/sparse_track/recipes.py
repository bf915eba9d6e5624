"""Recipes under the published names, and small ones for tests and demonstrations. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from sparse_track.config import (
    BackboneConfig,
    ColourConfig,
    DataConfig,
    HeadConfig,
    JitterConfig,
    ModelConfig,
    NeckConfig,
    OptimizerConfig,
    Phase,
    Recipe,
    Source,
    TrackingConfig,
)
from trackcore import recipes
from trackcore.recipes import recipe
from trackcore.training.config import LoopConfig

FAMILY = "sparsett"

FULL_DATA = (
    Source("TRACKINGNET", "trackingnet", weight=0.65),
    Source("LASOT", "lasot", weight=0.3),
    Source("GOT10K_train_full", "got10k", weight=0.2),
    Source("SPARSETT_VID", "vid", weight=0.2),
    Source("SPARSETT_DET", "det", weight=0.08),
    Source("SPARSETT_COCO", "coco", weight=0.07),
)


def get_recipe(name: str) -> Recipe:
    """The recipe called ``name``, or ``sparsett/name``.

    Raises:
        UnknownRecipeError: no such recipe; the message names the nearest.
    """
    return cast(Recipe, recipes.get_recipe(name.removeprefix(f"{FAMILY}/"), FAMILY))


def recipe_names() -> list[str]:
    """Names of this package's recipes, sorted."""
    return recipes.recipe_names(FAMILY)


@recipe("sparsett_swin_train_got10k", family=FAMILY)
def sparsett_swin_train_got10k() -> Recipe:
    """SparseTT on GOT-10k alone."""
    return Recipe(
        model=ModelConfig(),
        data=DataConfig(
            train=(Source("GOT10K_train_full", "got10k"),), validation=(Source("GOT10K_official_val", "got10k"),)
        ),
        optimizer=OptimizerConfig(),
        loop=LoopConfig(
            epochs=20,
            samples_per_epoch=300_000,
            batch_size=32,
            validation_samples=10_000,
            workers=16,
            seed=1_000_000_007,
            sync_batch_norm=True,
            find_unused_parameters=True,
        ),
    )


@recipe("sparsett_swin_train_fulldata", family=FAMILY)
def sparsett_swin_train_fulldata() -> Recipe:
    """SparseTT on all six datasets."""
    alone = sparsett_swin_train_got10k()
    return replace(
        alone,
        data=replace(alone.data, train=FULL_DATA),
        loop=replace(alone.loop, samples_per_epoch=600_000, workers=32),
    )


@recipe("tiny", family=FAMILY)
def tiny() -> Recipe:
    """A small tracker that learns from scratch on generated video in minutes on two CPU cores."""
    return Recipe(
        model=ModelConfig(
            template_size=63,
            search_size=95,
            start="scratch",
            backbone=BackboneConfig(
                width=16, patch=2, stem="convolutional", depths=(0, 1, 2), heads=(1, 1, 2), mlp_ratio=2.0, drop_path=0.0
            ),
            neck=NeckConfig(width=64, heads=2, hidden=128, encoder_layers=1, decoder_layers=2, top_k=16, dropout=0.0),
            head=HeadConfig(width=64, inner=32, bottlenecks=1),
        ),
        data=DataConfig(
            train=(Source("got10k", split="train"),),
            validation=(Source("got10k", split="val"),),
            negative=0.1,
            max_gap=50,
            bounded=True,
            search=JitterConfig(scale=0.3, shift=0.4),
            colour=ColourConfig(gray_probability=0.05, flip_probability=0.5, jitter=0.2),
        ),
        optimizer=OptimizerConfig(
            lr=2e-3,
            reference_batch=32,
            backbone_multiplier=1.0,
            decay="weights",
            schedule=(Phase(1, 0.02, 1.0), Phase(5, 1.0, 0.0, "cosine")),
        ),
        loop=LoopConfig(
            epochs=5,
            samples_per_epoch=4096,
            batch_size=32,
            validation_samples=256,
            clip_norm=1.0,
            log_every=64,
        ),
        tracking=TrackingConfig(test_lr=0.1, window_influence=0.1, penalty_k=0.2),
    )


@recipe("debug", family=FAMILY)
def debug() -> Recipe:
    """A few steps of a minute network: shows that everything runs, not that it learns."""
    small = tiny()
    return replace(
        small,
        model=replace(
            small.model,
            template_size=63,
            search_size=127,
            backbone=replace(small.model.backbone, width=8, patch=4),
            neck=replace(small.model.neck, width=16, heads=2, hidden=32, decoder_layers=1),
            head=HeadConfig(width=16, inner=8, bottlenecks=1),
        ),
        optimizer=replace(small.optimizer, schedule=(Phase(2),)),
        loop=replace(small.loop, epochs=2, samples_per_epoch=16, batch_size=4, validation_samples=4, validate_every=1,
                     workers=0, log_every=1),
    )  # fmt: skip
