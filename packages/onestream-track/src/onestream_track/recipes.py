"""Recipes under the published names, and small ones for tests and demonstrations.

``get_recipe("vitb_256_mae_ce_32x4_ep300")`` builds one; the two DropTrack recipes share their names with OSTrack's and
are ``droptrack/<name>``. Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from onestream_track.config import (
    DataConfig,
    EliminationConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    Policy,
    Recipe,
    Source,
)
from trackcore import recipes
from trackcore.recipes import recipe
from trackcore.training.config import LoopConfig

FAMILIES = ("ostrack", "droptrack", "onestream")

FULL_DATA = (
    Source("LASOT", "lasot"),
    Source("GOT10K_vottrain", "got10k"),
    Source("COCO17", "coco"),
    Source("TRACKINGNET", "trackingnet"),
)
ELIMINATION = EliminationConfig(layers=(3, 6, 9), keep=(0.7, 0.7, 0.7), start_epoch=20, warm_epochs=80)


def get_recipe(name: str) -> Recipe:
    """The recipe called ``name`` or ``family/name``; of names that several families use, OSTrack's.

    Raises:
        UnknownRecipeError: no such recipe; the message names the nearest.
    """
    # other packages in the same program may have recipes of the same names
    family = next((family for family in FAMILIES if name in recipes.recipe_names(family)), None)
    if family is not None:
        name = f"{family}/{name}"
    return cast(Recipe, recipes.get_recipe(name))


def recipe_names() -> list[str]:
    """Names of this package's recipes as ``family/name``, sorted."""
    return sorted(f"{family}/{name}" for family in FAMILIES for name in recipes.recipe_names(family))


@recipe("vitb_256_mae_32x4_ep300", family="ostrack")
def vitb_256_mae_32x4_ep300() -> Recipe:
    """OSTrack-256 without elimination, four datasets, 300 epochs."""
    return Recipe(
        model=ModelConfig(),
        data=DataConfig(train=FULL_DATA, validation=(Source("GOT10K_votval", "got10k"),)),
        optimizer=OptimizerConfig(lr=4e-4, drop_every=240),
        loop=LoopConfig(
            epochs=300,
            samples_per_epoch=60_000,
            batch_size=128,
            validation_samples=10_000,
            validate_every=20,
            workers=10,
            clip_norm=0.1,
            find_unused_parameters=True,
        ),
    )


@recipe("vitb_256_mae_ce_32x4_ep300", family="ostrack")
def vitb_256_mae_ce_32x4_ep300() -> Recipe:
    """OSTrack-256 with elimination."""
    plain = vitb_256_mae_32x4_ep300()
    return replace(plain, model=replace(plain.model, elimination=ELIMINATION))


@recipe("vitb_256_mae_ce_32x4_got10k_ep100", family="ostrack")
def vitb_256_mae_ce_32x4_got10k_ep100() -> Recipe:
    """OSTrack-256 with elimination, GOT-10k alone, 100 epochs."""
    return _got10k_only(vitb_256_mae_ce_32x4_ep300())


@recipe("vitb_384_mae_32x4_ep300", family="ostrack")
def vitb_384_mae_32x4_ep300() -> Recipe:
    """OSTrack-384 without elimination."""
    return _larger(vitb_256_mae_32x4_ep300())


@recipe("vitb_384_mae_ce_32x4_ep300", family="ostrack")
def vitb_384_mae_ce_32x4_ep300() -> Recipe:
    """OSTrack-384 with elimination."""
    return _larger(vitb_256_mae_ce_32x4_ep300())


@recipe("vitb_384_mae_ce_32x4_got10k_ep100", family="ostrack")
def vitb_384_mae_ce_32x4_got10k_ep100() -> Recipe:
    """OSTrack-384 with elimination, GOT-10k alone."""
    return _got10k_only(vitb_384_mae_ce_32x4_ep300())


@recipe("vitb_384_mae_ce_32x4_ep300", family="droptrack")
def droptrack_vitb_384_mae_ce_32x4_ep300() -> Recipe:
    """DropTrack-384: frame-identity vectors and a lower learning rate, to start from DropMAE."""
    return _droptrack(vitb_384_mae_ce_32x4_ep300())


@recipe("vitb_384_mae_ce_32x4_got10k_ep100", family="droptrack")
def droptrack_vitb_384_mae_ce_32x4_got10k_ep100() -> Recipe:
    """DropTrack-384, GOT-10k alone."""
    return _droptrack(vitb_384_mae_ce_32x4_got10k_ep100())


@recipe("tiny", family="onestream")
def tiny() -> Recipe:
    """A small tracker that learns from scratch on generated video in minutes on two CPU cores."""
    return Recipe(
        model=ModelConfig(
            width=96,
            depth=3,
            heads=3,
            mlp_ratio=2.0,
            stride=8,
            stem="convolutional",
            template_size=64,
            search_size=96,
            template_factor=2.0,
            search_factor=3.0,
            elimination=EliminationConfig(layers=(1,), keep=(0.7,), start_epoch=3, warm_epochs=2),
            head_channels=64,
            drop_path=0.0,
            start="scratch",
            position_grid=8,
        ),
        data=DataConfig(
            train=(Source("got10k", split="train"),),
            validation=(Source("got10k", split="val"),),
            max_gap=50,
            center_jitter=1.0,
            scale_jitter=0.2,
            second_flip_probability=0.0,
        ),
        optimizer=OptimizerConfig(
            lr=4e-3,
            betas=(0.9, 0.98),
            reference_batch=32,
            backbone_multiplier=1.0,
            schedule="cosine",
            warmup_steps=50,
        ),
        loop=LoopConfig(
            epochs=12,
            samples_per_epoch=4096,
            batch_size=32,
            validation_samples=256,
            validate_every=2,
            clip_norm=1.0,
            log_every=32,
            find_unused_parameters=True,
        ),
        loss=LossConfig(boxes_at="target"),
    )


@recipe("tiny_long", family="onestream")
def tiny_long() -> Recipe:
    """The model that comes with the package: a somewhat larger one, 36 minutes on two CPU cores that have bfloat16.

    It learns from three folders of generated video, see benchmarks/tiny.md: solid worlds, the same seen in little
    detail, and flat shapes that are hard to tell apart.
    """
    small = tiny()
    return replace(
        small,
        model=replace(
            small.model, width=128, depth=4, heads=4, search_size=112, search_factor=3.5,
            elimination=EliminationConfig(layers=(1,), keep=(0.7,), start_epoch=8, warm_epochs=4),
        ),
        data=replace(
            small.data,
            train=(
                Source("got10k", "rich", "train", 0.55),
                Source("got10k", "coarse", "train", 0.25),
                Source("got10k", "hard", "train", 0.2),
            ),
            validation=(Source("got10k", "rich", "val"),),
            center_jitter=1.3,
            gray_probability=0.2,
            brightness=0.3,
        ),
        optimizer=replace(small.optimizer, lr=3e-3, warmup_steps=100),
        loop=replace(small.loop, epochs=48, validate_every=4, log_every=128, precision="bf16"),
        # Chosen on generated video and on two real clips: benchmarks/tiny.md.
        policy=Policy(size_rate=0.4, template_rate=0.3, template_above=0.4, template_every=5),
    )  # fmt: skip


@recipe("small_long", family="onestream")
def small_long() -> Recipe:
    """Larger crops and a deeper network on three times the video of tiny_long; wants a GPU: 7 minutes on an H200."""
    base = tiny_long()
    return replace(
        base,
        model=replace(
            base.model, width=192, depth=6, heads=6, template_size=80, search_size=160, search_factor=4.0,
            elimination=EliminationConfig(layers=(2,), keep=(0.7,), start_epoch=10, warm_epochs=5),
            position_grid=10,
        ),
        data=replace(base.data, center_jitter=2.5, scale_jitter=0.25),
        optimizer=replace(base.optimizer, lr=2e-3, reference_batch=128, warmup_steps=500),
        loop=replace(
            base.loop, epochs=58, samples_per_epoch=16_384, batch_size=128, validation_samples=512, workers=14,
        ),
    )  # fmt: skip


@recipe("tiny", family="droptrack")
def droptrack_tiny() -> Recipe:
    """The small tracker with frame-identity vectors, to start from the encoder of dropmae-pretrain's recipe tiny."""
    small = tiny()
    return replace(small, model=replace(small.model, frame_identity=True))


@recipe("debug", family="onestream")
def debug() -> Recipe:
    """A few steps of a minute network: shows that everything runs, not that it learns."""
    small = tiny()
    return replace(
        small,
        model=replace(small.model, width=32, depth=2, heads=2, head_channels=16, position_grid=4,
                      elimination=EliminationConfig(layers=(1,), keep=(0.7,), start_epoch=1, warm_epochs=1)),
        loop=replace(small.loop, epochs=2, samples_per_epoch=16, batch_size=4, validation_samples=4, validate_every=1,
                     workers=0, log_every=1),
    )  # fmt: skip


@recipe("debug", family="droptrack")
def droptrack_debug() -> Recipe:
    """A few steps of a minute network that starts from the encoder of dropmae-pretrain's recipe debug."""
    small = debug()
    return replace(small, model=replace(small.model, frame_identity=True))


def _larger(recipe: Recipe) -> Recipe:
    """The 384 variant: larger crops, wider search region, stronger jitter."""
    return replace(
        recipe,
        model=replace(recipe.model, template_size=192, search_size=384, search_factor=5.0),
        data=replace(recipe.data, center_jitter=4.5, scale_jitter=0.5),
    )


def _got10k_only(recipe: Recipe) -> Recipe:
    """Trained on GOT-10k alone for 100 epochs, validated on its official validation set."""
    elimination = recipe.model.elimination
    return replace(
        recipe,
        model=replace(recipe.model, elimination=replace(elimination, warm_epochs=50)),
        data=replace(
            recipe.data,
            train=(Source("GOT10K_train_full", "got10k"),),
            validation=(Source("GOT10K_official_val", "got10k"),),
        ),
        optimizer=replace(recipe.optimizer, drop_every=80),
        loop=replace(recipe.loop, epochs=100),
    )


def _droptrack(recipe: Recipe) -> Recipe:
    return replace(
        recipe,
        model=replace(recipe.model, frame_identity=True),
        optimizer=replace(recipe.optimizer, lr=2.5e-4),
    )
