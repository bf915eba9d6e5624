"""Reading files from folders, zip, tar and LMDB; packing; verifying; opening large archives; indices of annotation.

python benchmarks/speed/storage.py
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import tyro
from machine import measure_machine, median_seconds
from reporting import Figure, report


def generate(folder: Path, sequences: int, frames: int, workers: int) -> Path:
    """Generated video of 640 x 480 in GOT-10k's layout."""
    from trackdata.synth import SynthConfig, write_got10k

    write_got10k(folder, "train", sequences, SynthConfig(frames=frames, size=(640, 480)), workers=workers)
    return folder


def packing(root: Path, folder: Path, workers: int) -> tuple[list[Figure], dict[str, Path]]:
    """Packing, which reads everything back, and comparing once more."""
    from trackdata.packing import check_pack, pack

    figures, packs = [], {"lmdb": folder / "lmdb", "zip": folder / "pack.zip"}
    for kind, output in packs.items():
        for what, function in (("packed", pack), ("compared", check_pack)):
            done = function(root, output, kind, "got10k", workers=workers)
            size = sum(part.bytes for part in done.packed)
            keys = sum(part.keys for part in done.packed)
            note = f"{keys:,} files, {size / done.seconds / 1e6:.0f} MB/s, {workers} threads"
            figures.append(Figure(f"{kind}, {what}", done.seconds / keys, "file", note=note))
    return figures, packs


def reading(root: Path, packs: dict[str, Path], repeats: int) -> list[Figure]:
    """The bytes of frames in random order, from the system's cache, and decoding them."""
    import tarfile

    from trackcore.images import decode_image
    from trackdata.storage import open_store, walk

    tape = packs["zip"].with_name("pack.tar")
    with tarfile.open(tape, "w") as archive:
        archive.add(root, ".")
    keys = [key for key in walk(open_store(root)) if key.endswith(".jpg")]
    random.Random(0).shuffle(keys)
    stores = {"folder": open_store(root), "tar": open_store(tape)} | {
        kind: open_store(path) for kind, path in packs.items()
    }
    size = sum(len(stores["folder"].read(key)) for key in keys) / len(keys)
    figures = []
    for name, store in sorted(stores.items()):
        seconds = median_seconds(lambda store=store: [store.read(key) for key in keys], repeats, warmup=1) / len(keys)
        figures.append(Figure(f"frame's bytes from {name}", seconds, note=f"{size / 1e3:.0f} kB"))
    some = [stores["folder"].read(key) for key in keys[:200]]
    seconds = median_seconds(lambda: [decode_image(data, "") for data in some], repeats, warmup=1) / len(some)
    figures.append(Figure("640 x 480 JPEG, decoded", seconds, note="to compare with"))
    return figures


def verifying(root: Path, workers: int) -> list[Figure]:
    """``trackdata verify`` by what it decodes."""
    from trackdata.verification import verify_at

    figures = []
    for decode, processes in (("none", 1), ("first", 1), ("all", 1), ("all", workers)):
        found = verify_at("got10k", root, "train", decode, workers=processes)
        assert not found.findings
        name = f"verified, decode {decode}, {processes} process{'es' if processes > 1 else ''}"
        figures.append(Figure(name, found.seconds / found.frames, note=f"{found.sequences} sequences"))
    return figures


OPENING = """
import re, sys, time
from pathlib import Path
from trackdata.storage import ZipStore
status = Path("/proc/self/status")
def largest():  # what the system counts for a process includes its parent's
    return int(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1]) if status.exists() else 0
if sys.argv[2] == "trackdata":
    opened = lambda: ZipStore(Path(sys.argv[1])).read(sys.argv[3])
else:
    import zipfile
    opened = lambda: zipfile.ZipFile(sys.argv[1]).read(sys.argv[3])
before = largest()
began = time.perf_counter()
opened()
print(time.perf_counter() - began, largest() - before)
"""


def opening(folder: Path, members: int) -> list[Figure]:
    """The first file of a zip archive of very many, each time in a process of its own."""
    path = folder / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(members):
            archive.writestr(zipfile.ZipInfo(f"frames/video_{number // 500:05d}/{number % 500:08d}.jpg"), b"1")
    figures = []
    for who in ("trackdata", "zipfile"):
        command = [sys.executable, "-c", OPENING, str(path), who, "frames/video_00000/00000000.jpg"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, memory = map(float, done.stdout.split())
        note = f"{members:,} members, {memory / 1e3:.0f} MB"
        figures.append(Figure(f"large zip opened, {who}", seconds, "archive", note=note))
    return figures


def indexing(folder: Path, annotations: int) -> list[Figure]:
    """An annotation file in COCO's form, the first time and after."""
    import json

    from trackdata.datasets import open_dataset

    root = folder / "coco"
    (root / "annotations").mkdir(parents=True)
    images = [{"id": n, "file_name": f"{n:012d}.jpg", "width": 640, "height": 480} for n in range(annotations // 7 + 1)]
    boxes = [
        {"id": n, "image_id": n // 7, "category_id": 1, "iscrowd": 0, "bbox": [n % 600, 1.5, 20.25, 30],
         "segmentation": [[1.5, 2.5, 20.5, 2.5, 20.5, 30.5, 1.5, 30.5] * 3]}
        for n in range(annotations)
    ]  # fmt: skip
    categories = [{"id": 1, "name": "person", "supercategory": "person"}]
    content = {"images": images, "annotations": boxes, "categories": categories}
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    figures = []
    for name in ("parsed", "from its index"):
        began = time.perf_counter()
        assert len(open_dataset("coco", root, "train2017")) == annotations
        figures.append(
            Figure(f"COCO opened, {name}", time.perf_counter() - began, "time", note=f"{annotations:,} annotations")
        )
    return figures


@dataclass(frozen=True)
class Options:
    """Time storage of data."""

    sequences: int = 20
    """generated sequences"""
    frames: int = 100
    """frames of each"""
    members: int = 1_000_000
    """of the large zip archive"""
    annotations: int = 300_000
    """of the file in COCO's form; the training part of 2017 has 860,001"""
    repeats: int = 5
    """timed passes over all frames; the median counts"""
    workers: int = 2
    """threads that pack, processes that verify"""
    label: str | None = None
    """name of the result files; the processor's name when left out"""
    output: Path | None = None
    """folder of the result files; `results` beside the benchmark when left out"""


def main(options: Options) -> None:
    machine = measure_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = generate(folder / "got10k", options.sequences, options.frames, options.workers)
        figures, packs = packing(root, folder, options.workers)
        figures += reading(root, packs, options.repeats)
        figures += verifying(root, options.workers)
        figures += opening(folder, options.members)
        figures += indexing(folder, options.annotations)
    report("storage", machine, figures, options.label, options.output)


if __name__ == "__main__":
    main(tyro.cli(Options))
