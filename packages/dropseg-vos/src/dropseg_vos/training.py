"""Training a segmentation network: what it adds to the shared training loop.

Needs ``pip install dropseg-vos[train]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from dropseg_vos.config import Recipe, Source
from dropseg_vos.losses import kept_share, object_log_odds, overlap_counts, segmentation_loss
from dropseg_vos.network import build
from dropseg_vos.samples import PairSource, open_source
from dropseg_vos.weights import load_start_weights
from trackcore import checkpoints
from trackcore.recipes import to_yaml
from trackcore.training import Counted, Progress, ResumeError, Summary, Trainer, schedules


def pair_source(recipe: Recipe, sources: Sequence[Source], root: str | Path, *, training: bool) -> PairSource:
    """Samples drawn from the videos below ``root``, as the recipe asks.

    Raises:
        AnnotationError: a source is not there.
        ValueError: the recipe names none.
    """
    loop = recipe.loop
    return PairSource(
        sources,
        [open_source(source, root) for source in sources],
        recipe.data,
        recipe.model.image_size,
        samples_per_epoch=loop.samples_per_epoch if training else loop.validation_samples,
        batch_size=loop.batch_size if training else 1,
        epochs=loop.epochs if training else 1,
        seed=loop.seed if training else loop.seed + 1,
        training=training,
    )


class SegmentationTask:
    """The task that :class:`trackcore.training.Trainer` trains.

    Args:
        recipe: the run.
        train_samples, validation_samples: samples by (epoch, index); None for uses that draw none.
    """

    def __init__(
        self,
        recipe: Recipe,
        train_samples: PairSource | None = None,
        validation_samples: PairSource | None = None,
    ):
        self.recipe = recipe
        self.model = build(recipe.model)
        self._train_samples, self._validation_samples = train_samples, validation_samples

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group: everything learns alike, as published."""
        return [{"name": "all", "params": list(self.model.parameters()), "lr": self.recipe.optimizer.lr}]

    def build_optimizer(self, groups: Sequence[dict[str, Any]]) -> Adam:
        settings = self.recipe.optimizer
        return Adam(groups, betas=settings.betas, weight_decay=settings.weight_decay)

    def learning_rate_factor(self, progress: Progress) -> float:
        settings = self.recipe.optimizer
        if settings.schedule == "cosine":
            return schedules.warmup_cosine(progress, settings.warmup_steps)
        return settings.gamma if progress.step >= settings.milestone else 1.0

    def train_sample(self, epoch: int, index: int) -> Counted:
        return self._train_samples(epoch, index)

    def validation_sample(self, index: int) -> Counted:
        return self._validation_samples(0, index)  # epoch 0 belongs to no training epoch

    def shard_units(self) -> Sequence[nn.Module]:
        return list(self.model.blocks)

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor], progress: Progress) -> dict[str, Tensor | float]:
        """The loss of a batch of samples, overlaps (pixels of all objects, and of each slot), the share that counted.

        Validation counts all pixels, so that its losses compare over the training.
        """
        logits = model(batch["reference"], batch["masks"], batch["query"])
        odds = object_log_odds(logits, batch["present"])
        share = kept_share(progress.step, self.recipe.loss) if progress.training else 1.0
        overlap, union = overlap_counts(odds.detach(), batch["classes"])
        overlaps = (overlap + 1) / (union + 1)
        names = ("target", "second")[: len(overlaps)]
        return {
            "total": segmentation_loss(odds, batch["classes"], batch["present"], share),
            "iou": (overlap.sum() + 1) / (union.sum() + 1),
            **{f"iou/{name}": value for name, value in zip(names, overlaps, strict=True)},
            "kept": torch.tensor(share),
        }


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
        recipe: from :func:`dropseg_vos.recipes.get_recipe`, possibly changed.
        root: folder below which the recipe's videos lie.
        output: run folder; gets the resolved recipe as ``recipe.yaml``, checkpoints, logs and the weights.
        name: what the recipe is called, for the model card.
        start_weights: an encoder of DropMAE, or a network of an earlier stage, to start from; fresh when None.
        resume: False refuses to continue an earlier run.
        stop_after: stop and save after this many steps of this call.

    Raises:
        AnnotationError: the data is not there.
        CheckpointError: the start weights cannot be used, or ``output`` holds the training of another network.
        ResumeError: ``output`` holds a training that this one does not continue.
    """
    output = Path(output)
    torch.manual_seed(recipe.loop.seed)  # fresh weights are part of what the seed decides
    validated = recipe.loop.validation_samples
    task = SegmentationTask(
        recipe,
        pair_source(recipe, recipe.data.train, root, training=True),
        pair_source(recipe, recipe.data.validation, root, training=False) if validated else None,
    )
    notices = [] if start_weights is None else [load_start_weights(task.model, start_weights)]
    output.mkdir(parents=True, exist_ok=True)
    text, file = to_yaml(recipe), output / "recipe.yaml"
    earlier = file.read_text() if file.exists() else None
    file.write_text(text)
    card = {
        "kind": "DropSeg network",
        "recipe": name,
        "model": to_yaml(recipe.model),  # all that is needed to build the network again
        "configuration": text,
        "start_weights": str(start_weights) if start_weights is not None else None,
        "parameters": sum(parameter.numel() for parameter in task.model.parameters()),
        "licence": "as the training data allows; the code is Apache-2.0",
        "torch": torch.__version__,
    }
    try:
        return Trainer(recipe.loop, task, output, card=card, notices=notices).fit(resume=resume, stop_after=stop_after)
    except (ResumeError, checkpoints.CheckpointMismatchError):
        if earlier is not None:  # refused: the folder is still that of the earlier training
            file.write_text(earlier)
        raise
