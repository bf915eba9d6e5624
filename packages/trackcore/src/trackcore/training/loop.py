"""The training loop: what happens in a step, after an epoch, and when the run is interrupted.

Launch it as it is for one process, or under ``torchrun`` for several; the code is the same.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trackcore.checkpoints import load_state, save_weights
from trackcore.training import resuming, sharding
from trackcore.training.batch_norm import synchronise
from trackcore.training.config import LoopConfig, Progress, Summary, Task, listed
from trackcore.training.feeding import Batch, SampleError, StepBatches, close, make_loader, validation_batches
from trackcore.training.interruption import StopRequest
from trackcore.training.reporting import Reporter
from trackcore.training.seeding import derive_seed, seed_everything

try:
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState
    from accelerate.utils import broadcast_object_list, gather_object, send_to_device
except ImportError as missing:
    raise ImportError("training needs Hugging Face Accelerate: pip install 'trackcore[train]'") from missing

__all__ = ["NonFiniteError", "ResumeError", "SampleError", "Trainer"]


class NonFiniteError(RuntimeError):
    """A loss or gradient became NaN or infinite; the last checkpoint is from before it."""


class ResumeError(RuntimeError):
    """The run folder holds a training that this one does not continue."""


class Trainer:
    """Trains a :class:`~trackcore.training.config.Task`.

    ``run_dir`` gets ``log.txt``, ``metrics.jsonl``, the curves, ``checkpoints/`` and ``weights.safetensors`` with its
    card. The weights are those of the best validation when ``best_metric`` is set, else those after the last step.

    Args:
        config: how long and in which steps.
        task: network, samples, losses, optimiser.
        run_dir: the run's folder, made when missing.
        card: facts to store with the weights (the recipe, for example), JSON-able.
        notices: lines for the screen and the log whenever the training starts or goes on (what it trains on, say).
    """

    def __init__(
        self,
        config: LoopConfig,
        task: Task,
        run_dir: str | Path,
        card: Mapping[str, Any] | None = None,
        notices: Sequence[str] = (),
    ) -> None:
        self.config, self.task, self.run_dir = config, task, Path(run_dir)
        self._card, self._notices = dict(card or {}), tuple(notices)
        # what the run has come to; all of it is in the training checkpoints
        self._step = 0
        self._closed_epochs = 0  # epochs whose means are taken and whose validation is done
        self._sums: dict[str, float] = {}  # of the epoch under way
        self._summed = 0
        self._train: dict[str, float] = {}
        self._validation: dict[str, float] = {}
        self._best: dict[str, Any] | None = None
        self._faults: Counter = Counter()
        self._new_faults: Counter = Counter()  # of this process, not yet in _faults
        self._complaints = 0

    def fit(self, resume: bool = True, stop_after: int | None = None) -> Summary:
        """Train to the end, or until SIGTERM or SIGINT, after which the current step is finished and saved.

        Args:
            resume: go on from the newest readable checkpoint in ``run_dir``.
            stop_after: stop (and save) after this many steps of this call.

        Raises:
            NonFiniteError: the total loss or the gradient is NaN or infinite.
            ResumeError: ``run_dir`` holds checkpoints, and ``resume`` is False or the sampling was set up differently.
            CheckpointMismatchError: ``run_dir`` holds the training of another network.
            SampleError: the data cannot be read.
            CheckpointWriteError: the disk is full.
        """
        config, began = self.config, time.perf_counter()
        self._accelerator = accelerator = _accelerator(config)
        self._rank, self._processes = accelerator.process_index, accelerator.num_processes
        self._layout = config.layout(self._processes)
        self._total = config.epochs * self._layout.steps
        seed_everything(derive_seed(config.seed, "start", self._rank))
        self._model, self._optimizer, self._rates = self._prepare()
        notices = list(self._notices)
        self._resume(resume, notices)
        self._reporter = Reporter(self.run_dir, config, self._step, accelerator.is_main_process, self._total)
        with StopRequest() as stop:
            self._stop = stop
            try:
                for notice in notices:
                    self._reporter.say(notice)
                interrupted = self._run(self._total if stop_after is None else self._step + stop_after)
            finally:
                self._reporter.close()
                accelerator.unwrap_model(self._model, keep_fp32_wrapper=False)
        weights = self.run_dir / "weights.safetensors"
        return Summary(
            run_dir=str(self.run_dir),
            steps=self._step,
            epochs=self._closed_epochs,
            train=self._train,
            validation=self._validation,
            best=self._best,
            faults=dict(self._faults),
            interrupted=interrupted,
            seconds=time.perf_counter() - began,
            weights=str(weights) if weights.exists() else None,
        )

    def _prepare(self) -> tuple[nn.Module, Any, list[float]]:
        """The network and optimiser on their device, and the groups' base learning rates."""
        config, model = self.config, self.task.model
        if config.sync_batch_norm and self._processes > 1:
            model = synchronise(model.to(self._accelerator.device))
        if config.shard:
            model = self._accelerator.prepare_model(model, evaluation_mode=True)  # precision and device, no DDP
            if self._processes > 1:
                units = getattr(self.task, "shard_units", list)()
                sharding.shard(model, units, self._accelerator.device)
        if config.compile:
            model.compile()
        groups = self.task.parameter_groups()
        if lacking := [group.get("name", number) for number, group in enumerate(groups) if "lr" not in group]:
            raise ValueError(f"parameter groups need a base learning rate under 'lr'; groups without: {lacking}")
        rates = [float(group["lr"]) for group in groups]
        optimizer = self.task.build_optimizer(groups)
        if config.shard:
            return model, self._accelerator.prepare(optimizer), rates
        model, optimizer = self._accelerator.prepare(model, optimizer)
        return model, optimizer, rates

    def _run(self, stop_at: int) -> bool:
        """Take steps until the end, ``stop_at`` or a signal; True when that was before the end."""
        config = self.config
        batches = StepBatches(config, self._rank, self._processes, self._step)
        feed = iter(make_loader(self.task, config, batches, True, self._accelerator.device))
        self._model.train()
        try:
            stopped = not self._close_epoch()  # a signal may have come between an epoch's last step and its validation
            while self._step < self._total and not stopped:
                stopped = self._train_step(feed)
                if self._step % self._layout.steps == 0 and not stopped:
                    stopped = not self._close_epoch()
                elif config.save_every and self._step % config.save_every == 0:
                    self._save()
                stopped = stopped or self._step >= stop_at
        finally:
            close(feed)
        finished = self._closed_epochs == config.epochs
        if not finished:
            self._save()
            self._reporter.say(f"stopped after step {self._step} of {self._total}, saved; start again to go on")
        elif config.best_metric is None:
            self._save_weights()
        return not finished

    def _train_step(self, feed: Any) -> bool:
        """One optimiser step over all its micro-batches; True when any process was asked to stop."""
        accelerator, layout = self._accelerator, self._layout
        epoch, within = divmod(self._step, layout.steps)
        turns = layout.turns(within)
        progress = self._progress(epoch + 1, share=within * layout.accumulate / layout.micro_batches)
        self._set_learning_rates(progress)
        self._optimizer.zero_grad()
        waited, sums = 0.0, {}
        for turn in range(turns):
            data, wait = self._next(feed, turn)
            waited += wait
            with self._without_exchange(turn < turns - 1):
                losses = _checked(self.task.losses(self._model, data, progress))
                accelerator.backward(losses["total"] / turns)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.detach().to(accelerator.device).float() / turns
        norm = accelerator.clip_grad_norm_(self._model.parameters(), self.config.clip_norm or math.inf)
        # one exchange per step: the losses' means, the norm, and whether any process has been asked to stop
        stop = torch.tensor(float(self._stop.requested), device=accelerator.device)
        values, (norm_value, stopping) = self._reduce(sums, torch.stack([sharding.whole(norm).to(stop), stop]))
        self._check_finite(values, norm_value)
        self._optimizer.step()
        if self._optimizer.step_was_skipped and accelerator.is_main_process:
            self._new_faults["steps skipped by the fp16 scaler"] += 1
        self._step += 1
        self._sum_up(values, turns)
        shown = {**values, "grad_norm": norm_value, "lr": self._learning_rate}
        self._reporter.step(self._step, progress.epoch, shown, waited)
        if within == layout.steps - 1 and layout.lost:
            self._lose(feed, epoch + 1)
        return stopping > 0

    @torch.no_grad()
    def _lose(self, feed: Any, epoch: int) -> None:
        """Compute the losses of an epoch's leftover micro-batches for its means, and take no step."""
        layout = self._layout
        first = layout.steps * layout.accumulate
        for number in range(first, layout.micro_batches):
            if number % layout.accumulate == 0:
                progress = self._progress(epoch, share=number / layout.micro_batches)
                self._set_learning_rates(progress)
            data, _ = self._next(feed, number - first + layout.accumulate)
            values, _ = self._reduce(_checked(self.task.losses(self._model, data, progress)))
            self._check_finite(values, 0.0)
            self._sum_up(values, 1)

    def _next(self, feed: Any, turn: int) -> tuple[Any, float]:
        """The next micro-batch on its device, and how long it was waited for; seeds what is random in its pass."""
        asked = time.perf_counter()
        batch: Batch = next(feed)
        waited = time.perf_counter() - asked
        self._count(batch)
        data = send_to_device(batch.data, self._accelerator.device, non_blocking=True)
        # seeded by position, dropout draws the same after a resumption
        seed_everything(derive_seed(self.config.seed, "step", self._step, self._rank, turn))
        return data, waited

    @contextmanager
    def _without_exchange(self, wanted: bool) -> Iterator[None]:
        """While ``wanted``, gradients stay on their process until a later micro-batch of the step."""
        if sharding.is_sharded(self._model):
            self._model.set_requires_gradient_sync(not wanted)
            yield
        else:
            with self._accelerator.no_sync(self._model) if wanted else nullcontext():
                yield

    def _reduce(
        self, losses: Mapping[str, Tensor], extra: Tensor | None = None
    ) -> tuple[dict[str, float], list[float]]:
        """Means over the processes of losses by name and of further numbers."""
        device = self._accelerator.device
        packed = torch.stack([value.detach().to(device).float() for value in losses.values()])
        if extra is not None:
            packed = torch.cat([packed, extra.to(packed)])
        means = self._accelerator.reduce(packed, reduction="mean").tolist()
        return dict(zip(losses, means, strict=False)), means[len(losses) :]

    def _sum_up(self, values: Mapping[str, float], weight: int) -> None:
        """Add to the epoch's sums, which the learning rate is part of."""
        for name, value in {**values, _RATE: self._learning_rate}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * weight
        self._summed += weight

    @property
    def _learning_rate(self) -> float:
        return self._optimizer.param_groups[0]["lr"]

    def _close_epoch(self) -> bool:
        """After an epoch's last step: means, validation, checkpoint. False when a signal came during the validation."""
        config = self.config
        epoch, within = divmod(self._step, self._layout.steps)
        if within or epoch == self._closed_epochs:
            return True
        began, improved = time.perf_counter(), False
        if config.validation_samples and (epoch % config.validate_every == 0 or epoch == config.epochs):
            validation = self._validate(epoch)
            if validation is None:
                return False
            self._validation = validation
            improved = self._improves(epoch)
        means = {name: total / self._summed for name, total in self._sums.items()}
        self._reporter.record("epoch", self._step, epoch, means)
        self._train = {name: mean for name, mean in means.items() if name != _RATE}
        self._sums, self._summed, self._closed_epochs = {}, 0, epoch
        self._gather_faults()
        faults = f"; faults so far: {dict(self._faults)}" if self._faults else ""
        self._reporter.say(f"epoch {epoch}/{config.epochs} done: {listed(means)}{faults}")
        if improved:
            self._save_weights()
        if improved or epoch == config.epochs or not config.save_every or self._step % config.save_every == 0:
            self._save()
        self._reporter.leave_out(time.perf_counter() - began)
        return True

    @torch.no_grad()
    def _validate(self, epoch: int) -> dict[str, float] | None:
        """Mean losses over the validation samples, or None when a signal came."""
        config, accelerator = self.config, self._accelerator
        batches = validation_batches(config, self._rank, self._processes)
        progress = self._progress(epoch, training=False)
        # not the distributed wrapper: its forward pass exchanges buffers, and processes may have unequal batches
        model = accelerator.unwrap_model(self._model)
        model.eval()
        sums: Counter = Counter()
        count = 0
        feed = iter(make_loader(self.task, config, batches, False, accelerator.device))
        try:
            with sharding.gathered(model):
                for number, batch in enumerate(feed):
                    self._count(batch)
                    if batch.size:
                        seed_everything(derive_seed(config.seed, "validation", epoch, self._rank, number))
                        data = send_to_device(batch.data, accelerator.device, non_blocking=True)
                        for name, value in self.task.losses(model, data, progress).items():
                            sums[name] += float(value) * batch.size
                        count += batch.size
                    if self._anyone_stopped():
                        return None
        finally:
            close(feed)
            model.train()
        parts = gather_object([(dict(sums), count)])
        total = sum(part for _, part in parts)
        if total == 0:
            raise SampleError(f"none of the {config.validation_samples} validation samples could be loaded")
        names = dict.fromkeys(name for part, _ in parts for name in part)
        means = {name: sum(part.get(name, 0.0) for part, _ in parts) / total for name in names}
        self._reporter.record("validation", self._step, epoch, means)
        self._reporter.say(f"epoch {epoch} validation: {listed(means)}")
        return means

    def _improves(self, epoch: int) -> bool:
        """Whether the last validation is the best so far, which is then remembered."""
        metric = self.config.best_metric
        if metric is None:
            return False
        if metric not in self._validation:
            known = ", ".join(sorted(self._validation))
            raise ValueError(f"best_metric {metric!r} is not among the validation's values: {known}")
        value = self._validation[metric]
        sign = 1 if self.config.best_mode == "max" else -1
        # a NaN never improves
        if self._best is not None and not sign * value > sign * self._best["value"]:
            return False
        self._best = {"metric": metric, "value": value, "step": self._step, "epoch": epoch}
        return True

    def _progress(self, epoch: int, training: bool = True, share: float = 0.0) -> Progress:
        return Progress(self._step, epoch, self._layout.steps, self.config.epochs, training, share)

    def _set_learning_rates(self, progress: Progress) -> None:
        factors = self.task.learning_rate_factor(progress)
        if isinstance(factors, int | float):
            factors = [factors] * len(self._rates)
        for group, rate, factor in zip(self._optimizer.param_groups, self._rates, factors, strict=True):
            group["lr"] = rate * factor

    def _check_finite(self, values: Mapping[str, float], norm: float) -> None:
        epoch = self._step // self._layout.steps + 1
        kept = resuming.saved_steps(self._folder)
        last = f"the last checkpoint is of step {kept[-1]}" if kept else "there is no checkpoint yet"
        if not math.isfinite(values["total"]):
            bad = ", ".join(f"{name} = {value}" for name, value in values.items() if not math.isfinite(value))
            raise NonFiniteError(
                f"the loss is not finite in step {self._step + 1} (epoch {epoch}): {bad}; {last}. "
                "Look at the samples of that step, lower the learning rate or use bf16 or fp32"
            )
        # with fp16 an infinite gradient is ordinary: the scaler skips the step and lowers its scale
        if self.config.precision != "fp16" and not math.isfinite(norm):
            raise NonFiniteError(
                f"the gradient is not finite in step {self._step + 1} (epoch {epoch}) while the loss is "
                f"{values['total']:.4g}; {last}. A loss has an undefined derivative at these values"
            )

    def _count(self, batch: Batch) -> None:
        self._new_faults.update(batch.counts)
        if batch.complaint and self._complaints < 10:
            self._complaints += 1
            self._reporter.say(f"left out a sample: {batch.complaint}")

    def _gather_faults(self) -> None:
        for counts in gather_object([dict(self._new_faults)]):
            self._faults.update(counts)
        self._new_faults = Counter()

    def _anyone_stopped(self) -> bool:
        flag = torch.tensor(float(self._stop.requested), device=self._accelerator.device)
        return bool(self._accelerator.reduce(flag, reduction="sum").item())

    @property
    def _folder(self) -> Path:
        return self.run_dir / "checkpoints"

    @property
    def _plan(self) -> dict[str, int]:
        """What decides which sample is in which step; a resumed run must agree on it."""
        return {name: getattr(self.config, name) for name in ("batch_size", "samples_per_epoch", "seed")}

    def _save(self) -> None:
        """A training checkpoint of the current step."""
        self._gather_faults()
        main = self._accelerator.is_main_process
        model, optimizer = self._whole_model(), sharding.whole(self._optimizer.state_dict(), keep=main)
        if self._accelerator.is_main_process:
            scaler = self._accelerator.scaler
            contents = {
                "step": self._step,
                "plan": {**self._plan, "steps_per_epoch": self._layout.steps},
                "model": model,
                "optimizer": optimizer,
                "scaler": scaler.state_dict() if scaler is not None else None,
                **{name: getattr(self, f"_{name}") for name in _CARRIED},
            }
            contents["faults"] = dict(self._faults)
            best = self._best["step"] if self._best else None
            resuming.save(self._folder, contents, self.config.keep_last, best)
        self._accelerator.wait_for_everyone()

    def _whole_model(self) -> dict[str, Tensor]:
        """The network's state dict for a file, complete on the first process; all of them have to ask."""
        state = self._accelerator.unwrap_model(self._model).state_dict()
        return sharding.whole(state, keep=self._accelerator.is_main_process)

    def _resume(self, resume: bool, notices: list[str]) -> None:
        """Take up the newest readable checkpoint, the same one on every process."""
        steps = resuming.saved_steps(self._folder)
        if not resume and steps:
            raise ResumeError(
                f"{self.run_dir} holds a training at step {steps[-1]}: resume it, choose another folder or remove this"
            )
        main = self._accelerator.is_main_process
        contents = resuming.load_latest(self._folder, notices.append) if main else None
        if self._processes > 1:  # the first process has found out which checkpoint is sound
            step = broadcast_object_list([contents and contents["step"]])[0]
            if not main and step is not None:
                contents = resuming.load_step(self._folder, step)
        if contents is None:
            return
        plan = contents["plan"]
        changed = [f"{key} {plan[key]} -> {mine}" for key, mine in self._plan.items() if plan[key] != mine]
        steps, mine = plan.get("steps_per_epoch", self._layout.steps), self._layout.steps
        if not changed and steps != mine:  # by leftover, or by the processes among which a smaller step is divided
            changed = [f"steps_per_epoch {steps} -> {mine}"]
        if changed:
            raise ResumeError(
                f"{self.run_dir} was trained with other settings, so its steps mean other samples: "
                f"{', '.join(changed)}; choose another folder"
            )
        hint = f"{self.run_dir} holds the training of another network; choose another folder"
        model = self._accelerator.unwrap_model(self._model)
        load_state(model, sharding.model_share(contents["model"], model), hint=hint)
        self._optimizer.load_state_dict(sharding.optimizer_share(contents["optimizer"], self._optimizer))
        if self._accelerator.scaler is not None and contents["scaler"] is not None:
            self._accelerator.scaler.load_state_dict(contents["scaler"])
        self._step = contents["step"]
        for name in _CARRIED:
            setattr(self, f"_{name}", contents[name])
        self._faults = Counter(contents["faults"])
        notices.append(f"going on after step {self._step} of {self._total}")

    def _save_weights(self) -> None:
        state = self._whole_model()
        if self._accelerator.is_main_process:
            card = {
                **self._card,
                "epoch": self._closed_epochs,
                "step": self._step,
                "train": self._train,
                "validation": self._validation,
                "plan": self._plan,
            }
            save_weights(self.run_dir / "weights.safetensors", state, card)
        self._accelerator.wait_for_everyone()


_RATE = "lr"  # among the epoch's means
_CARRIED = ("closed_epochs", "sums", "summed", "train", "validation", "best")


def _accelerator(config: LoopConfig) -> Accelerator:
    # Accelerate keeps one state per program and refuses another precision or device in a second run of it
    AcceleratorState._reset_state(reset_partial_state=True)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    # Without a GPU, Accelerate joins the processes of torchrun only when it is told to use the CPU.
    no_gpu = processes > 1 and not torch.cuda.is_available()
    accelerator = Accelerator(
        mixed_precision={"fp32": "no"}.get(config.precision, config.precision),
        cpu=config.device == "cpu" or no_gpu,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=config.find_unused_parameters)],
    )
    if accelerator.num_processes != processes:
        raise RuntimeError(
            f"{processes} processes were launched, but only {accelerator.num_processes} found each other: start them "
            "with torchrun"
        )
    if config.precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("precision fp16 needs a GPU; use bf16 or fp32 on the CPU")
    return accelerator


def _checked(losses: Mapping[str, Tensor | float]) -> dict[str, Tensor]:
    if "total" not in losses:
        raise ValueError(f"a task's losses need an entry 'total', got {sorted(losses)}")
    losses = {name: torch.as_tensor(value) for name, value in losses.items()}
    if shaped := {name: tuple(value.shape) for name, value in losses.items() if value.ndim}:
        raise ValueError(f"a task's losses are scalars, got shapes {shaped}")
    return losses
