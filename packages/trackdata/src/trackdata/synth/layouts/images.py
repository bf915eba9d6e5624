"""Writing frames, and text in lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trackdata.synth.sequence import SynthSequence


def write_frames(
    folder: Path, sequence: SynthSequence, pattern: str, first: int = 1, indices: Sequence[int] | None = None
) -> None:
    """Write frames as JPEG files into ``folder``, which is made.

    Args:
        pattern: file name with one place for the number, as in ``"{:08d}.jpg"``.
        first: number of frame 0.
        indices: which frames; all by default. Files are numbered by the frame.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(len(sequence)) if indices is None else indices:
        (folder / pattern.format(first + index)).write_bytes(sequence.jpeg(index))


def write_lines(path: Path, lines: Iterable[Any], end: str = "\n") -> None:
    """Write ``lines``, each with its ``end``; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())


def rows(boxes: np.ndarray, separator: str = ",", form: str = ".0f", origin: int = 0) -> list[str]:
    """One line a box ``(N, 4)``, x and y counted from ``origin``; boxes of zero size stay zeros."""
    shifted = boxes + np.where((boxes[:, 2:] > 0).all(axis=1, keepdims=True), (origin, origin, 0, 0), 0)
    return [separator.join(f"{value:{form}}" for value in box) for box in shifted]


def flags(values: Iterable[object]) -> list[str]:
    """``0`` and ``1``."""
    return [str(int(bool(value))) for value in values]
