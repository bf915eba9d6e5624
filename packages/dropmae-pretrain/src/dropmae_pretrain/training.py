"""Pre-training: what the auto-encoder adds to the shared training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from dropmae_pretrain.config import OptimizerConfig, Recipe
from dropmae_pretrain.network import Draws, build
from dropmae_pretrain.objective import reconstruction_loss, target
from dropmae_pretrain.pairs import FramePairSource
from dropmae_pretrain.temporal_attention import temporal_attention
from dropmae_pretrain.videos import open_training_videos
from trackcore import checkpoints
from trackcore.recipes import to_yaml
from trackcore.training import Counted, Progress, ResumeError, Summary, Trainer
from trackcore.training.schedules import warmup_cosine_epochs

if TYPE_CHECKING:
    from trackdata.datasets.images import Images
    from trackdata.datasets.kinetics import Kinetics


class PairSource(Protocol):
    """Where pairs come from; :class:`dropmae_pretrain.pairs.FramePairSource` is one. Copied to the loader processes."""

    def __call__(self, epoch: int, index: int) -> dict[str, Any]:
        """``first`` and ``second`` ``(3, S, S)`` float32 normalised, and ``faults``, counts by name.

        A pure function of its arguments; ``index`` may be any number from 0.
        """


def parameter_groups(model: nn.Module, settings: OptimizerConfig, lr: float) -> list[dict[str, Any]]:
    """The published groups: parameters that do not decay, then those that do, each in state-dict order."""
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]

    def decays(name: str, parameter: Tensor) -> bool:
        token = name.endswith(("mask_token", "temporal_pos_embed_x", "temporal_pos_embed_z"))
        return parameter.ndim > 1 and not name.endswith(".bias") and (settings.decay_tokens or not token)

    still = [parameter for name, parameter in named if not decays(name, parameter)]
    decaying = [parameter for name, parameter in named if decays(name, parameter)]
    return [
        {"name": "no decay", "params": still, "lr": lr, "weight_decay": 0.0},
        {"name": "decay", "params": decaying, "lr": lr, "weight_decay": settings.weight_decay},
    ]


class PretrainingTask:
    """The task that :class:`trackcore.training.Trainer` trains.

    Args:
        recipe: the run.
        train_pairs, validation_pairs: pairs by (epoch, index); None for uses that draw none.
    """

    def __init__(
        self, recipe: Recipe, train_pairs: PairSource | None = None, validation_pairs: PairSource | None = None
    ):
        self.recipe = recipe
        self.model = build(recipe.model, recipe.objective)
        self._train_pairs, self._validation_pairs = train_pairs, validation_pairs

    def parameter_groups(self) -> list[dict[str, Any]]:
        """See :func:`parameter_groups`."""
        settings = self.recipe.optimizer
        return parameter_groups(self.model, settings, settings.peak(self.recipe.loop.batch_size))

    def build_optimizer(self, groups: Sequence[dict[str, Any]]) -> AdamW:
        return AdamW(groups, betas=self.recipe.optimizer.betas)

    def learning_rate_factor(self, progress: Progress) -> float:
        settings = self.recipe.optimizer
        floor = settings.min_lr / settings.peak(self.recipe.loop.batch_size)
        return warmup_cosine_epochs(progress.position, progress.epochs, settings.warmup_epochs, floor)

    def shard_units(self) -> list[nn.Module]:
        return [*self.model.blocks, *self.model.decoder_blocks]

    def train_sample(self, epoch: int, index: int) -> Counted:
        return self._sample(self._train_pairs, epoch, index)

    def validation_sample(self, index: int) -> Counted:
        return self._sample(self._validation_pairs, 0, index)  # epoch 0 belongs to no training epoch

    def _sample(self, pairs: PairSource, epoch: int, index: int) -> Counted:
        """A pair with its mask's noise, and the faults met on the way.

        The loop seeds the global generator for each sample, so that the mask depends on (seed, epoch, index) alone, not
        on how samples are dealt to processes.
        """
        pair = pairs(epoch, index)
        noise = torch.rand(self.recipe.model.tokens)
        return Counted({"first": pair["first"], "second": pair["second"], "noise": noise}, pair["faults"])

    def draws(self, batch: Mapping[str, Tensor]) -> Draws:
        """The random numbers that a batch brings with it."""
        return Draws(noise=batch["noise"])

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor], progress: Progress) -> dict[str, Tensor | float]:
        """The reconstruction loss; in validation also the ratios of :mod:`dropmae_pretrain.temporal_attention`."""
        first, second = batch["first"], batch["second"]
        output = model(first, second, self.draws(batch))
        wanted = target(first, second, self.recipe.model.patch, normalise=self.recipe.objective.normalise_target)
        losses: dict[str, Tensor | float] = {"total": reconstruction_loss(output.prediction, wanted, output.hidden)}
        if not progress.training:
            losses |= temporal_attention(model, first, second, batch["noise"]).metrics()
        return losses


def pair_source(recipe: Recipe, root: str | Path, *, training: bool = True) -> FramePairSource:
    """Pairs from the videos or images below ``root``, as the recipe asks.

    Raises:
        AnnotationError: there are none.
    """
    data = recipe.data
    split = data.split if training else data.validation_split
    videos = open_training_videos(root, dataset=data.dataset, split=split or None)
    return FramePairSource(videos, data.pairs(recipe.model.image_size), seed=recipe.loop.seed)


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
    """Pre-train a recipe on the videos below a folder; started again with the same ``output`` it goes on where it was.

    Args:
        recipe: from :func:`dropmae_pretrain.recipes.get_recipe`, possibly changed.
        root: folder of the videos or images.
        output: run folder; gets the resolved recipe as ``recipe.yaml``, checkpoints, logs and the weights.
        name: what the recipe is called, for the model card.
        start_weights: auto-encoder to start from, such as a published DropMAE; fresh weights when None.
        resume: False refuses to continue an earlier run.
        stop_after: stop and save after this many steps of this call.

    Raises:
        AnnotationError: the data is not there.
        CheckpointError: the start weights cannot be used, or ``output`` holds the training of another network.
        ResumeError: ``output`` holds a training that this one does not continue.
    """
    pairs = pair_source(recipe, root)
    validation = pair_source(recipe, root, training=False) if recipe.loop.validation_samples else None
    if recipe.data.pairs_per_video is not None:
        count = len(pairs.videos) * recipe.data.pairs_per_video
        recipe = replace(recipe, loop=replace(recipe.loop, samples_per_epoch=count))
    return train_on(
        recipe,
        pairs,
        output,
        validation_pairs=validation,
        data=describe(pairs.videos),
        name=name,
        start_weights=start_weights,
        resume=resume,
        stop_after=stop_after,
    )


def describe(videos: Kinetics | Images) -> dict[str, Any]:
    """What is trained on, for the log and the card: equal digests mean the same list of videos and lengths."""
    return {"name": videos.name, "items": len(videos), "unreadable": len(videos.unreadable), "sha256": videos.digest}


def train_on(
    recipe: Recipe,
    pairs: PairSource,
    output: str | Path,
    *,
    validation_pairs: PairSource | None = None,
    data: Mapping[str, Any] | None = None,
    name: str = "custom",
    start_weights: str | Path | None = None,
    resume: bool = True,
    stop_after: int | None = None,
) -> Summary:
    """Pre-train on pairs from any source; the other arguments are those of :func:`train`.

    Args:
        pairs, validation_pairs: see :class:`PairSource`; an epoch takes ``recipe.loop.samples_per_epoch`` of them.
        data: facts about the data, for the log and the card.
    """
    output = Path(output)
    torch.manual_seed(recipe.loop.seed)  # fresh weights are part of what the seed decides
    task = PretrainingTask(recipe, pairs, validation_pairs)
    if start_weights is not None:
        checkpoint = checkpoints.load(start_weights)
        hint = f"{start_weights} is: {checkpoint.kind}; the recipe needs a whole auto-encoder of its size"
        checkpoints.load_state(task.model, checkpoint.state, hint=hint)
    output.mkdir(parents=True, exist_ok=True)
    text, file = to_yaml(recipe), output / "recipe.yaml"
    earlier = file.read_text() if file.exists() else None
    file.write_text(text)
    try:
        card = {**model_card(recipe, name, task.model, start_weights), "data": dict(data or {})}
        notices = [f"training on {', '.join(f'{key} {value}' for key, value in data.items())}"] if data else []
        trainer = Trainer(recipe.loop, task, output, card=card, notices=notices)
        return trainer.fit(resume=resume, stop_after=stop_after)
    except (ResumeError, checkpoints.CheckpointMismatchError):
        if earlier is not None:  # refused: the folder is still that of the earlier training
            file.write_text(earlier)
        raise


def model_card(recipe: Recipe, name: str, model: nn.Module, start_weights: str | Path | None) -> dict[str, Any]:
    """What is stored with the weights: all that is needed to build the network again, and where they come from."""
    return {
        "kind": "DropMAE auto-encoder" if recipe.objective.drop else "TwinMAE auto-encoder",
        "recipe": name,
        "model": to_yaml(recipe.model),
        "objective": to_yaml(recipe.objective),
        "configuration": to_yaml(recipe),
        "start_weights": str(start_weights) if start_weights is not None else None,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "licence": "as the training data allows; the code is Apache-2.0",
        "torch": torch.__version__,
    }
