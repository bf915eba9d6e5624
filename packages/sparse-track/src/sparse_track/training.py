"""Training SparseTT: what the network adds to the shared training loop.

Needs ``pip install sparse-track[train]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.optim import AdamW

from sparse_track.config import Recipe, Source
from sparse_track.losses import losses
from sparse_track.network import build
from sparse_track.optimisation import freeze, parameter_groups, rate
from sparse_track.pairs import PairSource
from sparse_track.pretrained import load_start_weights
from sparse_track.targets import POSITIVE, Labels, assign
from trackcore.checkpoints import CheckpointMismatchError
from trackcore.recipes import to_yaml
from trackcore.training import Counted, Progress, ResumeError, Summary, Trainer
from trackdata.datasets import open_dataset
from trackdata.faults import REASONS
from trackdata.sampling import AtLeast, BoxFilter, LooseSampler, MixtureSampler, PairMixture


def pair_source(recipe: Recipe, sources: Sequence[Source], root: Path, *, training: bool) -> PairSource:
    """Pairs drawn from the datasets below ``root``, as the recipe asks."""
    data = recipe.data
    mixture = MixtureSampler(
        [open_dataset(source.dataset, root / source.folder, source.split) for source in sources],
        weights=[source.weight for source in sources],
        strategy=LooseSampler(data.max_gap, bounded=data.bounded),
        acceptance=AtLeast(1),
    )
    pairs = PairMixture(mixture, data.negative, BoxFilter(limit_area=data.limit_area))
    return PairSource(pairs, recipe.model, data, seed=recipe.loop.seed, training=training)


class SparseTask:
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
        self._centres = self.model.head.fm_ctr[0].clone()
        self._train_pairs, self._validation_pairs = train_pairs, validation_pairs
        self._frozen_for = 0  # the epoch whose freezing holds, 0 for none

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The backbone at its share of the learning rate; batch sizes scale all linearly."""
        settings = self.recipe.optimizer
        lr = settings.lr * self.recipe.loop.batch_size / settings.reference_batch
        return parameter_groups(self.model, lr, settings)

    def build_optimizer(self, groups: Sequence[dict[str, Any]]) -> AdamW:
        return AdamW(groups, betas=self.recipe.optimizer.betas)

    def learning_rate_factor(self, progress: Progress) -> float:
        return rate(self.recipe.optimizer.schedule, progress.position)

    def train_sample(self, epoch: int, index: int) -> Counted:
        return _counted(self._train_pairs, epoch, index)

    def validation_sample(self, index: int) -> Counted:
        return _counted(self._validation_pairs, 0, index)  # epoch 0 belongs to no training epoch

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor], progress: Progress) -> dict[str, Tensor]:
        """Losses of a batch of pairs; see :func:`sparse_track.losses.losses`."""
        if progress.training and progress.epoch != self._frozen_for:
            freeze(self.model, self.recipe.optimizer.freeze, progress.epoch - 1)
            self._frozen_for = progress.epoch
        predictions = model(batch["template"], batch["search"])
        labels = assign(batch["box"], batch["same_target"], self._centres.to(batch["box"]))
        positives = _positives(labels) if progress.training else None
        return losses(predictions, labels, self.recipe.loss, positives)


def _positives(labels: Labels) -> Tensor:
    """Positive cells of all processes (at least 1), divided by their number.

    So the sums of all are divided by one number, and several processes learn as one with all samples would.
    """
    positives = (labels.classes == POSITIVE).sum().float()
    if not torch.distributed.is_initialized():
        return positives.clamp(min=1)
    torch.distributed.all_reduce(positives)
    return positives.clamp(min=1) / torch.distributed.get_world_size()


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
        recipe: from :func:`sparse_track.recipes.get_recipe`, possibly changed.
        root: folder below which the recipe's datasets lie.
        output: run folder; gets the resolved recipe as ``recipe.yaml``, checkpoints, logs and the weights.
        name: what the recipe is called, for the model card.
        start_weights: Swin classifier of Microsoft's or timm's, or a tracker, to start from; fresh weights when None.
        resume: False refuses to continue an earlier run.
        stop_after: stop and save after this many steps of this call.

    Raises:
        UnknownDatasetError, AnnotationError: the data is not there.
        CheckpointError: the start weights cannot be used, or ``output`` holds the training of another network.
        ResumeError: ``output`` holds a training that this one does not continue.
    """
    root, output = Path(root), Path(output)
    torch.manual_seed(recipe.loop.seed)  # fresh weights are part of what the seed decides
    task = SparseTask(
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
        "kind": "SparseTT tracker",
        "recipe": name,
        "model": to_yaml(recipe.model),  # all that is needed to build the network again
        "tracking": to_yaml(recipe.tracking),
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
