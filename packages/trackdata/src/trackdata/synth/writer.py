"""Writing generated video in GOT-10k's layout, with as many processes as asked for, and picking up where it stopped."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trackdata.synth.config import SynthConfig, recorded
from trackdata.synth.sequence import SynthSequence, generate_sequence, sequence_name

GENERATOR = 1  # goes up whenever the same seed gives different video
STAMP = "synth.json"


class SynthMismatchError(ValueError):
    """The folder holds video made with other settings; the message names what differs."""


@dataclass(frozen=True)
class WriteReport:
    """What ``write_got10k`` did.

    Attributes:
        root: the split's folder, which holds ``list.txt``.
        written, skipped: numbers of sequences made now and found complete.
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


def write_got10k(
    output: Path,
    split: str,
    sequences: int,
    config: SynthConfig | None = None,
    seed: int = 0,
    workers: int = 1,
    masks: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> WriteReport:
    """Write ``sequences`` generated sequences to ``output/split``.

    Every sequence folder appears complete or not at all, and ``list.txt`` is written last, so an interrupted run is
    continued by running it again; complete sequences are kept. Pixels depend on ``seed``, ``split``, the sequence's
    number and ``config`` alone, not on ``workers``. More sequences may be added later; with fewer, ``list.txt`` names
    only those.

    Args:
        output: folder for the splits; made when missing.
        split: name of the split, "train", "val" or another word.
        sequences: how many, from number 1.
        config: what they show; default ``SynthConfig()``.
        seed: of the whole data set.
        workers: processes; 1 works in this one. More start fresh interpreters, so a script must guard its entry point
            with ``if __name__ == "__main__"``.
        masks: write the visible pixels of the target as ``masks/%08d.png``, 0 and 255.
        overwrite: remove generated video made with other settings instead of refusing; other data is never removed.
        on_progress: called with the number of complete sequences and of all, in this process.

    Raises:
        SynthMismatchError: a sequence in the folder was made with another seed, configuration or generator, or is not
            generated at all.
        ValueError: a count below one, or a bad seed or split.
    """
    if sequences < 1 or workers < 1:
        raise ValueError(f"sequences and workers must be at least 1, got {sequences} and {workers}")
    started = time.perf_counter()
    config = config or SynthConfig()
    generate_sequence(seed, split, 0, config)  # reports bad arguments before anything is touched
    root = Path(output) / split
    root.mkdir(parents=True, exist_ok=True)
    stamp = _stamp(split, config, seed, masks)
    missing = [
        index for index in range(sequences) if not _complete(root / sequence_name(split, index), stamp, overwrite)
    ]
    (root / "list.txt").unlink(missing_ok=True)

    done = sequences - len(missing)
    if on_progress and done:
        on_progress(done, sequences)
    task = partial(_write_sequence, root, split, config, seed, masks, stamp)
    for _ in _run(task, missing, workers):
        done += 1
        if on_progress:
            on_progress(done, sequences)
    _write_text(root / "list.txt", (sequence_name(split, index) for index in range(sequences)))
    seconds = time.perf_counter() - started
    return WriteReport(root, len(missing), sequences - len(missing), len(missing) * config.frames, seconds)


def _run(task: Callable[[int], int], indices: list[int], workers: int) -> Iterator[int]:
    """``task`` of every index, in any order."""
    workers = min(workers, len(indices))
    if workers <= 1:
        with _one_thread():
            yield from map(task, indices)
        return
    # spawned, not forked: the caller may hold threads, or a GPU
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        futures = [pool.submit(task, index) for index in indices]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _stamp(split: str, config: SynthConfig, seed: int, masks: bool) -> dict[str, Any]:
    """What a sequence folder was made with, as JSON reads it back."""
    settings = {"generator": GENERATOR, "seed": seed, "split": split, "masks": masks, "config": recorded(config)}
    text = json.dumps(settings, sort_keys=True)
    return json.loads(text) | {"digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _complete(folder: Path, stamp: dict[str, Any], overwrite: bool) -> bool:
    """Whether ``folder`` holds the sequence already; when it holds another one, remove it or refuse."""
    if not folder.exists():
        return False
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        # sequences appear with their stamp, so this one may be somebody's recorded data: never removed
        raise SynthMismatchError(
            f"{folder} was not written by this generator (no readable {STAMP}); choose another folder or remove it"
        ) from error
    if found == stamp:
        return True
    if not overwrite:
        raise SynthMismatchError(
            f"{folder} was made with other settings ({_differences(found, stamp)}); "
            "choose another folder, the same settings, or overwrite"
        )
    shutil.rmtree(folder)
    return False


def _differences(found: dict[str, Any], stamp: dict[str, Any]) -> str:
    """For example ``seed 1 instead of 0, config.frames 10 instead of 60``."""
    there, here = _flat(found), _flat(stamp)
    keys = [key for key in sorted(there | here) if key != "digest" and there.get(key) != here.get(key)]
    return ", ".join(f"{key} {there.get(key)} instead of {here.get(key)}" for key in keys)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    config = settings.get("config", {})
    return {key: value for key, value in settings.items() if key != "config"} | {
        f"config.{k}": v for k, v in config.items()
    }


def _write_sequence(
    root: Path, split: str, config: SynthConfig, seed: int, masks: bool, stamp: dict[str, Any], index: int
) -> int:
    """Write one sequence to a folder of a passing name, then give it its own."""
    sequence = generate_sequence(seed, split, index, config)
    working = root / f".{sequence.name}.part"
    if working.exists():
        shutil.rmtree(working)
    working.mkdir()
    for number in range(len(sequence)):
        (working / f"{number + 1:08d}.jpg").write_bytes(sequence.jpeg(number))
    if masks:
        _write_masks(working / "masks", sequence)
    _write_annotations(working, sequence)
    (working / STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    working.rename(root / sequence.name)
    return index


def _write_masks(folder: Path, sequence: SynthSequence) -> None:
    folder.mkdir()
    for number in range(len(sequence)):
        _, data = cv2.imencode(".png", sequence.mask(number).astype(np.uint8) * 255)
        (folder / f"{number + 1:08d}.png").write_bytes(data.tobytes())


def _write_annotations(folder: Path, sequence: SynthSequence) -> None:
    width, height = sequence.scene.size
    _write_text(folder / "groundtruth.txt", (",".join(f"{value:.4f}" for value in box) for box in sequence.boxes))
    for name, values in (
        ("absence", sequence.absence),
        ("cover", sequence.cover),
        ("cut_by_image", sequence.cut_by_image),
    ):
        _write_text(folder / f"{name}.label", (str(int(value)) for value in values))
    meta = {
        "url": "generated",
        "begin": "00:00:00",
        "end": f"00:{len(sequence) // 600:02d}:{len(sequence) // 10 % 60:02d}",
        "anno_fps": "10Hz",
        "object_class": "synthetic",
        "motion_class": "moving",
        "major_class": "synthetic",
        "root_class": "object",
        "motion_adverb": "smoothly",
        "resolution": f"({width}, {height})",
    }
    _write_text(folder / "meta_info.ini", ("[METAINFO]", *(f"{key}: {value}" for key, value in meta.items())))


def _write_text(path: Path, lines: Any) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
