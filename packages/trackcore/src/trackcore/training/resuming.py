"""Training checkpoints: everything needed to go on at a step, written atomically, old ones removed.

``checkpoints/step_00001200.pt`` is a ``torch.save`` file of tensors and plain values, read with ``weights_only=True``.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from trackcore.checkpoints import write_atomic

FORMAT = "trackcore training 1"
_NAME = re.compile(r"step_(\d+)\.pt")


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` optimiser steps lies."""
    return folder / f"step_{step:08d}.pt"


def saved_steps(folder: Path) -> list[int]:
    """Steps that have a checkpoint, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(found[1]) for path in folder.iterdir() if (found := _NAME.fullmatch(path.name)))


def save(folder: Path, contents: dict[str, Any], keep_last: int, best_step: int | None) -> Path:
    """Write a checkpoint (``contents["step"]`` names it), then remove all but the last ones and the best one.

    Raises:
        CheckpointWriteError: the disk is full; earlier checkpoints are as they were.
    """
    path = checkpoint_path(folder, contents["step"])
    write_atomic(path, lambda file: torch.save({"format": FORMAT, **contents}, file))
    for step in saved_steps(folder)[:-keep_last]:
        if step != best_step:
            checkpoint_path(folder, step).unlink()
    for leftover in folder.glob(".step_*.tmp"):  # of a process that was killed while writing
        leftover.unlink()
    return path


def load_latest(folder: Path, say: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest checkpoint that can be read, or None; ``say`` is told about damaged ones that were passed over."""
    for step in reversed(saved_steps(folder)):
        try:
            return load_step(folder, step)
        except Exception as error:  # damage shows in many ways, and each means: take the one before
            say(f"{checkpoint_path(folder, step).name} is damaged ({error}); going back to the checkpoint before it")
    return None


def load_step(folder: Path, step: int) -> dict[str, Any]:
    """The checkpoint after ``step`` steps, its tensors on the CPU; fails in some way when the file is damaged."""
    path = checkpoint_path(folder, step)
    with zipfile.ZipFile(path) as archive:  # torch.load does not verify the checksums
        if (bad := archive.testzip()) is not None:
            raise ValueError(f"checksum of {bad} differs")
    contents = torch.load(path, map_location="cpu", weights_only=True)
    if contents.get("format") != FORMAT:
        raise ValueError(f"format {contents.get('format')!r}, expected {FORMAT!r}")
    return contents
