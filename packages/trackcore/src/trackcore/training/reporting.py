"""What a run shows while it goes: a live bar or plain lines, ``log.txt``, ``metrics.jsonl``, TensorBoard or W&B."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from trackcore.checkpoints import write_atomic
from trackcore.training.config import LoopConfig, listed

METRICS = "metrics.jsonl"
LOG = "log.txt"


class Reporter:
    """Writes a run's records; on processes other than the first it does nothing.

    Args:
        run_dir: the run's folder.
        config: of the loop.
        start_step: steps already taken; records of later ones, left by a run that was killed, are removed.
        active: whether this process reports.
        total_steps: of the whole training; None for that of full steps.
    """

    def __init__(
        self, run_dir: Path, config: LoopConfig, start_step: int, active: bool, total_steps: int | None = None
    ) -> None:
        self._config, self._active, self._start = config, active, start_step
        self._total = config.total_steps if total_steps is None else total_steps
        if not active:
            return
        run_dir.mkdir(parents=True, exist_ok=True)
        _drop_records_after(run_dir / METRICS, start_step)
        self._metrics = (run_dir / METRICS).open("a", encoding="utf-8")
        self._log = (run_dir / LOG).open("a", encoding="utf-8")
        self._curves = _open_curves(run_dir, config, start_step)
        self._console = Console(file=sys.stdout, highlight=False)
        self._bar = None
        if self._console.is_terminal:
            self._bar = Progress(BarColumn(bar_width=12), TextColumn("{task.description}"), console=self._console)
            self._line = self._bar.add_task("starting", total=self._total, completed=start_step)
            self._bar.start()
        self._began = self._marked = time.perf_counter()
        self._marked_step, self._waited = start_step, 0.0
        self._speed = ""

    def say(self, message: str) -> None:
        """A line for the screen and the log."""
        if self._active:
            self._console.print(escape(message), soft_wrap=True)
            self._write_log(message)

    def step(self, step: int, epoch: int, values: Mapping[str, float], waited: float) -> None:
        """After an optimiser step: ``step`` counts it, ``waited`` is the time it waited for data in seconds."""
        if not self._active:
            return
        config, total = self._config, self._total
        self._waited += waited
        logged = step % config.log_every == 0 or step == total
        if logged:
            now = time.perf_counter()
            span = max(now - self._marked, 1e-9)
            rate = (step - self._marked_step) * config.batch_size / span
            share = min(1.0, self._waited / span)
            left = _clock((now - self._began) / max(1, step - self._start) * (total - step))
            self._marked, self._marked_step, self._waited = now, step, 0.0
            self._speed = f" {rate:.1f}/s wait {share:.0%} {left} left"  # short, to fit beside the bar
            self.record("step", step, epoch, {**values, "samples_per_second": rate, "data_wait_share": share})
            line = (
                f"epoch {epoch}/{config.epochs} step {step}/{total}: {listed(values)} | "
                f"{rate:.1f} samples/s, {share:.0%} waiting for data, {left} left"
            )
            if self._bar is None:
                self.say(line)
            else:
                self._write_log(line)
        if self._bar is not None:
            where = f"epoch {epoch}/{config.epochs} {step}/{total} total {values['total']:.4g}"
            self._bar.update(self._line, completed=step, description=where + self._speed)

    def record(self, event: str, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """A record for ``metrics.jsonl`` and the curves; ``event`` is "step", "epoch" or "validation"."""
        if not self._active:
            return
        entry = {"event": event, "step": step, "epoch": epoch, **{name: float(value) for name, value in values.items()}}
        self._metrics.write(json.dumps(entry) + "\n")
        self._metrics.flush()
        self._curves.add({f"{event}/{name}": float(value) for name, value in values.items()}, step)

    def leave_out(self, seconds: float) -> None:
        """Leave the time that something else than steps took (a validation, a save) out of rate and waiting share."""
        if self._active:
            self._marked += seconds

    def close(self) -> None:
        """Stop the bar and close the files."""
        if not self._active:
            return
        if self._bar is not None:
            self._bar.stop()
        self._curves.close()
        self._metrics.close()
        self._log.close()

    def _write_log(self, message: str) -> None:
        self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n")
        self._log.flush()


class _NoCurves:
    def add(self, values: Mapping[str, float], step: int) -> None:
        """Nothing to draw on."""

    def close(self) -> None:
        """Nothing to close."""


class _TensorBoard:
    def __init__(self, run_dir: Path, start_step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoard is not installed: pip install 'trackcore[train]', or set log_to to none"
            ) from error
        self._writer = SummaryWriter(str(run_dir / "tensorboard"), purge_step=start_step + 1 if start_step else None)

    def add(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    def __init__(self, run_dir: Path, config: LoopConfig) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ImportError("W&B is not installed: pip install 'trackcore[wandb]'") from error
        self._run = wandb.init(
            project=config.wandb_project,
            name=run_dir.name,
            group=run_dir.name,  # a resumed training is another run of the same group
            dir=str(run_dir),
            mode=config.wandb_mode,
            config=dataclasses.asdict(config),
        )

    def add(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def _open_curves(run_dir: Path, config: LoopConfig, start_step: int) -> _NoCurves | _TensorBoard | _WeightsAndBiases:
    if config.log_to == "tensorboard":
        return _TensorBoard(run_dir, start_step)
    if config.log_to == "wandb":
        return _WeightsAndBiases(run_dir, config)
    return _NoCurves()


def _drop_records_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:  # the last line of a run that was killed while writing it
            continue
        if entry["step"] <= step:
            kept.append(line)
    write_atomic(path, lambda file: file.write("".join(kept).encode()))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
