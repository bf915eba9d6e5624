"""GOT-10k: one folder a sequence, and ``list.txt``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from trackdata.synth.config import SynthConfig
from trackdata.synth.layouts.images import flags, rows, write_frames, write_lines
from trackdata.synth.layouts.layout import Item, Layout, Order, Record
from trackdata.synth.layouts.writer import WriteReport, write_layout
from trackdata.synth.sequence import SynthSequence, sequence_name


def _plan(order: Order) -> list[Item]:
    names = [sequence_name(order.split, number) for number in range(order.sequences)]
    return [Item(name, n, (name,), order.frames, f"{name}/synth.json") for n, name in enumerate(names)]


def _write(item: Item, sequence: SynthSequence, folder: Path, order: Order) -> None:
    folder = folder / item.name
    write_frames(folder, sequence, "{:08d}.jpg")
    if order.masks:
        (folder / "masks").mkdir()
        for index in range(len(sequence)):
            _, data = cv2.imencode(".png", sequence.mask(index).astype(np.uint8) * 255)
            (folder / "masks" / f"{index + 1:08d}.png").write_bytes(data.tobytes())
    track = sequence.tracks[0]
    write_lines(folder / "groundtruth.txt", rows(track.boxes, form=".4f"))
    write_lines(folder / "absence.label", flags(track.absent))
    write_lines(folder / "cover.label", track.cover)
    write_lines(folder / "cut_by_image.label", flags(track.cut))
    width, height = sequence.scene.size
    meta = {
        "url": "generated",
        "begin": "00:00:00",
        "end": f"00:{len(sequence) // 600:02d}:{len(sequence) // 10 % 60:02d}",
        "anno_fps": "10Hz",
        "object_class": track.object_class,
        "motion_class": "moving",
        "major_class": track.object_class,
        "root_class": "object",
        "motion_adverb": "smoothly",
        "resolution": f"({width}, {height})",
    }
    write_lines(folder / "meta_info.ini", ("[METAINFO]", *(f"{key}: {value}" for key, value in meta.items())))


def _close(order: Order, items: list[Item], records: list[Record], read: Callable[[str], str]) -> Mapping[str, str]:
    return {"list.txt": "".join(f"{item.name}\n" for item in items)}


def _home(split: str) -> str:
    return split


GOT10K = Layout(
    name="got10k",
    title="one folder a sequence, absence and visible eighths; any word is a split",
    plan=_plan,
    write=_write,
    close=_close,
    home=_home,
    has_masks=True,
)


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
    """Write ``sequences`` generated sequences to ``output/split`` in GOT-10k's layout.

    See :func:`~trackdata.synth.layouts.writer.write_layout` for the arguments and what may be raised; ``masks`` writes
    the visible pixels of the target as ``masks/%08d.png``, 0 and 255.
    """
    return write_layout(
        GOT10K,
        output,
        split,
        sequences,
        config,
        seed=seed,
        workers=workers,
        masks=masks,
        overwrite=overwrite,
        on_progress=on_progress,
    )
