"""Training videos of YouTube-VOS resized to 480 lines, once, as the published training reads them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from trackdata.errors import AnnotationError
from trackdata.labels import DAVIS_PALETTE, decode_labels, encode_labels
from trackdata.process_map import Died, map_in_processes
from trackdata.writing import write_atomically


def resize_training_frame(image: np.ndarray, short_side: int) -> np.ndarray:
    """An RGB uint8 frame with that short side, larger or smaller: Pillow's bicubic filter, which averages."""
    return np.asarray(Image.fromarray(image).resize(_size(image, short_side), Image.Resampling.BICUBIC))


def resize_training_labels(labels: np.ndarray, short_side: int) -> np.ndarray:
    """A label map resized by the nearest pixel."""
    return np.asarray(Image.fromarray(labels).resize(_size(labels, short_side), Image.Resampling.NEAREST))


def _size(array: np.ndarray, short_side: int) -> tuple[int, int]:
    """(width, height), both rounded down."""
    height, width = array.shape[:2]
    scale = short_side / min(height, width)
    return int(width * scale), int(height * scale)


@dataclass(frozen=True)
class Prepared:
    """What became of the videos.

    Attributes:
        folder: where they are.
        written: videos resized now.
        kept: those that were there already.
        failures: why others are missing, by name.
    """

    folder: Path
    written: int
    kept: int
    failures: dict[str, str]


def prepare_youtubevos(
    root: str | Path,
    *,
    short_side: int = 480,
    workers: int = 1,
    on_video: Callable[[str], None] = lambda name: None,
) -> Prepared:
    """Write ``train_480p`` beside ``train``; started again it goes on where it was.

    Args:
        root: the folder of an edition, with ``train/JPEGImages`` and ``train/Annotations``.
        short_side: in pixels.
        workers: processes.
        on_video: called after each.

    Raises:
        AnnotationError: there are no training videos.
    """
    root = Path(root)
    source, target = root / "train", root / f"train_{short_side}p"
    folder = source / "JPEGImages"
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not names:
        raise AnnotationError(f"{folder}: no videos there; give the folder with train/JPEGImages/<video>/*.jpg")
    waiting = [name for name in names if not (target / "Annotations" / name).is_dir()]
    failures = {}
    work = partial(_prepare_video, source, target, short_side, waiting)
    for index, outcome in map_in_processes(work, range(len(waiting)), workers):
        if outcome is not None:
            failures[waiting[index]] = "its process died" if isinstance(outcome, Died) else outcome
        on_video(waiting[index])
    return Prepared(target, len(waiting) - len(failures), len(names) - len(waiting), failures)


def _prepare_video(source: Path, target: Path, short_side: int, names: list[str], index: int) -> str | None:
    """Resize one video; returns why it cannot be, or None. Its folder of label maps appears last, and complete."""
    name = names[index]
    try:
        for file in sorted((source / "JPEGImages" / name).glob("*.jpg")):
            with Image.open(file) as image:
                frame = Image.fromarray(resize_training_frame(np.asarray(image.convert("RGB")), short_side))
            data = io.BytesIO()
            frame.save(data, "JPEG")
            write_atomically(target / "JPEGImages" / name / file.name, data.getvalue())
        partial_folder = target / "Annotations" / f".{name}.partial"
        partial_folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((source / "Annotations" / name).glob("*.png")):
            labels = resize_training_labels(decode_labels(file.read_bytes(), file), short_side)
            (partial_folder / file.name).write_bytes(encode_labels(labels, DAVIS_PALETTE))
        partial_folder.rename(target / "Annotations" / name)
    except (OSError, ValueError, SyntaxError) as error:  # damaged images
        return f"{type(error).__name__}: {error}"
    return None
