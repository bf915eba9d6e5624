"""What a training run is told (:class:`LoopConfig`) and what a method supplies (:class:`Task`).

Nothing here imports torch, so that recipes and ``--help`` stay light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


@dataclass(frozen=True)
class LoopConfig:
    """How long, in which steps and with what around them a network is trained.

    An epoch is a fixed number of samples, drawn independently; it has ``samples_per_epoch // batch_size`` steps, and
    possibly a smaller one (see ``leftover``).

    Attributes:
        epochs: epochs in all.
        samples_per_epoch: training samples per epoch.
        batch_size: samples per optimiser step, over all processes and accumulated micro-batches.
        micro_batch: samples per process and forward pass; None takes all of a process's share at once.
        leftover: what becomes of an epoch's micro-batches after its last full step. ``skip`` leaves them out, ``step``
            makes a smaller step of them, ``lose`` computes and logs their losses and takes no step (which is what
            accumulation does in the published MAE and DropMAE).
        validation_samples: samples per validation, 0 for none.
        validate_every: epochs between validations; the last epoch is always validated.
        workers: loader processes per training process; the number changes no sample.
        precision: of the forward pass. Losses are computed in float32; weights and optimiser state stay float32.
        clip_norm: largest gradient norm over all parameters, None for no clipping.
        seed: of everything random.
        log_every: optimiser steps between log lines.
        save_every: optimiser steps between checkpoints, 0 for one per epoch.
        keep_last: training checkpoints kept besides the best one.
        best_metric: validation metric that decides which weights are kept as the best; None keeps the last.
        best_mode: whether a larger or a smaller value of it is better.
        log_to: where curves go, besides ``metrics.jsonl``.
        wandb_project: project name for Weights & Biases.
        wandb_mode: "offline" writes files only.
        compile: compile the network with ``torch.compile``.
        device: "auto" takes the GPUs there are; "cpu" forces the CPU.
        find_unused_parameters: needed with several processes when a step leaves parameters without gradients.
        sync_batch_norm: batch statistics over all processes instead of each process's own.
        shard: spread weights, gradients and optimiser state over the processes (FSDP) instead of keeping a copy on
            each, for networks that are too large for that; not with fp16.
        retries: other samples tried in place of one that fails to load, before the run stops.
    """

    epochs: int
    samples_per_epoch: int
    batch_size: int
    micro_batch: int | None = None
    leftover: Literal["skip", "step", "lose"] = "skip"
    validation_samples: int = 0
    validate_every: int = 1
    workers: int = 2
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    clip_norm: float | None = None
    seed: int = 42
    log_every: int = 50
    save_every: int = 0
    keep_last: int = 2
    best_metric: str | None = None
    best_mode: Literal["max", "min"] = "max"
    log_to: Literal["tensorboard", "wandb", "none"] = "tensorboard"
    wandb_project: str = "trackworks"
    wandb_mode: Literal["online", "offline"] = "offline"
    compile: bool = False
    device: Literal["auto", "cpu"] = "auto"
    find_unused_parameters: bool = False
    sync_batch_norm: bool = False
    shard: bool = False
    retries: int = 10

    def __post_init__(self) -> None:
        for name in ("epochs", "samples_per_epoch", "batch_size", "validate_every", "log_every", "keep_last"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("validation_samples", "workers", "save_every", "retries"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be positive, or None for no clipping; got {self.clip_norm}")
        if self.steps_per_epoch < 1:
            raise ValueError(
                f"an epoch of {self.samples_per_epoch} samples holds no batch of {self.batch_size}: "
                "raise samples_per_epoch or lower batch_size"
            )
        if self.best_metric is not None and not self.validation_samples:
            raise ValueError(f"best_metric {self.best_metric!r} needs validation: set validation_samples")
        if self.shard and self.precision == "fp16":
            raise ValueError("shard works with fp32 and bf16: fp16's scaler does not know about sharded gradients")

    @property
    def steps_per_epoch(self) -> int:
        """Full optimiser steps per epoch."""
        return self.samples_per_epoch // self.batch_size

    @property
    def total_steps(self) -> int:
        """Full optimiser steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    def batches(self, processes: int) -> tuple[int, int]:
        """(micro-batch per process, micro-batches accumulated per step) for a number of processes.

        Raises:
            ValueError: ``batch_size`` is not processes x micro-batch x a whole number.
        """
        micro = self.micro_batch if self.micro_batch is not None else self.batch_size // processes
        if micro < 1 or self.batch_size % (micro * processes):
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of {processes} process(es) x micro_batch {micro}: "
                "change batch_size, micro_batch or the number of processes"
            )
        return micro, self.batch_size // (micro * processes)

    def layout(self, processes: int) -> EpochLayout:
        """How an epoch is cut for a number of processes. Raises ValueError as :meth:`batches` does."""
        micro, accumulate = self.batches(processes)
        full = self.steps_per_epoch * accumulate
        present = self.samples_per_epoch // (micro * processes)
        rest = 0 if self.leftover == "skip" else present - full
        short = int(self.leftover == "step" and rest > 0)
        return EpochLayout(micro, accumulate, full + rest, self.steps_per_epoch + short)


@dataclass(frozen=True)
class EpochLayout:
    """An epoch in micro-batches and steps.

    Attributes:
        micro: samples of a micro-batch on one process.
        accumulate: micro-batches that each process accumulates in a full step.
        micro_batches: of each process in an epoch.
        steps: optimiser steps in an epoch.
    """

    micro: int
    accumulate: int
    micro_batches: int
    steps: int

    def turns(self, step: int) -> int:
        """Micro-batches of step ``step`` of an epoch, counted from 0."""
        return min(self.accumulate, self.micro_batches - step * self.accumulate)

    @property
    def lost(self) -> int:
        """Micro-batches after the last step."""
        return max(0, self.micro_batches - self.steps * self.accumulate)


@dataclass(frozen=True)
class Progress:
    """Where the training stands.

    Attributes:
        step: optimiser steps already taken, so 0 during the first.
        epoch: the current epoch, counted from 1.
        steps_per_epoch: optimiser steps in an epoch.
        epochs: epochs in all.
        training: False during validation.
        epoch_share: share of the current epoch's micro-batches that came before this step.
    """

    step: int
    epoch: int
    steps_per_epoch: int
    epochs: int
    training: bool = True
    epoch_share: float = 0.0

    @property
    def position(self) -> float:
        """Epochs trained before this step, fractions included."""
        return self.epoch - 1 + self.epoch_share

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.epochs * self.steps_per_epoch


class Counted(NamedTuple):
    """A sample together with what happened on the way to it; the loop adds the counts up and reports them per epoch.

    Attributes:
        sample: what the sample function would have returned alone.
        counts: events by name, for example ``{"redrawn pairs": 2}``.
    """

    sample: Any
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Summary:
    """What a training run came to.

    Attributes:
        run_dir: the run's folder.
        steps: optimiser steps taken in all, over interruptions.
        epochs: finished epochs.
        train: means of the losses over the last epoch (so far).
        validation: means over the last validation, empty when there was none.
        best: ``{"metric", "value", "step", "epoch"}`` of the best validation, or None.
        faults: counts of samples that failed to load, by exception name, and whatever samples counted themselves.
        interrupted: True when a signal (or ``stop_after``) ended it before the last step.
        seconds: wall-clock time of this call.
        weights: the weights file, or None when the training has not got so far.
    """

    run_dir: str
    steps: int
    epochs: int
    train: Mapping[str, float]
    validation: Mapping[str, float]
    best: Mapping[str, Any] | None
    faults: Mapping[str, int] = field(default_factory=dict)
    interrupted: bool = False
    seconds: float = 0.0
    weights: str | None = None

    def __rich__(self) -> Any:
        from rich.table import Table

        table = Table(title="training interrupted" if self.interrupted else "training finished", show_header=False)
        rows = {
            "steps": f"{self.steps} ({self.epochs} epochs finished)",
            "last epoch": listed(self.train),
            "validation": listed(self.validation),
            "best": f"{self.best['metric']} {self.best['value']:.4g} in epoch {self.best['epoch']}"
            if self.best
            else "",
            "faults": ", ".join(f"{count} x {name}" for name, count in sorted(self.faults.items())),
            "time": f"{self.seconds:.1f} s",
            "weights": self.weights or "",
            "folder": self.run_dir,
        }
        for name, value in rows.items():
            if value:
                table.add_row(name, value)
        return table


def listed(values: Mapping[str, float]) -> str:
    """Named numbers on one line: "total 0.52, giou 0.13"; names with a slash are details for the curves, not for it."""
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items() if "/" not in name)


class Task(Protocol):
    """What a method package supplies to be trained.

    Samples must be pure functions of their arguments (and of the task's own seed): random numbers come from a generator
    made from (seed, epoch, index). They run in loader processes, so the methods must not touch the GPU.
    """

    model: nn.Module

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for the optimiser: ``{"params": [...], "lr": base learning rate, "name": ...}``."""

    def build_optimizer(self, groups: Sequence[dict[str, Any]]) -> Optimizer:
        """The optimiser over these groups."""

    def learning_rate_factor(self, progress: Progress) -> float | Sequence[float]:
        """What multiplies the base learning rates (one number, or one per group); asked before every step."""

    def train_sample(self, epoch: int, index: int) -> Any:
        """Sample ``index`` of ``epoch`` (from 1). An exception replaces it by another sample and is counted.

        Indices from ``samples_per_epoch`` on are asked for as replacements. May return :class:`Counted`.
        """

    def validation_sample(self, index: int) -> Any:
        """Validation sample ``index``; only called when ``validation_samples`` is positive."""

    def shard_units(self) -> Sequence[nn.Module]:
        """Parts of the network that are sharded one by one, such as its transformer blocks.

        May be left out: then all weights of the network come together in every forward pass.
        """

    def collate(self, samples: list[Any]) -> Any:
        """A batch of CPU tensors (nested dicts, lists or tuples of them) from samples; the loop moves it over.

        May be left out for torch's ``default_collate``.
        """

    def losses(self, model: nn.Module, batch: Any, progress: Progress) -> Mapping[str, Tensor | float]:
        """Scalars by name; "total" is minimised, the others are logged.

        Names with a slash ("attention/layer_3") go to ``metrics.jsonl`` and the curves alone, not to the screen.
        ``model`` is the network as wrapped for training: call it, not its parts. Its forward pass runs in the
        configured precision and returns float32 tensors (inside tuples, lists and dicts); this method runs outside
        autocast. Means over the batch make accumulation and several processes equal to one large batch.
        """
