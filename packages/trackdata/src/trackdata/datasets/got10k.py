"""GOT-10k: 9,335 training, 180 validation and 180 test videos (Huang et al., TPAMI 2021).

On disk, below the folders ``train``, ``val`` and ``test``::

    list.txt                       one sequence name a line
    <sequence>/00000001.jpg ...    frames, numbered from 1
              /groundtruth.txt     x,y,w,h a line; test sequences have only the first
              /absence.label       0 or 1 a line, 1 where the target is absent
              /cover.label         0 to 8 a line, visible eighths of the target
              /cut_by_image.label  0 or 1 a line
              /meta_info.ini       "key: value" lines

Absent targets have boxes of zero size or -1, -1, -1, -1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from pathlib import Path

from trackdata.parsing import read_boxes, read_column, read_lines, valid_boxes
from trackdata.sequences import AnnotationError, NumberedFrames, Sequence, SequenceList

TRAIN_SEQUENCES = 9335

# Split -> folder. Splits that are not a whole folder are lists of positions in its list.txt.
SPLITS: Mapping[str, str] = {
    "train": "train",
    "val": "val",
    "test": "test",
    "train_full": "train",
    "train_part": "train",
    "val_part": "train",
    "vottrain": "train",
    "votval": "train",
    "vottrain_fixed": "train",
    "votval_fixed": "train",
}
_LISTS = {
    "train_part": "got10k_train",
    "val_part": "got10k_val",
    "vottrain": "got10k_vot_train",
    "votval": "got10k_vot_val",
}


@cache
def _numbers(name: str) -> tuple[int, ...]:
    text = resources.files("trackdata.datasets").joinpath("splits", f"{name}.txt").read_text(encoding="ascii")
    return tuple(map(int, text.split()))


@cache
def split_positions(split: str) -> tuple[int, ...] | None:
    """Zero-based positions in ``train/list.txt`` that make ``split``; None when it is a whole folder.

    ``train_part`` (7,934) and ``val_part`` (1,401) divide the training folder. ``vottrain`` and ``votval`` are these
    without 1,000 sequences that overlap with VOT videos, *as published*: there, forbidden sequence numbers (which count
    from 1) were removed from lists of positions (which count from 0), so that 890 forbidden sequences stayed and 890
    permitted ones went. Published trackers were trained on these. ``vottrain_fixed`` and ``votval_fixed`` remove the
    right ones.
    """
    if split in _LISTS:
        return _numbers(_LISTS[split])
    if split.endswith("_fixed"):
        forbidden = {number - 1 for number in _numbers("got10k_vot_forbidden_numbers")}
        part = "train_part" if split == "vottrain_fixed" else "val_part"
        return tuple(position for position in split_positions(part) if position not in forbidden)
    return None


def find_folder(root: Path, split: str | None) -> Path:
    """The folder with ``list.txt``: ``root`` itself, or the split's folder below it (which wins when both exist)."""
    if split is not None and (root / SPLITS[split] / "list.txt").is_file():
        return root / SPLITS[split]
    if (root / "list.txt").is_file():
        if split is not None and root.name in SPLITS.values() and root.name != SPLITS[split]:
            raise AnnotationError(f"{root}: the split {split!r} is in the folder {SPLITS[split]!r}, not in this one")
        return root
    if not root.is_dir():
        raise AnnotationError(f"{root}: there is no such folder")
    if split is not None:
        raise AnnotationError(f"{root}: expected {SPLITS[split]}/list.txt or list.txt of GOT-10k there, found neither")
    below = sorted(listed.parent.name for listed in root.glob("*/list.txt"))
    hint = f"; for one of the folders {', '.join(below)} give a split ({', '.join(SPLITS)})" if below else ""
    raise AnnotationError(f"{root}: there is no list.txt of GOT-10k{hint}")


class Got10k(SequenceList):
    """GOT-10k, or a dataset written in its layout. Building it reads ``list.txt`` alone."""

    def __init__(self, root: str | Path, split: str | None = None, name: str | None = None) -> None:
        """
        Args:
            root: the folder with ``train``, ``val`` and ``test``, or one of these.
            split: a key of :data:`SPLITS`; None takes everything in ``root/list.txt``. ``train``, ``val`` and ``test``
                are the whole official folders; ``train_full`` is ``train``, but must have all 9,335 sequences; for the
                others see :func:`split_positions`.
            name: what reports call it; by default ``got10k`` and the split.

        Raises:
            ValueError: unknown split.
            AnnotationError: no ``list.txt``, or it is too short for the split.
        """
        if split is not None and split not in SPLITS:
            raise ValueError(f"GOT-10k has no split {split!r}; there are {', '.join(SPLITS)}")
        folder = find_folder(Path(root), split)
        super().__init__(
            name=name or "_".join(filter(None, ("got10k", split))),
            sequence_names=select(read_lines(folder / "list.txt"), split, folder / "list.txt"),
            read=partial(read_sequence, folder),
        )


def select(names: list[str], split: str | None, source: Path) -> list[str]:
    """The names of ``split`` among those that ``source`` lists.

    Raises:
        AnnotationError: the list is empty or too short for the split.
    """
    positions = None if split is None else split_positions(split)
    needed = TRAIN_SEQUENCES if split == "train_full" else 1 + max(positions or (0,))
    if not names:
        raise AnnotationError(f"{source}: the list is empty")
    if len(names) < needed:
        raise AnnotationError(
            f"{source}: lists {len(names)} sequences, but the split {split!r} needs {needed}; "
            "use the split 'train' for a smaller dataset in this layout"
        )
    return names if positions is None else [names[position] for position in positions]


def read_sequence(folder: Path, name: str) -> Sequence:
    """The sequence in ``folder / name``.

    ``attributes`` has the entries of meta_info.ini as text, and, where the files exist, ``visible_ratio`` ``(N,)``
    float64 (eighths of the target that are visible, over 8) and ``cut_by_image`` ``(N,)`` bool. ``visible`` is: not
    absent, some of the target visible, and a valid box; it is None for sequences without label files.

    Raises:
        AnnotationError: a file is missing or malformed, or numbers of boxes, labels and frames differ.
    """
    folder = folder / name
    boxes = read_boxes(folder / "groundtruth.txt")
    frames = NumberedFrames(folder, _frame_count(folder))
    if len(frames) == 0:
        raise AnnotationError(f"{folder}: no frames; expected 00000001.jpg and so on")
    labels = {name: folder / f"{name}.label" for name in ("absence", "cover", "cut_by_image")}
    present = {name: path.is_file() for name, path in labels.items()}
    first_box_only = len(boxes) == 1 and not any(present.values())
    if len(boxes) != len(frames) and not first_box_only:
        raise AnnotationError(
            f"{folder / 'groundtruth.txt'}: {len(boxes)} boxes, but the folder's last frame is number {len(frames)}"
        )
    if present["absence"] != present["cover"]:
        missing = labels["cover" if present["absence"] else "absence"]
        raise AnnotationError(f"{missing}: there is no such file; absence.label and cover.label belong together")
    valid = valid_boxes(boxes)
    attributes = dict(read_meta(folder / "meta_info.ini"))
    absent = visible = None
    if present["absence"]:
        absent = read_column(labels["absence"], len(boxes)) != 0
        cover = read_column(labels["cover"], len(boxes))
        visible = ~absent & (cover > 0) & valid
        attributes["visible_ratio"] = cover / 8
    if present["cut_by_image"]:
        attributes["cut_by_image"] = read_column(labels["cut_by_image"], len(boxes)) != 0
    return Sequence(
        name=name,
        frames=frames,
        boxes=boxes,
        valid=valid,
        visible=visible,
        absent=absent,
        object_class=attributes.get("object_class"),
        attributes=attributes,
    )


def _frame_count(folder: Path) -> int:
    """The highest frame number. A hole in the numbers is left to be found when that frame is read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError as error:
        raise AnnotationError(f"{folder}: cannot be listed ({error.strerror})") from error
    numbers = (int(name[:-4]) for name in names if name.endswith(".jpg") and name[:-4].isdecimal())
    return max(numbers, default=0)


def read_meta(path: Path) -> dict[str, str]:
    """The ``key: value`` lines of a meta_info.ini by key; nothing when the file does not exist."""
    if not path.is_file():
        return {}
    pairs = (line.partition(":") for line in read_lines(path))
    return {key.strip(): value.strip() for key, separator, value in pairs if separator}
