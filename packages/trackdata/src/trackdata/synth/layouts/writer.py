"""Writing generated video in any layout, with as many processes as asked for, and picking up where it stopped.

An item is written to a folder of a passing name. Then its files and folders are moved to their places, and last its
stamp, which notes how it was made: an item is there when its stamp is. A run that died while it moved leaves the folder
of the passing name, so that what it moved is known to be its own; other files are never touched.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from trackdata.process_map import Died, map_in_processes
from trackdata.synth.config import SynthConfig, recorded
from trackdata.synth.layouts.layout import Item, Layout, Order, Record
from trackdata.synth.sequence import generate_sequence
from trackdata.writing import write_atomically

GENERATOR = 1  # goes up whenever the same seed gives different video


class SynthMismatchError(ValueError):
    """The folder holds video made with other settings; the message names what differs."""


@dataclass(frozen=True)
class WriteReport:
    """What ``write_layout`` did.

    Attributes:
        root: the folder of what was written: the dataset's, or where splits are folders of their own, the split's.
        written, skipped: numbers of items made now and found complete.
        frames: frames written now.
        seconds: wall-clock time.
    """

    root: Path
    written: int
    skipped: int
    frames: int
    seconds: float

    @property
    def rate(self) -> float:
        """Frames written per second."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        text = f"{self.written} sequences with {self.frames} frames written to {self.root} in {self.seconds:.1f} s"
        text += f" ({self.rate:.0f} frames/s)" if self.frames else ""
        return text + (f", {self.skipped} were there already" if self.skipped else "")


def write_layout(
    layout: Layout,
    output: Path,
    split: str | None = None,
    sequences: int = 20,
    config: SynthConfig | None = None,
    *,
    seed: int = 0,
    workers: int = 1,
    listed: bool = True,
    masks: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> WriteReport:
    """Write ``sequences`` generated videos to ``output`` as ``layout`` has them.

    Every item appears complete or not at all, and lists of all items are written last, so an interrupted run is
    continued by running it again; complete items are kept. Pixels depend on ``seed``, ``split``, the item's number and
    ``config`` alone, not on ``workers``. More sequences may be added later; with fewer, lists name only those.

    Args:
        layout: one of :data:`trackdata.synth.layouts.LAYOUTS`.
        output: the dataset's root; made when missing.
        split: of the dataset; the layout's first one by default, "train" where any word will do.
        sequences: how many, from the first.
        config: what they show; default ``SynthConfig()``. Layouts of published lists set the number of frames, and some
            the number of objects.
        seed: of the whole data set.
        workers: processes; 1 works in this one. More start fresh interpreters, so a script must guard its entry point
            with ``if __name__ == "__main__"``.
        listed: use the names of published lists, and the lengths that these state; see :class:`Order`.
        masks: write masks of the target as well, where the layout has none but can take them.
        overwrite: remove generated video made with other settings instead of refusing; other data is never removed.
        on_progress: called with the number of complete items and of all, in this process.

    Raises:
        SynthMismatchError: an item was made with another seed, configuration or generator, or is not generated at all.
        ValueError: a count below one, or a bad seed, split or option.
        RuntimeError: a process died.
    """
    if sequences < 1 or workers < 1:
        raise ValueError(f"sequences and workers must be at least 1, got {sequences} and {workers}")
    started = time.perf_counter()
    config = config or SynthConfig()
    order = _order(layout, split, sequences, config, listed, masks)
    generate_sequence(
        seed, order.split, 0, replace(config, frames=1)
    )  # reports bad arguments before anything is touched
    root = Path(output) / layout.home(order.split)
    items = layout.plan(order)
    root.mkdir(parents=True, exist_ok=True)
    task = _Task(layout, root, order, config, seed)
    records = {item.name: task.complete(item, overwrite) for item in items}
    missing = [item for item in items if records[item.name] is None]
    before: dict[str, str] = {}
    for key in layout.close(order, items, [{} for _ in items], lambda key: ""):
        before[key] = _read(root, key)
        (root / key).unlink(missing_ok=True)
    done = len(items) - len(missing)
    if on_progress and done:
        on_progress(done, len(items))
    for item, result in _run(task, missing, workers):
        if isinstance(result, Died):
            raise RuntimeError(f"the process that wrote {item.name} died; run the same again to go on")
        records[item.name] = result
        done += 1
        if on_progress:
            on_progress(done, len(items))
    closing = layout.close(order, items, [records[item.name] for item in items], lambda key: before.get(key, ""))
    for key, text in closing.items():
        write_atomically(root / key, text)
    seconds = time.perf_counter() - started
    frames = sum(1 if layout.still else item.frames for item in missing)
    return WriteReport(root, len(missing), len(items) - len(missing), frames, seconds)


def _order(layout: Layout, split: str | None, sequences: int, config: SynthConfig, listed: bool, masks: bool) -> Order:
    split = split if split is not None else layout.splits[0] if layout.splits else "train"
    if layout.splits and split not in layout.splits:
        raise ValueError(f"split must be one of {', '.join(layout.splits)} for {layout.name}, got {split!r}")
    if masks and not layout.has_masks:
        raise ValueError(f"masks must be off for {layout.name}, whose layout leaves no choice")
    return Order(split, sequences, config.frames, listed, masks)


def _read(root: Path, key: str) -> str:
    """The text of a file of the dataset, empty when there is none."""
    path = root / key
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _run(task: _Task, items: list[Item], workers: int) -> Iterator[tuple[Item, Record | Died]]:
    """``task`` of every item, in any order."""
    workers = min(workers, len(items))
    if workers > 1:
        yield from map_in_processes(task, items, workers)
        return
    with _one_thread():
        yield from ((item, task(item)) for item in items)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@dataclass(frozen=True)
class _Task:
    """Writes one item when called; picklable."""

    layout: Layout
    root: Path
    order: Order
    config: SynthConfig
    seed: int

    def __call__(self, item: Item) -> Record:
        sequence = generate_sequence(self.seed, self.order.split, item.number, self._config(item))
        staging = self._staging(item)
        if staging.exists():
            self._remove(item)  # what a run that died has moved already
            shutil.rmtree(staging)
        staging.mkdir(parents=True)
        record = self.layout.write(item, sequence, staging, self.order) or {}
        note = self._stamp(item) | ({"record": record} if record else {})
        (staging / item.stamp).parent.mkdir(parents=True, exist_ok=True)
        (staging / item.stamp).write_text(json.dumps(note, indent=1), encoding="utf-8")
        for key in self._moves(item):
            (self.root / key).parent.mkdir(parents=True, exist_ok=True)
            (staging / key).rename(self.root / key)
        shutil.rmtree(staging)
        return record

    def _config(self, item: Item) -> SynthConfig:
        objects = self.config.objects if item.objects is None else item.objects
        return replace(self.config, frames=item.frames, objects=objects)

    def _staging(self, item: Item) -> Path:
        return self.root / f".{item.name}.part"

    def _moves(self, item: Item) -> tuple[str, ...]:
        """What is moved, in this order: the stamp comes last, in the place that holds it or by itself."""
        holder = [key for key in item.places if item.stamp.startswith(f"{key}/")]
        return (*(key for key in item.places if key not in holder), *(holder or [item.stamp]))

    def _remove(self, item: Item) -> None:
        for key in (item.stamp, *item.places):
            path = self.root / key
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _stamp(self, item: Item) -> dict[str, Any]:
        """What an item was made with, as JSON reads it back."""
        settings = {
            "generator": GENERATOR,
            "seed": self.seed,
            "split": self.order.split,
            "masks": self.order.masks,
            "config": recorded(self._config(item)),
        }
        if self.layout.name != "got10k":  # which was there before there were others
            settings["layout"] = self.layout.name
        text = json.dumps(settings, sort_keys=True)
        return json.loads(text) | {"digest": hashlib.sha256(text.encode()).hexdigest()[:16]}

    def complete(self, item: Item, overwrite: bool) -> Record:
        """The record of ``item`` when it is there already, else None; when another is there, remove it or refuse."""
        present = [key for key in item.places if (self.root / key).exists()]
        stamp = self.root / item.stamp
        if not stamp.is_file() and (not present or self._staging(item).exists()):
            return None
        try:
            found = json.loads(stamp.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            # items appear with their stamp, so this one may be somebody's recorded data: never removed
            raise SynthMismatchError(
                f"{self.root / (present or [item.stamp])[0]} was not written by this generator (no readable "
                f"{Path(item.stamp).name}); choose another folder or remove it"
            ) from error
        record, wanted = found.pop("record", {}), self._stamp(item)
        if found == wanted and len(present) == len(item.places):
            return record
        if found != wanted and not overwrite:
            raise SynthMismatchError(
                f"{self.root / item.places[0]} was made with other settings ({_differences(found, wanted)}); "
                "choose another folder, the same settings, or overwrite"
            )
        self._remove(item)
        return None


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """For example ``seed 1 instead of 0, config.frames 10 instead of 60``."""
    there, here = _flat(found), _flat(wanted)
    keys = [key for key in sorted(there | here) if key != "digest" and there.get(key) != here.get(key)]
    return ", ".join(f"{key} {there.get(key)} instead of {here.get(key)}" for key in keys)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    config = settings.get("config", {})
    return {key: value for key, value in settings.items() if key != "config"} | {
        f"config.{k}": v for k, v in config.items()
    }
