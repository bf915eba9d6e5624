"""Recipes under the published names, and small ones for generated video. Nothing here imports torch.

Where published settings validate on LaSOT's test split, these hold out a part of GOT-10k's training split, so that a
test set decides about nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from alpha_refine.config import DataConfig, LossConfig, ModelConfig, OptimizerConfig, Recipe, Source
from trackcore import recipes
from trackcore.recipes import recipe
from trackcore.training.config import LoopConfig

FAMILY = "alpha-refine"

LASOT = Source("LASOT", "lasot")
GOT10K = Source("got10k", "got10k", "train_part")
GOT10K_HELD_OUT = Source("got10k", "got10k", "val_part")
COCO = Source("COCO14", "coco", masks=False)
VID = Source("VID", "imagenet_vid")
DET = Source("ALPHAREFINE_DET", "imagenet_det")
YOUTUBE_VOS = Source("ALPHAREFINE_YOUTUBEVOS", "youtubevos", weight=2.0)
SALIENCY = Source("saliency", "saliency", weight=3.0)
WITH_VIDEO_MASKS = (COCO, VID, DET, YOUTUBE_VOS)

# Generated video: `trackdata synth` writes both layouts. Boxes of the first include what is hidden, as GOT-10k's do;
# the second has masks, and boxes around them.
GENERATED = Source("got10k", split="train", weight=2.0), Source("davis2017", "davis2017", "train")
GENERATED_HELD_OUT = Source("got10k", split="val", weight=2.0), Source("davis2017", "davis2017", "val")


def get_recipe(name: str) -> Recipe:
    """The recipe called ``name``. Raises UnknownRecipeError, which names the nearest, when there is none."""
    return cast(Recipe, recipes.get_recipe(name.removeprefix(f"{FAMILY}/"), FAMILY))


def recipe_names() -> list[str]:
    """Names of this package's recipes, sorted."""
    return recipes.recipe_names(FAMILY)


@recipe("SEcm_r34", family=FAMILY)
def secm_r34() -> Recipe:
    """The released refiner: ResNet-34, boxes and masks, seven datasets."""
    return Recipe(
        model=ModelConfig(),
        data=DataConfig(
            train=(LASOT, GOT10K, COCO, VID, DET, YOUTUBE_VOS, SALIENCY),
            validation=(GOT10K_HELD_OUT,),
        ),
        loop=LoopConfig(
            epochs=40,
            samples_per_epoch=128_000,
            batch_size=256,
            micro_batch=32,  # batch statistics are those of 32 pairs, on any number of GPUs
            validation_samples=16_000,
            validate_every=5,
            workers=4,
            find_unused_parameters=True,  # the last stage and the classifier
        ),
    )


@recipe("SEcm_r34_debug", family=FAMILY)
def secm_r34_debug() -> Recipe:
    """The released refiner on YouTube-VOS alone, in small batches."""
    released = secm_r34()
    return replace(
        released,
        data=replace(released.data, train=(YOUTUBE_VOS,)),
        loop=replace(released.loop, samples_per_epoch=3_200, batch_size=8, micro_batch=8),
    )


@recipe("SEcm_r18", family=FAMILY)
def secm_r18() -> Recipe:
    """The lighter refiner that was released as AR18, for which no setting was published: ResNet-18, else the same."""
    released = secm_r34()
    return replace(released, model=replace(released.model, blocks=(2, 2, 2, 2)))


@recipe("SErpnm_r34", family=FAMILY)
def serpnm_r34() -> Recipe:
    """An anchor-free box head, whose confidence the published loss does not train, and masks."""
    released = secm_r34()
    return replace(released, model=replace(released.model, box_head="anchor_free"))


@recipe("SEex_r34", family=FAMILY)
def seex_r34() -> Recipe:
    """A head for four extreme coordinates, and masks."""
    released = secm_r34()
    return replace(released, model=replace(released.model, box_head="extremes"))


@recipe("SEc_r34", family=FAMILY)
def sec_r34() -> Recipe:
    """Boxes alone."""
    released = secm_r34()
    return replace(
        released,
        model=replace(released.model, mask_head="none"),
        data=replace(released.data, train=(LASOT, GOT10K, COCO)),
    )


@recipe("SEc_r34_got10k", family=FAMILY)
def sec_r34_got10k() -> Recipe:
    """Boxes alone, from GOT-10k alone, as its protocol asks."""
    boxes = sec_r34()
    return replace(boxes, data=replace(boxes.data, train=(GOT10K,)))


@recipe("SEm_r34", family=FAMILY)
def sem_r34() -> Recipe:
    """Masks alone."""
    released = secm_r34()
    return replace(
        released,
        model=replace(released.model, box_head="none"),
        data=replace(released.data, train=WITH_VIDEO_MASKS),
    )


@recipe("SEcm_r34_ARmask", family=FAMILY)
def secm_r34_armask() -> Recipe:
    """Boxes and masks from the datasets of the mask refiner."""
    released = secm_r34()
    return replace(released, data=replace(released.data, train=WITH_VIDEO_MASKS))


@recipe("SEcm_r34_Att", family=FAMILY)
def secm_r34_att() -> Recipe:
    """Channel attention before the convolutions of the neck; its files look like the released one's."""
    released = secm_r34()
    return replace(released, model=replace(released.model, neck="attention_first"))


@recipe("SEcm_r34_naive", family=FAMILY)
def secm_r34_naive() -> Recipe:
    """The template pooled from its box and used as one filter."""
    released = secm_r34()
    return replace(released, model=replace(released.model, neck="single_channel"))


@recipe("SEcm_r34_dwcorr", family=FAMILY)
def secm_r34_dwcorr() -> Recipe:
    """The template as one filter for each channel; as published it was made for 1024 channels and could not run."""
    released = secm_r34()
    return replace(released, model=replace(released.model, neck="depthwise"))


@recipe("small", family=FAMILY)
def small() -> Recipe:
    """A refiner that learns from scratch on generated video on two CPU cores."""
    return Recipe(
        model=ModelConfig(
            blocks=(2, 2),
            channels=(32, 64),
            classes=0,
            stage=2,
            size=128,
            head_channels=64,
            adjusted=(32, 64),
            border="exact",
            coordinates="exact",
            similarity="cosine",
        ),
        data=DataConfig(train=GENERATED, validation=GENERATED_HELD_OUT),
        loss=LossConfig(mask_weight=100.0),  # squared pixels are fewer than in a crop of 256
        optimizer=OptimizerConfig(schedule="cosine", warmup_steps=100),
        loop=LoopConfig(
            epochs=8,
            samples_per_epoch=4096,
            batch_size=32,
            validation_samples=256,
            validate_every=2,
            clip_norm=1.0,
            log_every=32,
        ),
    )


@recipe("debug", family=FAMILY)
def debug() -> Recipe:
    """A few steps of a minute network: shows that everything runs, not that it learns."""
    refiner = small()
    return replace(
        refiner,
        model=replace(
            refiner.model,
            blocks=(1, 1),
            channels=(16, 16),
            size=64,
            neck_channels=16,
            head_channels=16,
            adjusted=(16, 32),
        ),
        loop=replace(
            refiner.loop,
            epochs=2,
            samples_per_epoch=16,
            batch_size=4,
            validation_samples=4,
            validate_every=1,
            workers=0,
            log_every=1,
        ),
    )
