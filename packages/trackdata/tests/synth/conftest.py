"""Datasets written by layouts, and the generated videos that are in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from trackdata.packing import pack
from trackdata.synth import SynthConfig, generate_sequence, write_layout
from trackdata.synth.layouts import Order, layout
from trackdata.synth.sequence import SynthSequence

# Targets that leave and come back, hide, and change: what the layouts have flags for.
CONFIG = SynthConfig(
    size=(80, 60),
    frames=14,
    clutter=(1, 3),
    leaving=0.3,
    vanishing=0.7,
    speed=(0.4, 0.9),
    objects=(1, 3),
    occluders=(1, 2),
)
SEED = 7


@cache
def _video(split: str, number: int, config: SynthConfig) -> SynthSequence:
    return generate_sequence(SEED, split, number, config)


class Written:
    """A dataset written by one layout.

    Attributes:
        layout, root, split: what was written, where, and which part.
        items: the layout's plan.
        report: of the writer.
    """

    def __init__(self, folder: Path, name: str, split: str | None, sequences: int, config: SynthConfig, listed: bool):
        self.layout, self.root = layout(name), folder / name
        self.split = split or (self.layout.splits or ("train",))[0]
        self.items = self.layout.plan(Order(self.split, sequences, config.frames, listed))
        self._folder, self._config = folder, config
        self.report = write_layout(self.layout, self.root, self.split, sequences, config, seed=SEED, listed=listed)

    def video(self, number: int) -> SynthSequence:
        """The video that item ``number`` shows."""
        item = self.items[number]
        config = replace(self._config, frames=item.frames, objects=item.objects or self._config.objects)
        return _video(self.split, item.number, config)

    def roots(self) -> Iterator[Path]:
        """The folder, and the same packed as LMDB."""
        yield self.root
        packed = self._folder / "packed" / self.layout.name
        pack(self.root, packed, "lmdb")
        yield packed


@pytest.fixture
def config() -> SynthConfig:
    """Small videos in which much happens."""
    return CONFIG


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Written]:
    """Write a layout by name to a folder of that name."""

    def written(
        name: str, split: str | None = None, sequences: int = 3, config: SynthConfig = CONFIG, listed: bool = True
    ) -> Written:
        return Written(tmp_path, name, split, sequences, config, listed)

    return written


@pytest.fixture
def check_frames() -> Callable[..., None]:
    """Compare frames of what was read with those of the video: pairs of their indices."""

    def check(sequence, video: SynthSequence, pairs: list[tuple[int, int]]) -> None:
        for index, shown in pairs:
            assert np.array_equal(sequence.frames[index], video.frame(shown))

    return check


@pytest.fixture
def shifted() -> Callable[[np.ndarray, int], np.ndarray]:
    """Boxes as a dataset that counts from 1 has them; boxes of zero size stay zeros."""
    return lambda boxes, origin: (
        boxes + np.where((boxes[:, 2:] > 0).all(axis=1, keepdims=True), (origin, origin, 0, 0), 0)
    )


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """The files below a folder."""
    return lambda root: {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }
