"""Training a refiner: what the network adds to the shared training loop.

Needs ``pip install alpha-refine[train]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from alpha_refine.backbone import load_imagenet
from alpha_refine.config import Recipe, Source
from alpha_refine.losses import losses
from alpha_refine.network import RefinementNetwork, build
from alpha_refine.processing import SampleSource
from trackcore import checkpoints
from trackcore.recipes import to_yaml
from trackcore.training import Counted, Progress, ResumeError, Summary, Trainer, schedules
from trackdata.datasets import open_dataset
from trackdata.faults import REASONS
from trackdata.sampling import EnoughForMasks, MixtureSampler, WindowSampler


def sample_source(recipe: Recipe, sources: Sequence[Source], root: str | Path, *, training: bool) -> SampleSource:
    """Samples drawn from the datasets below ``root``, as the recipe asks.

    Raises:
        UnknownDatasetError, AnnotationError: a dataset is not there.
    """
    root = Path(root)
    mixture = MixtureSampler(
        [open_dataset(source.dataset, root / source.folder, source.split) for source in sources],
        weights=[source.weight for source in sources],
        strategy=WindowSampler(recipe.data.max_gap),
        acceptance=EnoughForMasks(),
    )
    learn_masks = tuple(source.masks for source in sources)
    return SampleSource(mixture, learn_masks, recipe.model, recipe.data, training, seed=recipe.loop.seed)


class RefinementTask:
    """The task that :class:`trackcore.training.Trainer` trains.

    Args:
        recipe: the run.
        train_samples, validation_samples: samples by (epoch, index); None for uses that draw none.
    """

    def __init__(
        self,
        recipe: Recipe,
        train_samples: SampleSource | None = None,
        validation_samples: SampleSource | None = None,
    ):
        self.recipe = recipe
        # convolutions of channels that are next to each other in memory are faster, on CPUs half as long
        self.model = build(recipe.model).to(memory_format=torch.channels_last)
        self._train_samples, self._validation_samples = train_samples, validation_samples

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group: the backbone learns as fast as the rest, as published."""
        return [{"name": "all", "params": list(self.model.parameters()), "lr": self.recipe.optimizer.lr}]

    def build_optimizer(self, groups: Sequence[dict[str, Any]]) -> Adam:
        return Adam(groups, betas=self.recipe.optimizer.betas)

    def learning_rate_factor(self, progress: Progress) -> float:
        settings = self.recipe.optimizer
        if settings.schedule == "cosine":
            return schedules.warmup_cosine(progress, settings.warmup_steps)
        return schedules.step_drop(progress.epoch, settings.drop_every, settings.drop_factor)

    def train_sample(self, epoch: int, index: int) -> Counted:
        return _counted(self._train_samples, epoch, index)

    def validation_sample(self, index: int) -> Counted:
        return _counted(self._validation_samples, 0, index)  # epoch 0 belongs to no training epoch

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor], progress: Progress) -> dict[str, Tensor]:
        """Losses of a batch of samples; see :func:`alpha_refine.losses.losses`."""
        output = model(batch["template"], batch["search"], batch["template_box"])
        return losses(output, batch["search_box"], batch.get("mask"), batch.get("has_mask"), self.recipe.loss)


def _counted(source: SampleSource, epoch: int, index: int) -> Counted:
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


def load_start_weights(network: RefinementNetwork, path: str | Path) -> None:
    """Begin a training with the weights of a refiner, or of a ResNet trained on ImageNet.

    Published refiners began with ``resnet34-333f7ec4.pth``, see :func:`alpha_refine.backbone.load_imagenet`.

    Raises:
        CheckpointError: the file cannot be read, or its weights fit neither the network nor its backbone.
    """
    checkpoint = checkpoints.load(path)
    if any(name.startswith("feature_extractor.") for name in checkpoint.state):
        checkpoints.load_state(network, checkpoint.state, hint=f"{path} is: {checkpoint.kind}")
    else:
        load_imagenet(network.feature_extractor, path)


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
        recipe: from :func:`alpha_refine.recipes.get_recipe`, possibly changed.
        root: folder below which the recipe's datasets lie.
        output: run folder; gets the resolved recipe as ``recipe.yaml``, checkpoints, logs and the weights.
        name: what the recipe is called, for the model card.
        start_weights: a refiner, or a ResNet trained on ImageNet, to start from; fresh weights when None.
        resume: False refuses to continue an earlier run.
        stop_after: stop and save after this many steps of this call.

    Raises:
        UnknownDatasetError, AnnotationError: the data is not there.
        CheckpointError: the start weights cannot be used, or ``output`` holds the training of another network.
        ResumeError: ``output`` holds a training that this one does not continue.
    """
    output = Path(output)
    torch.manual_seed(recipe.loop.seed)  # fresh weights are part of what the seed decides
    validated = recipe.loop.validation_samples
    task = RefinementTask(
        recipe,
        sample_source(recipe, recipe.data.train, root, training=True),
        sample_source(recipe, recipe.data.validation, root, training=False) if validated else None,
    )
    if start_weights is not None:
        load_start_weights(task.model, start_weights)
    output.mkdir(parents=True, exist_ok=True)
    text, file = to_yaml(recipe), output / "recipe.yaml"
    earlier = file.read_text() if file.exists() else None
    file.write_text(text)
    card = {
        "kind": "Alpha-Refine refiner",
        "recipe": name,
        "model": to_yaml(recipe.model),  # all that is needed to build the network again
        "configuration": text,
        "start_weights": str(start_weights) if start_weights is not None else None,
        "parameters": sum(parameter.numel() for parameter in task.model.parameters()),
        "licence": "as the training data allows; the code is Apache-2.0",
        "torch": torch.__version__,
    }
    try:
        return Trainer(recipe.loop, task, output, card=card).fit(resume=resume, stop_after=stop_after)
    except (ResumeError, checkpoints.CheckpointMismatchError):
        if earlier is not None:  # refused: the folder is still that of the earlier training
            file.write_text(earlier)
        raise
