"""Training a one-stream tracker: what the network adds to the shared training loop.

Needs ``pip install onestream-track[train]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from onestream_track.config import DataConfig, ModelConfig, Recipe, Source
from onestream_track.elimination import box_mask, keep_rate
from onestream_track.losses import losses
from onestream_track.network import build
from onestream_track.pretrained import load_start_weights
from onestream_track.timm_backbone import resolve
from trackcore.checkpoints import CheckpointMismatchError
from trackcore.recipes import to_yaml
from trackcore.training import Counted, Progress, ResumeError, Summary, Trainer, schedules
from trackdata.datasets import open_dataset
from trackdata.faults import REASONS
from trackdata.pairs import PairConfig, PairSource, Region
from trackdata.sampling import CausalSampler, MixtureSampler


def pair_source(recipe: Recipe, sources: Sequence[Source], root: Path, *, training: bool) -> PairSource:
    """Pairs drawn from the datasets below ``root``, as the recipe asks."""
    data = recipe.data
    mixture = MixtureSampler(
        [open_dataset(source.dataset, root / source.folder, source.split) for source in sources],
        weights=[source.weight for source in sources],
        strategy=CausalSampler(max_gap=data.max_gap),
        min_length=data.min_length,
    )
    return PairSource(mixture, pair_config(recipe.model, data, training=training), seed=recipe.loop.seed)


def pair_config(model: ModelConfig, data: DataConfig, *, training: bool) -> PairConfig:
    """How pairs are cut and augmented for a network."""
    return PairConfig(
        template=Region(model.template_size, model.template_factor),
        search=Region(model.search_size, model.search_factor, data.center_jitter, data.scale_jitter),
        training=training,
        gray_probability=data.gray_probability,
        flip_probability=data.flip_probability,
        second_flip_probability=data.second_flip_probability,
        brightness=data.brightness,
    )


class OneStreamTask:
    """The task that :class:`trackcore.training.Trainer` trains.

    Args:
        recipe: the run.
        train_pairs, validation_pairs: samples by (epoch, index); None for uses that draw no samples.
    """

    def __init__(
        self, recipe: Recipe, train_pairs: PairSource | None = None, validation_pairs: PairSource | None = None
    ):
        self.recipe = recipe
        self.model = build(recipe.model)
        self._train_pairs, self._validation_pairs = train_pairs, validation_pairs

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Head at the base learning rate, backbone at its share; batch sizes scale both linearly."""
        settings = self.recipe.optimizer
        lr = settings.lr * self.recipe.loop.batch_size / settings.reference_batch
        named = list(self.model.named_parameters())
        return [
            {"name": "head", "params": [p for name, p in named if "backbone" not in name], "lr": lr},
            {
                "name": "backbone",
                "params": [p for name, p in named if "backbone" in name],
                "lr": lr * settings.backbone_multiplier,
            },
        ]

    def build_optimizer(self, groups: Sequence[dict[str, Any]]) -> AdamW:
        settings = self.recipe.optimizer
        return AdamW(groups, betas=settings.betas, weight_decay=settings.weight_decay)

    def learning_rate_factor(self, progress: Progress) -> float:
        settings = self.recipe.optimizer
        if settings.schedule == "cosine":
            return schedules.warmup_cosine(progress, settings.warmup_steps)
        if settings.schedule == "milestones":
            return schedules.multi_step(progress.epoch, settings.milestones, settings.drop_factor)
        return schedules.step_drop(progress.epoch, settings.drop_every, settings.drop_factor)

    def train_sample(self, epoch: int, index: int) -> Counted:
        return _counted(self._train_pairs, epoch, index)

    def validation_sample(self, index: int) -> Counted:
        return _counted(self._validation_pairs, 0, index)  # epoch 0 belongs to no training epoch

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor], progress: Progress) -> dict[str, Tensor]:
        """Losses of a batch of pairs; see :func:`onestream_track.losses.losses`."""
        config = self.recipe.model
        mask = None
        if config.elimination.layers and config.elimination.template_range == "GT_BOX":
            mask = box_mask(batch["template_box"], config.template_size, config.stride)
        output = model(
            batch["template"],
            batch["search"],
            template_mask=mask,
            keep_rate=keep_rate(config.elimination, progress.epoch),
        )
        return losses(output.maps, batch["search_box"], self.recipe.loss)


def _counted(source: PairSource, epoch: int, index: int) -> Counted:
    """A sample without its fault matrix, and the faults by name."""
    sample = source(epoch, index)
    faults = sample.pop("faults")
    del sample["dataset"]
    counts = {
        f"{name}: {reason}": int(count)
        for name, row in zip(source.mixture.names, faults, strict=True)
        for reason, count in zip(REASONS, row, strict=True)
        if count
    }
    return Counted(sample, counts)


def train(
    recipe: Recipe,
    root: str | Path,
    output: str | Path,
    *,
    name: str = "custom",
    start_weights: str | Path | None = None,
    resume: bool = True,
    stop_after: int | None = None,
) -> Summary:
    """Train a recipe; started again with the same ``output`` it goes on where it was.

    Args:
        recipe: from :func:`onestream_track.recipes.get_recipe`, possibly changed.
        root: folder below which the recipe's datasets lie.
        output: run folder; gets the resolved recipe as ``recipe.yaml``, checkpoints, logs and the weights.
        name: what the recipe is called, for the model card.
        start_weights: MAE or DropMAE encoder, or a tracker, to start from; fresh weights when None. With a backbone of
            timm's: its weights, or ``timm`` to download them.
        resume: False refuses to continue an earlier run.
        stop_after: stop and save after this many steps of this call.

    Raises:
        UnknownDatasetError, AnnotationError: the data is not there.
        CheckpointError: the start weights cannot be used, or ``output`` holds the training of another network.
        ResumeError: ``output`` holds a training that this one does not continue.
        ValueError: the named backbone cannot be one.
    """
    root, output = Path(root), Path(output)
    recipe = replace(recipe, model=resolve(recipe.model))
    torch.manual_seed(recipe.loop.seed)  # fresh weights are part of what the seed decides
    task = OneStreamTask(
        recipe,
        pair_source(recipe, recipe.data.train, root, training=True),
        pair_source(recipe, recipe.data.validation, root, training=False) if recipe.loop.validation_samples else None,
    )
    if start_weights is not None:
        load_start_weights(task.model, start_weights)
    output.mkdir(parents=True, exist_ok=True)
    text, file = to_yaml(recipe), output / "recipe.yaml"
    earlier = file.read_text() if file.exists() else None
    file.write_text(text)
    card = {
        "kind": "one-stream tracker",
        "recipe": name,
        "model": to_yaml(recipe.model),  # all that is needed to build the network again
        "policy": asdict(recipe.policy),
        "configuration": text,
        "start_weights": str(start_weights) if start_weights is not None else None,
        "parameters": sum(parameter.numel() for parameter in task.model.parameters()),
        "licence": "as the training data allows; the code is Apache-2.0",
        "torch": torch.__version__,
    }
    try:
        return Trainer(recipe.loop, task, output, card=card).fit(resume=resume, stop_after=stop_after)
    except (ResumeError, CheckpointMismatchError):
        if earlier is not None:  # refused: the folder is still that of the earlier training
            file.write_text(earlier)
        raise
